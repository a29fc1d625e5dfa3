"""An order event: what is read from a message, and what is refused with which words."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from order_events.event import TYPES, Line, MalformedEventError, read_event
from phases.phase2_orders.checks_fan_out import ANNOUNCED

Event = Callable[..., dict[str, Any]]


def test_an_event_is_read_as_the_shop_writes_it(event: Event) -> None:
    said = event(customer_id="c1", email="ada@example.com")
    read = read_event(json.dumps(said))
    assert (read.id, read.type, read.order_id) == (said["id"], "order.paid", said["order_id"])
    assert read.at == datetime(2026, 11, 28, 10, tzinfo=UTC)
    assert (read.order.number, read.order.customer_id, read.order.email) == ("R2YB", "c1", "ada@example.com")
    assert read.order.lines == (Line("flat-white", "Flat White", "regular", 2),)


def test_the_checks_know_the_types_that_there_are() -> None:
    assert set(TYPES) == ANNOUNCED


def test_what_a_newer_shop_adds_is_no_reason_to_refuse_it(event: Event) -> None:
    said = event(shop="harbour")
    said["order"]["table"] = 7
    assert read_event(json.dumps(said)).order.number == "R2YB"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"id": "7"}, "id must be a UUID, got '7'"),
        ({"type": "order.refunded"}, "type must be one of order.placed, order.paid,"),
        ({"type": ["order.paid"]}, "type must be one of"),
        ({"order_id": ""}, "order_id must be a text, got ''"),
        ({"at": "yesterday"}, "at must be a moment like 2026-11-28T10:00:00.000Z, got 'yesterday'"),
        ({"at": "2026-11-28T10:00:00"}, "at must be a moment like"),
        ({"order": "latte"}, "order must be an object, got 'latte'"),
        ({"owner": 5}, "order.owner must be a text, got 5"),
        ({"name": None}, "order.name must be a text, got None"),
        ({"email": ""}, "order.email must be a text or null, got ''"),
        ({"total_cents": -1}, "order.total_cents must be 0 or more, got -1"),
        ({"total_cents": True}, "order.total_cents must be 0 or more, got True"),
        ({"lines": None}, "order.lines must be a list, got None"),
        ({"lines": ["latte"]}, "order.lines.0 must be an object, got 'latte'"),
        (
            {"lines": [{"product_id": "x", "name": "X", "size": "s", "quantity": 0}]},
            "order.lines.0.quantity must be 1 or more, got 0",
        ),
    ],
)
def test_what_is_wrong_is_named(event: Event, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(MalformedEventError) as caught:
        read_event(json.dumps(event(**changes)))
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(sentence)


def test_everything_that_is_wrong_is_named_at_once(event: Event) -> None:
    with pytest.raises(MalformedEventError) as caught:
        read_event(json.dumps(event(id=None, at=None, owner=None, lines=[{"quantity": 0}])))
    assert len(caught.value.problems) == 7


@pytest.mark.parametrize("text", ["", "latte", "[]", "null", "7", "[" * 100_000])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(MalformedEventError, match="this is not an order event: it must be"):
        read_event(text)


def test_a_message_of_a_megabyte_does_not_fill_the_log(event: Event) -> None:
    with pytest.raises(MalformedEventError) as caught:
        read_event(json.dumps(event(id="x" * 1_000_000)))
    assert len(str(caught.value)) < 300
