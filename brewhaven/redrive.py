"""``brewhaven redrive``: what was put aside in the dead-letter queues, and back with it to where it came from.

SQS moves the messages itself (StartMessageMoveTask); this looks first, and then watches.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.course.cloud import Deployment
from brewhaven.errors import BrewHavenError, UsageError

POLL_SECONDS = 0.5
LONGEST_SECONDS = 15 * 60
BODY_SHOWN = 120


class RedriveError(BrewHavenError):
    """What was asked for cannot be moved back."""


@dataclass(frozen=True)
class Waiting:
    """A message in a dead-letter queue.

    Attributes:
        ids: What its body calls itself by: an event's, an order's, an object's key.
        received: How often it was received, this look included.
        age_seconds: Since it was sent for the first time.
    """

    message_id: str
    ids: dict[str, str]
    received: int
    age_seconds: int
    body: str


@dataclass(frozen=True)
class DeadLetterQueue:
    """A dead-letter queue of what is deployed.

    Attributes:
        name: What a person calls it by: the construct that it belongs to.
        depth: About how many messages are in it.
        hidden: About how many of them somebody is just looking at.
        sources: The queues that put messages into it; without any, SQS does not move them back.
        task: The status of its last move task, if there was one in the last days.
        first: A message of it; SQS does not say which of several is the oldest.
    """

    name: str
    arn: str
    url: str
    depth: int
    hidden: int
    sources: tuple[str, ...]
    task: str | None = None
    first: Waiting | None = None

    @property
    def is_movable(self) -> bool:
        return bool(self.sources)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "movable": self.is_movable}


@dataclass(frozen=True)
class Moved:
    """What came of a move task."""

    queue: str
    status: str
    moved: int
    seconds: float


def dead_letter_queues(deployment: Deployment) -> list[DeadLetterQueue]:
    """Every dead-letter queue: each queue of the stacks that puts nothing aside itself."""
    sqs = deployment.client("sqs")
    queues = [
        (entry.logical_id, entry.physical_id, _attributes(sqs, entry.physical_id))
        for entry in deployment.resources("AWS::SQS::Queue")
    ]
    sources: dict[str, list[str]] = {}
    for logical_id, _, attributes in queues:
        if policy := attributes.get("RedrivePolicy"):
            sources.setdefault(json.loads(policy)["deadLetterTargetArn"], []).append(name_of(logical_id))
    return [
        DeadLetterQueue(
            name=name_of(logical_id),
            arn=attributes["QueueArn"],
            url=url,
            depth=int(attributes["ApproximateNumberOfMessages"]),
            hidden=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
            sources=tuple(sources.get(attributes["QueueArn"], ())),
            task=_last_task(sqs, attributes["QueueArn"]),
            first=_first(sqs, url) if int(attributes["ApproximateNumberOfMessages"]) else None,
        )
        for logical_id, url, attributes in queues
        if "RedrivePolicy" not in attributes
    ]


def name_of(logical_id: str) -> str:
    """A construct's logical id without what makes it unique and without the word that all of them share.

    >>> name_of("OrderPipelineOrdersDeadLetters1350D1A1")
    'OrderPipelineOrders'
    >>> name_of("OrderSubscribersBoardQueue6F815186")
    'OrderSubscribersBoard'
    """
    return re.sub(r"(DeadLetters|Queue)?[0-9A-F]{8}$", "", logical_id)


def find(queues: list[DeadLetterQueue], name: str) -> DeadLetterQueue:
    """The queue that a person named: all of its name, or a part that no other has.

    Raises:
        UsageError: None or several are meant.
    """
    exact = [queue for queue in queues if queue.name.lower() == name.lower()]
    found = exact or [queue for queue in queues if name.lower() in queue.name.lower()]
    if len(found) != 1:
        known = ", ".join(queue.name for queue in (found or queues))
        many = f"{name!r} may be several" if found else f"No dead-letter queue is called {name!r}"
        raise UsageError(f"{many}: {known}.", "Name one of these; `brewhaven redrive` lists them.")
    return found[0]


def move(
    deployment: Deployment,
    queue: DeadLetterQueue,
    *,
    rate: int | None = None,
    on_progress: Callable[[int, int], None] = lambda _moved, _all: None,
) -> Moved:
    """Have SQS move all that is in a queue back to where it came from, and wait until it has.

    Args:
        rate: So many messages a second at most; by default SQS decides.

    Raises:
        RedriveError: There is nothing to move, no queue it came from, a task runs already, or the task failed.
    """
    refuse(queue)
    sqs = deployment.client("sqs")
    started = time.monotonic()
    limit = {"MaxNumberOfMessagesPerSecond": rate} if rate else {}
    try:
        sqs.start_message_move_task(SourceArn=queue.arn, **limit)
    except ClientError as error:
        raise RedriveError(
            f"SQS does not begin to move {queue.name}: {error.response['Error']['Message']}",
            f"See its last tasks: `aws sqs list-message-move-tasks --source-arn {queue.arn}`.",
        ) from error
    while True:
        task = sqs.list_message_move_tasks(SourceArn=queue.arn, MaxResults=1)["Results"][0]
        moved, of = task.get("ApproximateNumberOfMessagesMoved", 0), task.get("ApproximateNumberOfMessagesToMove", 0)
        on_progress(moved, of)
        if task["Status"] not in ("RUNNING", "CANCELLING"):
            break
        if time.monotonic() - started > LONGEST_SECONDS:
            raise RedriveError(
                f"The move of {queue.name} still runs after {LONGEST_SECONDS // 60} minutes: {moved} of {of}.",
                f"It goes on; `aws sqs list-message-move-tasks --source-arn {queue.arn}` shows how far it is.",
            )
        time.sleep(POLL_SECONDS)
    if task["Status"] != "COMPLETED":
        raise RedriveError(
            f"The move of {queue.name} ended as {task['Status']} after {moved} messages: "
            f"{task.get('FailureReason') or 'SQS gives no reason'}.",
            "A message that came here without ever being in a queue (SNS, EventBridge and Lambda put such aside) has "
            "nowhere to go back to: read it with `aws sqs receive-message`, and send it by hand.",
        )
    return Moved(queue.name, task["Status"], moved, time.monotonic() - started)


def refuse(queue: DeadLetterQueue) -> None:
    """Refuse what cannot be moved back.

    Raises:
        RedriveError: There is nothing to move, no queue it came from, or a task runs already.
    """
    if queue.task == "RUNNING":
        raise RedriveError(
            f"A task that moves messages out of {queue.name} runs already; SQS allows one at a time.",
            f"Wait for it: `aws sqs list-message-move-tasks --source-arn {queue.arn}` shows how far it is.",
        )
    if not queue.is_movable:
        raise RedriveError(
            f"What is in {queue.name} never was in a queue: SNS or Lambda put it there, and SQS moves back only what "
            "came from a queue.",
            f"Read it with `aws sqs receive-message --queue-url {queue.url}`, mend the cause, and publish it again.",
        )
    if queue.depth == 0:
        seen = f", but {queue.hidden} are just being looked at" if queue.hidden else ""
        raise RedriveError(
            f"There is nothing in {queue.name} to move back{seen}.",
            "Try again in half a minute." if seen else "`brewhaven redrive` lists what is in each of them.",
        )


def _attributes(sqs: Any, url: str) -> dict[str, str]:
    answer: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return answer


def _last_task(sqs: Any, arn: str) -> str | None:
    tasks = sqs.list_message_move_tasks(SourceArn=arn, MaxResults=1).get("Results", [])
    return str(tasks[0]["Status"]) if tasks else None


def _first(sqs: Any, url: str) -> Waiting | None:
    """Look at one message and leave it where it is: it stays visible to everybody."""
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=1,
        VisibilityTimeout=0,
        AttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
    )
    for message in answer.get("Messages", []):
        attributes = message["Attributes"]
        return Waiting(
            message_id=message["MessageId"],
            ids=ids_in(message["Body"]),
            received=int(attributes["ApproximateReceiveCount"]),
            age_seconds=max(0, int(time.time() - int(attributes["SentTimestamp"]) / 1000)),
            body=message["Body"][:BODY_SHOWN],
        )
    return None


def ids_in(body: str) -> dict[str, str]:
    """By what a message can be found again in the logs: of an order's event, or of S3's about an object."""
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(content, dict):
        return {}
    found = {
        "event": content.get("id"),
        "type": content.get("type") or content.get("detail-type"),
        "order": content.get("order_id"),
    }
    detail = content.get("detail")
    if isinstance(detail, dict) and isinstance(detail.get("object"), dict):
        found["object"] = detail["object"].get("key")
    return {name: value for name, value in found.items() if isinstance(value, str) and value}
