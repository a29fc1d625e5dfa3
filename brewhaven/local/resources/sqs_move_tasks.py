"""SQS message move tasks: what lies in a dead-letter queue goes back to where it came from, or to another queue.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from brewhaven.local.engines.authorization import denial
from brewhaven.local.registry import REGISTRY, correction

Request = dict[str, Any]
Queue = dict[str, Any]
MOST_A_SECOND = 500
_ROUNDS_A_SECOND = 10
_KEPT = 10
_INVALID = "InvalidParameterValue"


@dataclass
class Task:
    """One move task of a queue."""

    source: str
    destination: str
    rate: int | None
    to_move: int
    status: str = "RUNNING"
    moved: int = 0
    failure: str = ""
    started: float = field(default_factory=time.time)
    handle: str = ""
    work: Any = None

    def __post_init__(self) -> None:
        content = {"taskId": str(uuid.uuid4()), "sourceArn": self.source}
        self.handle = base64.b64encode(json.dumps(content).encode()).decode()

    def describe(self) -> Request:
        """As ListMessageMoveTasks shows it."""
        shown: Request = {
            "Status": self.status,
            "SourceArn": self.source,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "StartedTimestamp": int(self.started * 1000),
        }
        optional = {
            "TaskHandle": self.handle if self.status == "RUNNING" else "",
            "DestinationArn": self.destination,
            "MaxNumberOfMessagesPerSecond": self.rate,
            "FailureReason": self.failure,
        }
        return shown | {name: value for name, value in optional.items() if value}


# Source queue -> its tasks, the newest first; a local cloud that goes down ends them where they are.
_tasks: dict[str, list[Task]] = {}


def source_of(handle: str) -> str:
    """The source queue that a task handle names; empty if it is none."""
    try:
        return str(json.loads(base64.b64decode(handle))["sourceArn"])
    except (ValueError, KeyError, TypeError):
        return ""


def _queue(arn: str) -> Queue:
    from ministack.services import sqs

    queue: Queue | None = sqs._queue_by_arn(arn)
    if queue is None:
        raise sqs._Err("ResourceNotFoundException", f"The resource that you specified does not exist: {arn}", 404)
    return queue


def _sources_of(arn: str) -> list[Queue]:
    """The queues whose dead-letter queue this is."""
    from ministack.services import sqs

    found = []
    for queue in sqs._queues.values():
        policy = json.loads(queue["attributes"].get("RedrivePolicy") or "{}")
        if policy.get("deadLetterTargetArn") == arn:
            found.append(queue)
    return found


def _authorize(source: str, destinations: list[str]) -> None:
    """Whoever starts a task must be allowed to do by hand what it does."""
    from ministack.core.iam_evaluator import caller_arn
    from ministack.core.responses import get_region
    from ministack.services import sqs

    needed = [(f"sqs:{name}", source) for name in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")]
    needed += [("sqs:SendMessage", destination) for destination in destinations]
    for action, arn in needed:
        refused = denial(caller_arn(), action, arn, get_region())
        if refused:
            raise sqs._Err("AccessDenied", refused, 403)


def start(request: Request, _url: str) -> Request:
    """StartMessageMoveTask."""
    from ministack.services import sqs

    source, destination = str(request.get("SourceArn", "")), str(request.get("DestinationArn", ""))
    rate = request.get("MaxNumberOfMessagesPerSecond")
    queue = _queue(source)
    origins = _sources_of(source)
    if not origins:
        raise sqs._Err(_INVALID, "Source queue must be configured as a Dead Letter Queue.")
    if destination and bool(_queue(destination)["is_fifo"]) != bool(queue["is_fifo"]):
        raise sqs._Err(_INVALID, "Source and destination queue must be of the same type.")
    if rate is not None and not 1 <= int(rate) <= MOST_A_SECOND:
        raise sqs._Err(_INVALID, f"Value {rate} for MaxNumberOfMessagesPerSecond is invalid: it must be 1 to 500.")
    if any(task.status == "RUNNING" for task in _tasks.get(source, [])):
        raise sqs._Err(
            "UnsupportedOperation",
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
        )
    _authorize(source, [destination] if destination else [origin["attributes"]["QueueArn"] for origin in origins])
    task = Task(source, destination, None if rate is None else int(rate), len(queue["messages"]))
    _tasks[source] = [task, *_tasks.get(source, [])][:_KEPT]
    task.work = asyncio.get_running_loop().create_task(_run(task))
    return {"TaskHandle": task.handle}


async def _run(task: Task) -> None:
    """Move what is there now; a message that is being worked on is waited for, as long as others can be moved."""
    from ministack.services import sqs

    rate = task.rate or MOST_A_SECOND
    try:
        while task.status == "RUNNING":
            count = max(1, rate // _ROUNDS_A_SECOND)
            messages = sqs._collect_msgs(_queue(task.source), min(count, task.to_move - task.moved), 30)
            if not messages:
                task.status = "COMPLETED"
                return
            for message in messages:
                _move(task, message)
            if task.moved >= task.to_move:
                task.status = "COMPLETED"
                return
            await asyncio.sleep(count / rate)
    except sqs._Err as error:
        task.status, task.failure = "FAILED", error.message


def _move(task: Task, message: Request) -> None:
    """Send it to its destination as a new message, then take it from the source."""
    from ministack.services import sqs

    target = task.destination or (message.get("sys") or {}).get("DeadLetterQueueSourceArn", "")
    queue = sqs._queue_by_arn(target)
    if queue is None:
        message["visible_at"] = time.time()
        raise sqs._Err("CouldNotDetermineMessageSource", "CouldNotDetermineMessageSource")
    sending = {"MessageBody": message["body"], "MessageAttributes": message.get("message_attributes") or {}}
    if queue["is_fifo"]:
        # Its old number would be taken for a duplicate of the first send.
        sending |= {"MessageGroupId": message["group_id"], "MessageDeduplicationId": str(uuid.uuid4())}
    sqs._act_send_message(sending, queue["url"])
    sqs._act_delete_message({"ReceiptHandle": message["receipt_handle"]}, _queue(task.source)["url"])
    task.moved += 1


def list_tasks(request: Request, _url: str) -> Request:
    """ListMessageMoveTasks: the newest first."""
    source = str(request.get("SourceArn", ""))
    _queue(source)
    count = int(request.get("MaxResults") or 1)
    return {"Results": [task.describe() for task in _tasks.get(source, [])[:count]]}


def cancel(request: Request, _url: str) -> Request:
    """CancelMessageMoveTask: what has been moved stays moved."""
    from ministack.services import sqs

    handle = str(request.get("TaskHandle", ""))
    task = next((task for task in _tasks.get(source_of(handle), []) if task.handle == handle), None)
    if task is None:
        raise sqs._Err("ResourceNotFoundException", "The task handle does not exist.", 404)
    if task.status != "RUNNING":
        raise sqs._Err("UnsupportedOperation", f"Only active tasks can be cancelled; this one is {task.status}.")
    task.status = "CANCELLED"
    task.work.cancel()
    return {"ApproximateNumberOfMessagesMoved": task.moved}


@correction
def messages_are_moved_back() -> None:
    """StartMessageMoveTask, ListMessageMoveTasks and CancelMessageMoveTask, which the emulator has not."""
    from ministack.services import sqs

    sqs._HANDLERS.update(StartMessageMoveTask=start, ListMessageMoveTasks=list_tasks, CancelMessageMoveTask=cancel)


REGISTRY.on_reset.append(_tasks.clear)
