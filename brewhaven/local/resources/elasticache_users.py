"""Who may do what in a cache: users and user groups of ElastiCache, auth tokens, and Valkey's access control list.

https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from brewhaven.local.emulator import Response
from brewhaven.local.engines.valkey_server import ValkeyError, hashed
from brewhaven.local.registry import REGISTRY, correction, replace
from brewhaven.local.resources.elasticache_answers import Record, Refusal, given, listed, refused
from brewhaven.local.resources.elasticache_answers import user as user_answer

_MOST_PASSWORDS = 2
_SHORTEST, _LONGEST = 16, 128
# Commands that ElastiCache keeps for itself.
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/RestrictedCommands.html
_RESTRICTED = (
    "-acl|deluser -acl|load -acl|save -acl|setuser -bgrewriteaof -bgsave -config -debug -failover -migrate -module "
    "-psync -replicaof -save -shutdown -slaveof -sync"
)
# on, off, key and channel patterns, commands and categories, selectors; never passwords, which are no part of it.
_RULE = re.compile(
    r"^(on|off|[~&]\S+|%(R|W|RW|WR)~\S+|[+-]@?[\w|-]+|allkeys|resetkeys|allchannels|resetchannels|allcommands|"
    r"nocommands|clearselectors|\(.*\))$"
)
_TOKEN = re.compile(r"^[A-Za-z0-9!&#$^<>\-]{16,128}$")


def access_control_list(group: Record) -> Iterator[str]:
    """The lines of Valkey's access control list for a replication group; the default user is always among them."""
    from ministack.services import elasticache

    user_groups = [elasticache._user_groups[name] for name in group["UserGroupIds"] if name in elasticache._user_groups]
    users = [
        elasticache._users[name]
        for user_group in user_groups
        for name in user_group["UserIds"]
        if name in elasticache._users
    ]
    for user in users:
        passwords = user.get("_passwords") or ()
        open_to_all = "nopass" if user["Authentication"]["Type"] == "no-password" else ""
        words = (user["AccessString"], *passwords, open_to_all, _RESTRICTED)
        yield f"user {user['UserName']} {' '.join(word for word in words if word)}"
    if user_groups and not any(user["UserName"] == "default" for user in users):
        yield "user default off"
    elif not user_groups:
        tokens = [] if group.get("_auth_optional") else [hashed(token) for token in group.get("_auth_tokens") or []]
        yield f"user default on {' '.join(tokens) or 'nopass'} ~* &* +@all {_RESTRICTED}"


def refusal_of_group(parameters: Record) -> Refusal | None:
    """What ElastiCache refuses about authentication when a replication group is created."""
    from ministack.services import elasticache

    names = listed(parameters, "UserGroupIds", "UserGroupId")
    token = given(parameters, "AuthToken")
    if names and given(parameters, "TransitEncryptionEnabled") != "true":
        return (
            "InvalidParameterCombination",
            "User group based access control requires encryption-in-transit to be enabled.",
        )
    if names and token:
        return "InvalidParameterCombination", "An auth token and user groups cannot be used together."
    if token and not _TOKEN.match(token):
        return (
            "InvalidParameterValue",
            "Invalid AuthToken provided: it needs 16 to 128 letters, digits or characters of !&#$^<>-.",
        )
    engine = (given(parameters, "Engine") or "redis").lower()
    for name in names:
        group = elasticache._user_groups.get(name)
        if group is not None and engine == "redis" and group["Engine"].lower() == "valkey":
            return "InvalidParameterValue", f"The user group {name} is for Valkey and the cluster for Redis OSS."
    return None


def _given_passwords(parameters: Record) -> list[str]:
    return [
        *listed(parameters, "Passwords"),
        *listed(parameters, "AuthenticationMode.Passwords"),
    ]


def _authentication(parameters: Record) -> tuple[Record, list[str]] | None:
    """Authentication and hashed passwords as a request asks for them; None if it says nothing about them."""
    kind = given(parameters, "AuthenticationMode.Type")
    passwords = _given_passwords(parameters)
    if kind == "iam":
        return {"Type": "iam", "PasswordCount": 0}, []
    if given(parameters, "NoPasswordRequired") == "true" or kind == "no-password-required":
        return {"Type": "no-password", "PasswordCount": 0}, []
    if passwords:
        return {"Type": "password", "PasswordCount": len(passwords)}, [hashed(password) for password in passwords]
    return None


def _refusal_of_user(parameters: Record, known: Record | None) -> Refusal | None:
    access, passwords = given(parameters, "AccessString"), _given_passwords(parameters)
    engine = (given(parameters, "Engine") or (known or {}).get("Engine") or "redis").lower()
    authentication = _authentication(parameters)
    invalid = [word for word in access.split() if not _RULE.match(word)]
    wrong, clash = "InvalidParameterValue", "InvalidParameterCombination"
    no_password = authentication is not None and authentication[0]["Type"] == "no-password"
    refusals: list[tuple[bool, Refusal]] = [
        (not access and known is None, (wrong, "The parameter AccessString must be provided and must not be blank.")),
        (bool(invalid), (wrong, f"The access string has an invalid rule: {''.join(invalid[:1])}")),
        (len(passwords) > _MOST_PASSWORDS, (wrong, "A user can have at most two passwords.")),
        (
            any(not _SHORTEST <= len(password) <= _LONGEST for password in passwords),
            (wrong, "Passwords length must be between 16-128 characters."),
        ),
        (
            authentication is None and known is None,
            (
                clash,
                "No password was provided. If you want to create/update the user without password, please use the "
                "NoPasswordRequired flag.",
            ),
        ),
        (
            engine == "valkey" and no_password,
            (wrong, "Users of the engine valkey must authenticate with a password or IAM."),
        ),
    ]
    return next((refusal for applies, refusal in refusals if applies), None)


