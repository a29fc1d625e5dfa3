"""Guests who order and pay without pause, and write down what the shop said: the only witness of what was accepted.

Each guest is a good client. It sends an order under a key of its own, and while there is no answer or one that says
'later' (503), it sends the same order under the same key again. What it writes down goes to a file at once.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brewhaven.bench.load import TIMEOUT_SECONDS, Http

SCARCE = "butter-croissant"
LATER = frozenset({429, 502, 503, 504})
PATIENCE_SECONDS = 180
PAUSE_SECONDS = 0.5
PROBLEM = {"type", "title", "status", "detail"}


class GaveUpError(Exception):
    """The shop said nothing final for three minutes."""


@dataclass
class Log:
    """A guest's file: one line of JSON for each thing that happened.

    `sent` comes before the request, `accepted`, `paid` and `refused` after an answer that is final, `later` after one
    that is not, `silence` when there was none, and `unclear` for an answer that explains nothing.
    """

    path: Path

    def write(self, what: str, **facts: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, "at": time.time(), **facts}) + "\n")


def read_logs(folder: Path) -> list[dict[str, Any]]:
    """What all guests of a folder wrote down."""
    files = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


@dataclass
class Guest:
    """One guest with a browser of its own; `signs_up` makes it a customer with an account.

    Attributes:
        hurry: Seconds after which the first try of an order is given up, as a phone does in a tunnel; None for never.
    """

    base: str
    log: Log
    signs_up: bool = False
    hurry: float | None = None
    customer_id: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._http = Http(self.base)

    def arrive(self) -> None:
        """Get a session, and an account if wanted."""
        status, _, session = self._ask("GET", "/api/session")
        assert status == 200, f"no session: {status} {session}"
        self.headers["X-CSRF-Token"] = session["csrf_token"]
        if self.signs_up:
            person = {"name": "Storm", "email": f"{uuid.uuid4().hex}@example.com", "password": uuid.uuid4().hex}
            status, _, session = self._ask("POST", "/api/customers", person)
            assert status == 201, f"no account: {status} {session}"
            self.headers["X-CSRF-Token"] = session["csrf_token"]
            self.customer_id = session["customer"]["id"]

    def buy(self, lines: list[dict[str, Any]]) -> str | None:
        """Place an order and pay it; its id, or None when it was refused."""
        key = str(uuid.uuid4())
        self.log.write("sent", key=key)
        status, order = self._insist("POST", "/api/orders", {"lines": lines}, key)
        if status != 201:
            self.log.write("refused", key=key, status=status, type=order["type"])
            return None
        taken = {line["product_id"]: line["quantity"] for line in order["lines"]}
        self.log.write(
            "accepted",
            key=key,
            order=order["id"],
            total_cents=order["total_cents"],
            customer=self.customer_id,
            taken=taken,
        )
        status, paid = self._insist("POST", f"/api/orders/{order['id']}/payment", {"token": "tok_visa"}, key)
        if status == 200:
            self.log.write("paid", order=order["id"])
        else:
            self.log.write("refused", key=key, status=status, type=paid["type"])
        return str(order["id"])

    def come_back(self) -> None:
        """Open a connection anew: the shop hangs up on one that was silent for a while."""
        self._http = Http(self.base)

    def read(self, order_id: str) -> int:
        """Look at an order; the status of the answer."""
        status, _, answer = self._ask("GET", f"/api/orders/{order_id}")
        self._expect_clear(status, answer)
        return status

    def _insist(self, method: str, path: str, body: Any, key: str) -> tuple[int, Any]:
        """Ask until there is a final answer."""
        begun = time.monotonic()
        for attempt in itertools.count():
            hurry = self.hurry if attempt == 0 else None
            try:
                status, headers, answer = self._ask(method, path, body, key, hurry=hurry)
            except (OSError, http.client.HTTPException) as error:
                self.log.write("silence", key=key, why=f"{type(error).__name__}: {error}", meant=hurry is not None)
            else:
                self._expect_clear(status, answer)
                if status not in LATER:
                    return status, answer
                self.log.write("later", key=key, status=status, detail=str(answer.get("detail")))
                time.sleep(float(headers.get("Retry-After") or 1))
            if time.monotonic() - begun > PATIENCE_SECONDS:
                self.log.write("gave up", key=key)
                raise GaveUpError(f"{method} {path} had no final answer")
        raise AssertionError("not reached")

    def _ask(
        self, method: str, path: str, body: Any = None, key: str = "", *, hurry: float | None = None
    ) -> tuple[int, http.client.HTTPMessage, Any]:
        connection = self._http if hurry is None else Http(self.base, hurry)
        headers = {**self.headers, **({"Idempotency-Key": key} if key else {})}
        status, answered, content = connection.ask(method, path, body, headers)
        if cookie := answered["Set-Cookie"]:
            self.headers["Cookie"] = cookie.split(";")[0]
        try:
            return status, answered, json.loads(content)
        except ValueError:
            return status, answered, {"not JSON": content[:200].decode(errors="replace")}

    def _expect_clear(self, status: int, answer: Any) -> None:
        """Note an error that is no problem document (RFC 9457), and a success that is no order."""
        wanted = PROBLEM if status >= 400 else {"id", "status", "lines"}
        if not isinstance(answer, dict) or not wanted <= answer.keys():
            self.log.write("unclear", status=status, answer=str(answer)[:200])


class Crowd:
    """Guests in threads, from `start` to `stop`. Every other one has an account; every third order has a croissant.

    With `rereads`, each looks at one of its earlier orders after every visit; `reread` counts what it was answered.
    """

    def __init__(
        self, url: str, folder: Path, guests: int, *, pause: float = PAUSE_SECONDS, rereads: bool = False
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.guests = [
            Guest(url, Log(folder / f"guest-{number}.jsonl"), signs_up=number % 2 == 0) for number in range(guests)
        ]
        self.accepted = 0
        self.reread: Counter[int] = Counter()
        self._url, self._pause, self._rereads = url, pause, rereads
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._order, args=(guest,), daemon=True) for guest in self.guests]
        self.failures: list[str] = []

    def start(self) -> None:
        """Let everybody in."""
        menu = Http(self._url).ask("GET", "/api/menu")[2]
        products = [product for product in json.loads(menu)["products"] if product["available"]]
        self._usual = [
            {"product_id": product["id"], "size": product["sizes"][0]["id"]}
            for product in products
            if product["stock"] is None
        ]
        for guest in self.guests:
            guest.arrive()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let everybody finish what they are at."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS + TIMEOUT_SECONDS)

    def read_all(self) -> dict[str, int]:
        """What each guest is answered who asks for an order of its own, by the order's id."""
        for guest in self.guests:
            guest.come_back()
        return {order: guest.read(order) for guest in self.guests for order in guest.orders}

    def wait_for(self, orders: int, within: float = 900) -> None:
        """Wait until so many more orders were accepted."""
        wanted, deadline = self.accepted + orders, time.monotonic() + within
        while self.accepted < wanted:
            assert time.monotonic() < deadline, f"{wanted - self.accepted} of {orders} orders are still missing"
            time.sleep(0.1)

    def hurry(self, seconds: float | None) -> None:
        """How long everybody waits for the first answer to an order."""
        for guest in self.guests:
            guest.hurry = seconds

    def _order(self, guest: Guest) -> None:
        for visit in itertools.count():
            if self._stopping.wait(self._pause):
                return
            lines = [self._usual[visit % len(self._usual)]]
            if visit % 3 == 0:
                lines.append({"product_id": SCARCE, "size": "piece"})
            try:
                order = guest.buy(lines)
                if order:
                    guest.orders.append(order)
                    with self._lock:
                        self.accepted += 1
                if self._rereads and guest.orders:
                    status = guest.read(guest.orders[(visit * 7) % len(guest.orders)])
                    with self._lock:
                        self.reread[status] += 1
            except Exception as error:  # a guest that stops must be seen, whatever it was
                with self._lock:
                    self.failures.append(f"{type(error).__name__}: {error}")


def at_once(tasks: list[Callable[[], Any]]) -> list[Any]:
    """Do all of it at the same moment; the answers."""
    gate, answers = threading.Barrier(len(tasks)), [None] * len(tasks)

    def run(place: int, task: Callable[[], Any]) -> None:
        gate.wait()
        answers[place] = task()

    threads = [threading.Thread(target=run, args=(place, task)) for place, task in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
