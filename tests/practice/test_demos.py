"""`brewhaven demo` and `brewhaven redrive` on phase 2 as it is deployed: what they show, and what they say of what is
broken on purpose."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from brewhaven.demo import file_processing, order_processing
from tests.plugins.containers import until
from tests.plugins.local_cloud import DeployedShop
from tests.unit.shop.browser import Browser

pytestmark = pytest.mark.local

STACK = "BrewHaven-Phase2-Orders"


@dataclass
class Orders:
    """Phase 2 beside the session's phase 1, and what the tests break of it."""

    shop: DeployedShop
    ids: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""

    def look(self) -> None:
        cloudformation = self.client("cloudformation")
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=STACK)
        self.ids = {
            entry["LogicalResourceId"]: entry["PhysicalResourceId"]
            for page in pages
            for entry in page["StackResourceSummaries"]
        }

    def client(self, service: str) -> Any:
        return self.shop.cloud.client(service)

    def the(self, start: str) -> str:
        """The physical id of the one resource whose logical id begins so."""
        [found] = [physical for logical, physical in self.ids.items() if logical.startswith(start)]
        return found

    def run(self, *arguments: str, exits: int = 0) -> Any:
        """Run the tool and read its JSON."""
        done = self.said(*arguments, "--json", exits=exits)
        return json.loads(done.stdout)

    def said(self, *arguments: str, exits: int = 0) -> subprocess.CompletedProcess[str]:
        done = self.shop.brewhaven(*arguments)
        assert done.returncode == exits, done.stdout + done.stderr
        return done

    @contextmanager
    def without_event_source(self, function: str) -> Iterator[str]:
        """Messages stay in the queue of a function."""
        mapping = self.the(f"{function}SqsEventSource")
        self.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
        try:
            yield mapping
        finally:
            self.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)

    def items(self, table: str) -> list[dict[str, Any]]:
        return list(self.client("dynamodb").scan(TableName=table)["Items"])

    def traces(self) -> dict[str, list[str]]:
        """What a demo could have forgotten: queues, subscriptions, items, objects."""
        accounts = [
            item["pk"]["S"]
            for item in self.items(self.shop.outputs["CatalogTableName"])
            if "demo-" in json.dumps(item) or item["pk"]["S"].startswith("PICTURE#")
        ]
        versions = self.client("s3").list_object_versions(Bucket=self.shop.outputs["AssetBucketName"])
        topics = (self.outputs["OrderTopicArn"], self.outputs["AlarmTopicArn"])
        return {
            "queues": [url for url in self.client("sqs").list_queues().get("QueueUrls", []) if "brewhaven-demo" in url],
            "subscriptions": [
                subscription["Endpoint"]
                for topic in topics
                for subscription in self.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
                if "brewhaven-demo" in subscription["Endpoint"]
            ],
            "follow-ups": [item["pk"]["S"] for item in self.items(self.outputs["FollowUpTableName"])],
            "accounts and pictures": accounts,
            "objects": [
                version["Key"]
                for version in versions.get("Versions", []) + versions.get("DeleteMarkers", [])
                if not version["Key"].startswith("media/menu/")
            ],
        }


@pytest.fixture(scope="module")
def orders(shop: DeployedShop) -> Iterator[Orders]:
    made = Orders(shop)
    made.summary = made.said("deploy", "2").stdout
    made.look()
    yield made
    gone = made.said("destroy", "2").stdout
    assert "Nothing of phase 2" in gone and "Nothing of the course" not in gone

    def back() -> bool:
        """Every task and the instance have read that the parameter is gone, which takes some seconds."""
        answers = [requests.get(f"{url}/ready", timeout=20) for url in (shop.url, shop.outputs["InstanceUrl"])]
        return [(ready.status_code, "orders" in ready.json()["checks"]) for ready in answers] == [(200, False)] * 2

    until(back, 60)
    assert Browser(shop.url).paid_order()["status"] == "new", "phase 1 takes orders as before"


@pytest.fixture
def nothing_left(orders: Orders) -> Iterator[None]:
    """The demo of the test removes all that it made."""
    yield
    assert [name for name, left in orders.traces().items() if left] == []


def hops(answer: Any) -> dict[str, Any]:
    return {hop["id"]: hop for hop in answer["hops"]}


def happened(answer: Any) -> dict[str, bool | None]:
    return {id_: hop["happened"] for id_, hop in hops(answer).items()}


def order_ids(orders: Orders) -> list[str]:
    barista = Browser(orders.shop.url)
    email, password = orders.shop.staff["barista"]
    barista.use_session(barista.post("/api/session", {"email": email, "password": password}))
    return [order["id"] for order in barista.get("/api/board")["orders"]]


