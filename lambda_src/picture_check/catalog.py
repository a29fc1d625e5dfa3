"""What is known of each picture, in the shop's table: an item of its own, and the products that show it."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from picture_check.bucket import Places
from picture_check.checking import Label, Record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BY_CATEGORY = "ByCategory"
PRODUCTS = ("MENU", "RETIRED")
REJECTED = "REJECTED_PICTURE"
"""In the index ByCategory, the rejected pictures are a list of their own, the oldest first."""

Item = dict[str, Any]


class Catalog:
    """Implements `Records`.

    | Question                                   | Key                                                       |
    |--------------------------------------------|-----------------------------------------------------------|
    | What is known of this picture?             | pk=PICTURE#<name>, sk=PICTURE                             |
    | Which pictures were rejected?              | index ByCategory: gsi1pk=REJECTED_PICTURE, oldest first   |

    A picture that was accepted is not in the index: an item without `gsi1pk` costs it nothing.
    """

    def __init__(
        self, client: "DynamoDBClient", table: str, places: Places, now: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._table = table
        self._places = places
        self._now = now

    def find(self, key: str) -> Record | None:
        answer = self._client.get_item(TableName=self._table, Key=self._key(key), ConsistentRead=True)
        item = answer.get("Item")
        return to_record(item) if item else None

    def save(self, record: Record) -> None:
        at = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._client.put_item(TableName=self._table, Item={**self._key(record.key), **self._to_item(record, at)})

    def finish(self, record: Record) -> None:
        self._client.update_item(
            TableName=self._table,
            Key=self._key(record.key),
            UpdateExpression="SET done = :done",
            ConditionExpression="etag = :etag",
            ExpressionAttributeValues={":done": {"BOOL": True}, ":etag": {"S": record.etag}},
        )

    def take_off_menu(self, key: str) -> Sequence[str]:
        """Take the picture from every product that shows it; answers their names.

        The version of a product grows, so that a manager who is editing it is told that it has changed.
        """
        names = []
        for item in self._products_with(key):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": item["pk"], "sk": item["sk"]},
                    UpdateExpression="REMOVE picture ADD #version :one",
                    ConditionExpression="picture = :key",
                    ExpressionAttributeNames={"#version": "version"},
                    ExpressionAttributeValues={":key": {"S": key}, ":one": {"N": "1"}},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                continue  # somebody has given it another picture meanwhile
            names.append(item["name"]["S"])
        return names

    def _products_with(self, key: str) -> Iterator[Item]:
        """There is no index by picture: rejecting one is rare, and the menu is short."""
        pages = self._client.get_paginator("query")
        for partition in PRODUCTS:
            for page in pages.paginate(
                TableName=self._table,
                IndexName=BY_CATEGORY,
                KeyConditionExpression="gsi1pk = :partition",
                FilterExpression="picture = :key",
                ExpressionAttributeValues={":partition": {"S": partition}, ":key": {"S": key}},
            ):
                yield from page["Items"]

    def _key(self, key: str) -> Item:
        return {"pk": {"S": f"PICTURE#{self._places.name(key)}"}, "sk": {"S": "PICTURE"}}

    def _to_item(self, record: Record, at: str) -> Item:
        item: Item = {
            "type": {"S": "picture"},
            "key": {"S": record.key},
            "etag": {"S": record.etag},
            "status": {"S": "accepted" if record.accepted else "rejected"},
            "done": {"BOOL": record.done},
            "checked_at": {"S": at},
            "width": {"N": str(record.width)},
            "height": {"N": str(record.height)},
            "labels": {"L": [_to_map(label) for label in record.labels]},
            "reasons": {"L": [{"S": reason} for reason in record.reasons]},
        }
        if record.accepted:
            item["thumbnail"] = {"S": self._places.thumbnail(record.key)}
        else:
            item["quarantined"] = {"S": self._places.quarantined(record.key)}
            item["gsi1pk"] = {"S": REJECTED}
            item["gsi1sk"] = {"S": f"{at}#{self._places.name(record.key)}"}
        return item


def _to_map(label: Label) -> Item:
    return {
        "M": {
            "name": {"S": label.name},
            "confidence": {"N": f"{label.confidence:.0f}"},
            "parent": {"S": label.parent},
        }
    }


def to_record(item: Item) -> Record:
    """A picture's item as the domain knows it."""
    return Record(
        key=item["key"]["S"],
        etag=item["etag"]["S"],
        accepted=item["status"]["S"] == "accepted",
        done=item["done"]["BOOL"],
        reasons=tuple(reason["S"] for reason in item["reasons"]["L"]),
        labels=tuple(
            Label(label["M"]["name"]["S"], float(label["M"]["confidence"]["N"]), label["M"]["parent"]["S"])
            for label in item["labels"]["L"]
        ),
        width=int(item["width"]["N"]),
        height=int(item["height"]["N"]),
    )
