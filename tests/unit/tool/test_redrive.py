"""Dead-letter queues: what is listed, what is refused, and what is told of a move."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from brewhaven import redrive, report, status, target
from brewhaven.course.cloud import Deployed, Deployment
from brewhaven.errors import UsageError
from brewhaven.redrive import DeadLetterQueue, RedriveError

ARN = "arn:aws:sqs:us-east-1:111122223333:"
EVENT = {"id": "e-1", "type": "order.paid", "order_id": "o-1"}


class Sqs:
    """A queue with a dead-letter queue, and one that nothing feeds but SNS."""

    def __init__(self, *, waiting: int = 2, tasks: list[dict[str, Any]] | None = None) -> None:
        self.waiting, self.tasks, self.started = waiting, tasks or [], []

    def get_queue_attributes(self, **asked: Any) -> Any:
        name = asked["QueueUrl"]
        attributes = {
            "QueueArn": ARN + name,
            "ApproximateNumberOfMessages": str(self.waiting if name == "aside" else 0),
            "ApproximateNumberOfMessagesNotVisible": "0",
        }
        policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": ARN + "aside", "maxReceiveCount": 5})}
        return {"Attributes": {**attributes, **(policy if name == "orders" else {})}}

    def list_message_move_tasks(self, **_: Any) -> Any:
        return {"Results": [self.tasks.pop(0) if len(self.tasks) > 1 else self.tasks[0]] if self.tasks else []}

    def receive_message(self, **asked: Any) -> Any:
        assert asked["VisibilityTimeout"] == 0, "to look at a message must not hide it"
        attributes = {"ApproximateReceiveCount": "6", "SentTimestamp": str(int((time.time() - 90) * 1000))}
        return {"Messages": [{"MessageId": "m-1", "Body": json.dumps(EVENT), "Attributes": attributes}]}

    def start_message_move_task(self, **asked: Any) -> Any:
        self.started.append(asked)
        return {"TaskHandle": "handle"}


class Stack(Deployment):
    def __init__(self, sqs: Sqs) -> None:
        self.sqs = sqs

    def client(self, service: str) -> Any:
        return {"sqs": self.sqs}[service]

    def resources(self, type_: str, *, of: str = "") -> list[Deployed]:
        return [
            Deployed("OrderPipelineOrdersDeadLetters1350D1A1", type_, "aside"),
            Deployed("OrderPipelineOrdersQueue4D7C002A", type_, "orders"),
            Deployed("OrderSubscribersUndeliveredD0ED1929", type_, "undelivered"),
        ]


def listed(sqs: Sqs) -> dict[str, DeadLetterQueue]:
    return {queue.name: queue for queue in redrive.dead_letter_queues(Stack(sqs))}


def test_dead_letter_queues_are_listed_with_their_sources_and_a_message() -> None:
    found = listed(Sqs())
    assert set(found) == {"OrderPipelineOrders", "OrderSubscribersUndelivered"}
    orders = found["OrderPipelineOrders"]
    assert (orders.depth, orders.sources, orders.is_movable) == (2, ("OrderPipelineOrders",), True)
    assert orders.first is not None
    assert orders.first.ids == {"event": "e-1", "type": "order.paid", "order": "o-1"}
    assert orders.first.received == 6
    assert 85 <= orders.first.age_seconds <= 200
    assert not found["OrderSubscribersUndelivered"].is_movable


def test_an_empty_queue_is_not_looked_into() -> None:
    assert listed(Sqs(waiting=0))["OrderPipelineOrders"].first is None


def test_a_move_is_started_and_watched_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redrive, "POLL_SECONDS", 0)
    sqs = Sqs()
    queue = listed(sqs)["OrderPipelineOrders"]
    counts = {"ApproximateNumberOfMessagesToMove": 2}
    sqs.tasks = [
        {"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 1, **counts},
        {"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 2, **counts},
    ]
    seen: list[tuple[int, int]] = []
    moved = redrive.move(Stack(sqs), queue, rate=7, on_progress=lambda done, of: seen.append((done, of)))
    assert sqs.started == [{"SourceArn": ARN + "aside", "MaxNumberOfMessagesPerSecond": 7}]
    assert (moved.moved, moved.status, seen) == (2, "COMPLETED", [(1, 2), (2, 2)])


def test_a_move_that_fails_says_why() -> None:
    sqs = Sqs()
    queue = listed(sqs)["OrderPipelineOrders"]
    sqs.tasks = [{"Status": "FAILED", "FailureReason": "CouldNotDetermineMessageSource"}]
    with pytest.raises(RedriveError, match="CouldNotDetermineMessageSource") as caught:
        redrive.move(Stack(sqs), queue)
    assert "send it by hand" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("sqs", "name", "said"),
    [
        (Sqs(waiting=0), "OrderPipelineOrders", "nothing in OrderPipelineOrders"),
        (Sqs(tasks=[{"Status": "RUNNING"}]), "OrderPipelineOrders", "runs already"),
        (Sqs(), "OrderSubscribersUndelivered", "never was in a queue"),
    ],
)
def test_what_cannot_be_moved_is_refused_before_anything_is_started(sqs: Sqs, name: str, said: str) -> None:
    with pytest.raises(RedriveError, match=said) as caught:
        redrive.move(Stack(sqs), listed(sqs)[name])
    assert caught.value.remedy
    assert sqs.started == []


def test_a_queue_is_found_by_a_part_of_its_name_that_no_other_has() -> None:
    queues = list(listed(Sqs()).values())
    assert redrive.find(queues, "pipeline").name == "OrderPipelineOrders"
    assert redrive.find(queues, "orderpipelineorders").name == "OrderPipelineOrders"
    with pytest.raises(UsageError, match="may be several"):
        redrive.find(queues, "order")
    with pytest.raises(UsageError, match="No dead-letter queue is called"):
        redrive.find(queues, "latte")


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (json.dumps(EVENT), {"event": "e-1", "type": "order.paid", "order": "o-1"}),
        (
            json.dumps({"id": "x", "detail-type": "Object Created", "detail": {"object": {"key": "media/a.png"}}}),
            {"event": "x", "type": "Object Created", "object": "media/a.png"},
        ),
        ("no JSON", {}),
        ("[1]", {}),
        ('{"id": 7, "detail": {"object": "odd"}}', {}),
    ],
)
def test_a_message_is_named_by_what_its_body_calls_it(body: str, ids: dict[str, str]) -> None:
    assert redrive.ids_in(body) == ids


def test_the_command_lists_and_says_what_to_do_next(
    brewhaven: Callable[..., Any], fake_target: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "current", lambda _: fake_target("aws"))
    monkeypatch.setattr(status, "deployment", lambda *_: Stack(Sqs()))
    shown = brewhaven("redrive")
    assert shown.exit_code == 0
    assert "brewhaven redrive OrderPipelineOrders" in shown.stdout
    assert "o-1" in shown.stdout.replace("\n", "")
    read = json.loads(brewhaven("redrive", "--json").stdout)
    assert [(one["name"], one["depth"], one["movable"]) for one in read] == [
        ("OrderPipelineOrders", 2, True),
        ("OrderSubscribersUndelivered", 0, False),
    ]


def test_nothing_put_aside_is_said_to_be_good(capsys: pytest.CaptureFixture[str]) -> None:
    report.dead_letters(list(listed(Sqs(waiting=0)).values()))
    assert "Nothing was put aside." in capsys.readouterr().out
