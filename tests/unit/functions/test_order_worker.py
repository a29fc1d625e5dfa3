"""The worker: each event has its effect once, and one bad message does not send its neighbours round again."""

import importlib
import io
import json
import uuid
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from order_events.event import OrderEvent, read_event
from order_worker.processed_events import ProcessedEvents
from order_worker.processing import Outcome, process
from order_worker.topic import Topic
from tests.unit.functions.conftest import World
from tests.unit.functions.lambda_fakes import FakeContext, FakeMemory, FakeSns, failed, logged, metrics_in, sqs

Event = Callable[..., dict[str, Any]]


class Worker:
    """The worker's handler with a real database, and fakes of DynamoDB and SNS."""

    def __init__(self, module: ModuleType, world: World) -> None:
        self.module = module
        self.world = world
        self.memory = FakeMemory()
        self.sns = FakeSns()
        self.log = io.StringIO()  # the logger has kept the standard output of the moment it was made
        module.logger.registered_handler.setStream(self.log)
        module.seen.client = self.memory
        module.topic = Topic(self.sns, "arn:topic")
        self.database = world.database()
        module.events = ProcessedEvents(self.database)

    def __call__(self, *bodies: str | dict[str, Any], **more: Any) -> list[str]:
        """Which messages of a batch failed."""
        return failed(self.module.lambda_handler(sqs(*bodies, **more), FakeContext()))

    @property
    def processed(self) -> list[str]:
        return [str(row[0]) for row in self.world.look("select event_id from processed_events order by processed_at")]

    @property
    def announced(self) -> list[str]:
        return [json.loads(request["Message"])["id"] for request in self.sns.published]


@pytest.fixture(scope="module")
def module() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME": "order_worker",
            "POWERTOOLS_SERVICE_NAME": "order_worker",
            "POWERTOOLS_METRICS_NAMESPACE": "BrewHaven",
            "PGHOST": "localhost",
            "PGPORT": "5432",
            "PGDATABASE": "brewhaven",
            "PGSSLROOTCERT": "/nowhere",
            "DATABASE_SECRET_ARN": "arn:secret",
            "IDEMPOTENCY_TABLE": "seen",
            "ORDER_TOPIC_ARN": "arn:topic",
        }.items():
            patch.setenv(name, value)
        yield importlib.import_module("order_worker.handler")


@pytest.fixture
def worker(module: ModuleType, orders: World) -> Iterator[Worker]:
    working = Worker(module, orders)
    yield working
    working.database.close()


def test_a_batch_is_noted_and_announced(worker: Worker, event: Event) -> None:
    batch = [event(type=kind) for kind in ("order.placed", "order.paid", "order.ready")]
    assert worker(*batch) == []
    assert worker.processed == worker.announced == [one["id"] for one in batch]
    assert worker.world.look("select order_id, type from processed_events limit 1") == [
        ["01KAN8M3T6Q0X3D1V7C5W9R2YB", "order.placed"]
    ]


def test_an_announcement_is_the_message_as_it_came_with_what_subscribers_filter_by(
    worker: Worker, event: Event
) -> None:
    said = event(total_cents=480)
    worker(said)
    assert worker.sns.published == [
        {
            "TopicArn": "arn:topic",
            "Message": json.dumps(said),
            "MessageAttributes": {
                "type": {"DataType": "String", "StringValue": "order.paid"},
                "total_cents": {"DataType": "Number", "StringValue": "480"},
            },
        }
    ]


# Bad messages


@pytest.mark.parametrize("poison", ["", "latte", "{}", '{"id": "1"}', "[1]"])
def test_a_poison_message_fails_alone(worker: Worker, event: Event, poison: str) -> None:
    assert worker(event(), poison, event()) == ["m1"]
    assert len(worker.processed) == 2


def test_an_unknown_type_fails_and_waits_for_somebody_who_knows_it(worker: Worker, event: Event) -> None:
    assert worker(event(type="order.refunded"), event()) == ["m0"]
    assert len(worker.announced) == 1


def test_how_long_a_message_waited_is_logged(
    worker: Worker, event: Event, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worker.module.time, "time", lambda: 1795860000.0 + 2.5)
    worker(event())
    [line] = logged(worker.log.getvalue())
    assert (line["sent_at"], line["waited_ms"]) == (1795860000000, 2500)
    assert "EventsProcessed" in capsys.readouterr().out


