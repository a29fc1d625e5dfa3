"""Ask IAM on behalf of a service: may this role do that, and which credentials does a task or an instance get?

AWS services act for a customer with the customer's role. Here the engines do: they pull images, read secrets and write
logs only if the role's own policies allow it, and hand out sessions of a role only if its trust policy names the
service.
"""

from __future__ import annotations

import datetime
import secrets
import string
import time
from dataclasses import dataclass
from typing import Any

SESSION_SECONDS = 6 * 60 * 60
_RENEW_SECONDS = 30 * 60
_KEY_LETTERS = string.ascii_uppercase + "234567"


@dataclass(frozen=True)
class RoleSession:
    """One use of a role, as ``arn:aws:sts::<account>:assumed-role/<role>/<name>``.

    Attributes:
        role_arn: The role.
        name: Session name; ECS uses the task's id, EC2 the instance's.
        service: Principal that the trust policy must admit, such as ``ecs-tasks.amazonaws.com``.
    """

    role_arn: str
    name: str
    service: str

    @property
    def role_name(self) -> str:
        return self.role_arn.rsplit("/", 1)[-1]

    @property
    def account(self) -> str:
        return self.role_arn.split(":")[4]

    @property
    def principal_arn(self) -> str:
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role_name}/{self.name}"

    def refusal(self) -> str | None:
        """Why the service may not assume the role, or None if it may."""
        from ministack.services import iam

        role = iam._roles.get_scoped(self.account, None, self.role_name)
        if role is None:
            return f"The role {self.role_arn} does not exist."
        if not trusts(role.get("AssumeRolePolicyDocument") or {}, self.service):
            return f"The trust policy of {self.role_arn} does not allow {self.service} to assume it."
        return None


def trusts(document: Any, service: str) -> bool:
    """Whether a trust policy allows a service principal ``sts:AssumeRole``; a matching Deny wins."""
    import json

    policy = json.loads(document) if isinstance(document, str) else document
    verdict = False
    for statement in _as_list(policy.get("Statement")):
        principal = statement.get("Principal")
        named = principal == "*" or (isinstance(principal, dict) and service in _as_list(principal.get("Service")))
        actions = _as_list(statement.get("Action"))
        if named and any(action in ("*", "sts:*", "sts:AssumeRole") for action in actions):
            if statement.get("Effect") == "Deny":
                return False
            verdict = True
    return verdict


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def denial(principal_arn: str, action: str, resource_arn: str, region: str) -> str | None:
    """What AWS answers when a principal's policies do not allow an action, or None if they do.

    Args:
        principal_arn: A user, or a session of a role.
        action: For example ``ecr:BatchGetImage``.
        resource_arn: The resource, or ``*``.
        region: Region of the request.
    """
    from ministack.core import iam_evaluator as evaluator
    from ministack.services import iam

    account = principal_arn.split(":")[4]
    if ":assumed-role/" in principal_arn:
        name, kind = principal_arn.split("/")[-2], "AssumedRole"
        policies = evaluator._gather_role_policies(name, account)
        limits = evaluator._permissions_boundary(iam._roles, name, account)
    else:
        name, kind = principal_arn.rsplit("/", 1)[-1], "User"
        policies = evaluator._gather_user_policies(name, account)
        limits = evaluator._permissions_boundary(iam._users, name, account)
    context = evaluator.EvalContext(
        principal_arn=principal_arn,
        principal_type=kind,
        principal_account=account,
        action=action,
        resource_arn=resource_arn,
        region=region,
        secure_transport=True,
    )
    result = evaluator.evaluate(context, policies, *limits)
    resource_policy = evaluator._resource_policy(action.split(":", maxsplit=1)[0], resource_arn)
    if resource_policy is not None:
        result = evaluator.combine_resource_policy(result, context, *resource_policy, limits=tuple(limits))
    if result.decision == "Allow":
        return None
    why = (
        "with an explicit deny"
        if result.decision == "Deny"
        else f"because no identity-based policy allows the {action} action"
    )
    return f"User: {principal_arn} is not authorized to perform: {action} on resource: {resource_arn} {why}"


class Credentials:
    """Temporary keys of a role, renewed well before they expire; random for every task and instance."""

    def __init__(self, session: RoleSession) -> None:
        self.session = session
        self._current: dict[str, str] = {}
        self._expires = 0.0

    def current(self) -> dict[str, str]:
        """AccessKeyId, SecretAccessKey, Token, Expiration and RoleArn in the form of the metadata services."""
        if time.time() > self._expires - _RENEW_SECONDS:
            self._renew()
        return self._current

    def _renew(self) -> None:
        from ministack.services import sts

        key = "ASIA" + "".join(secrets.choice(_KEY_LETTERS) for _ in range(16))
        secret, token = secrets.token_urlsafe(30), secrets.token_urlsafe(180)
        self._expires = time.time() + SESSION_SECONDS
        sts.register_session(
            key,
            {
                "Arn": self.session.principal_arn,
                "UserId": f"{self.session.role_name}:{self.session.name}",
                "SecretAccessKey": secret,
                "SessionToken": token,
                "Expiration": self._expires,
                "AccountId": self.session.account,
                "PrincipalType": "AssumedRole",
            },
        )
        expiration = datetime.datetime.fromtimestamp(self._expires, datetime.UTC)
        self._current = {
            "RoleArn": self.session.role_arn,
            "AccessKeyId": key,
            "SecretAccessKey": secret,
            "Token": token,
            "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
