"""Mistakes in a policy: a grant removed, an action, a resource or a condition made wider, somebody else let in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from brewhaven.course.checks import listed
from brewhaven.mutate.references import another
from brewhaven.mutate.stack import REMOVED, Change, Path, Stack
from brewhaven.mutate.words import instead

DOCUMENTS = ("PolicyDocument", "AssumeRolePolicyDocument")
ANYTHING = "*"
SERVICES = ("lambda.amazonaws.com", "ec2.amazonaws.com")


def changes(stack: Stack, path: Path, document: dict[str, Any]) -> Iterator[Change]:
    """The mistakes in a policy document whose statements stand in a list, as the CDK writes them."""
    statements = document["Statement"]
    for index, statement in enumerate(statements):
        place = (*path, "Statement", index)
        if len(statements) > 1:
            yield place, "remove statement", REMOVED
        yield (*place, "Effect"), *instead((*place, "Effect"), statement["Effect"])
        yield from _actions((*place, "Action"), statement)
        yield from _resources(stack, (*place, "Resource"), statement)
        yield from _conditions((*place, "Condition"), statement.get("Condition", {}))
        yield from _principals((*place, "Principal"), statement.get("Principal"))


def _actions(path: Path, statement: dict[str, Any]) -> Iterator[Change]:
    actions = listed(statement["Action"])
    yield from _fewer(path, statement["Action"])
    if statement["Effect"] == "Deny":
        yield from ((path, "narrow", action.replace("*", "GetObject")) for action in actions if action.endswith(":*"))
        return
    for service in dict.fromkeys(action.partition(":")[0] for action in actions):
        if actions != [f"{service}:*"]:
            yield path, "widen action", f"{service}:*"


def _resources(stack: Stack, path: Path, statement: dict[str, Any]) -> Iterator[Change]:
    """A trust policy has no resource."""
    if "Resource" not in statement:
        return
    resource = statement["Resource"]
    yield from _fewer(path, resource)
    entries = [((*path, index), entry) for index, entry in enumerate(resource)] if isinstance(resource, list) else []
    for place, entry in entries or [(path, resource)]:
        if isinstance(entry, dict):
            yield from _elsewhere(stack, place, entry)
    if statement["Effect"] == "Allow" and resource != ANYTHING:
        yield path, "widen resource", ANYTHING


def _elsewhere(stack: Stack, path: Path, entry: dict[str, Any]) -> Iterator[Change]:
    """Everything below the same resource, or another resource."""
    if (other := another(stack, entry)) is not None:
        yield path, "reference", other
    parts = entry.get("Fn::Join", ["", []])[1]
    for index, part in enumerate(parts):
        place = (*path, "Fn::Join", 1, index)
        if isinstance(part, dict) and (other := another(stack, part)) is not None:
            yield place, "reference", other
        elif index == len(parts) - 1 and isinstance(part, str) and part.startswith("/") and part != "/*":
            yield place, "widen resource", "/*"


def _conditions(path: Path, condition: dict[str, Any]) -> Iterator[Change]:
    if not condition:
        return
    yield path, "remove condition", REMOVED
    for operator, keys in condition.items():
        if len(condition) > 1:
            yield (*path, operator), "remove condition", REMOVED
        for key, value in keys.items():
            place = (*path, operator, key)
            yield from _fewer(place, value)
            if value in ("true", "false"):
                yield place, *instead(place, value)
            else:
                yield place, "widen condition", [ANYTHING] if isinstance(value, list) else ANYTHING


def _principals(path: Path, principal: Any) -> Iterator[Change]:
    if not isinstance(principal, dict):
        return
    for kind, value in principal.items():
        if kind == "Service":
            other = SERVICES[1] if value == SERVICES[0] else SERVICES[0]
            yield (*path, kind), "other principal", other
        elif value != ANYTHING:
            yield (*path, kind), "widen principal", ANYTHING
        else:
            yield (*path, kind), "other principal", {"Ref": "AWS::AccountId"}


def _fewer(path: Path, value: Any) -> Iterator[Change]:
    if isinstance(value, list) and len(value) > 1:
        for index in range(len(value)):
            yield (*path, index), "remove element", REMOVED
