"""Phase 2 under load: orders to notifications, the worker beside a bare loop, the menu with its cache and without."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from brewhaven import console
from brewhaven.bench import load
from brewhaven.bench.sections import CLIENTS, Row, measure, throughput
from brewhaven.deploy import Deployed
from brewhaven.errors import BrewHavenError
from brewhaven.local import psql
from brewhaven.local.settings import CloudSettings
from brewhaven.target import Target

MESSAGES = 600
MOST_SECONDS = 300
HEARD_SECONDS = 25
"""All tasks of the shop follow a changed parameter within this time."""
_INSERT = "insert into processed_events (event_id, order_id, type) values (%s, %s, %s)"


@dataclass(frozen=True)
class Sale:
    """Guests who place and pay one order after the other, and write down each payment: order id and time."""

    base: str
    product_id: str
    size: str
    folder: str

    def client(self) -> load.Client:
        guest = load.Guest(self.base)
        lines = [{"product_id": self.product_id, "size": self.size}]
        path = Path(self.folder) / f"{os.getpid()}-{uuid.uuid4().hex}"

        class Buyer:
            def step(self) -> None:
                began = time.time()
                order = guest.post("/api/orders", {"lines": lines}, 201)["id"]
                guest.post(f"/api/orders/{order}/payment", {"token": "tok_visa"}, 200)
                with path.open("a", encoding="utf-8") as file:
                    file.write(f"{order} {began}\n")

        return Buyer()


def notifications(cloud: Target, deployed: Deployed, seconds: float) -> Iterator[Row]:
    """Orders accepted a second, and how long after its POST the customer of each is told."""
    url = deployed.shop_url
    assert url is not None
    product = load.made_to_order(url)
    for clients in CLIENTS:
        with tempfile.TemporaryDirectory(prefix="brewhaven-bench-") as folder:
            measured = measure("Orders, placed and paid", Sale(url, *product, folder), clients, seconds)
            began = dict(_lines(Path(folder)))
        with console.step(f"Notifications of {len(began)} orders") as step:
            told = _told(cloud, deployed, began)
            step.result(f"{len(told)} told")
        waited = sorted(told[order] - began[order] for order in told)
        name = f"orders, {clients} clients"
        yield Row(f"{name}: accepted and paid", measured.per_second, "1/s")
        yield Row(f"{name}: errors", float(sum(measured.errors.values())), "", 0.0, must=True)
        if waited:
            yield Row(f"{name}: POST to notification, p50", round(statistics.median(waited), 2), "s")
            yield Row(f"{name}: POST to notification, p99", round(waited[int(len(waited) * 0.99)], 2), "s")
        yield Row(f"{name}: without a notification", float(len(began) - len(told)), "", 0.0, must=True)


def _lines(folder: Path) -> Iterator[tuple[str, float]]:
    for path in folder.iterdir():
        for line in path.read_text(encoding="utf-8").splitlines():
            order, began = line.split()
            yield order, float(began)


def _told(cloud: Target, deployed: Deployed, began: dict[str, float]) -> dict[str, float]:
    """When the notification function said that it had told the customer of an order; waits until it has for all."""
    name = deployed.outputs["NotificationFunctionName"]
    configuration = cloud.client("lambda").get_function_configuration(FunctionName=name)
    group, logs = configuration["LoggingConfig"]["LogGroup"], cloud.client("logs")
    told: dict[str, float] = {}
    since = int(min(began.values(), default=time.time()) * 1000) - 1000
    deadline = time.monotonic() + MOST_SECONDS
    while len(told) < len(began) and time.monotonic() < deadline:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=since, filterPattern='"customer told"'
        )
        for event in (event for page in pages for event in page["events"]):
            said = json.loads(event["message"])
            if said["order_id"] in began:
                at = datetime.strptime(said["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
                told[said["order_id"]] = min(at, told.get(said["order_id"], at))
        time.sleep(0.5)
    return told


def worker(settings: CloudSettings, cloud: Target, deployed: Deployed) -> Iterator[Row]:
    """The worker with a full queue, and a loop that only inserts the same rows into the same table, one by one."""
    queue = deployed.outputs["OrderQueueUrl"]
    mapping = {"UUID": _mapping(cloud, deployed)}
    with _database(settings, cloud) as database:
        bare = _events(MESSAGES)
        with console.step(f"A bare loop that inserts {MESSAGES} rows") as step:
            began = time.perf_counter()
            for event in bare:
                database.execute(_INSERT, [event["id"], event["order_id"], event["type"]])
            inserting = MESSAGES / (time.perf_counter() - began)
            step.result(f"{inserting:.0f}/s")
        with console.step(f"The worker with {MESSAGES} messages") as step:
            functions, events = cloud.client("lambda"), _events(MESSAGES)
            _send(cloud, queue, _events(50))  # starts the environments, which is not what is measured here
            _wait_until_empty(cloud, queue)
            functions.update_event_source_mapping(**mapping, Enabled=False)
            _send(cloud, queue, events)
            functions.update_event_source_mapping(**mapping, Enabled=True)
            working = _rate(database, [event["id"] for event in events])
            step.result(f"{working:.0f}/s")
        _wait_until_empty(cloud, queue)
    yield Row("worker: bare inserts", round(inserting, 1), "1/s")
    yield Row("worker: events", round(working, 1), "1/s")
    yield Row("worker: events / bare inserts", round(working / inserting, 3), "ratio", 0.05, "higher")


def _mapping(cloud: Target, deployed: Deployed) -> str:
    (mapping,) = cloud.client("lambda").list_event_source_mappings(FunctionName=deployed.outputs["WorkerFunctionName"])[
        "EventSourceMappings"
    ]
    return str(mapping["UUID"])


def _database(settings: CloudSettings, cloud: Target) -> psycopg.Connection[Any]:
    _, words = psql.command(settings, cloud, None)
    parameters = {name.removeprefix("PG").lower(): value for name, value in words.items() if name.startswith("PG")}
    return psycopg.connect(
        host=parameters["host"],
        port=parameters["port"],
        dbname=parameters["database"],
        user=parameters["user"],
        password=parameters["password"],
        sslmode=parameters["sslmode"],
        sslrootcert=parameters["sslrootcert"],
        autocommit=True,
    )


def _events(number: int) -> list[dict[str, Any]]:
    """Events as the shop writes them: half of them tell of a new order, half of its payment."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"product_id": "espresso", "name": "Espresso", "size": "single", "quantity": 1}
    return [
        {
            "id": str(uuid.uuid4()),
            "type": ("order.placed", "order.paid")[place % 2],
            "order_id": f"bench-{place // 2}",
            "at": at,
            "order": {
                "number": "BENC", "owner": "guest:bench", "customer_id": None, "email": None, "name": "Bench",
                "total_cents": 480, "status": "new", "lines": [line],
            },
        }
        for place in range(number)
    ]  # fmt: skip


