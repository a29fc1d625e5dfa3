"""DynamoDB: policies can be narrowed to items by their partition key (``dynamodb:LeadingKeys``)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from brewhaven.local.registry import correction, replace

_EQUALS = re.compile(r"(?P<name>[#\w.-]+)\s*=\s*(?P<value>:\w+)")


@correction
def leading_keys() -> None:
    """On AWS a request carries the partition keys that it names; the emulator knows only attributes and Select.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    from ministack.core import iam_actions

    def with_leading_keys(original: Any) -> Any:
        def service_context(body: bytes) -> dict[str, Any]:
            context: dict[str, Any] = original(body)
            keys = sorted(set(_leading_keys(_parsed(body))))
            return {**context, "dynamodb:LeadingKeys": keys} if keys else context

        return service_context

    replace(iam_actions, "dynamodb_service_context", with_leading_keys)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return {}
    return request if isinstance(request, dict) else {}


def _leading_keys(request: dict[str, Any]) -> Iterator[str]:
    """The values of the partition key in every part of a request: its key, its item, its condition, its batch."""
    table = request.get("TableName")
    if isinstance(table, str):
        attribute = _partition_key(table, request.get("IndexName"))
        for item in (request.get("Key"), request.get("Item"), _equal_to(request)):
            yield from _values(item, attribute)
    for name, part in (request.get("RequestItems") or {}).items():
        entries = part.get("Keys", []) if isinstance(part, dict) else part
        for entry in entries:
            put = entry.get("PutRequest", {}).get("Item")
            yield from _values(put or entry.get("DeleteRequest", {}).get("Key") or entry, _partition_key(name))
    for action in request.get("TransactItems") or []:
        for part in action.values():
            yield from _leading_keys(part)


def _partition_key(table_name: str, index_name: str | None = None) -> str | None:
    from ministack.services import dynamodb

    table = dynamodb._tables.get(table_name.rsplit("/", 1)[-1])
    if table is None:
        return None
    indexes = [*table.get("GlobalSecondaryIndexes", []), *table.get("LocalSecondaryIndexes", [])]
    schema = next((index["KeySchema"] for index in indexes if index["IndexName"] == index_name), table["KeySchema"])
    return next((str(key["AttributeName"]) for key in schema if key["KeyType"] == "HASH"), None)


def _values(item: Any, attribute: str | None) -> Iterator[str]:
    value = item.get(attribute) if isinstance(item, dict) and attribute else None
    if isinstance(value, dict):
        yield from (str(one) for one in value.values())


def _equal_to(request: dict[str, Any]) -> dict[str, Any]:
    """What a Query's condition asks its keys to be equal to, as attribute -> value."""
    names, values = request.get("ExpressionAttributeNames") or {}, request.get("ExpressionAttributeValues") or {}
    found: dict[str, Any] = {
        str(names.get(match["name"], match["name"])): values.get(match["value"])
        for match in _EQUALS.finditer(request.get("KeyConditionExpression") or "")
    }
    for name, condition in (request.get("KeyConditions") or {}).items():
        if condition.get("ComparisonOperator") == "EQ":
            found[name] = condition["AttributeValueList"][0]
    return found
