"""The books after a storm (tests/storm/books.py): every way in which they can be wrong is seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.storm.books import Expected, Found, check, expected_from

ORDER, OTHER = "01KAN8M3T6Q0X3D1V7C5W9R2YB", "01KAN8M3T6Q0X3D1V7C5W9R2YC"
ADA = "01KAN8M3T6Q0X3D1V7C5W9AAAA"
LOG: list[dict[str, Any]] = [
    {"what": "sent", "key": "a"},
    {"what": "silence", "key": "a", "why": "TimeoutError", "meant": True},
    {"what": "later", "key": "a", "status": 503},
    {"what": "accepted", "key": "a", "order": ORDER, "total_cents": 480, "customer": ADA, "taken": {"swirl": 1}},
    {"what": "paid", "order": ORDER},
    {"what": "sent", "key": "b"},
    {"what": "accepted", "key": "b", "order": OTHER, "total_cents": 320, "customer": None, "taken": {"tea": 1}},
    {"what": "paid", "order": OTHER},
    {"what": "sent", "key": "c"},
    {"what": "refused", "key": "c", "status": 409, "type": "out-of-stock"},
]
EVENTS = [(order, f"order.{step}") for order in (ORDER, OTHER) for step in ("placed", "paid")]
RIGHT = Found(
    orders=[ORDER, OTHER],
    lines=[(ORDER, "swirl"), (OTHER, "tea")],
    payments=[(ORDER, 480), (OTHER, 320)],
    events=EVENTS,
    processed=EVENTS,
    notices=[ORDER, OTHER],
    pushes=[(ADA, "R2YB")],
    tickets=[(ORDER, 2), (OTHER, 2)],
    counted=[(ADA, ORDER, 4)],
    points={ADA: 4},
    stock={"swirl": 0},
)


def wrong(found: Found) -> dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Where the books do not balance: what is missing and what is there too often."""
    lines = check(expected_from(LOG), found, {"swirl": 1})
    return {line.where: (line.missing, line.doubled) for line in lines if not line.is_right}


def test_books_that_balance() -> None:
    assert wrong(RIGHT) == {}


def test_the_log_says_what_guests_were_told() -> None:
    assert expected_from(LOG).answers == Counter(
        {
            "sent": 3,
            "accepted": 2,
            "paid": 2,
            "silence: the guest hung up": 1,
            "later: 503": 1,
            "refused: 409 out-of-stock": 1,
        }
    )


@pytest.mark.parametrize(
    "name", ["orders", "payments", "events", "processed", "notices", "pushes", "tickets", "counted"]
)
def test_what_is_missing_and_what_is_there_twice_is_seen(name: str) -> None:
    there = getattr(RIGHT, name)
    without, twice = wrong(replace(RIGHT, **{name: there[1:]})), wrong(replace(RIGHT, **{name: [*there, there[0]]}))
    assert list(without.values()) == [((there[0],), ())]
    assert list(twice.values()) == [((), (there[0],))]


def test_an_order_that_nobody_was_told_of_is_seen() -> None:
    assert wrong(replace(RIGHT, orders=[ORDER, OTHER, "shadow"])) == {"PostgreSQL: orders": ((), ("shadow",))}


def test_an_order_without_lines_is_seen() -> None:
    assert wrong(replace(RIGHT, lines=[(ORDER, "swirl")])) == {"PostgreSQL: orders that have lines": ((OTHER,), ())}


def test_another_amount_is_seen() -> None:
    found = wrong(replace(RIGHT, payments=[(ORDER, 480), (OTHER, 321)]))
    assert found == {"PostgreSQL: payments, and what was charged": (((OTHER, 320),), ((OTHER, 321),))}


def test_points_that_are_too_many_are_seen() -> None:
    assert wrong(replace(RIGHT, points={ADA: 8})) == {"loyalty: points of a customer": (((ADA, 4),), ((ADA, 8),))}


def test_a_ticket_that_stayed_behind_is_seen() -> None:
    found = wrong(replace(RIGHT, tickets=[(ORDER, 1), (OTHER, 2)]))
    assert found == {"board: tickets that say 'to be made'": (((ORDER, 2),), ((ORDER, 1),))}


@pytest.mark.parametrize("stock", [1, -1])
def test_stock_that_was_sold_twice_or_not_taken_is_seen(stock: int) -> None:
    assert "stock of counted products" in wrong(replace(RIGHT, stock={"swirl": stock}))


def test_stock_below_zero_is_seen_of_every_product() -> None:
    assert wrong(replace(RIGHT, stock={"swirl": 0, "tea": -1})) == {"stock below zero": ((), ("tea",))}


def test_nothing_expected_and_nothing_found_is_right() -> None:
    assert all(line.is_right for line in check(Expected(), Found(), {}))
