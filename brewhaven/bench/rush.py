"""Rush hour: many guests browse, order and pay at once, and afterwards the books must balance.

The guests keep their own log of what the shop accepted. What is in the table is compared with that log, not with
anything that the shop says about itself.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from brewhaven.bench.load import TIMEOUT_SECONDS, Http, Measured, summarize
from brewhaven.target import Target

GUESTS = 32
REQUESTS = 5_000
MOST_SECONDS = 300
SCARCE = "butter-croissant"
REPEAT_EVERY = 5
"""Each guest sends every fifth order twice, as a phone does that lost the answer in a tunnel."""


@dataclass
class Log:
    """What the guests saw. One lock guards all of it."""

    latencies: list[float] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)
    """Idempotency key -> order id."""
    croissants: dict[str, int] = field(default_factory=dict)
    """Order id -> croissants in it."""
    sold_out: int = 0
    repeated: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def error(self, sentence: str) -> None:
        with self.lock:
            self.errors[sentence] = self.errors.get(sentence, 0) + 1


@dataclass(frozen=True)
class Books:
    """The table after the rush, beside the guests' log."""

    orders_in_table: int
    missing: int
    doubled: int
    croissants_before: int
    croissants_after: int
    croissants_sold: int

    @property
    def stock_is_right(self) -> bool:
        """No croissant sold twice, none lost, and never fewer than none."""
        return self.croissants_after >= 0 and self.croissants_before - self.croissants_sold == self.croissants_after


class _Guest:
    """Somebody who looks at the menu and a product, orders, sometimes twice, pays, and asks how it is going."""

    def __init__(self, base: str, log: Log, budget: Iterator[int], deadline: float) -> None:
        self._http, self._log, self._budget, self._deadline = Http(base), log, budget, deadline
        self._session: dict[str, str] = {}

    def ask(self, wanted: tuple[int, ...], method: str, path: str, body: Any = None, key: str = "") -> Any:
        """One request of the budget. Raises `StopIteration` when the budget or the time is used up."""
        next(self._budget)
        if time.monotonic() > self._deadline:
            raise StopIteration
        headers = {**self._session, **({"Idempotency-Key": key} if key else {})}
        started = time.perf_counter()
        status, answered, content = self._http.ask(method, path, body, headers)
        with self._log.lock:
            self._log.latencies.append(time.perf_counter() - started)
        if status not in wanted:
            raise RuntimeError(
                f"{method} {path.split('/')[2]}: status {status}: {content[:120].decode(errors='replace')}"
            )
        if cookie := answered["Set-Cookie"]:
            self._session["Cookie"] = cookie.split(";")[0]
        return status, json.loads(content)

    def run(self) -> None:
        for visit in itertools.count():
            try:
                self._visit(visit)
            except StopIteration:
                return
            except (OSError, RuntimeError, ValueError, KeyError) as error:
                self._log.error(f"{type(error).__name__}: {error}"[:200])

    def _visit(self, visit: int) -> None:
        if not self._session:
            _, session = self.ask((200,), "GET", "/api/session")
            self._session["X-CSRF-Token"] = session["csrf_token"]
        _, menu = self.ask((200,), "GET", "/api/menu")
        available = [product for product in menu["products"] if product["available"] and product["stock"] is None]
        product = available[visit % len(available)]
        self.ask((200,), "GET", f"/api/menu/{product['id']}")
        lines = [{"product_id": product["id"], "size": product["sizes"][0]["id"]}]
        scarce = next((one for one in menu["products"] if one["id"] == SCARCE and one["available"]), None)
        if scarce is not None:
            lines.append({"product_id": SCARCE, "size": scarce["sizes"][0]["id"]})
        order = self._order(lines, repeat=visit % REPEAT_EVERY == 0)
        if order is not None:
            self.ask((200,), "POST", f"/api/orders/{order}/payment", {"token": "tok_visa"})
            self.ask((200,), "GET", f"/api/orders/{order}")

    def _order(self, lines: list[dict[str, Any]], *, repeat: bool) -> str | None:
        key = str(uuid.uuid4())
        found: list[str] = []
        for _ in range(2 if repeat else 1):
            status, order = self.ask((200, 201, 409), "POST", "/api/orders", {"lines": lines}, key)
            if status == 409:  # somebody else got the last one
                with self._log.lock:
                    self._log.sold_out += 1
                return None
            found.append(order["id"])
            with self._log.lock:
                self._log.accepted.setdefault(key, order["id"])
                self._log.croissants[order["id"]] = sum(line["product_id"] == SCARCE for line in lines)
        if len(set(found)) > 1:
            self._log.error(f"one key made {len(set(found))} orders")
        with self._log.lock:
            self._log.repeated += len(found) - 1
        return found[0]


def rush(url: str, requests: int = REQUESTS, guests: int = GUESTS) -> tuple[Log, Measured]:
    """Let guests use up a number of requests together, for at most five minutes."""
    log, deadline, started = Log(), time.monotonic() + MOST_SECONDS, time.perf_counter()
    budget = _Budget(requests)
    threads = [threading.Thread(target=_Guest(url, log, budget, deadline).run, daemon=True) for _ in range(guests)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(MOST_SECONDS + TIMEOUT_SECONDS)
    return log, summarize(guests, sorted(log.latencies), time.perf_counter() - started, log.errors)


class _Budget(Iterator[int]):
    """A number of requests that threads share."""

    def __init__(self, requests: int) -> None:
        self._left, self._lock = requests, threading.Lock()

    def __next__(self) -> int:
        with self._lock:
            if self._left <= 0:
                raise StopIteration
            self._left -= 1
            return self._left


def croissants(cloud: Target, table: str) -> int:
    """How many are left, read from the table."""
    key = {"pk": {"S": f"PRODUCT#{SCARCE}"}, "sk": {"S": "PRODUCT"}}
    item = cloud.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    return int(item["stock"]["N"])


def order_ids(cloud: Target, table: str) -> list[str]:
    """Ids of all orders in the table. The shop may not Scan; whoever checks the books may."""
    pages = (
        cloud.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=table,
            FilterExpression="#sk = :order",
            ExpressionAttributeNames={"#sk": "sk"},
            ExpressionAttributeValues={":order": {"S": "ORDER"}},
            ProjectionExpression="pk",
            ConsistentRead=True,
        )
    )
    return [item["pk"]["S"].partition("#")[2] for page in pages for item in page["Items"]]


def reconcile(log: Log, before: int, after: int, known: set[str], found: list[str]) -> Books:
    """Compare the guests' log with the table.

    Args:
        before: Croissants before the rush.
        known: Orders that were in the table before.
        found: Orders that are in the table now.
    """
    accepted, new = set(log.accepted.values()), [order for order in found if order not in known]
    return Books(
        orders_in_table=len(new),
        missing=len(accepted - set(new)),
        doubled=len(new) - len(accepted & set(new)) + len(log.accepted) - len(accepted),
        croissants_before=before,
        croissants_after=after,
        croissants_sold=sum(log.croissants.values()),
    )
