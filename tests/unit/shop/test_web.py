"""What surrounds every answer: protecting headers, errors in words, limits, pages, logs."""

import io
import json
import logging
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import requests
import uvicorn

from shop import logs
from shop.adapters.table import Table
from shop.app import create_app
from shop.services import Services
from shop.web import MAX_BODY, security_headers
from tests.unit.shop.browser import Browser
from tests.unit.shop.conftest import serving


@pytest.fixture
def paged_shop(services: Services, tmp_path: Path) -> Iterator[str]:
    """The shop with a few pages of its own."""
    (tmp_path / "index.html").write_text("<!doctype html><title>Brew Haven</title>" + "x" * 5_000)
    (tmp_path / "404.html").write_text("<!doctype html><title>Nothing here</title>")
    (tmp_path / "app.js").write_text("export const answer = 42;")
    (tmp_path / "type.woff2").write_bytes(b"wOF2")
    with serving(create_app(services, pages=tmp_path)) as address:
        yield address


def test_the_policy_lets_pictures_come_from_where_the_bucket_is(guest: Browser, cloud: str) -> None:
    answer = guest.raw("GET", "/api/config")
    origins = answer.json()["media_origins"]
    place = guest.raw("GET", "/media/menu/latte.webp").headers["Location"]
    assert origins == [f"http://{urlsplit(place).netloc}"]
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert origins[0] in policy["img-src"] and origins[0] in policy["connect-src"]
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"


@pytest.mark.parametrize("path", ["/", "/api/menu", "/api/nothing", "/media/x", "/health", "/api/session"])
def test_every_answer_protects(shop: str, path: str) -> None:
    headers = requests.get(shop + path, timeout=10).headers
    for name in security_headers(()):
        assert name in headers, name
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"]
    assert re.fullmatch(r"[0-9a-f]{32}", headers["X-Request-Id"])