def test_the_summary_of_a_deployment_says_how_to_enter_database_and_cache(orders: Orders) -> None:
    assert "(brewhaven local psql)" in orders.summary
    assert "with TLS  (brewhaven local valkey-cli)" in orders.summary
    assert orders.said("local", "psql", "-Atc", "select current_database()").stdout.strip() == "brewhaven"
    assert orders.said("local", "valkey-cli", "PING").stdout.strip() == "PONG"
    assert "these caches" in orders.said("local", "valkey-cli", "--group", "latte", "PING", exits=1).stderr


@pytest.mark.usefixtures("nothing_left")
def test_an_order_is_followed_to_each_of_its_subscribers(orders: Orders) -> None:
    answer = orders.run("demo", "order-processing")
    assert happened(answer) == {leg.id: True for leg in order_processing.LEGS}
    assert (answer["happened"], answer["missing"]) == (True, [])
    assert all(hop["seconds"] is not None for hop in answer["hops"]), "each hop has its time"
    assert "is paid'" in hops(answer)["notice"]["saw"]
    assert hops(answer)["points"]["saw"].startswith("3 points")
    assert "to be made" in hops(answer)["ticket"]["saw"]
    assert any("API Gateway" in note and "phase 3" in note for note in answer["notes"])
    assert order_ids(orders) == [], "the demo's order is cancelled, so nobody at the counter makes it"


def test_the_summary_shows_each_hop_with_its_time(orders: Orders) -> None:
    done = orders.said("demo", "order-processing")
    words = " ".join(done.stdout.split())
    assert "All 9 hops happened." in words
    assert all(leg.title.split(":")[0].split(" -> ")[0] in words for leg in order_processing.LEGS)
    assert done.stdout.count(" s ") + done.stdout.count(" s\n") >= len(order_processing.LEGS)


def test_a_worker_that_gets_nothing_is_named_with_what_to_do(orders: Orders) -> None:
    with orders.without_event_source("OrderPipelineWorkerFunction") as mapping:
        answer = orders.run("demo", "order-processing", "--wait", "4", exits=1)
    found = happened(answer)
    assert [id_ for id_, state in found.items() if state] == ["post", "database", "payment", "queue"]
    assert found["worker"] is False
    assert [id_ for id_, state in found.items() if state is None] == ["topic", "notice", "points", "ticket"]
    [missing] = answer["missing"]
    assert missing["hop"] == "worker"
    assert "event source mapping" in missing["what"] and "Disabled" in missing["what"]
    assert mapping in missing["next"] and "--enabled" in missing["next"]
    assert any("queues" in what for what in answer["stays"]), "it says what may still come"
    assert orders.traces()["queues"] == orders.traces()["subscriptions"] == []
    drained(orders, "OrderQueueUrl")


def test_a_database_that_is_stopped_is_named_before_anything_is_ordered(orders: Orders) -> None:
    rds, name = orders.client("rds"), orders.outputs["DatabaseInstanceId"]

    def status() -> str:
        return str(rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DBInstanceStatus"])

    rds.stop_db_instance(DBInstanceIdentifier=name)
    until(lambda: status() == "stopped", seconds=60)
    try:
        answer = orders.run("demo", "order-processing", "--wait", "4", exits=1)
    finally:
        rds.start_db_instance(DBInstanceIdentifier=name)
        until(lambda: status() == "available", seconds=60)
        until(lambda: requests.get(f"{orders.shop.url}/ready", timeout=20).status_code == 200, seconds=60)
    [missing] = answer["missing"]
    assert missing["hop"] == "post"
    assert "orders" in missing["what"] and "does not answer" in missing["what"]


def test_one_deaf_subscriber_does_not_hide_the_others(orders: Orders) -> None:
    with orders.without_event_source("OrderSubscribersLoyaltyFunction"):
        answer = orders.run("demo", "order-processing", "--wait", "6", exits=1)
    assert [id_ for id_, state in happened(answer).items() if state is False] == ["points"]
    assert happened(answer)["notice"] and happened(answer)["ticket"]
    drained(orders, "LoyaltyQueueUrl")


@pytest.mark.usefixtures("emptied")
def test_a_picture_is_followed_to_its_thumbnail_and_a_file_that_is_none_into_quarantine(orders: Orders) -> None:
    answer = orders.run("demo", "file-processing")
    assert happened(answer) == {leg.id: True for leg in file_processing.LEGS}
    assert "image/webp" in hops(answer)["thumbnail"]["saw"]
    assert hops(answer)["quarantine"]["saw"].startswith("quarantine/")
    assert "a picture was rejected" in hops(answer)["told"]["saw"]
    assert "not a JPEG, PNG or WebP" in hops(answer)["page"]["saw"]
    assert any("stand-in for Rekognition" in note for note in answer["notes"]), "nobody takes the labels for real"
    assert [name for name, left in orders.traces().items() if left] == []


def test_a_rule_that_is_off_is_named_with_what_to_do(orders: Orders) -> None:
    rule = orders.the("ImagePipelineNewPictures")
    orders.client("events").disable_rule(Name=rule)
    try:
        answer = orders.run("demo", "file-processing", "--wait", "4", exits=1)
    finally:
        orders.client("events").enable_rule(Name=rule)
    [missing] = answer["missing"]
    assert missing["hop"] == "event"
    assert "DISABLED" in missing["what"]
    assert missing["next"] == f"Enable it: `aws events enable-rule --name {rule}`."
    assert [id_ for id_, state in happened(answer).items() if state] == ["form", "upload", "taken"]
    assert orders.traces()["objects"] == [], "what it uploaded is gone, also when it broke off"


def test_a_picture_check_that_gets_nothing_is_named(orders: Orders) -> None:
    with orders.without_event_source("ImagePipelineCheckFunction") as mapping:
        answer = orders.run("demo", "file-processing", "--wait", "4", exits=1)
        orders.client("sqs").purge_queue(QueueUrl=orders.outputs["PictureQueueUrl"])
    [missing] = answer["missing"]
    assert missing["hop"] == "function"
    assert mapping in missing["next"]
    assert happened(answer)["event"] is True


def drained(orders: Orders, output: str) -> None:
    """Wait until what the broken demo left behind has been worked off, and take that away."""
    sqs, url = orders.client("sqs"), orders.outputs[output]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def is_empty() -> bool:
        depths = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return all(int(depths[name]) == 0 for name in names)

    until(is_empty, seconds=60)


@pytest.fixture
def emptied(orders: Orders) -> None:
    """The follow-ups of demos that were broken before are gone."""
    time.sleep(3)
    table = orders.outputs["FollowUpTableName"]
    for item in orders.items(table):
        orders.client("dynamodb").delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})


