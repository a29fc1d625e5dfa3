"""The two subscribers behind a queue: points once for each order, and tickets that only move forward."""

import importlib
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from order_board.board import Board
from order_board.ticket import NotForTheBoardError, ticket_of
from order_events.event import read_event
from order_loyalty.accounts import Accounts
from order_loyalty.points import NoPointsError, points_of
from tests.unit.functions.lambda_fakes import FakeContext, FakeDynamo, failed, metrics_in, sqs

Event = Callable[..., dict[str, Any]]


@pytest.fixture
def dynamo() -> FakeDynamo:
    return FakeDynamo()


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch, dynamo: FakeDynamo) -> Callable[[str], ModuleType]:
    """`handler("order_board")`: the module over the fake."""

    def load(package: str) -> ModuleType:
        for name, value in {
            "AWS_DEFAULT_REGION": "us-east-1",
            "POWERTOOLS_SERVICE_NAME": package,
            "POWERTOOLS_METRICS_NAMESPACE": "BrewHaven",
            "FOLLOW_UP_TABLE": "follow-ups",
        }.items():
            monkeypatch.setenv(name, value)
        module = importlib.reload(importlib.import_module(f"{package}.handler"))
        module.accounts = Accounts(dynamo, "follow-ups")  # type: ignore[arg-type, attr-defined]
        module.board = Board(dynamo, "follow-ups")  # type: ignore[arg-type, attr-defined]
        return module

    return load


def run(module: Any, *bodies: Any) -> list[str]:
    return failed(module.lambda_handler(sqs(*bodies), FakeContext()))


# Loyalty


@pytest.mark.parametrize(("cents", "points"), [(0, 0), (99, 0), (100, 1), (480, 4), (1999, 19)])
def test_a_whole_euro_is_a_point(event: Event, cents: int, points: int) -> None:
    assert points_of(read_event(json.dumps(event(total_cents=cents)))) == points


def test_only_a_payment_makes_points(event: Event) -> None:
    with pytest.raises(NoPointsError, match=r"points are for order\.paid, got order\.ready"):
        points_of(read_event(json.dumps(event(type="order.ready"))))


def test_a_customer_gets_points_once_for_each_event(
    handler: Callable[[str], Any], dynamo: FakeDynamo, event: Event, capsys: pytest.CaptureFixture[str]
) -> None:
    loyalty = handler("order_loyalty")
    first, second = event(customer_id="c1", total_cents=480), event(customer_id="c1", total_cents=250)
    assert run(loyalty, first, first, second) == []
    assert run(loyalty, first, second, first) == []
    assert dynamo.items["LOYALTY#c1", "POINTS"]["points"] == {"N": "6"}
    assert sum(metrics_in(capsys.readouterr().out)["PointsGiven"]) == 6


def test_a_guest_has_no_account(handler: Callable[[str], Any], dynamo: FakeDynamo, event: Event) -> None:
    assert run(handler("order_loyalty"), event(customer_id=None), event(customer_id="c1", total_cents=40)) == []
    assert dynamo.items == {}


def test_a_conflict_is_no_repeat_and_is_tried_again(
    handler: Callable[[str], Any], dynamo: FakeDynamo, event: Event
) -> None:
    loyalty, said = handler("order_loyalty"), event(customer_id="c1")
    dynamo.conflicts = 1
    assert run(loyalty, said, event(customer_id="c2")) == ["m0"]
    assert run(loyalty, said) == []
    assert dynamo.items["LOYALTY#c1", "POINTS"]["points"] == {"N": "4"}


def test_a_bad_message_fails_alone(handler: Callable[[str], Any], dynamo: FakeDynamo, event: Event) -> None:
    wrong = event(type="order.ready", customer_id="c1")
    assert run(handler("order_loyalty"), "latte", event(customer_id="c1"), wrong) == ["m0", "m2"]
    assert ("LOYALTY#c1", "POINTS") in dynamo.items


# The board


def test_a_ticket_says_what_is_to_be_made(event: Event) -> None:
    ticket = ticket_of(read_event(json.dumps(event(type="order.paid"))))
    assert (ticket.number, ticket.name, ticket.says) == ("R2YB", "Ada", "to be made")
    assert ticket.lines == ("2 x Flat White, regular",)


def test_the_board_does_not_show_everything(event: Event) -> None:
    with pytest.raises(NotForTheBoardError, match=r"the board shows order\.placed, order\.paid, got order\.ready"):
        ticket_of(read_event(json.dumps(event(type="order.ready"))))


@pytest.mark.parametrize(
    "order", [["order.placed", "order.paid"], ["order.paid", "order.placed"], ["order.paid", "order.placed"] * 2]
)
def test_a_ticket_only_moves_forward_however_messages_arrive(
    handler: Callable[[str], Any], dynamo: FakeDynamo, event: Event, order: list[str]
) -> None:
    assert run(handler("order_board"), *(event(type=kind) for kind in order)) == []
    ((key, item),) = dynamo.items.items()
    assert key == ("BOARD", "TICKET#01KAN8M3T6Q0X3D1V7C5W9R2YB")
    assert item[":says"] == {"S": "to be made"}


def test_a_message_that_is_no_ticket_fails_alone(handler: Callable[[str], Any], event: Event) -> None:
    assert run(handler("order_board"), event(), "{}", event(type="order.collected")) == ["m1", "m2"]
