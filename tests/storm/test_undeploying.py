"""Phase 2 destroyed while guests order without pause: what then happens with orders is what decision 14 says.

The parameter goes first, and within seconds the shop takes orders the way of phase 1 again. What was ordered in
PostgreSQL goes with it; what was carried over is in the table as it was.
"""

from __future__ import annotations

import json
import uuid

import pytest

from brewhaven import target
from brewhaven.bench import rush
from tests.plugins.local_cloud import brewhaven
from tests.storm.conftest import Move
from tests.storm.guests import Guest, Log
from tests.storm.shop import PHASE2, Shop

pytestmark = [pytest.mark.local, pytest.mark.timeout(1800)]

HEARD_SECONDS = 20
"""The shop reads the parameter every ten seconds; an order that began before ends a little later."""


@pytest.fixture(scope="module")
def gone_at(shop: Shop, departure: Move) -> float:
    """When the parameter was deleted."""
    cloudformation = shop.client("cloudformation")
    stacks = cloudformation.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    (stack,) = [one["StackId"] for one in stacks if one["StackName"] == PHASE2]
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    return min(
        float(event["Timestamp"].timestamp())
        for page in pages
        for event in page["StackEvents"]
        if event["ResourceType"] == "AWS::SSM::Parameter" and event["ResourceStatus"] == "DELETE_COMPLETE"
    )


def kept(move: Move) -> set[str]:
    return {order for order, status in move.readable.items() if status == 200}


def test_orders_were_placed_before_during_and_after(departure: Move) -> None:
    moments = departure.accepted.values()
    assert any(at < departure.began for at in moments)
    assert any(departure.began < at < departure.ended for at in moments)
    assert any(at > departure.ended for at in moments)


def test_what_was_ordered_after_the_shop_heard_of_it_is_kept(departure: Move, gone_at: float) -> None:
    lost = {order: at - gone_at for order, at in departure.accepted.items() if order not in kept(departure)}
    assert max(lost.values()) < HEARD_SECONDS, "seconds after the parameter had gone"


def test_what_was_ordered_in_postgresql_is_gone_and_says_so(departure: Move) -> None:
    before = [order for order, at in departure.accepted.items() if at < departure.began]
    assert {departure.readable[order] for order in before} == {404}


def test_the_table_has_what_is_kept_once_and_no_other(shop: Shop, arrival: Move, departure: Move) -> None:
    table = rush.order_ids(target.local(shop.cloud.settings), shop.outputs["CatalogTableName"])
    assert len(table) == len(set(table))
    assert set(table) - set(arrival.accepted) == kept(departure)


def test_what_was_carried_over_is_in_the_table_as_it_was(arrival: Move) -> None:
    answers = arrival.crowd.read_all()
    assert {answers[order] for order, at in arrival.accepted.items() if at < arrival.began} == {200}


def test_nobody_got_an_answer_that_explains_nothing(departure: Move) -> None:
    answers = departure.expected.answers
    assert (answers["unclear"], answers["silence: the shop hung up"], answers["gave up"]) == (0, 0, 0)


def test_the_shop_of_phase_1_sells_afterwards(shop: Shop, departure: Move) -> None:
    guest = Guest(shop.url, Log(departure.crowd.guests[0].log.path.with_name(f"{uuid.uuid4().hex}.jsonl")))
    guest.arrive()
    order = guest.buy([{"product_id": "espresso", "size": "single"}])
    assert order
    assert guest.read(order) == 200


def test_every_check_of_phase_1_passes_afterwards(shop: Shop, departure: Move) -> None:
    done = brewhaven(shop.cloud, "verify", "1", "--json")
    failed = [one for one in json.loads(done.stdout)["checks"] if not one["passed"]]
    assert (done.returncode, failed) == (0, [])