def test_a_failure_is_logged_with_what_finds_it(
    worker: Worker, event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.sns.failures = 1
    said = event()
    assert worker(said, event(), receive_count=3) == ["m0"]
    failure, success = logged(worker.log.getvalue())
    assert (failure["event_id"], failure["event_type"], failure["order_id"]) == (
        said["id"],
        "order.paid",
        said["order_id"],
    )
    assert (failure["message_id"], failure["receive_count"], failure["level"]) == ("m0", "3", "ERROR")
    assert "sns.us-east-1.amazonaws.com" in failure["why"]
    assert success["message"] == "event processed"
    assert success["sent_at"] == 1795860000000, "when the message was sent to the queue, by the queue's own word"
    assert success["event_id"] != said["id"], "keys of one message are not those of the next"
    assert metrics_in(capsys.readouterr().out)["EventsFailed"] == [1]


def test_a_batch_that_fails_as_a_whole_is_an_error_of_the_function(worker: Worker) -> None:
    with pytest.raises(Exception, match="All records failed processing"):
        worker("latte", "mocha")


# Once


def test_the_same_message_five_times_has_one_effect(
    worker: Worker, event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    said = event()
    assert worker(said, said, said) == []
    assert worker(said) == []
    assert worker(said) == []
    assert worker.processed == worker.announced == [said["id"]]
    counted = metrics_in(capsys.readouterr().out)
    assert sum(counted["EventsProcessed"]) == 1
    assert sum(counted["EventsRepeated"]) == 4


def test_the_database_knows_what_powertools_has_forgotten(
    worker: Worker, event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    said = event()
    worker(said)
    worker.memory.items.clear()
    assert worker(said) == []
    assert worker.announced == [said["id"]]
    assert metrics_in(capsys.readouterr().out)["EventsRepeated"] == [1]


def test_a_copy_that_arrives_while_the_event_is_worked_on_waits_for_its_turn(worker: Worker, event: Event) -> None:
    said = event()
    inner: list[list[str]] = []
    publish = worker.sns.publish

    def meanwhile(**request: Any) -> dict[str, str]:
        worker.sns.publish = publish  # type: ignore[method-assign]
        inner.append(failed(worker.module.lambda_handler(sqs(said, event()), FakeContext())))
        return publish(**request)

    worker.sns.publish = meanwhile  # type: ignore[method-assign]
    worker.module.batch = worker.module.batch.__class__(event_type=worker.module.EventType.SQS)
    worker.module.handle_event(message={"id": said["id"]}, event=read_event(json.dumps(said)), text=json.dumps(said))
    assert inner == [["m0"]], "it fails, and comes back after the visibility timeout"
    assert worker(said) == []
    assert worker.announced.count(said["id"]) == 1


def test_a_worker_that_was_killed_is_not_waited_for_longer_than_it_could_have_lived(
    worker: Worker, event: Event
) -> None:
    said = event()
    worker(said)
    (record,) = worker.memory.items.values()
    record |= {"status": {"S": "INPROGRESS"}, "in_progress_expiration": {"N": "1000"}}
    worker.world.look("truncate processed_events")
    assert worker(said) == []
    assert worker.processed == [said["id"]]


# Away


def test_an_announcement_that_fails_leaves_the_event_unnoted_and_is_made_later(worker: Worker, event: Event) -> None:
    worker.sns.failures = 2
    batch = [event(), event(), event()]
    assert worker(*batch) == ["m0", "m1"]
    assert worker.processed == [batch[2]["id"]]
    assert worker(*batch[:2]) == []
    assert sorted(worker.announced) == sorted(one["id"] for one in batch)
    assert sorted(worker.processed) == sorted(one["id"] for one in batch)


def test_a_database_that_is_away_fails_the_batch_quickly_and_loses_nothing(worker: Worker, event: Event) -> None:
    batch = [event() for _ in range(10)]
    worker.world.server.stop()
    try:
        with pytest.raises(Exception, match="All records failed"):
            worker(*batch)
    finally:
        worker.world.server.start()
    assert worker.announced == []
    worker.module.events = ProcessedEvents(worker.world.database())
    assert worker(*batch) == []
    assert sorted(worker.processed) == sorted(one["id"] for one in batch)


# Slow


class Hurrying(FakeContext):
    """Three seconds pass each time that somebody looks at the clock for a message."""

    def get_remaining_time_in_millis(self) -> int:
        left = super().get_remaining_time_in_millis()
        object.__setattr__(self, "milliseconds_left", left - 3_000)
        return left


def test_a_batch_that_takes_long_hands_back_what_there_is_no_time_for(worker: Worker, event: Event) -> None:
    batch = [event() for _ in range(4)]
    context = Hurrying(milliseconds_left=13_000)  # Powertools looks as well, when the function begins
    assert failed(worker.module.lambda_handler(sqs(*batch), context)) == ["m2", "m3"]
    assert worker.announced == [one["id"] for one in batch[:2]]
    assert "ms are left, and a message may need" in logged(worker.log.getvalue())[-1]["why"]
    assert worker(*batch[2:]) == []
    assert sorted(worker.processed) == sorted(one["id"] for one in batch)


# The domain by itself


class Notes:
    def __init__(self) -> None:
        self.noted: set[str] = set()

    def once(self, event: OrderEvent, effect: Callable[[], None]) -> bool:
        if event.id in self.noted:
            return False
        effect()
        self.noted.add(event.id)
        return True


class Announcements:
    def __init__(self) -> None:
        self.made: list[str] = []

    def announce(self, event: OrderEvent, text: str) -> None:
        self.made.append(text)


def test_an_event_is_processed_and_then_repeated(event: Event) -> None:
    text = json.dumps(event())
    notes, announcements = Notes(), Announcements()
    outcomes = [process(read_event(text), text, notes, announcements) for _ in range(3)]
    assert outcomes == [Outcome.PROCESSED, Outcome.REPEATED, Outcome.REPEATED]
    assert announcements.made == [text]


def test_two_workers_with_the_same_event_announce_it_once(orders: World, event: Event) -> None:
    one = read_event(json.dumps(event()))
    other = ProcessedEvents(orders.database(statement_seconds=0.5))

    def while_it_is_announced() -> None:
        # The row is not committed yet: the other waits for it, here until its patience ends.
        with pytest.raises(Exception, match="cannot be used now"):
            other.once(one, lambda: pytest.fail("announced twice"))

    assert ProcessedEvents(orders.database()).once(one, while_it_is_announced) is True
    assert ProcessedEvents(orders.database()).once(one, lambda: pytest.fail("announced twice")) is False


def test_how_long_an_event_waited_is_measured(worker: Worker, event: Event, capsys: pytest.CaptureFixture[str]) -> None:
    worker(event(at="2026-11-28T09:59:59.000Z"), event(at="2999-01-01T00:00:00Z", id=str(uuid.uuid4())))
    waited = metrics_in(capsys.readouterr().out)["SecondsToProcess"]
    assert len(waited) == 2
    assert min(waited) == 0, "a clock that is ahead makes no negative times"
