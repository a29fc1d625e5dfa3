"""Phase 2 deployed over phase 1 while guests order without pause: nothing is lost, doubled or out of sight."""

from __future__ import annotations

import pytest

from tests.storm.conftest import Move
from tests.storm.shop import Shop

pytestmark = [pytest.mark.local, pytest.mark.timeout(1800)]


def test_orders_were_placed_before_during_and_after(arrival: Move) -> None:
    moments = arrival.accepted.values()
    assert any(at < arrival.began for at in moments)
    assert any(arrival.began < at < arrival.ended for at in moments)
    assert any(at > arrival.ended for at in moments)


def test_the_orders_of_phase_1_were_carried_over(shop: Shop, arrival: Move) -> None:
    (carried,) = shop.rows("select count from carried_over where what = 'orders'")
    assert 0 < carried["count"] < len(arrival.accepted), "some were placed in the table, and some in PostgreSQL"


def test_every_accepted_order_is_in_postgresql_once_and_no_other(shop: Shop, arrival: Move) -> None:
    assert sorted(row["id"] for row in shop.rows("select id from orders")) == sorted(arrival.accepted)


def test_every_order_is_paid_there_as_it_was_paid(shop: Shop, arrival: Move) -> None:
    charged = {row["order_id"]: row["amount_cents"] for row in shop.rows("select * from payments where approved")}
    assert charged == {order: arrival.expected.total[order] for order in arrival.expected.paid}


def test_every_order_could_be_read_throughout(arrival: Move) -> None:
    assert set(arrival.crowd.reread) == {200}
    assert arrival.crowd.reread[200] > len(arrival.accepted) / 2


def test_every_order_can_be_read_afterwards(arrival: Move) -> None:
    assert arrival.readable == dict.fromkeys(arrival.readable, 200)
    assert arrival.readable.keys() == arrival.accepted.keys()


def test_nobody_got_an_answer_that_explains_nothing(arrival: Move) -> None:
    answers = arrival.expected.answers
    assert arrival.crowd.failures == []
    assert (answers["unclear"], answers["silence: the shop hung up"], answers["gave up"]) == (0, 0, 0)
    assert answers["sent"] == answers["accepted"] + answers["refused: 409 out-of-stock"]
