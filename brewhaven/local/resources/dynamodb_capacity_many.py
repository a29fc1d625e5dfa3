"""DynamoDB: writes of many items consume capacity too, and a provisioned table throttles them.

Reads of many items (BatchGetItem, TransactGetItems) are not counted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from brewhaven.local.registry import correction, replace
from brewhaven.local.resources.dynamodb_capacity import EXCEEDED, Answer, Bucket, Operation, Request, bucket_of

_CANCELED = "Transaction cancelled, please refer cancellation reasons for specific reasons"


def _buckets_of(names: Iterable[str]) -> dict[str, Bucket]:
    """The write buckets of those tables that are provisioned, by the names in the request."""
    from ministack.services import dynamodb

    found = {}
    for name in names:
        table = dynamodb._tables.get(dynamodb._normalize_table_name(name))
        bucket = bucket_of(table, "Write") if table else None
        if bucket is not None:
            found[name] = bucket
    return found


def _dry(buckets: dict[str, Bucket]) -> set[str]:
    now = time.monotonic()
    return {name for name, bucket in buckets.items() if not bucket.has_room(now)}


def _counted(original: Operation, request: Request, buckets: dict[str, Bucket]) -> Answer:
    """Do it, and take from each table's capacity what it consumed."""
    from ministack.core.responses import json_response

    asked = request.get("ReturnConsumedCapacity", "NONE")
    status, headers, body = original({**request, "ReturnConsumedCapacity": "TOTAL" if asked == "NONE" else asked})
    if status != 200:
        return status, headers, body
    answer = json.loads(body)
    for entry in answer.get("ConsumedCapacity", []):
        if entry["TableName"] in buckets:
            buckets[entry["TableName"]].level -= float(entry.get("WriteCapacityUnits", entry["CapacityUnits"]))
    if asked == "NONE":
        answer.pop("ConsumedCapacity", None)
    result: Answer = json_response(answer)
    return result


@correction
def transactions_are_throttled() -> None:
    """A transaction is cancelled as a whole, and the reasons say for which of its writes the capacity is missing.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    from ministack.services import dynamodb

    def build(original: Operation) -> Operation:
        def transact(request: Request) -> Answer:
            tables = [
                str(member.get("TableName", ""))
                for item in request.get("TransactItems") or []
                if isinstance(item, dict)
                for member in item.values()
                if isinstance(member, dict)
            ]
            buckets = _buckets_of(set(tables))
            dry = _dry(buckets)
            if dry:
                return _canceled([name in dry for name in tables])
            return _counted(original, request, buckets) if buckets else original(request)

        return transact

    replace(dynamodb, "_transact_write_items", build)


def _canceled(throttled: list[bool]) -> Answer:
    reasons: list[dict[str, Any]] = [
        {"Code": "ProvisionedThroughputExceeded", "Message": EXCEEDED} if dry else {"Code": "None"} for dry in throttled
    ]
    content = {
        "__type": "TransactionCanceledException",
        "message": f"{_CANCELED} [{', '.join(reason['Code'] for reason in reasons)}]",
        "CancellationReasons": reasons,
    }
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-errortype": "TransactionCanceledException"}
    return 400, headers, json.dumps(content).encode()


@correction
def batches_are_throttled() -> None:
    """What a batch could not write is handed back as unprocessed; if that is all of it, the batch is refused.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
    """
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import dynamodb

    def build(original: Operation) -> Operation:
        def write(request: Request) -> Answer:
            items = request.get("RequestItems")
            buckets = _buckets_of(items) if isinstance(items, dict) else {}
            if not buckets:
                return original(request)
            dry = _dry(buckets)
            served = {name: part for name, part in (items or {}).items() if name not in dry}
            if not served:
                refused: Answer = error_response_json("ProvisionedThroughputExceededException", EXCEEDED, 400)
                return refused
            status, headers, body = _counted(original, {**request, "RequestItems": served}, buckets)
            if status != 200 or not dry:
                return status, headers, body
            answer = json.loads(body)
            answer["UnprocessedItems"] = {name: (items or {})[name] for name in dry}
            result: Answer = json_response(answer)
            return result

        return write

    replace(dynamodb, "_batch_write_item", build)
