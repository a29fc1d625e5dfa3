"""Two thousand orders while everything fails, one thing after another: `make storm`.

What the guests were told is in their own logs. It is compared with PostgreSQL and with every subscriber; the table of
counts is printed. It takes minutes, so it is not part of `make test`.
"""

from __future__ import annotations

import pytest

from tests.storm import books, faults
from tests.storm.books import Expected, Found
from tests.storm.storm import ORDERS, Storm

pytestmark = [pytest.mark.local, pytest.mark.timeout(3600)]

PLACES = [line.where for line in books.check(Expected(), Found(), {})]


@pytest.mark.parametrize("where", PLACES)
def test_what_was_accepted_is_there_once(storm: Storm, where: str) -> None:
    line = storm.line(where)
    assert line.is_right, storm.table()


def test_two_thousand_orders_were_accepted(storm: Storm) -> None:
    assert len(storm.expected.total) >= ORDERS


def test_every_accepted_order_was_paid_in_the_end(storm: Storm) -> None:
    assert storm.expected.paid == storm.expected.total.keys()


def test_no_guest_gave_up_or_met_something_unexpected(storm: Storm) -> None:
    assert storm.failures == []
    assert storm.expected.answers["gave up"] == 0


def test_what_was_not_accepted_got_a_clear_error(storm: Storm) -> None:
    answers = storm.expected.answers
    assert answers["unclear"] == 0
    assert answers["silence: the shop hung up"] == 0
    finals = {answer for answer in answers if answer.startswith("refused")}
    assert finals <= {"refused: 409 out-of-stock"}, "nothing but a sold-out product is a reason to refuse these orders"
    assert answers["sent"] == answers["accepted"] + answers["refused: 409 out-of-stock"]


def test_while_the_database_was_away_guests_were_told_to_come_back(storm: Storm) -> None:
    assert storm.expected.answers["later: 503"] > 0


def test_guests_who_hung_up_tried_again(storm: Storm) -> None:
    assert storm.expected.answers["silence: the guest hung up"] > 0


def test_of_two_customers_one_gets_the_last_piece(storm: Storm) -> None:
    assert len(storm.duels) == faults.DUELS
    assert all(duel == {201: 1, 409: 1} for duel in storm.duels), storm.duels


def test_workers_were_killed_while_they_worked(storm: Storm) -> None:
    assert storm.faults["kill -9 of workers at work"] >= faults.KILLS


def test_messages_were_delivered_again(storm: Storm) -> None:
    assert storm.faults["messages delivered again"] >= faults.COPIES


def test_all_poison_and_nothing_else_stays_aside(storm: Storm) -> None:
    assert storm.poison_put_aside == len(faults.POISON)
    assert storm.left == {}, "after the good messages were sent back, no queue and no dead-letter queue holds anything"


def test_good_messages_that_were_put_aside_came_back(storm: Storm) -> None:
    assert storm.sent_back >= storm.faults["messages whose tries are used up"] > 0


# The books are no formality: what is taken away is missed, and what is there twice is seen.


@pytest.fixture
def tampered(storm: Storm) -> dict[str, books.Line]:
    """The books after somebody has removed a row, and put a ticket on the board that nobody ordered."""
    shop, order = storm.shop, next(iter(storm.expected.total))
    shop.statement(f"delete from processed_events where order_id = '{order}' and type = 'order.paid'")  # noqa: S608
    ticket = {"pk": {"S": "BOARD"}, "sk": {"S": "TICKET#nobody"}, "type": {"S": "ticket"}, "stage": {"N": "2"}}
    table, client = shop.outputs["FollowUpTableName"], shop.client("dynamodb")
    client.put_item(TableName=table, Item=ticket)
    try:
        lines = books.check(storm.expected, books.found_in(shop, storm.known), storm.before)
    finally:
        client.delete_item(TableName=table, Key={name: ticket[name] for name in ("pk", "sk")})
    return {line.where: line for line in lines}


def test_a_row_that_is_gone_and_a_ticket_too_many_are_seen(storm: Storm, tampered: dict[str, books.Line]) -> None:
    processed = tampered["worker: events processed"]
    assert processed.missing == ((next(iter(storm.expected.total)), "order.paid"),)
    assert tampered["board: tickets that say 'to be made'"].doubled == (("nobody", 2),)