def test_the_request_id_is_taken_over_and_named_in_errors(guest: Browser) -> None:
    problem = guest.get("/api/orders/nothing", expect=404, headers={"X-Request-Id": "Root=1-abc-def"})
    assert problem["request_id"] == "Root=1-abc-def"
    forged = guest.raw("GET", "/health", headers={"X-Request-Id": "a b<script>"}).headers["X-Request-Id"]
    assert forged != "a b<script>"


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/api/nothing", {}, 404),
        ("PATCH", "/api/menu", {}, 405),
        ("GET", "/api/menu/nothing", {}, 404),
        ("GET", "/api/menu?max_price_cents=-1", {}, 422),
        ("GET", "/media/uploads/01KAN8M3T6Q0X3D1V7C5W9R2YB", {}, 404),
        ("GET", "/media/menu/%2e%2e/secret", {}, 404),
        ("GET", "/media/menu/" + "x" * 10_000, {}, 404),
        ("PUT", "/api/cart", {"data": "null", "headers": {"Content-Type": "application/json"}}, 422),
        ("PUT", "/api/cart", {"json": {"lines": ["latte"]}}, 422),
        ("PUT", "/api/cart", {"json": {"lines": {"0": "latte"}}}, 422),
        ("GET", "/api/orders?limit=" + "9" * 30, {}, 422),
        ("PUT", "/api/cart", {"data": "{", "headers": {"Content-Type": "application/json"}}, 400),
        ("PUT", "/api/cart", {"data": "lines=1"}, 415),
        ("PUT", "/api/cart", {"data": "[]", "headers": {"Content-Type": "application/json"}}, 422),
        ("PUT", "/api/cart", {"data": b"\xff\xfe", "headers": {"Content-Type": "application/json"}}, 400),
        ("PUT", "/api/cart", {"json": {"lines": "x" * MAX_BODY}}, 413),
        ("PUT", "/api/cart", {"json": {"lines": [], "colour": 1}}, 422),
        ("PUT", "/api/cart", {"json": {"lines": [{"product_id": "latte", "size": "s", "quantity": 0}]}}, 422),
        ("PUT", "/api/cart", {"json": {"lines": [{"product_id": "latte", "size": "s", "quantity": 10**6}]}}, 422),
        ("PUT", "/api/cart", {"json": {"lines": [{"product_id": "latte", "size": "s", "quantity": "2"}]}}, 422),
        ("PUT", "/api/cart", {"json": {"lines": [{"product_id": "latte", "size": "s", "quantity": True}]}}, 422),
        ("PUT", "/api/cart", {"json": {"lines": [{"product_id": "latte", "size": "s", "note": "n" * 10_000}]}}, 422),
        ("PUT", "/api/cart", {"json": {"lines": [{"product_id": "latte", "size": "s"}] * 21}}, 422),
        ("POST", "/api/orders", {"json": {"lines": [{"product_id": "latte", "size": "large"}]}}, 422),
        ("POST", "/api/orders", {"json": {"lines": []}, "headers": {"Idempotency-Key": "k" * 20}}, 422),
        ("POST", "/api/orders", {"json": {"lines": []}, "headers": {"Idempotency-Key": "short"}}, 422),
    ],
)
def test_errors_are_problems_in_words(
    guest: Browser, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    answer = guest.raw(method, path, **options)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert problem["status"] == status
    assert re.search(r"[a-z]{3}.*[.)]$", problem["detail"]), problem["detail"]
    assert not re.search(r"Input|should|valid|\w\.\d|\w_\w", problem["detail"]), problem["detail"]
    assert len(answer.content) < 2_000


def test_a_problem_names_the_place_as_people_count_and_the_field_as_programs_do(guest: Browser) -> None:
    lines = [{"product_id": "latte", "size": "s"}, {"product_id": "latte", "size": "s", "quantity": 99}]
    problem = guest.put("/api/cart", {"lines": lines}, expect=422)
    assert problem["detail"] == "Line 2, quantity: Not more than 20."
    assert problem["errors"] == [{"field": "lines.1.quantity", "message": "Not more than 20."}]


def test_a_library_never_speaks_for_the_shop(manager: Browser) -> None:
    """What only staff can get wrong: a choice, a pattern, a day."""
    upload = manager.post("/api/uploads", {"content_type": "image/gif", "size_bytes": 9}, expect=422)
    assert upload["detail"] == "Content type: One of these, please: 'image/jpeg', 'image/png' or 'image/webp'."
    move = manager.post("/api/orders/x/status", {"status": "drunk", "version": 1}, expect=422)
    assert move["detail"].startswith("Status: One of these, please: 'awaiting_payment', 'new'")
    named = manager.post("/api/products", {"id": "A B"}, expect=422, headers={"Idempotency-Key": "k" * 20})
    assert {"field": "id", "message": "2 to 40 small letters, digits and dashes, please."} in named["errors"]
    assert not [each for each in named["errors"] if re.search(r"Input|should|Field required", each["message"])]


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_a_probe_may_ask_with_head(shop: str, path: str) -> None:
    answer = requests.head(shop + path, timeout=10)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_lone_surrogate_does_not_break_anything(guest: Browser) -> None:
    body = '{"lines": [{"product_id": "latte", "size": "large", "note": "\\ud800"}]}'
    guest.raw("PUT", "/api/cart", data=body, headers={"Content-Type": "application/json"})
    assert guest.raw("PUT", "/api/cart", data=body, headers={"Content-Type": "application/json"}).status_code == 422


def test_a_body_that_grows_beyond_the_limit_is_cut_off(guest: Browser) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"lines": ['
        for _ in range(30):
            yield b" " * 4_000

    headers = {"Content-Type": "application/json"}
    assert guest.raw("PUT", "/api/cart", data=endless(), headers=headers).status_code == 413


def test_a_content_length_that_is_no_number(shop: str) -> None:
    place = urlsplit(shop)
    with socket.create_connection((place.hostname, place.port), timeout=5) as wire:
        wire.sendall(b"POST /api/session HTTP/1.1\r\nHost: shop\r\nContent-Length: many\r\n\r\n")
        assert b" 400 " in wire.recv(200)


def test_pages_are_kept_and_asked_for_again(paged_shop: str) -> None:
    page = requests.get(f"{paged_shop}/", timeout=10)
    assert (page.status_code, page.headers["Cache-Control"]) == (200, "no-cache")
    again = requests.get(f"{paged_shop}/", headers={"If-None-Match": page.headers["ETag"]}, timeout=10)
    assert (again.status_code, again.content) == (304, b"")
    assert page.headers["Content-Encoding"] == "gzip"
    assert requests.get(f"{paged_shop}/type.woff2", timeout=10).headers["Cache-Control"].startswith("public")
    script = requests.get(f"{paged_shop}/app.js", timeout=10)
    assert script.headers["Content-Type"].startswith("text/javascript")


def test_a_missing_page_is_a_page_and_a_missing_route_is_a_problem(paged_shop: str) -> None:
    page = requests.get(f"{paged_shop}/nothing", timeout=10)
    assert (page.status_code, "Nothing here" in page.text) == (404, True)
    for path in ("/api/nothing", "/media/menu/a%0Ab.webp", "/media/"):
        problem = requests.get(paged_shop + path, timeout=10)
        assert (problem.status_code, problem.json()["status"]) == (404, 404), path
    assert requests.patch(f"{paged_shop}/api/menu", timeout=10).status_code == 405
    assert requests.post(f"{paged_shop}/app.js", timeout=10).status_code == 405
    assert requests.get(f"{paged_shop}/../../etc/passwd", timeout=10).status_code == 404
    assert requests.get(f"{paged_shop}/..%2f..%2fetc/passwd", timeout=10).status_code == 404


def test_ready_tells_what_is_missing_and_health_does_not_care(services: Services, shop: str) -> None:
    assert requests.get(f"{shop}/ready", timeout=10).json()["status"] == "ready"

    def away() -> None:
        raise OSError("no route to the table")

    with serving(create_app(replace(services, checks={"table": away, "secret": lambda: None}))) as address:
        answer = requests.get(f"{address}/ready", timeout=10)
        assert answer.status_code == 503
        assert answer.json() == {
            "status": "not ready",
            "checks": {"table": "does not answer (OSError)", "secret": "ok"},
        }
        assert requests.get(f"{address}/health", timeout=10).status_code == 200


def test_a_probe_that_fails_as_expected_costs_one_line_of_log(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Table(boto3.client("dynamodb"), "no-such-table")
    checks = {"table": lambda: gone.get(("a", "b"))}
    with serving(create_app(replace(services, checks=checks))) as address, caplog.at_level(logging.INFO, "shop"):
        assert requests.get(f"{address}/ready", timeout=10).status_code == 503
        caplog.clear()
        answer = requests.get(f"{address}/ready", timeout=10)
    assert answer.json()["checks"] == {"table": "does not answer (Unavailable)"}
    [record] = [each for each in caplog.records if each.name.startswith("shop")]
    assert not record.exc_info
    assert "GetItem" in record.getMessage()


def test_a_mistake_of_the_shop_is_noted_and_not_shown(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def board(self) -> None:
            raise KeyError("a secret detail")

        menu = board

    with serving(create_app(replace(services, catalog=Broken()))) as address:  # type: ignore[arg-type]
        answer = requests.get(f"{address}/api/menu", timeout=10)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.json()["request_id"]
    assert any(record.exc_info and "secret" in str(record.exc_info[1]) for record in caplog.records)


def test_logs_are_lines_of_json_with_the_request_id(shop: str) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonLines())
    logger = logging.getLogger("shop.requests")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        requests.get(f"{shop}/api/menu", headers={"X-Request-Id": "test-request-1"}, timeout=10)
        requests.get(f"{shop}/health", timeout=10)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    [line] = [json.loads(text) for text in written.getvalue().splitlines()]
    assert line["request_id"] == "test-request-1"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/menu", 200)
    assert line["ms"] > 0


def test_a_log_line_holds_the_whole_error() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("shop", logging.ERROR, __file__, 1, "it %s", ("broke",), sys.exc_info())
    text = logs.JsonLines().format(record)
    assert "\n" not in text
    assert json.loads(text)["message"] == "it broke"
    assert "ValueError: two" in json.loads(text)["error"]


def test_uvicorn_writes_no_second_access_log() -> None:
    logs.set_up()
    assert not uvicorn.Config("shop", access_log=False, log_config=None).access_log
    assert logging.getLogger("uvicorn.access").handlers == []
