"""Who may call what: every route by every identity.

A route that is missing from the table fails the test, so that nobody can add one without saying who may use it.
"""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.routing import APIRoute

from shop.app import create_app
from tests.unit.shop.browser import Browser

PRODUCT = {
    "category": "coffee",
    "name": "Cortado",
    "description": "Half and half.",
    "sizes": [{"id": "one", "name": "One", "price_cents": 300}],
}
WHO = ("anonymous", "guest", "customer", "other customer", "barista", "manager")

# (method, path) -> (body, status for each of WHO).  {order} is an unpaid order of `customer`, fresh for each request.
TABLE: dict[tuple[str, str], tuple[Any, tuple[int, int, int, int, int, int]]] = {
    ("GET", "/health"): (None, (200, 200, 200, 200, 200, 200)),
    ("HEAD", "/health"): (None, (200, 200, 200, 200, 200, 200)),
    ("GET", "/ready"): (None, (200, 200, 200, 200, 200, 200)),
    ("HEAD", "/ready"): (None, (200, 200, 200, 200, 200, 200)),
    ("GET", "/media/{key:path}"): (None, (302, 302, 302, 302, 302, 302)),
    ("GET", "/api/config"): (None, (200, 200, 200, 200, 200, 200)),
    ("GET", "/api/menu"): (None, (200, 200, 200, 200, 200, 200)),
    ("GET", "/api/menu/{product_id}"): (None, (200, 200, 200, 200, 200, 200)),
    ("GET", "/api/session"): (None, (200, 200, 200, 200, 200, 200)),
    ("POST", "/api/session"): (
        {"email": "a@b.example", "password": "wrong password"},
        (403, 401, 401, 401, 401, 401),
    ),
    ("DELETE", "/api/session"): (None, (403, 200, 200, 200, 200, 200)),
    ("POST", "/api/customers"): (
        {"name": "New", "email": "{new}@example.org", "password": "a long enough password"},
        (403, 201, 201, 201, 201, 201),
    ),
    ("GET", "/api/cart"): (None, (200, 200, 200, 200, 200, 200)),
    ("PUT", "/api/cart"): ({"lines": []}, (403, 200, 200, 200, 200, 200)),
    ("POST", "/api/orders"): (
        {"lines": [{"product_id": "espresso", "size": "single"}]},
        (403, 201, 201, 201, 201, 201),
    ),
    ("GET", "/api/orders"): (None, (200, 200, 200, 200, 200, 200)),
    ("GET", "/api/orders/{order_id}"): (None, (404, 404, 200, 404, 200, 200)),
    ("POST", "/api/orders/{order_id}/payment"): ({"token": "tok_visa"}, (403, 404, 200, 404, 403, 403)),
    ("POST", "/api/orders/{order_id}/cancel"): (None, (403, 404, 200, 404, 200, 200)),
    ("POST", "/api/orders/{order_id}/status"): ({"status": "making", "version": 1}, (401, 401, 403, 403, 409, 409)),
    ("GET", "/api/board"): (None, (401, 401, 403, 403, 200, 200)),
    ("GET", "/api/products"): (None, (401, 401, 403, 403, 403, 200)),
    ("POST", "/api/products"): (PRODUCT, (401, 401, 403, 403, 403, 201)),
    ("PUT", "/api/products/{product_id}"): ({**PRODUCT, "version": 1}, (401, 401, 403, 403, 403, 200)),
    ("DELETE", "/api/products/{product_id}"): (None, (401, 401, 403, 403, 403, 200)),
    ("PUT", "/api/products/{product_id}/stock"): ({"stock": 7}, (401, 401, 403, 403, 403, 200)),
    ("POST", "/api/uploads"): ({"content_type": "image/png", "size_bytes": 9}, (401, 401, 403, 403, 403, 201)),
    ("POST", "/api/uploads/{upload_id}/complete"): (None, (401, 401, 403, 403, 403, 404)),
    ("GET", "/api/pictures/rejected"): (None, (401, 401, 403, 403, 403, 200)),
    ("DELETE", "/api/pictures/rejected/{picture_id:path}"): (None, (401, 401, 403, 403, 403, 404)),
    ("GET", "/api/sales/today"): (None, (401, 401, 403, 403, 403, 200)),
}


def routes() -> set[tuple[str, str]]:
    """Every route of the app, as FastAPI has it."""
    found = set()
    for route in _api_routes(create_app(None).routes):
        found |= {(method, route.path) for method in route.methods or ()}
    return found


def _api_routes(routes: Any) -> list[APIRoute]:
    found = []
    for route in routes:
        if isinstance(route, APIRoute):
            found.append(route)
        elif hasattr(route, "original_router"):
            found += _api_routes(route.original_router.routes)
        elif hasattr(route, "routes"):
            found += _api_routes(route.routes or [])
    return found


def test_every_route_is_in_the_table() -> None:
    assert routes() == set(TABLE)


@pytest.fixture
def identities(request: pytest.FixtureRequest, new_browser: Callable[[], Browser]) -> dict[str, Browser]:
    anonymous = new_browser()
    anonymous.http.cookies.clear()
    anonymous.session = {}
    everybody = {who: request.getfixturevalue(who.replace(" ", "_")) for who in WHO if who != "anonymous"}
    return {"anonymous": anonymous, **everybody}


def test_everybody_may_do_what_the_table_says_and_no_more(
    identities: dict[str, Browser], new_browser: Callable[[], Browser]
) -> None:
    wrong = []
    for (method, path), (body, expected) in TABLE.items():
        for who, status in zip(WHO, expected, strict=True):
            browser = identities[who]
            if path in {"/api/session", "/api/customers"} and method != "GET":
                browser = new_browser() if who != "anonymous" else browser  # what signs in or out needs its own
            answer = browser.raw(method, _path(path, identities["customer"]), _body(body), headers=_key())
            if answer.status_code != status:
                wrong.append(f"{who}: {method} {path} -> {answer.status_code}, not {status}: {answer.text[:150]}")
    assert not wrong, "\n".join(wrong)


def test_no_write_gets_through_without_the_token(identities: dict[str, Browser]) -> None:
    """The manager may do everything; without the session's token, nothing."""
    for (method, path), (body, _) in TABLE.items():
        if method in {"GET", "HEAD"}:
            continue
        address = _path(path, identities["customer"])
        answer = identities["manager"].raw(method, address, _body(body), headers={**_key(), "X-CSRF-Token": ""})
        assert answer.status_code == 403, f"{method} {path}: {answer.status_code}"
        assert "X-CSRF-Token" in answer.json()["detail"]


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def _path(path: str, customer: Browser) -> str:
    values = {"{key:path}": "menu/latte.webp", "{product_id}": "latte", "{upload_id}": "0" * 26}
    values["{picture_id:path}"] = "nobody-looked-at-it.jpg"
    if "{order_id}" in path:
        values["{order_id}"] = customer.order()["id"]
    for name, value in values.items():
        path = path.replace(name, value)
    return path


def _body(body: Any) -> Any:
    if isinstance(body, dict) and "{new}" in str(body.get("email")):
        return {**body, "email": f"{uuid.uuid4().hex}@example.org"}
    if isinstance(body, dict) and body.get("name") == "Cortado":
        return {**body, "name": f"Cortado {uuid.uuid4().hex[:6]}"}
    return body
