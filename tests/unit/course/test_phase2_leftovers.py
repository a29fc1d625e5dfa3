"""What a check of phase 2 has told the subscribers leaves nothing for ever, however late or often they hear of it."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from brewhaven.course.cloud import Deployment
from order_events.event import read_event
from order_loyalty.accounts import Accounts
from order_loyalty.points import points_of
from phases.phase2_orders.checks_fan_out import Told
from tests.unit.functions.lambda_fakes import FakeDynamo


class Shop(Deployment):
    """A deployment of which only the subscribers' table is asked for."""

    def __init__(self) -> None:
        self.dynamodb = FakeDynamo()

    @property
    def outputs(self) -> dict[str, str]:  # type: ignore[override]  # there a cached property
        return {"FollowUpTableName": "follow-ups"}

    def client(self, service: str) -> Any:
        return {"dynamodb": self.dynamodb}[service]

    def loyalty_hears(self, told: Told) -> bool:
        """Do as the loyalty function does; whether it counted the event."""
        event = read_event(told.event)
        accounts = Accounts(self.dynamodb, "follow-ups")  # type: ignore[arg-type]
        return accounts.add(str(event.order.customer_id), points_of(event), event.id, event.at)


@pytest.mark.parametrize("before", [0, 1, 2])
def test_points_that_are_counted_after_the_check_are_not_made(before: int) -> None:
    shop, told = Shop(), Told.new()
    assert [shop.loyalty_hears(told) for _ in range(before)] == [True, False][:before]
    assert ("loyalty" in told.heard_by(shop)) is (before > 0)
    told.forget(shop)
    assert not shop.loyalty_hears(told)
    assert told.heard_by(shop) == set()
    ((partition, sort), note) = next(iter(shop.dynamodb.items.items()))
    assert (partition, sort) == (f"LOYALTY#{told.customer}", f"EVENT#{json.loads(told.event)['id']}")
    assert 29 < (int(note["expires_at"]["N"]) - time.time()) / 86_400 <= 30
    assert len(shop.dynamodb.items) == 1


def test_another_event_of_the_same_customer_still_counts() -> None:
    shop, told = Shop(), Told.new()
    told.forget(shop)
    other = json.dumps({**json.loads(told.event), "id": str(uuid.uuid4())})
    assert shop.loyalty_hears(Told(told.order, told.owner, told.customer, other))
