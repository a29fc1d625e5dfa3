"""The index answers the baker's question with one Query."""

from typing import Any

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.template import Template

CHECKS = CheckList()
TABLES = ("AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table")
READ = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-indexes-general.html"

_there = CHECKS.check(
    "index-exists",
    lesson="1.2",
    objective="dynamodb-access-patterns",
    proves="The table has an index called PickupsByDay",
)
_drawer = CHECKS.check(
    "one-drawer-a-day",
    lesson="1.2",
    objective="dynamodb-access-patterns",
    proves="The orders of one day are one drawer of the index",
)
_sorted = CHECKS.check(
    "earliest-first",
    lesson="1.2",
    objective="dynamodb-access-patterns",
    proves="Inside a day the earliest order comes first",
)
_typed = CHECKS.check(
    "keys-are-text",
    lesson="1.2",
    objective="dynamodb-access-patterns",
    proves="The keys have the type of what is stored in them",
)


def _index(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = next(
        (
            index
            for kind in TABLES
            for table in template.resources(kind)
            for index in table.properties.get("GlobalSecondaryIndexes", [])
            if index["IndexName"] == "PickupsByDay"
        ),
        {},
    )
    expect(
        found,
        "the table has no index called PickupsByDay",
        where="the arguments of TableV2 in your file",
        next_step="give it global_secondary_indexes; `brewhaven exercise hint` shows how they are written",
    )
    return found


def _types(template: Template) -> dict[str, str]:
    """Attribute -> the type under which a key of the table or of an index knows it: S, N or B."""
    return {
        attribute["AttributeName"]: attribute["AttributeType"]
        for kind in TABLES
        for table in template.resources(kind)
        for attribute in table.properties["AttributeDefinitions"]
    }


def _key(index: dict[str, Any], kind: str) -> str | None:
    return next((key["AttributeName"] for key in index["KeySchema"] if key["KeyType"] == kind), None)


@_there.on_template
def _(template: Template) -> str:
    return str(_index(template)["IndexName"])


@_drawer.on_template
def _(template: Template) -> str:
    key = _key(_index(template), "HASH")
    why = {
        "pickup_at": "the partition key is pickup_at, so every moment is a drawer of its own, and no day is one",
        "type": "the partition key is type, which is `order` for each of them: all days end up in one drawer",
    }
    expect(
        key == "pickup_day",
        why.get(
            str(key), f"the partition key is {key or 'missing'}, and what the orders of one day share is pickup_day"
        ),
        where=READ,
        next_step="choose as the partition key the attribute that all items of one answer share",
    )
    return "partition key pickup_day"


@_sorted.on_template
def _(template: Template) -> str:
    key = _key(_index(template), "RANGE")
    wrong = f"inside a day the index is sorted by {key}" if key else "the index has no sort key, so a day has no order"
    expect(
        key == "pickup_at",
        f"{wrong}; the baker would have to sort the orders after reading them",
        where=READ,
        next_step="choose as the sort key the attribute by which the answer is sorted",
    )
    return "sort key pickup_at"


@_typed.on_template
def _(template: Template) -> str:
    types = _types(template)
    keys = [key["AttributeName"] for key in _index(template)["KeySchema"]]
    wrong = [name for name in keys if types[name] != "S"]
    expect(
        not wrong,
        f"{' and '.join(wrong)} is declared as another type than the text that orders have there: DynamoDB refuses "
        "every order whose key attribute is of the wrong type",
        where="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html",
        next_step="a moment written like 2026-12-24T07:30:00Z is text, and sorts as text: AttributeType.STRING",
    )
    return "text"
