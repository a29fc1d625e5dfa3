"""The demos without a cloud: what a journey notes, what it says of a hop that is missing, and what it uploads."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image, UnidentifiedImageError

from brewhaven import target
from brewhaven.course.cloud import Deployment
from brewhaven.demo import file_processing, order_processing, pictures, render, witness
from brewhaven.demo.journey import Journey, Leg, MissingHopError, wait_for
from brewhaven.demo.visitor import Visitor
from shop.domain.pictures import look_at
from tests.unit.tool.conftest import FakeSession, refusal

LEGS = (Leg("first", "The first hop"), Leg("second", "The second hop"), Leg("third", "The third hop"))
START = datetime(2026, 11, 29, 10, 0, tzinfo=UTC)


def broken_journey() -> Journey:
    journey = Journey("sample", LEGS)
    with journey.hop("first") as hop:
        hop.proves("seen", since=START, at=START + timedelta(seconds=1))
    with pytest.raises(MissingHopError), journey.hop("second"):
        raise MissingHopError("Nothing came.", "Enable it.")
    return journey


def test_a_journey_is_complete_only_when_each_hop_happened() -> None:
    journey = Journey("sample", LEGS)
    for number, leg in enumerate(LEGS):
        assert not journey.complete
        with journey.hop(leg.id) as hop:
            hop.proves("seen", since=START, at=START + timedelta(seconds=number + 1))
    assert journey.complete
    assert [hop["seconds"] for hop in journey.as_dict()["hops"]] == [1, 2, 3]
    assert [hop["since_the_start"] for hop in journey.as_dict()["hops"]] == [0, 1, 2]


def test_a_missing_hop_is_told_apart_from_one_that_was_not_reached() -> None:
    answer = broken_journey().as_dict()
    assert [hop["happened"] for hop in answer["hops"]] == [True, False, None]
    assert answer["happened"] is False
    assert answer["missing"] == [{"hop": "second", "what": "Nothing came.", "next": "Enable it."}]


def test_the_summary_names_what_is_missing_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    render.summary(broken_journey(), "local")
    said = capsys.readouterr()
    assert "1.000 s" in said.out
    assert said.out.count("not reached") == 1
    assert "hops happened" not in said.out
    assert "Error: The second hop: Nothing came." in said.err
    assert "Next:  Enable it." in said.err


def test_a_time_that_nobody_knows_is_not_made_up() -> None:
    journey = Journey("sample", LEGS)
    with journey.hop("first") as hop:
        hop.proves("seen")
    assert journey.as_dict()["hops"][0]["seconds"] is None


def test_two_clocks_that_disagree_make_no_negative_time() -> None:
    journey = Journey("sample", LEGS)
    with journey.hop("first") as hop:
        hop.proves("seen", since=START, at=START - timedelta(milliseconds=4))
    assert hop.seconds == 0


def test_what_is_waited_for_is_looked_for_again_and_given_up() -> None:
    answers = iter([None, None, "there"])
    assert wait_for(lambda: next(answers), 10) == "there"
    assert wait_for(lambda: None, 0.1) is None


def test_a_new_picture_is_a_picture_and_no_two_are_the_same() -> None:
    first, second = pictures.new_picture(), pictures.new_picture()
    assert first != second
    assert look_at(first) == "image/webp"
    with Image.open(io.BytesIO(first)) as opened:
        opened.load()
        assert opened.size == (640, 480)


def test_what_is_no_picture_passes_the_shops_look_and_nobody_opens_it() -> None:
    data = pictures.no_picture()
    assert look_at(data) == "image/png"
    with pytest.raises((OSError, UnidentifiedImageError)), Image.open(io.BytesIO(data)) as opened:
        opened.load()


def test_a_form_has_its_fields_and_the_file_last() -> None:
    body, content_type = pictures.form({"key": "media/x", "policy": "p"}, b"\x00data")
    edge = content_type.partition("boundary=")[2].encode()
    parts = body.split(b"--" + edge)
    assert [part.partition(b'name="')[2].partition(b'"')[0] for part in parts[1:-1]] == [b"key", b"policy", b"file"]
    assert parts[-2].endswith(b"\r\n\r\n\x00data\r\n")


LOGGED = {
    "level": "INFO",
    "message": "event processed",
    "timestamp": "2026-11-29 10:00:05,250+0000",
    "event_type": "order.paid",
    "cold_start": True,
    "sent_at": 1795946400000,
    "waited_ms": 1500,
}


def log_group(fake_target: Callable[..., Any], *messages: str) -> witness.LogGroup:
    class Logs:
        def get_paginator(self, _: str) -> Any:
            return self

        def paginate(self, **_: Any) -> Any:
            return [{"events": [{"message": message, "timestamp": 1795946410000} for message in messages]}]

    class Stack(Deployment):
        def client(self, service: str) -> Any:
            return {"logs": Logs()}[service]

        def resources(self, type_: str, *, of: str = "") -> Any:
            return [type("Entry", (), {"physical_id": "/the/group"})]

    return witness.LogGroup(Stack(fake_target("aws"), []), of="Worker")


def test_a_line_tells_when_it_was_written_sent_and_received(fake_target: Callable[..., Any]) -> None:
    group = log_group(fake_target, "START RequestId", json.dumps(LOGGED), '"only a text"')
    [line] = group.lines("an order")
    assert line.at == datetime(2026, 11, 29, 10, 0, 5, 250_000, tzinfo=UTC)
    assert line.received_at - line.sent_at == timedelta(milliseconds=1500)
    assert line.start == " (a cold start)"


def test_the_last_error_about_an_order_is_what_a_function_complains_of(fake_target: Callable[..., Any]) -> None:
    failed = {**LOGGED, "level": "ERROR", "message": "message failed", "why": "the database is away"}
    assert log_group(fake_target, json.dumps(LOGGED), json.dumps(failed)).complaint("x") == "the database is away"
    assert log_group(fake_target, json.dumps(LOGGED)).complaint("x") == ""


ARN = "arn:aws:sqs:us-east-1:111122223333:"
DAY = 86_400


class Cloud(Deployment):
    """Queues with their age in seconds, each subscribed to a topic, and what was removed of them."""

    def __init__(self, **ages: int) -> None:
        self.ages = {name.replace("_", "-"): age for name, age in ages.items()}
        subscriptions = [{"SubscriptionArn": f"hears:{name}", "Endpoint": ARN + name} for name in self.ages]
        self.session = FakeSession(
            {
                "sqs": {
                    "list_queues": self.list_queues,
                    "get_queue_attributes": self.get_queue_attributes,
                    "create_queue": {"QueueUrl": "https://sqs/1/new"},
                },
                "sns": {
                    "list_subscriptions": {"Subscriptions": subscriptions},
                    "subscribe": {"SubscriptionArn": "hears:new"},
                },
            }
        )

    def client(self, service: str) -> Any:
        return self.session.client(service)

    def list_queues(self, *, QueueNamePrefix: str) -> Any:  # noqa: N803  (boto3's name)
        found = [f"https://sqs/1/{name}" for name in self.ages if name.startswith(QueueNamePrefix)]
        return {"QueueUrls": found} if found else {}

    def get_queue_attributes(self, *, QueueUrl: str, **_: Any) -> Any:  # noqa: N803
        name = QueueUrl.rpartition("/")[2]
        if self.ages[name] < 0:
            raise refusal("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        return {"Attributes": {"CreatedTimestamp": str(int(time.time()) - self.ages[name]), "QueueArn": ARN + name}}

    @property
    def removed(self) -> list[str]:
        calls = self.session.client("sns").calls + self.session.client("sqs").calls
        return [
            next(iter(arguments.values())).rpartition("/")[2]
            for operation, arguments in calls
            if operation in ("delete_queue", "unsubscribe")
        ]


def test_what_a_killed_demo_left_is_removed_with_its_subscription() -> None:
    cloud = Cloud(brewhaven_demo_0a1b2c3d=DAY)
    assert witness.remove_abandoned(cloud, "brewhaven-demo") == [f"{ARN}brewhaven-demo-0a1b2c3d"]
    assert cloud.removed == ["hears:brewhaven-demo-0a1b2c3d", "brewhaven-demo-0a1b2c3d"]


@pytest.mark.parametrize(
    ("queue", "age", "why"),
    [
        ("brewhaven_demo_0a1b2c3d", 60, "a demo that runs at this moment listens to it"),
        ("brewhaven_demo_orders", DAY, "somebody called a queue of their own so"),
        ("orders", DAY, "no demo made it"),
        ("brewhaven_demo_0a1b2c3d", -1, "another demo has just removed it"),
    ],
)
def test_what_is_not_abandoned_by_a_demo_is_left_alone(queue: str, age: int, why: str) -> None:
    cloud = Cloud(**{queue: age})
    assert witness.remove_abandoned(cloud, "brewhaven-demo") == [], why
    assert cloud.removed == [], why


def test_whoever_begins_to_listen_removes_what_was_abandoned() -> None:
    cloud = Cloud(brewhaven_demo_0a1b2c3d=DAY)
    with witness.listening(cloud, "arn:aws:sns:us-east-1:111122223333:orders", "brewhaven-demo"):
        assert "brewhaven-demo-0a1b2c3d" in cloud.removed


class Shop:
    """A visitor of a shop that answers all is well."""

    def get(self, path: str) -> Any:
        return {"checks": {"orders": "ok"}, "status": "awaiting_payment"}


class Tables:
    def __init__(self, item: Any) -> None:
        self.item = item

    def get_item(self, **_: Any) -> Any:
        return {"Item": self.item} if self.item else {}


def looked_into_the_database(item: Any) -> order_processing.OrderProcessing:
    stack = Deployment.__new__(Deployment)
    stack.__dict__["outputs"] = {"CatalogTableName": "catalog"}
    demo = order_processing.OrderProcessing(stack, "http://shop", 1)
    demo.table, demo.visitor, demo.order = Tables(item), Shop(), {"id": "o-1"}  # type: ignore[assignment]
    try:
        demo._look_into_the_database()
    except MissingHopError:
        assert demo.journey.missing
    return demo


def test_an_order_in_phase_1s_table_is_not_taken_for_one_in_postgresql() -> None:
    assert looked_into_the_database(None).journey.hops["database"].happened is True
    in_dynamodb = looked_into_the_database({"pk": {"S": "ORDER#o-1"}}).journey
    assert in_dynamodb.hops["database"].happened is False
    assert "in DynamoDB" in in_dynamodb.missing["database"].message
    assert "ShopConfigParameter" in (in_dynamodb.missing["database"].remedy or "")


def test_a_worker_that_had_the_event_and_could_not_announce_it_is_named_with_what_it_says(
    fake_target: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = {**LOGGED, "level": "ERROR", "message": "message failed", "why": "NotFound: Topic does not exist"}
    log = log_group(fake_target, json.dumps(failed))
    [line] = log.lines("o-1")
    demo = order_processing.OrderProcessing(Deployment.__new__(Deployment), "http://shop", 1)
    demo.order, demo.logs = {"id": "o-1"}, {"worker": log}
    monkeypatch.setattr(order_processing, "event_source", lambda *_, **__: None)
    monkeypatch.setattr(order_processing, "only", lambda *_, **__: "queue")
    monkeypatch.setattr(order_processing, "depth", lambda *_: 1)
    with pytest.raises(MissingHopError) as caught:
        demo._hear(None, line)  # type: ignore[arg-type]  # nobody listens: it is known before
    assert demo.journey.hops["topic"].happened is False
    assert "it says: NotFound: Topic does not exist" in caught.value.message
    assert log.name in (caught.value.remedy or "")


def test_a_shop_that_nobody_answers_for_is_a_missing_hop_with_a_remedy() -> None:
    with pytest.raises(MissingHopError) as caught:
        Visitor("http://127.0.0.1:9")
    assert "Nobody answered" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("demo", ["order-processing", "file-processing"])
def test_without_phase_2_a_demo_says_what_to_deploy(
    brewhaven: Callable[..., Any],
    fake_target: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    demo: str,
) -> None:
    missing = refusal("ValidationError", "Stack with id BrewHaven-Phase1-Foundation does not exist")
    cloud = fake_target("aws", cloudformation={"describe_stacks": missing})
    monkeypatch.setattr(target, "current", lambda _: cloud)
    result = brewhaven("demo", demo)
    assert result.exit_code == 1
    assert "is not deployed" in result.stderr
    assert "brewhaven deploy 1" in result.stderr


def test_the_demos_are_listed_with_the_lesson_they_need(brewhaven: Callable[..., Any]) -> None:
    listed = json.loads(brewhaven("demo", "list", "--json").stdout)
    assert {one["demo"]: (one["lesson"], one["hops"]) for one in listed} == {
        "order-processing": ("2.6", len(order_processing.LEGS)),
        "file-processing": ("2.7", len(file_processing.LEGS)),
    }
    assert "order-processing" in brewhaven("demo", "list").stdout


@pytest.mark.parametrize("command", ["list", "order-processing", "file-processing"])
def test_each_has_help_with_an_example(brewhaven: Callable[..., Any], command: str) -> None:
    result = brewhaven("demo", command, "--help")
    assert result.exit_code == 0
    assert "Example: " in result.stdout


def test_the_help_says_that_the_roadmaps_first_hop_is_of_phase_3(brewhaven: Callable[..., Any]) -> None:
    said = " ".join(brewhaven("demo", "order-processing", "--help").stdout.replace("│", " ").split())
    assert "API Gateway and a Lambda function" in said
    assert "phase 3" in said
