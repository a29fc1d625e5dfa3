"""Orders that make no sense, over HTTP and wherever orders live: each is refused with its reason and leaves nothing."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from shop.services import Services
from tests.unit.shop.browser import Browser
from tests.unit.shop.conftest import BOTH_WAYS

pytestmark = BOTH_WAYS
CROISSANT = {"product_id": "croissant", "size": "piece"}


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"product_id": "unicorn-latte", "size": "regular"}, "lines.1.product_id"),
        ({"product_id": "espresso", "size": "bucket"}, "lines.1.size"),
        ({"product_id": "espresso", "size": "single", "quantity": 0}, "lines.1.quantity"),
        ({"product_id": "espresso", "size": "single", "quantity": -1}, "lines.1.quantity"),
        ({"product_id": "espresso", "size": "single", "quantity": 1_000_000}, "lines.1.quantity"),
        ({"product_id": "espresso", "size": "single", "quantity": 10**30}, "lines.1.quantity"),
        ({"product_id": "espresso", "size": "single", "quantity": 1.5}, "lines.1.quantity"),
    ],
    ids=["unknown product", "unknown size", "zero", "less than zero", "a million", "beyond a number", "one and a half"],
)
def test_an_order_with_one_bad_line_is_refused_as_a_whole(
    guest: Browser, services: Services, line: dict[str, Any], field: str
) -> None:
    answer = guest.raw(
        "POST", "/api/orders", {"lines": [CROISSANT, line]}, headers={"Idempotency-Key": str(uuid.uuid4())}
    )
    problem = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert field in [each["field"] for each in problem["errors"]], problem
    assert all(each["message"] for each in problem["errors"])
    assert guest.get("/api/orders")["orders"] == []
    croissant = services.catalog.get("croissant")
    assert croissant
    assert croissant.stock == 5


def test_a_key_that_came_with_a_refused_order_is_free(guest: Browser) -> None:
    key = str(uuid.uuid4())
    guest.order({"product_id": "espresso", "size": "single", "quantity": 0}, key=key, expect=422)
    assert guest.order({"product_id": "espresso", "size": "single"}, key=key)["status"] == "awaiting_payment"
