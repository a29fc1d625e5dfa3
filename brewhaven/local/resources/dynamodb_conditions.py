"""IAM's fine-grained access to DynamoDB: the partition keys and the attributes that a request names.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from brewhaven.local.registry import correction, replace

Request = dict[str, Any]
_EQUALS = re.compile(r"([#\w.-]+)\s*=\s*(:\w+)")
_NAME = re.compile(r"[:#]?[A-Za-z_]\w*")
_EXPRESSIONS = ("ConditionExpression", "FilterExpression", "KeyConditionExpression", "UpdateExpression")
_WORDS = frozenset(
    (
        "set", "remove", "add", "delete", "and", "or", "not", "between", "in", "if_not_exists", "list_append",
        "attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size",
    )
)  # fmt: skip


def _partition_key(table_name: Any, index_name: Any) -> str | None:
    """Name of the partition key of a table, or of one of its indexes."""
    from ministack.services import dynamodb

    table = dynamodb._tables.get(dynamodb._normalize_table_name(table_name)) if table_name else None
    if table is None:
        return None
    schema = table.get("KeySchema", [])
    if index_name:
        indexes = (table.get("GlobalSecondaryIndexes") or []) + (table.get("LocalSecondaryIndexes") or [])
        schema = next((index["KeySchema"] for index in indexes if index["IndexName"] == index_name), [])
    return next((str(part["AttributeName"]) for part in schema if part["KeyType"] == "HASH"), None)


def _parts(request: Request) -> Iterator[Request]:
    """The single operations of a request, each with ``TableName`` and ``Key``, ``Item`` or a key condition."""
    if "TableName" in request:
        yield request
    for name, batch in (request.get("RequestItems") or {}).items():
        for key in batch.get("Keys", []) if isinstance(batch, dict) else []:
            yield {**batch, "TableName": name, "Key": key}
        for write in batch if isinstance(batch, list) else []:
            yield {"TableName": name, **(write.get("PutRequest") or write.get("DeleteRequest") or {})}
    for item in request.get("TransactItems") or []:
        yield from item.values()


def _value(typed: Any) -> str:
    """The text of an attribute value: ``{"S": "a"}`` is ``a``, ``{"N": "1"}`` is ``1``."""
    [content] = typed.values() if isinstance(typed, dict) and len(typed) == 1 else [typed]
    return str(content)


def _leading_keys(part: Request) -> Iterator[str]:
    key = _partition_key(part.get("TableName"), part.get("IndexName"))
    if key is None:
        return
    for place in ("Key", "Item"):
        if key in (part.get(place) or {}):
            yield _value(part[place][key])
    names = part.get("ExpressionAttributeNames") or {}
    values = part.get("ExpressionAttributeValues") or {}
    for name, placeholder in _EQUALS.findall(part.get("KeyConditionExpression") or ""):
        if names.get(name, name) == key and placeholder in values:
            yield _value(values[placeholder])


def _attributes(part: Request) -> Iterator[str]:
    """Top-level attributes that an operation reads or writes by name."""
    yield from part.get("Key") or {}
    yield from part.get("Item") or {}
    names = part.get("ExpressionAttributeNames") or {}
    for expression in _EXPRESSIONS:
        # Only the first segment of a path is top-level: `address.city` names `address`.
        for word in _NAME.findall(re.sub(r"\.[#\w]+", "", part.get(expression) or "")):
            if not word.startswith(":") and word.lower() not in _WORDS:
                yield names.get(word, word)


@correction
def requests_name_their_keys() -> None:
    """``dynamodb:LeadingKeys`` and, for writes, ``dynamodb:Attributes`` are known when a policy is evaluated."""
    from ministack.core import iam_actions

    def build(original: Any) -> Any:
        def context(body: bytes) -> dict[str, Any]:
            found: dict[str, Any] = original(body)
            try:
                request = json.loads(body or b"{}")
            except ValueError:
                return found
            parts = list(_parts(request)) if isinstance(request, dict) else []
            keys = list(dict.fromkeys(key for part in parts for key in _leading_keys(part)))
            named = [*found.get("dynamodb:Attributes", []), *(name for part in parts for name in _attributes(part))]
            if keys:
                found["dynamodb:LeadingKeys"] = keys
            if named:
                found["dynamodb:Attributes"] = list(dict.fromkeys(named))
            return found

        return context

    replace(iam_actions, "dynamodb_service_context", build)


@correction
def tables_have_policies_of_their_own() -> None:
    """A table's resource policy is evaluated with the caller's own, as a bucket's is; the emulator only keeps it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/access-control-resource-based.html
    """
    from ministack.core import iam_evaluator
    from ministack.services import dynamodb

    def policy_of(resource_arn: str) -> tuple[str, str] | None:
        table_arn = resource_arn.partition("/index/")[0]
        if not table_arn.startswith("arn:aws:dynamodb:"):
            return None
        found = dynamodb._resource_policies.get(table_arn)
        return (found["Policy"], table_arn.split(":")[4]) if found else None

    dynamodb.policy_of_table = policy_of
    iam_evaluator._RESOURCE_POLICY_LOOKUPS["dynamodb"] = ("dynamodb", "policy_of_table")
