"""Many people, one croissant: stock is never negative and nobody gets what is not there."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from shop.adapters import keys
from shop.adapters.table import Table
from shop.domain.errors import Conflict
from shop.domain.ids import from_text, to_text
from shop.services import Services
from tests.unit.shop.browser import Browser
from tests.unit.shop.conftest import BOTH_WAYS

pytestmark = BOTH_WAYS
CROISSANT = {"product_id": "croissant", "size": "piece"}


def at_once(tasks: list[Callable[[], int]]) -> Counter[int]:
    """Run all tasks at the same moment; what they answered, counted."""
    gate = threading.Barrier(len(tasks))

    def run(task: Callable[[], int]) -> int:
        gate.wait()
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return Counter(pool.map(run, tasks))


def test_twelve_guests_and_five_croissants(new_browser: Callable[[], Browser], services: Services) -> None:
    def buyer(browser: Browser) -> Callable[[], int]:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return lambda: browser.raw("POST", "/api/orders", {"lines": [CROISSANT]}, headers=headers).status_code

    results = at_once([buyer(new_browser()) for _ in range(12)])
    assert results == {201: 5, 409: 7}
    assert left(services) == 0


def test_one_order_sent_eight_times_at_once_is_one_order(guest: Browser, services: Services) -> None:
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    results = at_once(
        [lambda: guest.raw("POST", "/api/orders", {"lines": [CROISSANT]}, headers=headers).status_code] * 8
    )
    assert results == {201: 8}
    assert len(guest.get("/api/orders")["orders"]) == 1
    assert left(services) == 4


def test_one_order_paid_six_times_at_once_is_charged_once(guest: Browser, manager: Browser) -> None:
    order = guest.order(CROISSANT)
    path = f"/api/orders/{order['id']}/payment"
    results = at_once([lambda: guest.raw("POST", path, {"token": "tok_visa"}).status_code] * 6)
    assert results == {200: 6}
    assert guest.get(f"/api/orders/{order['id']}")["payment"]["attempts"] == 1
    assert manager.get("/api/sales/today")["orders"] == 1


def test_two_baristas_press_the_same_button(barista: Browser, manager: Browser, guest: Browser) -> None:
    order = guest.paid_order()
    path = f"/api/orders/{order['id']}/status"
    body = {"status": "making", "version": order["version"]}
    results = at_once([lambda b=b: b.raw("POST", path, body).status_code for b in (barista, manager)])  # type: ignore[misc]
    assert results == {200: 2}
    assert guest.get(f"/api/orders/{order['id']}")["version"] == order["version"] + 1
    problem = barista.post(path, {"status": "ready", "version": order["version"]}, expect=409)
    assert problem["facts"] == {"status": "making", "version": order["version"] + 1}


def test_cancelled_twice_at_once_gives_back_once(guest: Browser, services: Services) -> None:
    order = guest.order(CROISSANT)
    results = at_once([lambda: guest.raw("POST", f"/api/orders/{order['id']}/cancel").status_code] * 5)
    assert results == {200: 5}
    assert left(services) == 5


def test_an_order_that_nobody_pays_gives_its_pieces_back(
    guest: Browser, services: Services, make_older: Callable[[str], None]
) -> None:
    lapsed, waiting, paid = guest.order(CROISSANT), guest.order(CROISSANT), guest.paid_order(CROISSANT)
    for order in (lapsed, paid):
        make_older(order["id"])
    services.cancel_lapsed()
    statuses = [guest.get(f"/api/orders/{order['id']}")["status"] for order in (lapsed, waiting, paid)]
    assert statuses == ["cancelled", "awaiting_payment", "new"]
    assert left(services) == 3


def test_paying_too_late_says_so(guest: Browser, make_older: Callable[[str], None]) -> None:
    order = guest.order(CROISSANT)
    make_older(order["id"])
    problem = guest.post(f"/api/orders/{order['id']}/payment", {"token": "tok_visa"}, expect=409)
    assert "order again" in problem["detail"]
    assert guest.get(f"/api/orders/{order['id']}")["status"] == "cancelled"


def test_saving_over_somebody_elses_change_is_a_conflict(guest: Browser, services: Services) -> None:
    placed = guest.order()
    before = services.orders.find(placed["id"])
    assert before
    services.orders.save(before, before.declined("no"))
    with pytest.raises(Conflict):
        services.orders.save(before, before.declined("no"))


def left(services: Services) -> int | None:
    croissant = services.catalog.get("croissant")
    assert croissant
    return croissant.stock


@pytest.fixture
def make_older(way: str, table: Table, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Makes an order 16 minutes older than it is."""

    def in_table(order_id: str) -> None:
        item = table.get(keys.order(order_id))
        assert item
        older = to_text(from_text(item["created_at"]) - timedelta(minutes=16))
        table.update(keys.order(order_id), "SET #created_at = :older", {":older": older})

    if way == "dynamodb":
        return in_table
    postgres = request.getfixturevalue("postgres")
    older = "update orders set created_at = created_at - interval '16 minutes' where id = %s"
    return lambda order_id: postgres.sql(older, [order_id])
