"""A guest buys a coffee: the story that everything else serves."""

import uuid
from collections.abc import Callable

from tests.unit.shop.browser import Browser
from tests.unit.shop.conftest import EVERY_WAY

pytestmark = EVERY_WAY
LATTE = {"product_id": "latte", "size": "large", "extras": ["oat-milk"], "quantity": 2}
CROISSANT = {"product_id": "croissant", "size": "piece"}


def test_the_menu_comes_in_its_order(guest: Browser) -> None:
    menu = guest.get("/api/menu")
    assert [category["id"] for category in menu["categories"]] == ["coffee", "bakery"]
    assert [product["id"] for product in menu["products"]] == ["espresso", "latte", "croissant"]
    latte = guest.get("/api/menu/latte")
    assert latte == menu["products"][1]
    assert latte["picture_url"] == "/media/menu/latte.webp"
    assert latte["from_cents"] == 420


def test_an_order_from_the_counter_to_the_cup(guest: Browser, barista: Browser) -> None:
    order = guest.order(LATTE, CROISSANT, name="Ada 🙂")
    assert order["total_cents"] == 2 * (490 + 60) + 310
    assert order["status"] == "awaiting_payment"
    assert guest.get("/api/menu/croissant")["stock"] == 4

    paid = guest.post(f"/api/orders/{order['id']}/payment", {"token": "tok_visa"})
    assert (paid["status"], paid["payment"]["status"]) == ("new", "paid")

    for status in ("making", "ready", "collected"):
        [on_board] = barista.get("/api/board")["orders"]
        assert on_board["may"]["move_to"] == status
        body = {"status": status, "version": on_board["version"]}
        barista.post(f"/api/orders/{order['id']}/status", body)

    board = barista.get("/api/board")
    assert board["orders"] == []
    assert [each["id"] for each in board["collected"]] == [order["id"]]
    assert guest.get(f"/api/orders/{order['id']}")["status"] == "collected"
    assert [each["id"] for each in guest.get("/api/orders")["orders"]] == [order["id"]]


def test_the_same_key_places_one_order(guest: Browser) -> None:
    key = str(uuid.uuid4())
    first = guest.order(CROISSANT, key=key)
    again = guest.order(CROISSANT, key=key)
    assert again == first
    assert guest.get("/api/menu/croissant")["stock"] == 4


def test_the_same_key_with_another_order_is_refused(guest: Browser) -> None:
    key = str(uuid.uuid4())
    first = guest.order(CROISSANT, key=key)
    problem = guest.order(LATTE, key=key, expect=422)
    assert problem["type"] == "key-reused"
    assert problem["facts"]["order_id"] == first["id"]


def test_the_second_try_of_the_last_croissant_answers_the_order_that_got_it(guest: Browser) -> None:
    key = str(uuid.uuid4())
    last = {**CROISSANT, "quantity": 5}
    first = guest.order(last, key=key)
    assert guest.get("/api/menu/croissant")["available"] is False
    assert guest.order(last, key=key) == first


def test_two_guests_may_use_the_same_key(new_browser: Callable[[], Browser]) -> None:
    key = str(uuid.uuid4())
    assert new_browser().order(CROISSANT, key=key)["id"] != new_browser().order(CROISSANT, key=key)["id"]


def test_sold_out_says_what_is_left(guest: Browser) -> None:
    problem = guest.order({**CROISSANT, "quantity": 6}, expect=409)
    assert problem["type"] == "out-of-stock"
    assert problem["facts"]["left"] == {"croissant": 5}
    assert problem["detail"] == "Only 5 of Croissant left."


def test_a_declined_card_may_be_followed_by_a_good_one(guest: Browser) -> None:
    order = guest.order()
    problem = guest.post(f"/api/orders/{order['id']}/payment", {"token": "tok_declined"}, expect=402)
    assert "another card" in problem["detail"]
    waiting = guest.get(f"/api/orders/{order['id']}")
    assert (waiting["status"], waiting["payment"]["status"]) == ("awaiting_payment", "declined")
    assert guest.post(f"/api/orders/{order['id']}/payment", {"token": "tok_mastercard"})["status"] == "new"


def test_paying_twice_charges_once(guest: Browser) -> None:
    order = guest.order()
    first = guest.post(f"/api/orders/{order['id']}/payment", {"token": "tok_visa"})
    again = guest.post(f"/api/orders/{order['id']}/payment", {"token": "tok_declined"})
    assert again == first
    assert again["payment"]["attempts"] == 1


def test_cancelling_gives_the_pieces_back(guest: Browser) -> None:
    order = guest.paid_order(CROISSANT)
    assert guest.get("/api/menu/croissant")["stock"] == 4
    cancelled = guest.post(f"/api/orders/{order['id']}/cancel")
    assert (cancelled["status"], cancelled["payment"]["status"]) == ("cancelled", "refunded")
    assert guest.get("/api/menu/croissant")["stock"] == 5
    assert guest.post(f"/api/orders/{order['id']}/cancel") == cancelled
    assert guest.get("/api/menu/croissant")["stock"] == 5


def test_another_total_than_shown_is_not_charged(guest: Browser) -> None:
    problem = guest.order(expected_total_cents=250, expect=409)
    assert problem["facts"]["total_cents"] == 260
    assert guest.order(expected_total_cents=260)["total_cents"] == 260
