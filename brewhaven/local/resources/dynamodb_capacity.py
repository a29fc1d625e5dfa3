"""DynamoDB: what a request consumes, and what happens when a provisioned table is asked for more than it has.

The emulator counts writes as AWS does, reads as one unit whatever their size, and throttles nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from brewhaven.local.registry import correction, replace

READ_UNIT_BYTES = 4096
BURST_SECONDS = 300
EXCEEDED = (
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning "
    "level with the UpdateTable API."
)
READS = ("_get_item", "_query", "_scan")
WRITES = ("_put_item", "_update_item", "_delete_item")

Request = dict[str, Any]
Answer = tuple[int, dict[str, str], Any]
Operation = Callable[[Request], Answer]


@dataclass
class Bucket:
    """Unused capacity of one table: it refills every second and holds at most five minutes' worth.

    As on AWS a request passes while anything is left, and may take more than that.
    """

    rate: float
    level: float
    filled_at: float

    def has_room(self, now: float) -> bool:
        """Refill for the time that has passed and say whether a request may pass."""
        self.level = min(self.level + (now - self.filled_at) * self.rate, self.rate * BURST_SECONDS)
        self.filled_at = now
        return self.level > 0


_buckets: dict[tuple[str, str], Bucket] = {}


def read_units(size: int, *, consistent: bool) -> float:
    """Units of a read: one for each started 4 KB, half of that where a slightly old answer will do.

    >>> read_units(100, consistent=True), read_units(9000, consistent=False)
    (1.0, 1.5)
    """
    whole = max(1, -(-size // READ_UNIT_BYTES))
    return float(whole) if consistent else whole / 2


def _bytes_read(name: str, request: Request, answer: Mapping[str, Any], table: Mapping[str, Any]) -> int:
    """Size of what was read, before a filter and a projection left something out.

    Items that a filter left out are not in the answer; each is counted with the mean size of the table's items.
    """
    from ministack.services import dynamodb

    size_of = dynamodb._item_size_bytes
    if name == "_get_item":
        item = dynamodb._get_item_by_key(table, request.get("Key", {}))
        return int(size_of(item)) if item else 0
    scanned = int(answer.get("ScannedCount", 0))
    items = answer.get("Items", [])
    whole = not (request.get("ProjectionExpression") or request.get("AttributesToGet"))
    if whole and len(items) == scanned:
        return sum(int(size_of(item)) for item in items)
    sizes = [int(size_of(item)) for part in table["items"].values() for item in part.values()]
    return round(scanned * sum(sizes) / len(sizes)) if sizes else 0


def _corrected(name: str, request: Request, answer: Request, table: Mapping[str, Any]) -> float:
    """Put the right number of read units into an answer and return the units of the request."""
    consumed = answer.get("ConsumedCapacity", {})
    if name in WRITES:
        return float(consumed.get("CapacityUnits", 1))
    size = _bytes_read(name, request, answer, table)
    units = read_units(size, consistent=bool(request.get("ConsistentRead")))
    consumed["CapacityUnits"] = units
    for part in (consumed.get("Table"), *consumed.get("GlobalSecondaryIndexes", {}).values()):
        if part and part.get("CapacityUnits"):
            part["CapacityUnits"] = units
    return units


def _rate(table: Mapping[str, Any], kind: str) -> float | None:
    """The table's provisioned units a second; None where it is on demand."""
    if (table.get("BillingModeSummary") or {}).get("BillingMode") == "PAY_PER_REQUEST":
        return None
    return float((table.get("ProvisionedThroughput") or {}).get(f"{kind}CapacityUnits") or 0) or None


def bucket_of(table: Mapping[str, Any], kind: str) -> Bucket | None:
    """The bucket from which the reads or writes of a provisioned table are taken; None where it is on demand."""
    rate = _rate(table, kind)
    if rate is None:
        return None
    key = (str(table.get("TableId")), kind)
    bucket = _buckets.setdefault(key, Bucket(rate, rate * BURST_SECONDS, time.monotonic()))
    bucket.rate = rate
    return bucket


@correction
def capacity_is_counted_and_enforced() -> None:
    """A read costs by its size, and a provisioned table refuses what exceeds its units and its reserve of five minutes.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
    """
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import dynamodb

    def counted(name: str) -> Callable[[Operation], Operation]:
        kind = "Read" if name in READS else "Write"

        def build(original: Operation) -> Operation:
            def operation(request: Request) -> Answer:
                table = dynamodb._tables.get(dynamodb._normalize_table_name(request.get("TableName")))
                asked = request.get("ReturnConsumedCapacity", "NONE")
                bucket = bucket_of(table, kind) if table else None
                if table is None or (bucket is None and (asked == "NONE" or name in WRITES)):
                    return original(request)
                if bucket is not None and not bucket.has_room(time.monotonic()):
                    refused: Answer = error_response_json("ProvisionedThroughputExceededException", EXCEEDED, 400)
                    return refused
                status, headers, body = original(
                    {**request, "ReturnConsumedCapacity": "TOTAL" if asked == "NONE" else asked}
                )
                if status != 200:
                    return status, headers, body
                answer = json.loads(body)
                units = _corrected(name, request, answer, table)
                if bucket is not None:
                    bucket.level -= units
                if asked == "NONE":
                    answer.pop("ConsumedCapacity", None)
                result: Answer = json_response(answer)
                return result

            return operation

        return build

    for name in (*READS, *WRITES):
        replace(dynamodb, name, counted(name))
