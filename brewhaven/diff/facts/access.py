"""Who may do what on which, and who may take which role: what was gained and what was lost."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any

from brewhaven.diff.facts import conditions, verbs
from brewhaven.diff.facts.side import Side
from brewhaven.diff.facts.statements import IDENTITIES, Permission, permissions, principals, together
from brewhaven.diff.model import Fact, FactChange, Key, Resource
from brewhaven.diff.names import is_helper, join_words, sentence
from brewhaven.diff.values import as_list

_MANAGED = {
    "AWSLambdaBasicExecutionRole": "may write its own log",
    "AWSLambdaVPCAccessExecutionRole": "may write its own log and join a network",
    "AmazonSSMManagedInstanceCore": "may be managed by Systems Manager: sessions and commands, no SSH",
    "AmazonECSTaskExecutionRolePolicy": "may pull images and write logs",
    "AWSXRayDaemonWriteAccess": "may write traces",
    "ReadOnlyAccess": "may read everything in the account",
    "SecurityAudit": "may read the security settings of the account",
    "ViewOnlyAccess": "may list everything in the account",
    "AdministratorAccess": "may do anything in the account",
}


def compare_access(before: Side, after: Side, renamed: Container[Key] = frozenset()) -> list[FactChange]:
    """Permissions gained and lost, said together where they belong together.

    Args:
        renamed: Resources that got another logical id: permissions that stay the same for them are listed as following.
    """
    old = {permission.identity: permission for permission in permissions(before)}
    new = {permission.identity: permission for permission in permissions(after)}
    gained = [permission for identity, permission in new.items() if identity not in old]
    lost = [permission for identity, permission in old.items() if identity not in new]
    found = [FactChange("added", None, fact) for fact in _facts(gained)]
    found += [FactChange("removed", fact, None) for fact in _facts(lost)]
    kept = [permission for identity, permission in new.items() if identity in old and _touches(permission, renamed)]
    return found + [FactChange("renamed", fact, fact) for fact in _facts(kept)]


def _touches(permission: Permission, renamed: Container[Key]) -> bool:
    return any(key in renamed for key in (permission.principal, permission.target.key, permission.holder) if key)


def _facts(found: Iterable[Permission]) -> Iterator[Fact]:
    """One sentence for each principal, thing and condition."""
    by_target: dict[tuple[Any, ...], dict[str, list[Permission]]] = {}
    for permission in found:
        group = (
            permission.effect, permission.principal or permission.who, permission.target.base, permission.condition,
            permission.scope,
        )  # fmt: skip
        by_target.setdefault(group, {}).setdefault(permission.target.raw, []).append(permission)
    for group, targets in by_target.items():
        yield from _sentences(group, targets)


def _sentences(group: tuple[Any, ...], targets: dict[str, list[Permission]]) -> Iterator[Fact]:
    """Parts of one thing with the same actions share a sentence."""
    by_actions: dict[frozenset[str], list[Permission]] = {}
    for listed in targets.values():
        by_actions.setdefault(frozenset(permission.action for permission in listed), []).append(listed[0])
    for actions, firsts in by_actions.items():
        first = firsts[0]
        where = together([permission.target for permission in firsts])
        about = tuple(dict.fromkeys(key for key in (first.holder, first.principal, first.target.key) if key))
        yield Fact(
            topic="access",
            key=(*group, tuple(sorted(actions))),
            subject=group,
            text=_text(first, set(actions), where),
            about=about,
            detail=_detail(first, actions, firsts),
            warning=_warning(first, actions),
            helper=first.helper,
            heading=_heading(first.who),
        )


def _text(first: Permission, actions: set[str], where: str) -> str:
    done = verbs.combine(actions, where)
    limit = f" ({first.limit})" if first.limit else ""
    if first.effect == "Deny":
        if first.who == "nobody":
            return sentence(f"nobody may {done} {first.limit}".rstrip())
        return sentence(f"{first.who} may never {done}{limit}")
    if first.scope == "boundary":
        return sentence(f"{first.who} lets through at most: {done}{limit}")
    return sentence(f"{first.who} may {done}{limit}")


def _heading(who: str) -> str:
    return who[:1].upper() + who[1:].rstrip(",")


def _detail(first: Permission, actions: frozenset[str], firsts: list[Permission]) -> str:
    lines = [f"{first.effect} {', '.join(sorted(actions))} on {', '.join(item.target.exact for item in firsts)}"]
    if first.condition:
        lines.append(f"if {first.condition}")
    return " ".join(lines)


def _warning(first: Permission, actions: frozenset[str]) -> str | None:
    if first.effect == "Deny" or first.scope == "boundary":
        return None
    if first.anyone and not first.condition:
        return "everybody, with or without an AWS account"
    if "*" in actions and first.target.base == "*":
        return "everything in the account"
    return None


def roles_and_trust(side: Side) -> Iterator[Fact]:
    """Who may take which role, AWS managed policies and boundaries."""
    for identity in side.deployment.of_type(*IDENTITIES):
        yield from _trust(side, identity)
        yield from _managed(side, identity)
        yield from _boundary_of(side, identity)


def _trust(side: Side, role: Resource) -> Iterator[Fact]:
    for statement in as_list((role.properties.get("AssumeRolePolicyDocument") or {}).get("Statement")):
        limit = conditions.words(statement.get("Condition"), lambda value: side.say(role.stack, value))
        denied = statement.get("Effect") == "Deny"
        for who, _, anyone in principals(side, role.stack, statement):
            words = f"{who} may {'never ' if denied else ''}take the role {side.names.bare(role)}"
            held = [side.name(bearer) for bearer in side.bearers(role)]
            if held and not denied:
                words = f"{join_words(dict.fromkeys(held))} may use the role {side.names.bare(role)}, through {who}"
            yield Fact(
                topic="trust",
                key=("trust", role.key, statement.get("Effect"), who, limit),
                subject=("trust", role.key, statement.get("Effect"), who),
                text=sentence(words + (f" ({limit})" if limit else "")),
                about=(role.key,),
                detail=side.say(role.stack, statement),
                warning="everybody, of any AWS account" if anyone and not limit else None,
                helper=is_helper(role),
                value=limit or "no condition",
            )


def _managed(side: Side, identity: Resource) -> Iterator[Fact]:
    for value in as_list(identity.properties.get("ManagedPolicyArns")):
        if side.targets(identity.stack, value):
            continue  # a policy of the template: its statements are listed one by one
        name = side.say(identity.stack, value).rpartition("/")[2]
        what = _MANAGED.get(name, "has everything that the policy allows")
        yield Fact(
            topic="access",
            key=("managed", identity.key, name),
            subject=("managed", identity.key, name),
            text=sentence(f"{side.principal(identity)} {what} (AWS managed policy {name})"),
            about=(identity.key,),
            detail=side.say(identity.stack, value),
            warning="everything in the account" if name == "AdministratorAccess" else None,
            helper=is_helper(identity),
            heading=_heading(side.principal(identity)),
        )


def _boundary_of(side: Side, identity: Resource) -> Iterator[Fact]:
    value = identity.properties.get("PermissionsBoundary")
    if value is None:
        return
    policy = side.target(identity.stack, value)
    name = side.names.bare(policy) if policy else side.say(identity.stack, value).rpartition("/")[2]
    who = side.principal(identity)
    yield Fact(
        topic="access",
        key=("boundary", identity.key, name),
        subject=("boundary", identity.key),
        text=sentence(f"{who} may do nothing that the boundary {name} does not let through, whatever its policies say"),
        about=(identity.key, *((policy.key,) if policy else ())),
        detail=f"PermissionsBoundary {side.say(identity.stack, value)}",
        helper=is_helper(identity),
        value=name,
        heading=_heading(who),
    )
