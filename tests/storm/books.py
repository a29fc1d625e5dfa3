"""The books after a storm: what the guests wrote down, beside what PostgreSQL and every subscriber has.

`expected_from` and `check` are plain Python, and tested without a cloud; `found_in` reads a deployed shop.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.storm.shop import Shop

CENTS_A_POINT = 100
WRITTEN_DOWN = "sns/"


@dataclass
class Expected:
    """What the guests' logs demand. Orders are named by their ids."""

    total: dict[str, int] = field(default_factory=dict)
    customer: dict[str, str | None] = field(default_factory=dict)
    paid: set[str] = field(default_factory=set)
    taken: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    """What the guests were told, in words, and how often."""


@dataclass
class Found:
    """What is there. A list has an entry for each time that something is there, so that doubles are seen."""

    orders: list[str] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    payments: list[tuple[str, int]] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    processed: list[tuple[str, str]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    pushes: list[tuple[str, str]] = field(default_factory=list)
    tickets: list[tuple[str, int]] = field(default_factory=list)
    counted: list[tuple[str, str, int]] = field(default_factory=list)
    points: dict[str, int] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """One thing that is kept somewhere: how much of it there must be and is, and what is wrong with it."""

    where: str
    expected: int
    found: int
    missing: tuple[Any, ...]
    doubled: tuple[Any, ...]

    @property
    def is_right(self) -> bool:
        return not self.missing and not self.doubled

    def __str__(self) -> str:
        verdict = "right" if self.is_right else f"WRONG, such as {(self.missing + self.doubled)[0]}"
        counts = f"{self.expected:>8} {self.found:>8} {len(self.missing):>8} {len(self.doubled):>8}"
        return f"{self.where:<42}{counts}   {verdict}"


HEADING = f"{'':<42}{'expected':>8} {'found':>8} {'missing':>8} {'doubled':>8}"


def expected_from(log: Iterable[dict[str, Any]]) -> Expected:
    """What must be there, from what the guests wrote down."""
    expected = Expected()
    for entry in log:
        match entry["what"]:
            case "accepted":
                expected.total[entry["order"]] = entry["total_cents"]
                expected.customer[entry["order"]] = entry["customer"]
                expected.taken.update(entry["taken"])
            case "paid":
                expected.paid.add(entry["order"])
        expected.answers[_in_words(entry)] += 1
    return expected


def _in_words(entry: dict[str, Any]) -> str:
    match entry["what"]:
        case "refused":
            return f"refused: {entry['status']} {entry['type']}"
        case "later":
            return f"later: {entry['status']}"
        case "silence":
            return "silence: the guest hung up" if entry["meant"] else "silence: the shop hung up"
        case what:
            return str(what)


def check(expected: Expected, found: Found, before: dict[str, int]) -> list[Line]:
    """Compare. `before` is the stock before the storm, with all that was put on the shelf meanwhile."""
    accepted, paid, customers = expected.total, expected.paid, expected.customer
    events = [(order, "order.placed") for order in accepted] + [(order, "order.paid") for order in paid]
    worth = {order: accepted[order] // CENTS_A_POINT for order in paid if customers[order]}
    points: Counter[str] = Counter()
    for order, number in worth.items():
        points[str(customers[order])] += number
    with_phone = [(str(customers[order]), order[-4:]) for order in paid if customers[order]]
    shelf = {name: before[name] - expected.taken[name] for name in before}
    return [
        _line("PostgreSQL: orders", accepted, found.orders),
        _line("PostgreSQL: orders that have lines", accepted, sorted({order for order, _ in found.lines})),
        _line("PostgreSQL: payments, and what was charged", ((o, accepted[o]) for o in paid), found.payments),
        _line("PostgreSQL: events in the outbox, sent", events, found.events),
        _line("worker: events processed", events, found.processed),
        _line("notification: notices of paid orders", paid, found.notices),
        _line("notification: pushes to phones", with_phone, found.pushes),
        _line("board: tickets that say 'to be made'", ((order, 2) for order in paid), found.tickets),
        _line(
            "loyalty: orders that made points",
            ((str(customers[order]), order, number) for order, number in worth.items()),
            found.counted,
        ),
        _line("loyalty: points of a customer", points.items(), found.points.items()),
        _line("stock of counted products", shelf.items(), ((name, found.stock.get(name)) for name in before)),
        _line("stock below zero", (), (name for name, stock in found.stock.items() if stock < 0)),
    ]


def _line(where: str, expected: Iterable[Hashable], found: Iterable[Hashable]) -> Line:
    wanted, there = Counter(iter(expected)), Counter(iter(found))  # of a dictionary, its keys
    return Line(
        where,
        wanted.total(),
        there.total(),
        tuple(sorted((wanted - there).elements(), key=str)),
        tuple(sorted((there - wanted).elements(), key=str)),
    )


def stock_of(shop: Shop) -> dict[str, int]:
    """Pieces on the shelf, by product."""
    return {row["product_id"]: row["stock"] for row in shop.rows("select product_id, stock from inventory")}


def found_in(shop: Shop, known: set[str]) -> Found:
    """Read everything. Orders in `known`, and their customers, were there before and do not count."""
    orders = shop.rows("select id, customer_id from orders")
    events = shop.rows("select id, order_id, type, sent_at is not null as sent from outbox")
    found = Found(
        orders=[row["id"] for row in orders if row["id"] not in known],
        lines=[(row["order_id"], row["product_id"]) for row in _new(shop, "order_lines", known)],
        payments=[(r["order_id"], r["amount_cents"]) for r in _new(shop, "payments", known) if r["approved"]],
        events=[(row["order_id"], row["type"]) for row in events if row["sent"] and row["order_id"] not in known],
        processed=[(row["order_id"], row["type"]) for row in _new(shop, "processed_events", known)],
        stock=stock_of(shop),
    )
    strangers = {row["customer_id"] for row in orders if row["id"] in known}
    order_of = {row["id"]: row["order_id"] for row in events}
    pages = shop.client("dynamodb").get_paginator("scan").paginate(TableName=shop.outputs["FollowUpTableName"])
    for item in (item for page in pages for item in page["Items"]):
        kind, whose, last = item.get("type", {}).get("S"), _last(item["pk"]), _last(item["sk"])
        if kind == "notice" and item["order_id"]["S"] not in known:
            found.notices.append(item["order_id"]["S"])
        elif kind == "ticket" and last not in known:
            found.tickets.append((last, int(item["stage"]["N"])))
        elif kind == "counted event" and order_of.get(last) not in known:
            found.counted.append((whose, order_of.get(last, last), int(item["points"]["N"])))
        elif kind == "points" and whose not in strangers:
            found.points[whose] = int(item["points"]["N"])
    found.pushes = _pushes(shop)
    return found


def _new(shop: Shop, table: str, known: set[str]) -> list[dict[str, Any]]:
    return [row for row in shop.rows(f"select * from {table}") if row["order_id"] not in known]  # noqa: S608


def _last(key: dict[str, str]) -> str:
    return key["S"].rpartition("#")[2]


def _pushes(shop: Shop) -> list[tuple[str, str]]:
    """Pushes as the local cloud wrote them down: whose phone it was, and the number of the order."""
    logs, found = shop.client("logs"), []
    for group in logs.describe_log_groups(logGroupNamePrefix=WRITTEN_DOWN)["logGroups"]:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for event in (event for page in pages for event in page["events"]):
            down = json.loads(event["message"])["writtenDown"]
            if owner := down.get("customUserData"):
                said = json.loads(down["message"])["fcmV1Message"]["message"]["notification"]["title"]
                found.append((owner, said.split()[1]))
    return found