def _send(cloud: Target, queue: str, events: list[dict[str, Any]]) -> None:
    sqs = cloud.client("sqs")
    for start in range(0, len(events), 10):
        entries = [
            {"Id": str(place), "MessageBody": json.dumps(event)}
            for place, event in enumerate(events[start : start + 10])
        ]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)


def _rate(database: psycopg.Connection[Any], ids: list[str]) -> float:
    """Events a second, from the first to the last that was processed, by PostgreSQL's own clock."""
    deadline = time.monotonic() + MOST_SECONDS
    while True:
        row = database.execute(
            "select count(*), extract(epoch from max(processed_at) - min(processed_at)) from processed_events "
            "where event_id = any(%s::uuid[])",
            [ids],
        ).fetchone()
        assert row is not None
        if row[0] == len(ids):
            return float(row[0] / float(row[1]))
        if time.monotonic() > deadline:
            raise BrewHavenError(f"The worker has processed {row[0]} of {len(ids)} events in {MOST_SECONDS} s.")
        time.sleep(0.2)


def _wait_until_empty(cloud: Target, queue: str) -> None:
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    deadline = time.monotonic() + MOST_SECONDS
    while any(
        int(number)
        for number in cloud.client("sqs")
        .get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        .values()
    ):
        if time.monotonic() > deadline:
            raise BrewHavenError(f"{queue} did not become empty in {MOST_SECONDS} s.")
        time.sleep(0.2)


def menu(cloud: Target, deployed: Deployed, seconds: float) -> Iterator[Row]:
    """Menu reads with the copy in Valkey, and with the switch of the shop's parameter turned to none."""
    url, clients = deployed.shop_url, CLIENTS[-1]
    assert url is not None
    name, parameters = deployed.outputs["ShopConfigParameter"], cloud.client("ssm")
    before = parameters.get_parameter(Name=name)["Parameter"]["Value"]
    switches = json.loads(before)
    del switches["menu_cache"]
    cached = measure("GET /api/menu with the cache", load.Get(url, "/api/menu"), clients, seconds)
    parameters.put_parameter(Name=name, Value=json.dumps(switches), Overwrite=True)
    try:
        time.sleep(HEARD_SECONDS)
        plain = measure("GET /api/menu without", load.Get(url, "/api/menu"), clients, seconds)
    finally:
        parameters.put_parameter(Name=name, Value=before, Overwrite=True)
    for title, measured in (("with the cache", cached), ("without", plain)):
        yield Row(f"menu {title}, {clients} clients: answers", measured.per_second, "1/s")
        yield Row(f"menu {title}, {clients} clients: p99", measured.p99_ms, "ms")
        yield Row(f"menu {title}, {clients} clients: errors", float(sum(measured.errors.values())), "", 0.0, must=True)
    yield throughput(f"menu with the cache / without, {clients} clients", cached, plain, 2.0)
