"""The index answers the baker's question with one Query."""

from typing import Any

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.template import Template

CHECKS = CheckList()
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


def _index(template: Template) -> dict[str, Any] | None:
    for kind in ("AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table"):
        for table in template.resources(kind):
            for index in table.properties.get("GlobalSecondaryIndexes", []):
                if index["IndexName"] == "PickupsByDay":
                    found: dict[str, Any] = index
                    return found
    return None


def _key(index: dict[str, Any] | None, kind: str) -> str | None:
    keys = index["KeySchema"] if index else []
    return next((key["AttributeName"] for key in keys if key["KeyType"] == kind), None)


@_there.on_template
def _(template: Template) -> str:
    expect(
        _index(template),
        "the table has no index called PickupsByDay",
        where="the arguments of TableV2 in your file",
        next_step="give it global_secondary_indexes; `brewhaven exercise hint` shows how they are written",
    )
    return "PickupsByDay"


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
