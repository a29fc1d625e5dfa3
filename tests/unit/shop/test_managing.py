"""The manager's page: products, stock and sales."""

import uuid
from typing import Any

import pytest

from tests.unit.shop.browser import Browser
from tests.unit.shop.conftest import EVERY_WAY

pytestmark = EVERY_WAY
PRODUCT = {
    "category": "coffee",
    "name": "Café Brûlée & <b>Söhne</b>",
    "description": "Burnt sugar.",
    "sizes": [{"id": "one", "name": "One", "price_cents": 480}],
    "allergens": ["milk"],
    "sort": 15,
}


def add(manager: Browser, product: dict[str, Any], *, key: str | None = None, expect: int = 201) -> Any:
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    return manager.post("/api/products", product, expect=expect, headers=headers)


def test_a_new_product_takes_its_place_in_the_menu(manager: Browser, guest: Browser) -> None:
    product = add(manager, {**PRODUCT, "stock": 3})
    assert product["id"] == "cafe-brulee-b-sohne-b"
    menu = guest.get("/api/menu")["products"]
    assert [each["id"] for each in menu] == ["espresso", product["id"], "latte", "croissant"]
    assert menu[1] == product


def test_the_same_key_adds_one_product(manager: Browser) -> None:
    key = str(uuid.uuid4())
    assert add(manager, PRODUCT, key=key) == add(manager, PRODUCT, key=key)
    assert add(manager, {**PRODUCT, "name": "Another"}, key=key, expect=422)["type"] == "key-reused"
    assert "already a product" in add(manager, PRODUCT, expect=409)["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sizes": [{"id": "one", "name": "One", "price_cents": -1}]}, "sizes.0.price_cents"),
        ({"sizes": [{"id": "one", "name": "One", "price_cents": 10**30}]}, "sizes.0.price_cents"),
        ({"sizes": [{"id": "one", "name": "One", "price_cents": 3.5}]}, "sizes.0.price_cents"),
        ({"sizes": []}, "sizes"),
        ({"sizes": [{"id": "one", "name": "A", "price_cents": 1}] * 2}, "sizes"),
        ({"category": "cocktails"}, "category"),
        ({"allergens": ["kryptonite"]}, "allergens"),
        ({"name": " "}, "name"),
        ({"name": "x" * 10_000}, "name"),
        ({"description": ""}, "description"),
        ({"stock": -1}, "stock"),
        ({"name": "☕️"}, "id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_broken_product_is_refused_with_the_field(manager: Browser, change: dict[str, Any], field: str) -> None:
    problem = add(manager, {**PRODUCT, **change}, expect=422)
    assert field in [each["field"] for each in problem["errors"]]
    assert len(problem["detail"]) < 1_000


def test_editing_keeps_the_stock_and_needs_the_version_that_was_seen(manager: Browser, guest: Browser) -> None:
    product = add(manager, {**PRODUCT, "stock": 3})
    edit = {**PRODUCT, "name": "Brûlée", "version": product["version"]}
    guest.order({"product_id": product["id"], "size": "one"})
    edited = manager.put(f"/api/products/{product['id']}", edit)
    assert (edited["name"], edited["version"], edited["stock"]) == ("Brûlée", 2, 2)
    assert manager.put(f"/api/products/{product['id']}", edit) == edited
    other = {**edit, "name": "Something else"}
    assert manager.put(f"/api/products/{product['id']}", other, expect=409)["facts"]["version"] == 2
    manager.put("/api/products/nothing", edit, expect=404)


def test_retired_products_leave_the_menu_and_carts_say_so(manager: Browser, guest: Browser) -> None:
    product = add(manager, PRODUCT)
    line = {"product_id": product["id"], "size": "one"}
    guest.put("/api/cart", {"lines": [line, {"product_id": "espresso", "size": "single"}]})
    retired = manager.delete(f"/api/products/{product['id']}")
    assert manager.delete(f"/api/products/{product['id']}") == retired
    assert product["id"] not in [each["id"] for each in guest.get("/api/menu")["products"]]
    assert guest.get(f"/api/menu/{product['id']}")["retired"] is True

    cart = guest.get("/api/cart")
    assert cart["lines"][0]["problem"] == "Café Brûlée & <b>Söhne</b> is no longer on the menu."
    assert (cart["lines"][0]["total_cents"], cart["total_cents"], cart["orderable"]) == (None, 260, False)
    assert "no longer" in guest.order(line, expect=422)["detail"]

    last = manager.get("/api/products")["products"][-1]
    assert (last["id"], last["retired"]) == (product["id"], True)
    back = manager.put(f"/api/products/{product['id']}", {**PRODUCT, "version": retired["version"]})
    assert back["retired"] is False
    assert product["id"] in [each["id"] for each in guest.get("/api/menu")["products"]]


def test_stock_is_set_counted_and_freed(manager: Browser, guest: Browser) -> None:
    assert manager.put("/api/products/croissant/stock", {"stock": 2})["stock"] == 2
    guest.order({"product_id": "croissant", "size": "piece", "quantity": 2})
    assert guest.get("/api/menu/croissant")["available"] is False
    problem = manager.put("/api/products/croissant/stock", {"stock": 9, "expected": 2}, expect=409)
    assert problem["facts"]["stock"] == 0
    assert manager.put("/api/products/croissant/stock", {"stock": 9, "expected": 0})["stock"] == 9
    assert manager.put("/api/products/croissant/stock", {"stock": None})["stock"] is None
    guest.order({"product_id": "croissant", "size": "piece", "quantity": 20})
    manager.put("/api/products/nothing/stock", {"stock": 1}, expect=404)


def test_cancelling_what_is_no_longer_counted_is_no_problem(manager: Browser, guest: Browser) -> None:
    order = guest.order({"product_id": "croissant", "size": "piece"})
    manager.put("/api/products/croissant/stock", {"stock": None})
    assert guest.post(f"/api/orders/{order['id']}/cancel")["status"] == "cancelled"
    assert guest.get("/api/menu/croissant")["stock"] is None


def test_todays_sales_count_what_was_paid_and_not_cancelled(manager: Browser, guest: Browser) -> None:
    guest.paid_order({"product_id": "latte", "size": "large", "quantity": 2})
    guest.paid_order({"product_id": "croissant", "size": "piece"}, {"product_id": "latte", "size": "regular"})
    guest.order()  # not paid
    cancelled = guest.paid_order()
    guest.post(f"/api/orders/{cancelled['id']}/cancel")
    sales = manager.get("/api/sales/today")
    assert (sales["orders"], sales["items"], sales["revenue_cents"]) == (2, 4, 2 * 490 + 310 + 420)
    assert [(each["product_id"], each["quantity"], each["revenue_cents"]) for each in sales["by_product"]] == [
        ("latte", 3, 1400),
        ("croissant", 1, 310),
    ]
    assert sum(hour["orders"] for hour in sales["by_hour"]) == 2
    assert manager.get("/api/sales/today?day=2020-01-01")["orders"] == 0


@pytest.mark.parametrize("day", ["2026-99-99", "2026-02-29", "0000-01-01", "", "today"])
def test_a_day_that_the_calendar_does_not_have_is_refused(manager: Browser, day: str) -> None:
    problem = manager.get(f"/api/sales/today?day={day}", expect=422)
    assert problem["errors"][0]["field"] == "day"
    assert "2026-11-22" in problem["detail"]


def test_menu_filters(guest: Browser) -> None:
    def ids(query: str) -> list[str]:
        return [each["id"] for each in guest.get(f"/api/menu?{query}")["products"]]

    assert ids("category=bakery") == ["croissant"]
    assert ids("category=cof") == []
    assert ids("vegan=true") == ["espresso"]
    assert ids("without=gluten") == ["espresso", "latte"]
    assert ids("without=gluten&without=milk") == ["espresso"]
    assert ids("max_price_cents=310") == ["espresso", "croissant"]
    assert ids("q=CAFFE") == ["latte"]
    assert ids("q=milk%20espresso") == ["latte"]
    assert ids("q=%23%25_") == []
