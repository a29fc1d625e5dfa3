"""What AWS's services note by themselves: lines in log groups, messages of topics, items of tables, queues' depths."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.course.cloud import Deployment
from brewhaven.demo.journey import wait_for

RECEIVE_SECONDS = 2
ABANDONED_SECONDS = 3600
"""No demo takes this long, so whoever made a listening queue that is older was killed before removing it."""


@dataclass(frozen=True)
class Line:
    """A line that a function wrote with its logger: what it says, and when it was written."""

    at: datetime
    content: dict[str, Any]

    @property
    def message(self) -> str:
        return str(self.content.get("message", ""))

    @property
    def sent_at(self) -> datetime:
        """When the message that it tells of was sent to its queue, by the clock of SQS."""
        return datetime.fromtimestamp(int(self.content["sent_at"]) / 1000, UTC)

    @property
    def received_at(self) -> datetime:
        """When the function had that message in its hands."""
        return datetime.fromtimestamp((int(self.content["sent_at"]) + int(self.content["waited_ms"])) / 1000, UTC)

    @property
    def start(self) -> str:
        """Words for a function that was started for this message, which takes longer."""
        return " (a cold start)" if self.content.get("cold_start") is True else ""


class LogGroup:
    """The log group of a function, read from the moment that the demo began."""

    def __init__(self, deployment: Deployment, *, of: str) -> None:
        self.name = only(deployment, "AWS::Logs::LogGroup", of=of)
        self._client = deployment.client("logs")
        self._from = int((time.time() - 60) * 1000)  # this machine's clock may go ahead of AWS's

    def lines(self, mark: str) -> list[Line]:
        """Lines with a mark in them, as an order's id is one, the oldest first."""
        pages = self._client.get_paginator("filter_log_events").paginate(
            logGroupName=self.name, startTime=self._from, filterPattern=f'"{mark}"'
        )
        found = [line for page in pages for event in page["events"] if (line := _line(event))]
        return sorted(found, key=lambda line: line.at)

    def line(self, mark: str, says: Callable[[Line], bool]) -> Line | None:
        """The last of the lines with the mark that says so."""
        return next((line for line in reversed(self.lines(mark)) if says(line)), None)

    def complaint(self, mark: str) -> str:
        """What the function last wrote as an error about the mark; empty where it wrote none."""
        line = self.line(mark, lambda line: line.content.get("level") in ("ERROR", "CRITICAL"))
        return str(line.content.get("why") or line.content.get("exception") or line.message) if line else ""


def _line(event: dict[str, Any]) -> Line | None:
    """A line of the logger with the moment in it; on arrival CloudWatch notes another, later one."""
    try:
        content = json.loads(event["message"])
    except ValueError:
        return None
    if not isinstance(content, dict) or "message" not in content:
        return None
    try:
        at = datetime.strptime(content["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z")
    except (KeyError, ValueError):
        at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return Line(at.astimezone(UTC), content)


class Listener:
    """A queue that hears a topic for as long as the demo lasts."""

    def __init__(self, deployment: Deployment, topic_arn: str, name: str) -> None:
        self._sqs, self._sns = deployment.client("sqs"), deployment.client("sns")
        self._topic_arn = topic_arn
        self._name = f"{name}-{uuid.uuid4().hex[:8]}"
        self._url = ""
        self._subscription = ""
        self._heard: list[dict[str, Any]] = []

    def open(self) -> None:
        """Make the queue, with its policy from the beginning: a later one takes AWS up to a minute."""
        region_account = self._topic_arn.split(":")[3:5]
        arn = ":".join(["arn", self._topic_arn.split(":")[1], "sqs", *region_account, self._name])
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": self._topic_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._url = self._sqs.create_queue(
            QueueName=self._name, Attributes={"Policy": policy, "MessageRetentionPeriod": "3600"}
        )["QueueUrl"]
        self._subscription = self._sns.subscribe(
            TopicArn=self._topic_arn, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
        )["SubscriptionArn"]

    def close(self) -> None:
        """Remove the subscription and the queue."""
        if self._subscription:
            self._sns.unsubscribe(SubscriptionArn=self._subscription)
        if self._url:
            self._sqs.delete_queue(QueueUrl=self._url)

    def wait_for(self, concerns: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any] | None:
        """The first message that concerns the demo, as SNS wrapped it; None when none came in time."""

        def look() -> dict[str, Any] | None:
            self._heard += self._receive()
            return next((message for message in self._heard if concerns(message)), None)

        return wait_for(look, seconds)

    def _receive(self) -> list[dict[str, Any]]:
        answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=RECEIVE_SECONDS)
        messages = answer.get("Messages", [])
        for message in messages:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]


