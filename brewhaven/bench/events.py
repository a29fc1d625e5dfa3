"""Phase 2 under load: orders to notifications, the worker beside a bare loop, the menu with its cache and without."""

from __future__ import annotations

import json
import os
import ssl
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pg8000.native
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
_WAITING = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_INSERT = "insert into processed_events (event_id, order_id, type) values (%s, %s, %s)"
_INSERT_AS_FUNCTION = (
    "insert into processed_events (event_id, order_id, type) values (cast(:event_id as uuid), :order_id, :type)"
)


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
    """The worker with a full queue, and loops that only insert the same rows into the same table, one by one.

    There are two such loops: one with the driver in C and a statement a row, and one as the function does it, with its
    driver, which is Python alone, and a transaction a row.
    """
    queue = deployed.outputs["OrderQueueUrl"]
    mapping = {"UUID": _mapping(cloud, deployed)}
    place = _place(settings, cloud)
    with _database(place) as database:
        with console.step(f"A bare loop that inserts {MESSAGES} rows") as step:
            inserting = _every(_events(MESSAGES), lambda event: database.execute(_INSERT, _row(event)))
            step.result(f"{inserting:.0f}/s")
        with console.step("The same with the driver of the function") as step, _as_function(place) as insert:
            as_function = _every(_events(MESSAGES), insert)
            step.result(f"{as_function:.0f}/s")
        with console.step(f"The worker with {MESSAGES} messages") as step:
            functions, events = cloud.client("lambda"), _events(MESSAGES)
            _send(cloud, queue, _events(MESSAGES // 2))  # starts all environments, which is not what is measured here
            _wait_until_worked_off(cloud)
            functions.update_event_source_mapping(**mapping, Enabled=False)
            _send(cloud, queue, events)
            functions.update_event_source_mapping(**mapping, Enabled=True)
            working = _rate(database, [event["id"] for event in events])
            step.result(f"{working:.0f}/s")
        _wait_until_worked_off(cloud)
    yield Row("worker: bare inserts", round(inserting, 1), "1/s")
    yield Row("worker: bare inserts as the function does them", round(as_function, 1), "1/s")
    yield Row("worker: events", round(working, 1), "1/s")
    yield Row("worker: events / bare inserts", round(working / inserting, 3), "ratio", 0.05, "higher")
    yield Row(
        "worker: events / inserts as the function does them",
        round(working / as_function, 3),
        "ratio",
        0.05,
        "higher",
    )


def _every(events: list[dict[str, Any]], work: Callable[[dict[str, Any]], object]) -> float:
    """Events a second."""
    began = time.perf_counter()
    for event in events:
        work(event)
    return len(events) / (time.perf_counter() - began)


def _row(event: dict[str, Any]) -> list[str]:
    return [event["id"], event["order_id"], event["type"]]


@contextmanager
def _as_function(place: dict[str, str]) -> Iterator[Callable[[dict[str, Any]], object]]:
    """Inserts as lambda_src/shop_database does: pg8000, TLS that is verified, and a transaction around each row."""
    connection = pg8000.native.Connection(
        place["user"],
        password=place["password"],
        host=place["host"],
        port=int(place["port"]),
        database=place["database"],
        ssl_context=ssl.create_default_context(cafile=place["sslrootcert"]),
    )

    def insert(event: dict[str, Any]) -> None:
        connection.run("begin")
        connection.run(_INSERT_AS_FUNCTION, **dict(zip(("event_id", "order_id", "type"), _row(event), strict=True)))
        connection.run("commit")

    try:
        yield insert
    finally:
        connection.close()


def _mapping(cloud: Target, deployed: Deployed) -> str:
    (mapping,) = cloud.client("lambda").list_event_source_mappings(FunctionName=deployed.outputs["WorkerFunctionName"])[
        "EventSourceMappings"
    ]
    return str(mapping["UUID"])


def _place(settings: CloudSettings, cloud: Target) -> dict[str, str]:
    """Host, port, database, user, password, sslmode and sslrootcert."""
    _, words = psql.command(settings, cloud, None)
    return {name.removeprefix("PG").lower(): value for name, value in words.items() if name.startswith("PG")}


def _database(place: dict[str, str]) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=place["host"],
        port=place["port"],
        dbname=place["database"],
        user=place["user"],
        password=place["password"],
        sslmode=place["sslmode"],
        sslrootcert=place["sslrootcert"],
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


def _wait_until_worked_off(cloud: Target) -> None:
    """Wait until every queue that somebody works off is empty, those of the subscribers as well."""
    sqs, deadline = cloud.client("sqs"), time.monotonic() + MOST_SECONDS
    about = {url: _attributes(sqs, url) for url in sqs.list_queues().get("QueueUrls", ())}
    for url in (url for url, attributes in about.items() if "RedrivePolicy" in attributes):
        while any(int(number) for name, number in _attributes(sqs, url).items() if name in _WAITING):
            if time.monotonic() > deadline:
                raise BrewHavenError(f"{url} did not become empty in {MOST_SECONDS} s.")
            time.sleep(0.2)


def _attributes(sqs: Any, url: str) -> dict[str, str]:
    found: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return found


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
