"""What stands in for AWS in tests of the functions: an invocation, DynamoDB as Powertools uses it, and SNS."""

import json
import time
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError


@dataclass
class FakeContext:
    """What Lambda hands to a function beside the event."""

    function_name: str = "function"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:111122223333:function:function"
    aws_request_id: str = "request-1"
    milliseconds_left: int = 10_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds_left


class FakeMemory:
    """The table of Powertools in a dictionary, with the one condition that it puts with."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.exceptions = self

    def put_item(self, **request: Any) -> None:
        item = request["Item"]
        there = self.items.get(item["id"]["S"])
        if there and not self._is_over(there):
            raise ClientError(
                {"Error": {"Code": "ConditionalCheckFailedException", "Message": "there"}, "Item": there}, "PutItem"
            )
        self.items[item["id"]["S"]] = item

    def update_item(self, **request: Any) -> None:
        values = request["ExpressionAttributeValues"]
        self.items[request["Key"]["id"]["S"]] |= {
            "expiration": values[":expiry"],
            "data": values[":response_data"],
            "status": values[":status"],
        }

    def delete_item(self, **request: Any) -> None:
        self.items.pop(request["Key"]["id"]["S"], None)

    @staticmethod
    def _is_over(item: dict[str, Any]) -> bool:
        now = time.time()
        given_up = int(item.get("in_progress_expiration", {"N": "0"})["N"]) / 1000
        return int(item["expiration"]["N"]) < now or (item["status"]["S"] == "INPROGRESS" and 0 < given_up < now)


class FakeDynamo:
    """DynamoDB in a dictionary, with the requests and conditions that the subscribers and their checks make."""

    class ConditionalCheckFailedException(Exception):  # noqa: N818  (botocore's own name)
        pass

    class TransactionCanceledException(Exception):  # noqa: N818
        def __init__(self, *codes: str) -> None:
            self.response = {"CancellationReasons": [{"Code": code} for code in codes]}

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.exceptions = self
        self.conflicts = 0

    def transact_write_items(self, **request: list[dict[str, Any]]) -> None:
        put, update = request["TransactItems"][0]["Put"], request["TransactItems"][1]["Update"]
        assert put["ConditionExpression"] == "attribute_not_exists(pk)"
        assert update["UpdateExpression"] == "ADD points :points SET #type = :type"
        key = put["Item"]["pk"]["S"], put["Item"]["sk"]["S"]
        if self.conflicts:
            self.conflicts -= 1
            raise self.TransactionCanceledException("None", "TransactionConflict")
        if key in self.items:
            raise self.TransactionCanceledException("ConditionalCheckFailed", "None")
        self.items[key] = put["Item"]
        account = update["Key"]["pk"]["S"], update["Key"]["sk"]["S"]
        item = self.items.setdefault(account, {"points": {"N": "0"}})
        more = int(update["ExpressionAttributeValues"][":points"]["N"])
        item["points"] = {"N": str(int(item["points"]["N"]) + more)}

    def update_item(self, **request: Any) -> None:
        assert request["ConditionExpression"] == "attribute_not_exists(stage) OR stage < :stage"
        values = request["ExpressionAttributeValues"]
        key = request["Key"]["pk"]["S"], request["Key"]["sk"]["S"]
        if key in self.items and int(self.items[key][":stage"]["N"]) >= int(values[":stage"]["N"]):
            raise self.ConditionalCheckFailedException
        self.items[key] = values

    def put_item(self, **request: Any) -> None:
        self.items[request["Item"]["pk"]["S"], request["Item"]["sk"]["S"]] = request["Item"]

    def delete_item(self, **request: Any) -> None:
        self.items.pop((request["Key"]["pk"]["S"], request["Key"]["sk"]["S"]), None)

    def query(self, **request: Any) -> dict[str, Any]:
        assert request["KeyConditionExpression"] == "pk = :pk AND begins_with(sk, :sk)"
        partition, prefix = (request["ExpressionAttributeValues"][name]["S"] for name in (":pk", ":sk"))
        return {
            "Items": [
                {**item, "pk": {"S": pk}, "sk": {"S": sk}}
                for (pk, sk), item in self.items.items()
                if pk == partition and sk.startswith(prefix)
            ]
        }


class FakeSns:
    """A topic that keeps what is published, and fails as often as it is told."""

    class NotFoundException(Exception):  # noqa: N818  (botocore's own name)
        pass

    class EndpointDisabledException(Exception):  # noqa: N818
        pass

    class InvalidParameterException(Exception):  # noqa: N818
        pass

    def __init__(self) -> None:
        self.published: list[dict[str, Any]] = []
        self.failures = 0
        self.gone: set[str] = set()
        self.refused: dict[str, str] = {}
        self.exceptions = self

    def publish(self, **request: Any) -> dict[str, str]:
        if self.failures:
            self.failures -= 1
            raise EndpointConnectionError(endpoint_url="https://sns.us-east-1.amazonaws.com")
        if request.get("TargetArn") in self.gone:
            raise self.EndpointDisabledException
        if request.get("TargetArn") in self.refused:
            raise self.InvalidParameterException(self.refused[request["TargetArn"]])
        self.published.append(request)
        return {"MessageId": str(len(self.published))}


def sqs(*bodies: str | dict[str, Any], receive_count: int = 1) -> dict[str, Any]:
    """What the event source hands to a function: a message for each body, `m0`, `m1` and so on."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": "handle",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {
                    "ApproximateReceiveCount": str(receive_count),
                    "SentTimestamp": "1795860000000",
                    "SenderId": "shop",
                    "ApproximateFirstReceiveTimestamp": "1795860000000",
                },
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:orders",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def failed(answer: dict[str, Any]) -> list[str]:
    """The ids of the messages that an answer names as failed."""
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def metrics_in(output: str) -> dict[str, list[float]]:
    """The metrics that a function wrote into its log (embedded metric format), by name."""
    found: dict[str, list[float]] = {}
    for line in output.splitlines():
        written = json.loads(line) if line.startswith("{") else {}
        for directive in written.get("_aws", {}).get("CloudWatchMetrics", []):
            for metric in directive["Metrics"]:
                values = written[metric["Name"]]
                found.setdefault(metric["Name"], []).extend(values if isinstance(values, list) else [values])
    return found


def logged(output: str) -> list[dict[str, Any]]:
    """The lines of a function's log that are no metrics."""
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" not in line]
