"""Signing up, in and out; sessions that are forged, expired, stolen or planted."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import itsdangerous
import pytest
import requests

from shop.adapters import keys
from shop.domain import accounts
from shop.domain.ids import now
from shop.services import Services
from tests.unit.shop.browser import Browser
from tests.unit.shop.conftest import IN_VALKEY_TOO, PASSWORD

pytestmark = IN_VALKEY_TOO

ADA = {"name": "Ada", "email": "Ada@Example.org", "password": PASSWORD}
NewBrowser = Callable[[], Browser]


def test_sign_up_signs_in_and_is_case_blind(guest: Browser, new_browser: NewBrowser) -> None:
    guest.use_session(guest.post("/api/customers", ADA, expect=201))
    assert guest.session["customer"]["email"] == "ada@example.org"
    assert guest.session["customer"]["role"] == "customer"
    elsewhere = new_browser()
    elsewhere.use_session(elsewhere.post("/api/session", {"email": " ADA@example.ORG ", "password": PASSWORD}))
    assert elsewhere.get("/api/session")["customer"]["name"] == "Ada"


def test_the_same_sign_up_again_signs_in_but_not_with_another_password(guest: Browser, new_browser: NewBrowser) -> None:
    first = guest.post("/api/customers", ADA, expect=201)
    assert new_browser().post("/api/customers", ADA, expect=201)["customer"] == first["customer"]
    problem = new_browser().post("/api/customers", {**ADA, "password": "another password"}, expect=409)
    assert "already an account" in problem["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "A\nB"}, "name"),
        ({"email": "nobody"}, "email"),
        ({"email": "a b@example.org"}, "email"),
        ({"email": "a@localhost"}, "email"),
        ({"password": "short"}, "password"),
        ({"email": "ada@example.org", "password": "ADA@example.org"}, "password"),
    ],
)
def test_sign_up_says_what_is_wrong(guest: Browser, change: dict[str, str], field: str) -> None:
    problem = guest.post("/api/customers", {**ADA, **change}, expect=422)
    assert [each["field"] for each in problem["errors"]] == [field]


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "مقهى الملاذ", "☕️ Zoë 🙂", "Robert'); DROP TABLE--"])
def test_names_are_kept_as_they_are(guest: Browser, name: str) -> None:
    assert guest.post("/api/customers", {**ADA, "name": name}, expect=201)["customer"]["name"] == name


def test_a_wrong_password_and_an_unknown_person_sound_alike(customer: Browser, guest: Browser) -> None:
    wrong = guest.post("/api/session", {"email": "ada@example.org", "password": "not the password"}, expect=401)
    unknown = guest.post("/api/session", {"email": "who@example.org", "password": "not the password"}, expect=401)
    assert wrong["detail"] == unknown["detail"]


def test_sign_in_is_limited_and_says_for_how_long(customer: Browser, guest: Browser) -> None:
    body = {"email": "ada@example.org", "password": "not the password"}
    for _ in range(accounts.TRIES_PER_PERSON_AND_PLACE):
        guest.post("/api/session", body, expect=401)
    answer = guest.raw("POST", "/api/session", {**body, "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 900
    # Somewhere else the right person still gets in.
    guest.post("/api/session", {**body, "password": PASSWORD}, headers={"X-Forwarded-For": "1.2.3.4, 203.0.113.9"})


def test_only_the_address_that_the_load_balancer_wrote_counts(customer: Browser, guest: Browser) -> None:
    body = {"email": "ada@example.org", "password": "not the password"}
    for number in range(accounts.TRIES_PER_PERSON_AND_PLACE):
        headers = {"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.9"}
        guest.post("/api/session", body, expect=401, headers=headers)
    guest.post("/api/session", body, expect=429, headers={"X-Forwarded-For": "192.0.2.1, 203.0.113.9"})


def test_signing_in_changes_the_session_and_keeps_cart_and_orders(guest: Browser) -> None:
    guest.put("/api/cart", {"lines": [{"product_id": "latte", "size": "large"}]})
    order = guest.order()
    before = guest.cookie
    guest.use_session(guest.post("/api/customers", ADA, expect=201))
    assert guest.cookie != before
    assert guest.get("/api/cart")["lines"][0]["product_id"] == "latte"
    assert guest.get(f"/api/orders/{order['id']}")["may"]["pay"] is True


def test_a_planted_session_is_dead_after_signing_in(guest: Browser, shop: str) -> None:
    planted = guest.cookie
    guest.use_session(guest.post("/api/customers", ADA, expect=201))
    answer = requests.get(f"{shop}/api/orders", cookies={"session": planted}, timeout=10)
    assert answer.status_code == 401


def test_a_copied_session_is_dead_after_signing_out(customer: Browser, shop: str) -> None:
    copied = {"session": customer.cookie}
    assert requests.get(f"{shop}/api/session", cookies=copied, timeout=10).json()["customer"]
    customer.use_session(customer.delete("/api/session"))
    assert customer.session["customer"] is None
    assert requests.get(f"{shop}/api/session", cookies=copied, timeout=10).json()["customer"] is None
    assert requests.get(f"{shop}/api/cart", cookies=copied, timeout=10).status_code == 401


def test_sign_out_everywhere(customer: Browser, new_browser: NewBrowser) -> None:
    lost = new_browser()
    lost.use_session(lost.post("/api/session", {"email": "ada@example.org", "password": PASSWORD}))
    customer.delete("/api/session?everywhere=true")
    assert lost.get("/api/session")["customer"] is None


@pytest.mark.parametrize("cookie", ["nonsense", "a.b.c", "", "x" * 3000, "é"])
def test_a_forged_session_is_nobody(shop: str, cookie: str) -> None:
    answer = requests.get(f"{shop}/api/session", headers={"Cookie": f"session={cookie}".encode()}, timeout=10)
    assert answer.status_code == 200
    assert answer.json()["customer"] is None


def test_a_session_signed_with_another_key_is_nobody(customer: Browser, shop: str) -> None:
    session_id = customer.session_id
    forged = itsdangerous.TimestampSigner("guess", salt="shop-session").sign(session_id).decode()
    assert requests.get(f"{shop}/api/session", cookies={"session": forged}, timeout=10).json()["customer"] is None


def test_an_expired_session_is_a_guest_even_before_ttl_deletes_it(customer: Browser, services: Services) -> None:
    session = services.sessions.load(customer.session_id)
    assert session
    services.sessions.save(replace(session, expires_at=now() - timedelta(seconds=1)))
    assert customer.get("/api/session")["customer"] is None


def test_a_long_visit_is_prolonged(customer: Browser, services: Services) -> None:
    sessions = services.sessions
    session_id = customer.session_id
    session = sessions.load(session_id)
    assert session
    sessions.save(replace(session, expires_at=now() + timedelta(days=3)))
    customer.get("/api/session")
    longer = sessions.load(session_id)
    assert longer and longer.expires_at > now() + timedelta(days=25)


def test_the_table_holds_neither_session_ids_nor_passwords(customer: Browser, services: Services) -> None:
    session_id = customer.session_id
    person = services.people.by_email("ada@example.org")
    assert person and person.password_hash.startswith("$argon2id$")
    assert session_id not in keys.session(session_id)[0]


@pytest.mark.parametrize("token", [None, "", "nonsense"])
def test_a_write_needs_the_sessions_token(guest: Browser, token: str | None) -> None:
    guest.session = {}
    headers = {} if token is None else {"X-CSRF-Token": token}
    problem = guest.put("/api/cart", {"lines": []}, expect=403, headers=headers)
    assert "X-CSRF-Token" in problem["detail"]


def test_another_sessions_token_does_not_help(guest: Browser, new_browser: NewBrowser) -> None:
    guest.session = new_browser().session
    guest.put("/api/cart", {"lines": []}, expect=403)


def test_another_site_is_refused_even_with_the_token(guest: Browser) -> None:
    guest.put("/api/cart", {"lines": []}, expect=403, headers={"Sec-Fetch-Site": "cross-site"})


def test_over_tls_the_cookie_is_secure_and_bound_to_the_host(shop: str) -> None:
    plain = requests.get(f"{shop}/api/session", timeout=10).headers["Set-Cookie"]
    assert plain.startswith("session=") and "Secure" not in plain
    tls = requests.get(f"{shop}/api/session", headers={"X-Forwarded-Proto": "https"}, timeout=10)
    cookie = tls.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    for attribute in ("Secure", "HttpOnly", "Path=/", "SameSite=lax"):
        assert attribute in cookie
    assert "Domain" not in cookie
    assert "max-age=31536000" in tls.headers["Strict-Transport-Security"]


def test_bearer_tokens_are_refused_with_a_hint(shop: str) -> None:
    answer = requests.get(f"{shop}/api/orders", headers={"Authorization": "Bearer abc"}, timeout=10)
    assert answer.status_code == 401
    assert "session cookie" in answer.json()["detail"]