@pytest.fixture
def put_aside(orders: Orders) -> Iterator[Callable[[int], None]]:
    """Messages that the worker cannot handle, tried until they are in its dead-letter queue."""
    sqs, url = orders.client("sqs"), orders.outputs["OrderQueueUrl"]
    timeout = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})

    def put(count: int) -> None:
        for number in range(count):
            body = json.dumps({"id": f"poison-{number}", "type": "order.paid", "order_id": "none"})
            sqs.send_message(QueueUrl=url, MessageBody=body)
        until(lambda: put_aside_now(orders) == count, seconds=180)

    yield put
    sqs.set_queue_attributes(QueueUrl=url, Attributes=timeout)
    sqs.purge_queue(QueueUrl=orders.outputs["OrderDeadLetterQueueUrl"])


def put_aside_now(orders: Orders) -> int:
    name = "ApproximateNumberOfMessages"
    url = orders.outputs["OrderDeadLetterQueueUrl"]
    answer = orders.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(answer["Attributes"][name])


def worker_queue(orders: Orders) -> Any:
    return next(queue for queue in orders.run("redrive") if queue["name"] == "OrderPipelineOrders")


def test_what_was_put_aside_is_listed_and_moved_back(orders: Orders, put_aside: Callable[[int], None]) -> None:
    put_aside(3)
    listed = worker_queue(orders)
    assert listed["sources"] == ["OrderPipelineOrders"]
    assert listed["first"]["ids"]["order"] == "none"
    assert listed["first"]["received"] >= 5, "it was tried five times"
    with orders.without_event_source("OrderPipelineWorkerFunction"):
        moved = orders.run("redrive", "OrderPipelineOrders")
        assert (moved["status"], moved["moved"]) == ("COMPLETED", 3)
        assert worker_queue(orders)["depth"] == 0
        orders.client("sqs").purge_queue(QueueUrl=orders.outputs["OrderQueueUrl"])


def test_an_empty_queue_and_one_that_no_queue_feeds_are_refused(orders: Orders) -> None:
    assert "nothing in OrderSubscribersBoard" in orders.said("redrive", "board", exits=1).stderr
    assert "never was in a queue" in orders.said("redrive", "undelivered", exits=1).stderr
    assert "No dead-letter queue is called" in orders.said("redrive", "latte", exits=2).stderr


def test_a_second_task_is_refused_while_one_runs(orders: Orders, put_aside: Callable[[int], None]) -> None:
    put_aside(30)  # half a minute at one a second, which is longer than the tool takes to start
    arn = orders.outputs["OrderDeadLetterQueueArn"]
    with orders.without_event_source("OrderPipelineWorkerFunction"):
        handle = orders.client("sqs").start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=1)
        refused = orders.said("redrive", "OrderPipelineOrders", exits=1)
        assert "runs already" in refused.stderr
        assert arn in refused.stderr, "it says where to see how far the other is"
        orders.client("sqs").cancel_message_move_task(TaskHandle=handle["TaskHandle"])
        orders.client("sqs").purge_queue(QueueUrl=orders.outputs["OrderQueueUrl"])