def remove_abandoned(deployment: Deployment, name: str) -> list[str]:
    """Remove the queues of this name, and their subscriptions, that demos left which were killed.

    A queue that is younger may belong to a demo that runs at this moment, and is left alone.

    Returns:
        The ARNs of the queues that were removed.
    """
    sqs, sns = deployment.client("sqs"), deployment.client("sns")
    own = re.compile(rf"{re.escape(name)}-[0-9a-f]{{8}}")
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix=f"{name}-")
    abandoned: dict[str, str] = {}
    for url in [url for page in pages for url in page.get("QueueUrls", []) if own.fullmatch(url.rpartition("/")[2])]:
        with suppress(ClientError):  # another demo has just removed it
            about = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["CreatedTimestamp", "QueueArn"])
            if time.time() - int(about["Attributes"]["CreatedTimestamp"]) > ABANDONED_SECONDS:
                abandoned[about["Attributes"]["QueueArn"]] = url
    for page in sns.get_paginator("list_subscriptions").paginate() if abandoned else ():
        for subscription in page["Subscriptions"]:
            if subscription["Endpoint"] in abandoned:
                sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    for url in abandoned.values():  # last: a queue that is still there is found again
        with suppress(ClientError):
            sqs.delete_queue(QueueUrl=url)
    return list(abandoned)


@contextmanager
def listening(deployment: Deployment, topic_arn: str, name: str) -> Iterator[Listener]:
    """A listener that is gone afterwards, and with it those that were never closed."""
    remove_abandoned(deployment, name)
    listener = Listener(deployment, topic_arn, name)
    try:
        listener.open()
        yield listener
    finally:
        listener.close()


def published_at(message: dict[str, Any]) -> datetime:
    """When SNS took a message, by its own clock."""
    return datetime.fromisoformat(message["Timestamp"].replace("Z", "+00:00"))


def only(deployment: Deployment, type_: str, *, of: str) -> str:
    """The physical id of the one resource of a type that a construct made."""
    [found] = deployment.resources(type_, of=of)
    return found.physical_id


@dataclass(frozen=True)
class Cause:
    """Why a message may not have come: a sentence, and what to do."""

    says: str
    remedy: str


def event_source(deployment: Deployment, *, of: str) -> Cause | None:
    """Whether a function's event source does not hand it messages; None where it does."""
    uuid_ = only(deployment, "AWS::Lambda::EventSourceMapping", of=of)
    state = deployment.client("lambda").get_event_source_mapping(UUID=uuid_)["State"]
    if state in ("Enabled", "Updating", "Enabling"):
        return None
    return Cause(
        f"the event source mapping of the function is {state}",
        f"Enable it: `aws lambda update-event-source-mapping --uuid {uuid_} --enabled`",
    )


def put_aside(deployment: Deployment, *, of: str) -> Cause | None:
    """Whether something lies in a dead-letter queue."""
    waiting = depth(deployment, only(deployment, "AWS::SQS::Queue", of=of))
    if not waiting:
        return None
    return Cause(f"the dead-letter queue {of} holds {waiting}", "See what lies there: `brewhaven redrive`")


def depth(deployment: Deployment, url: str) -> int:
    """How many messages are in a queue: waiting, being worked on, and delayed."""
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    answer = deployment.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)