def _follow(user_groups: set[str]) -> Response | None:
    """Let the caches of user groups follow; an error response if Valkey refuses what it is told."""
    from ministack.services import elasticache

    from brewhaven.local.resources.elasticache import apply_to

    for record in list(elasticache._replication_groups.values()):
        if user_groups.intersection(record["UserGroupIds"]):
            try:
                apply_to(record)
            except ValkeyError as error:
                return refused(("InvalidParameterValue", str(error)))
    return None


@correction
def users_sign_in() -> None:
    """A user has its passwords and may do what its access string says; the emulator keeps neither.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateUser.html
    """
    from ministack.services import elasticache

    def create(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            refusal = _refusal_of_user(parameters, None)
            if refusal is not None:
                return refused(refusal)
            answer: Response = original(parameters)
            if answer[0] >= 400:
                return answer
            user = elasticache._users[given(parameters, "UserId")]
            wanted = _authentication(parameters)
            assert wanted is not None  # _refusal_of_user has seen to it
            user["Authentication"], user["_passwords"] = wanted
            return user_answer("CreateUser", user)

        return handle

    def modify(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            user = elasticache._users.get(given(parameters, "UserId"))
            refusal = _refusal_of_user(parameters, user) if user is not None else None
            if refusal is not None:
                return refused(refusal)
            before = dict(user or {})
            answer: Response = original(parameters)
            if answer[0] >= 400 or user is None:
                return answer
            added = given(parameters, "AppendAccessString")
            user["AccessString"] += f" {added}" if added else ""
            wanted = _authentication(parameters)
            # The emulator takes any password for one; what was not asked for stays.
            user["Authentication"], user["_passwords"] = wanted or (before["Authentication"], before["_passwords"])
            problem = _follow(set(user["UserGroupIds"]))
            if problem is not None:
                user.update(before)
                _follow(set(user["UserGroupIds"]))
                return problem
            return user_answer("ModifyUser", user)

        return handle

    def delete(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            name = given(parameters, "UserId")
            answer: Response = original(parameters)
            groups = [group for group in elasticache._user_groups.values() if name in group["UserIds"]]
            for group in groups:
                group["UserIds"].remove(name)
            return _follow({group["UserGroupId"] for group in groups}) or answer

        return handle

    replace(elasticache, "_create_user", create)
    replace(elasticache, "_modify_user", modify)
    replace(elasticache, "_delete_user", delete)


def _refusal_of_user_group(names: list[str], engine: str) -> Refusal | None:
    from ministack.services import elasticache

    engine = engine.lower()
    unknown = [name for name in names if name not in elasticache._users]
    if unknown:
        return "UserNotFound", f"User {unknown[0]} not found."
    users = [elasticache._users[name] for name in names]
    logins = [user["UserName"] for user in users]
    if len(set(logins)) != len(logins):
        return "DuplicateUserName", "A user group cannot hold two users of the same user name."
    if engine == "redis" and "default" not in logins:
        return "DefaultUserRequired", "User group needs to contain a user with the user name default."
    if engine == "valkey" and any(user["Authentication"]["Type"] == "no-password" for user in users):
        return "InvalidParameterValue", "Users of a user group of the engine valkey must authenticate."
    return None


@correction
def user_groups_count() -> None:
    """A user group decides who may sign in to its caches; the emulator keeps any list of ids.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateUserGroup.html
    """
    from ministack.services import elasticache

    def create(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            names = listed(parameters, "UserIds")
            refusal = _refusal_of_user_group(names, given(parameters, "Engine") or "redis")
            if refusal is not None:
                return refused(refusal)
            answer: Response = original(parameters)
            return answer

        return handle

    def modify(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            name = given(parameters, "UserGroupId")
            group = elasticache._user_groups.get(name)
            if group is not None:
                removed = listed(parameters, "UserIdsToRemove")
                names = [user for user in group["UserIds"] if user not in removed]
                names += [u for u in listed(parameters, "UserIdsToAdd") if u not in names]
                refusal = _refusal_of_user_group(names, group["Engine"])
                if refusal is not None:
                    return refused(refusal)
            answer: Response = original(parameters)
            return (_follow({name}) if answer[0] < 400 else None) or answer

        return handle

    replace(elasticache, "_create_user_group", create)
    replace(elasticache, "_modify_user_group", modify)


REGISTRY.recorded["AWS::ElastiCache::User"] = (
    "passwords and access strings are enforced by Valkey; a user that authenticates with IAM cannot sign in here"
)
