"""A load generator of plain Python processes: clients that each keep one connection and ask again when answered.

The same generator drives what is measured and what it is compared with, so that its own cost is in both.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import statistics
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Protocol
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

MOST_PROCESSES = 2
TIMEOUT_SECONDS = 30


class Client(Protocol):
    """One client under load."""

    def step(self) -> None:
        """Ask once and wait for the answer; raise if it is wrong."""


class Scenario(Protocol):
    """Makes clients; it is sent to the load processes, so it holds plain values only."""

    def client(self) -> Client:
        """A new client with a connection of its own."""


@dataclass(frozen=True)
class Measured:
    """What the clients saw.

    Attributes:
        per_second: Answers a second, all clients together.
        p50_ms: Half of the answers took no longer.
        p99_ms: Ninety-nine of a hundred took no longer.
        errors: Sentences about answers that were wrong, each once with its number.
    """

    clients: int
    answers: int
    per_second: float
    p50_ms: float
    p99_ms: float
    errors: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Http:
    """A connection that is kept, to one address. `timeout` is how long it waits for a word, in seconds."""

    def __init__(self, base: str, timeout: float = TIMEOUT_SECONDS) -> None:
        parts = urlsplit(base)
        assert parts.hostname == "127.0.0.1", f"load goes to this machine only, not to {base}"
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        sent = json.dumps(body) if body is not None else None
        more = {"Content-Type": "application/json"} if body is not None else {}
        try:
            self._connection.request(method, path, sent, {**more, **(headers or {})})
            answer = self._connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise


class Guest:
    """A browser with a session."""

    def __init__(self, base: str) -> None:
        self._http = Http(base)
        status, headers, body = self._http.ask("GET", "/api/session")
        _expect(status, 200)
        cookie = (headers["Set-Cookie"] or "").split(";")[0]
        self._session = {"Cookie": cookie, "X-CSRF-Token": json.loads(body)["csrf_token"]}

    def post(self, path: str, body: Any, wanted: int) -> Any:
        """Send something under a key of its own; what is answered. Raises where that is another status."""
        headers = {**self._session, "Idempotency-Key": str(uuid.uuid4())}
        status, _, answer = self._http.ask("POST", path, body, headers)
        _expect(status, wanted)
        return json.loads(answer)


@dataclass(frozen=True)
class Get:
    """Clients that read one path."""

    base: str
    path: str

    def client(self) -> Client:
        connection, path = Http(self.base), self.path

        class Reader:
            def step(self) -> None:
                status, _, _ = connection.ask("GET", path)
                _expect(status, 200)

        return Reader()


@dataclass(frozen=True)
class Order:
    """Guests who each place one order after the other, with a new idempotency key each."""

    base: str
    product_id: str
    size: str

    def client(self) -> Client:
        guest, lines = Guest(self.base), [{"product_id": self.product_id, "size": self.size}]

        class Orderer:
            def step(self) -> None:
                guest.post("/api/orders", {"lines": lines}, 201)

        return Orderer()


@dataclass(frozen=True)
class Query:
    """Bare DynamoDB: the query that the menu makes, and nothing around it."""

    environment: Mapping[str, str]
    table: str
    index: str
    key: str
    value: str

    def client(self) -> Client:
        dynamodb = _dynamodb(tuple(sorted(self.environment.items())))
        arguments: dict[str, Any] = {
            "TableName": self.table,
            "IndexName": self.index,
            "KeyConditionExpression": "#key = :value",
            "ExpressionAttributeNames": {"#key": self.key},
            "ExpressionAttributeValues": {":value": {"S": self.value}},
        }

        class Querier:
            def step(self) -> None:
                if not dynamodb.query(**arguments)["Items"]:
                    raise RuntimeError("the query found nothing")

        return Querier()


@cache
def _dynamodb(environment: tuple[tuple[str, str], ...]) -> Any:
    """One client a process: making one takes longer than many queries, and it is safe to share."""
    variables = dict(environment)
    session = boto3.Session(
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_REGION"],
    )
    return session.client(
        "dynamodb",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        verify=variables["AWS_CA_BUNDLE"],
        config=Config(retries={"max_attempts": 1, "mode": "standard"}, max_pool_connections=64),
    )


def read_json(base: str, path: str) -> Any:
    """One answer, outside of any measurement."""
    status, _, body = Http(base).ask("GET", path)
    _expect(status, 200)
    return json.loads(body)


def made_to_order(url: str) -> tuple[str, str]:
    """A product without a stock that would run out, and its first size."""
    products = read_json(url, "/api/menu")["products"]
    product = next(product for product in products if product["stock"] is None and product["available"])
    return product["id"], product["sizes"][0]["id"]


def _expect(status: int, wanted: int) -> None:
    if status != wanted:
        raise RuntimeError(f"status {status} instead of {wanted}")


def run(scenario: Scenario, clients: int, seconds: float, warm_up: float = 0.5) -> Measured:
    """Let clients ask for some seconds, after a moment that is not counted."""
    processes = min(MOST_PROCESSES, clients, os.cpu_count() or 1)
    shares = [clients // processes + (number < clients % processes) for number in range(processes)]
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(processes)
    answers: Any = context.SimpleQueue()
    workers = [
        context.Process(target=_work, args=(scenario, share, (warm_up, seconds), ready, answers), daemon=True)
        for share in shares
    ]
    for worker in workers:
        worker.start()
    results = [answers.get() for _ in workers]
    for worker in workers:
        worker.join()
    latencies = sorted(latency for result in results for latency in result[0])
    errors: dict[str, int] = {}
    for _, found in results:
        for sentence, number in found.items():
            errors[sentence] = errors.get(sentence, 0) + number
    return summarize(clients, latencies, seconds, errors)


def summarize(clients: int, latencies: Sequence[float], seconds: float, errors: Mapping[str, int]) -> Measured:
    """The figures of sorted latencies in seconds."""
    if not latencies:
        return Measured(clients, 0, 0.0, 0.0, 0.0, dict(errors))
    return Measured(
        clients=clients,
        answers=len(latencies),
        per_second=round(len(latencies) / seconds, 1),
        p50_ms=round(statistics.median(latencies) * 1000, 2),
        p99_ms=round(latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))] * 1000, 2),
        errors=dict(errors),
    )


def _work(scenario: Scenario, clients: int, times: tuple[float, float], ready: Any, answers: Any) -> None:
    """One load process: its clients as threads, all beginning when every process is ready."""
    latencies: list[float] = []
    errors: dict[str, int] = {}
    lock = threading.Lock()
    made = [scenario.client() for _ in range(clients)]
    ready.wait(60)
    warm_up, seconds = times
    begin = time.perf_counter() + warm_up
    end = begin + seconds

    def ask_until_the_end(client: Client) -> None:
        while (started := time.perf_counter()) < end:
            try:
                client.step()
            except Exception as error:
                with lock:
                    sentence = f"{type(error).__name__}: {error}"[:200]
                    errors[sentence] = errors.get(sentence, 0) + 1
                time.sleep(0.05)
                continue
            finished = time.perf_counter()
            if started >= begin and finished <= end:
                with lock:
                    latencies.append(finished - started)

    threads = [threading.Thread(target=ask_until_the_end, args=(client,)) for client in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.put((latencies, errors))
