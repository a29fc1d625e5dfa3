"""How the tests of phase 2's stack read its template, and which queues there are."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from brewhaven.course.checks import listed

STACK = "BrewHaven-Phase2-Orders"
Read = Callable[..., dict[str, Any]]

QUEUES = {
    "OrderPipelineWorker": "OrderPipelineOrdersQueue",
    "OrderSubscribersLoyalty": "OrderSubscribersLoyaltyQueue",
    "OrderSubscribersBoard": "OrderSubscribersBoardQueue",
    "ImagePipelineCheck": "ImagePipelineUploadsQueue",
}
"""Whose function works off which queue."""
LAST_PLACES = (
    "OrderPipelineOrdersDeadLetters",
    "OrderSubscribersLoyaltyDeadLetters",
    "OrderSubscribersBoardDeadLetters",
    "ImagePipelineUploadsDeadLetters",
    "OrderSubscribersNotificationFailures",
    "OrderSubscribersUndelivered",
)
"""Queues from which only a person takes what failed for good."""


def of_type(template: dict[str, Any], type_: str, part: str = "") -> dict[str, dict[str, Any]]:
    """The resources of a type whose ids contain `part`, by their ids without the hash."""
    found = template["Resources"].items()
    return {without_hash(name): one["Properties"] for name, one in found if one["Type"] == type_ and part in name}


def without_hash(name: str) -> str:
    return re.sub(r"[0-9A-F]{8}$", "", name)


def as_text(value: Any) -> str:
    """A value as one line, with a reference as `<resource>` or `<resource.attribute>`."""
    if isinstance(value, dict) and "Ref" in value:
        return f"<{without_hash(value['Ref'])}>"
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        return f"<{without_hash(value['Fn::GetAtt'][0])}.{value['Fn::GetAtt'][1]}>"
    if isinstance(value, dict) and "Fn::GetStackOutput" in value:
        return f"<{value['Fn::GetStackOutput']['OutputName']}>"
    if isinstance(value, dict) and "Fn::Join" in value:
        return str(value["Fn::Join"][0]).join(as_text(part) for part in value["Fn::Join"][1])
    return str(value)


def rights(policy: dict[str, Any]) -> set[tuple[str, str]]:
    """Each action that a policy allows, with the resource that it is allowed on."""
    statements = policy["PolicyDocument"]["Statement"]
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    return {
        (action, as_text(resource))
        for statement in statements
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }
