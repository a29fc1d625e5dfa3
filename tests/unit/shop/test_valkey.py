"""Valkey makes the shop quicker, and nothing about it can make the shop wrong: sessions, attempts, the connection."""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest

from shop.adapters import keys, valkey_sessions
from shop.adapters.people import Argon2Hasher
from shop.adapters.secret import Login
from shop.adapters.valkey_client import ValkeyClient
from shop.adapters.valkey_store import Away, ValkeyStore
from shop.domain import ids
from shop.domain.accounts import new_session_id
from shop.domain.customers import Caller, Role
from shop.domain.errors import SignInNeeded, TooMany
from shop.domain.orders import Choice
from shop.domain.sessions import Session
from shop.services import Services
from shop.settings import Settings
from shop.wiring import build
from tests.plugins.engines import Valkey
from tests.unit.shop.conftest import say, settle

LATTE = Choice("latte", "large", ("oat-milk",), 2, "hot")
NewTask = Callable[[], Services]


@pytest.fixture
def before(settings: Settings, logins: None, valkey: Valkey, path: str) -> Iterator[NewTask]:
    """Makes tasks of the shop of which each has read the parameter, and none has settled."""
    made: list[Services] = []

    def new() -> Services:
        made.append(replace(build(replace(settings, config_parameter=path)), hasher=Argon2Hasher(memory_kib=64)))
        made[-1].seam.refresh()
        return made[-1]

    yield new
    for services in made:
        services.seam.close()


@pytest.fixture
def task(before: NewTask, valkey: Valkey, path: str) -> NewTask:
    """Makes tasks whose sessions are in Valkey."""
    say(path, sessions="valkey", valkey=valkey.place)

    def new() -> Services:
        services = before()
        settle(services)
        return services

    return new


def store(services: Services) -> ValkeyStore:
    found: ValkeyStore = services.sessions._store  # type: ignore[attr-defined]
    return found


def a_session(**more: Any) -> Session:
    caller = Caller("guest-1", ids.new_id(), "Ada", "ada@example.org", Role.CUSTOMER)
    at = ids.now().replace(microsecond=0) + timedelta(days=1)
    return replace(Session(new_session_id(), caller, at, cart=(LATTE,)), **more)


class Reads:
    """Counts how often sessions are read from the table."""

    def __init__(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        table = services.sessions._table  # type: ignore[attr-defined]
        load = table.load

        def counted(session_id: str) -> Session | None:
            self.count += 1
            found: Session | None = load(session_id)
            return found

        monkeypatch.setattr(table, "load", counted)


def copies(valkey: Valkey) -> dict[str, str]:
    client = valkey.client
    return {name: client.get(name) for name in client.keys("shop:*")}


def test_valkey_answers_and_the_table_keeps(task: NewTask, valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = task(), task()
    reads = Reads(b, monkeypatch)
    session = a_session()
    a.sessions.save(session)
    assert b.sessions.load(session.id) == session
    changed = replace(session, cart=(LATTE, LATTE))
    b.sessions.save(changed)
    assert a.sessions.load(session.id) == changed
    assert reads.count == 0
    [name] = copies(valkey)
    assert session.id not in name + copies(valkey)[name]
    assert 0 < valkey.client.ttl(name) <= valkey_sessions.COPY_SECONDS
    valkey.empty()  # a restart, or not enough memory
    assert b.sessions.load(session.id) == changed
    assert reads.count == 1


def test_a_session_of_phase_1_is_found_once_and_moves(
    before: NewTask, task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = a_session()
    before().sessions._table.save(session)  # type: ignore[attr-defined]
    a = task()
    reads = Reads(a, monkeypatch)
    assert [a.sessions.load(session.id) for _ in range(3)] == [session] * 3
    assert reads.count == 1


def test_who_has_no_session_is_asked_for_once(task: NewTask, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = task(), task()
    reads = Reads(a, monkeypatch)
    session = a_session()
    assert [a.sessions.load(session.id) for _ in range(3)] == [None] * 3
    assert reads.count == 1
    b.sessions.save(session)
    assert a.sessions.load(session.id) == session


def test_signing_out_is_seen_everywhere_at_once(task: NewTask, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = task(), task()
    session = a_session()
    a.sessions.save(session)
    assert b.sessions.load(session.id) == session
    a.sessions.revoke(session.id)
    loaded = b.sessions.load(session.id)
    assert loaded and loaded.revoked
    with pytest.raises(SignInNeeded):
        b.sessions.save(session)


def test_signing_out_everywhere(task: NewTask) -> None:
    a, b = task(), task()
    session = a_session()
    other = replace(session, id=new_session_id())
    strangers = a_session()
    for each in (session, other, strangers):
        a.sessions.save(each)
    b.sessions.revoke_all(session.caller.customer_id or "")
    revoked = [a.sessions.load(each.id) for each in (session, other, strangers)]
    assert [each and each.revoked for each in revoked] == [True, True, False]


def test_a_save_that_is_slower_than_signing_out_revives_nobody(task: NewTask, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = task(), task()
    session = a_session()
    a.sessions.save(session)
    table = a.sessions._table  # type: ignore[attr-defined]
    save = table.save

    def slow(each: Session) -> None:
        save(each)
        b.sessions.revoke(each.id)

    monkeypatch.setattr(table, "save", slow)
    a.sessions.save(replace(session, cart=()))
    loaded = a.sessions.load(session.id)
    assert loaded and loaded.revoked


def test_a_read_that_is_slower_than_a_change_leaves_no_old_copy(task: NewTask, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = task(), task()
    session = a_session()
    a.sessions._table.save(session)  # type: ignore[attr-defined]
    changed = replace(session, cart=())
    table = a.sessions._table  # type: ignore[attr-defined]
    load = table.load

    def slow(session_id: str) -> Any:
        found = load(session_id)
        b.sessions.save(changed)
        return found

    monkeypatch.setattr(table, "load", slow)
    a.sessions.load(session.id)
    monkeypatch.setattr(table, "load", load)
    assert a.sessions.load(session.id) == changed


def test_a_copy_lives_no_longer_than_its_session(task: NewTask, valkey: Valkey) -> None:
    a = task()
    a.sessions.save(a_session(expires_at=ids.now() + timedelta(seconds=90)))
    [name] = copies(valkey)
    assert 80 < valkey.client.ttl(name) <= 90
    a.sessions.save(a_session(expires_at=ids.now() - timedelta(seconds=1)))
    assert list(copies(valkey)) == [name]


def test_until_every_task_has_heard_of_it_copies_are_only_taken_away(
    before: NewTask, task: NewTask, valkey: Valkey, path: str
) -> None:
    """A task that still writes to the table alone must not leave an old copy behind it."""
    settled, young = task(), before()
    session = a_session()
    settled.sessions.save(session)
    assert len(copies(valkey)) == 1
    changed = replace(session, cart=())
    young.sessions.save(changed)
    assert copies(valkey) == {}
    assert young.sessions.load(session.id) == changed
    assert copies(valkey) == {}
    assert settled.sessions.load(session.id) == changed
    young.sessions.revoke(session.id)
    loaded = settled.sessions.load(session.id)
    assert loaded and loaded.revoked


def test_another_parameter_does_not_meet_the_copies_of_the_one_before(
    task: NewTask, valkey: Valkey, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = task()
    session = a_session()
    a.sessions.save(session)
    table = a.sessions._table  # type: ignore[attr-defined]
    changed = replace(session, cart=())
    table.save(changed)  # as a task that went back to phase 1's way
    time.sleep(1.1)  # the parameter's time is in seconds
    say(path, sessions="valkey", menu_cache="valkey", valkey=valkey.place)
    a.seam.refresh()
    assert a.sessions.load(session.id) == changed


def test_without_valkey_nobody_is_signed_out_and_no_cart_is_lost(
    task: NewTask, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    a = task()
    kept, changes, leaves = a_session(), a_session(), a_session()
    for session in (kept, changes, leaves):
        a.sessions.save(session)
    valkey.stop()
    try:
        assert a.sessions.load(kept.id) == kept
        changed = replace(changes, cart=(LATTE, LATTE))
        a.sessions.save(changed)
        a.sessions.revoke(leaves.id)
        new = a_session()
        a.sessions.save(new)
        a.limiter.count("sign-in", "ada", limit=5, window=timedelta(minutes=15))
        ready, checks = a.readiness()
        assert ready
        assert checks["cache"] == "does not answer; the shop goes on without it, slower"
    finally:
        valkey.start()
    time.sleep(1.1)
    assert a.sessions.load(kept.id) == kept
    assert a.sessions.load(changes.id) == changed
    assert a.sessions.load(new.id) == new
    gone = a.sessions.load(leaves.id)
    assert gone and gone.revoked
    assert a.readiness()[1]["cache"] == "ok"
    assert caplog.text.count("Valkey at localhost does not answer") == 1
    assert caplog.text.count("Valkey at localhost answers again") == 1


def test_what_changed_while_valkey_hung_is_taken_away_before_it_is_asked_again(task: NewTask, valkey: Valkey) -> None:
    """It forgets nothing while it hangs: the old copies are still there when it goes on."""
    a, b = task(), task()
    changes, leaves = a_session(), a_session()
    for session in (changes, leaves):
        a.sessions.save(session)
    changed = replace(changes, cart=())
    valkey.freeze()
    try:
        begun = time.monotonic()
        a.sessions.save(changed)
        a.sessions.revoke(leaves.id)
        for _ in range(20):
            assert a.sessions.load(changes.id) == changed
        assert time.monotonic() - begun < 3  # the first has waited for a quarter of a second, the others not at all
    finally:
        valkey.thaw()
    assert len(copies(valkey)) == 2
    time.sleep(1.1)
    a.seam.refresh()  # as every ten seconds, whether a guest comes by or not
    assert b.sessions.load(changes.id) == changed
    gone = b.sessions.load(leaves.id)
    assert gone and gone.revoked


def test_attempts_are_counted_together_and_in_the_table_while_valkey_is_away(task: NewTask, valkey: Valkey) -> None:
    a, b = task(), task()
    window = timedelta(minutes=15)

    def count(services: Services) -> None:
        services.limiter.count("sign-in", "ada@1.2.3.4", limit=3, window=window)

    for services in (a, b, a):
        count(services)
    with pytest.raises(TooMany) as refused:
        count(b)
    assert 0 < refused.value.retry_after <= 900
    [name] = copies(valkey)
    assert "ada" not in name
    assert 0 < valkey.client.ttl(name) <= 902
    b.limiter.forget("sign-in", "ada@1.2.3.4", window=window)
    count(a)
    valkey.stop()
    try:
        for services in (a, b, a):
            count(services)
        with pytest.raises(TooMany):
            count(b)
    finally:
        valkey.start()


def test_a_password_that_was_rotated_is_read_again(
    settings: Settings, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.adapters.secret._REREAD_SECONDS", 0.0)
    vault = boto3.client("secretsmanager")

    def rotate(password: str) -> None:
        valkey.client.acl_setuser(
            "rotating", True, reset=True, passwords=[f"+{password}"], keys=["*"], categories=["+@all"]
        )
        secret = json.dumps({"username": "rotating", "password": password})
        with contextlib.suppress(vault.exceptions.ResourceExistsException):
            vault.create_secret(Name="rotating-valkey", SecretString=secret)
        vault.put_secret_value(SecretId="rotating-valkey", SecretString=secret)

    rotate("first")
    client = ValkeyClient(valkey.place, Login(vault, "rotating-valkey", "Valkey"), connections=2)
    assert client.client.ping()
    rotate("second")
    client.client.connection_pool.disconnect()
    with pytest.raises(client.failures) as refused:
        client.client.ping()
    client.failed(refused.value)
    assert client.client.ping()


def test_a_login_that_cannot_be_read_makes_the_shop_slower_and_breaks_nothing(
    settings: Settings, before: NewTask, valkey: Valkey, path: str
) -> None:
    say(path, sessions="valkey", menu_cache="valkey", valkey=replace(valkey.place, secret_arn="no-such-secret"))
    a = before()
    settle(a)
    session = a_session()
    a.sessions.save(session)
    assert a.sessions.load(session.id) == session
    assert a.catalog.menu()
    a.limiter.count("sign-in", "ada", limit=5, window=timedelta(minutes=15))
    assert a.readiness()[0]


def test_a_user_that_may_not_read_the_shops_keys_is_no_cache(
    settings: Settings, before: NewTask, valkey: Valkey, path: str
) -> None:
    vault = boto3.client("secretsmanager")
    rules: dict[str, Any] = {"passwords": ["+narrow-password"], "categories": ["+@all"]}
    valkey.client.acl_setuser("narrow", True, reset=True, keys=["shop"], **rules)
    secret = json.dumps({"username": "narrow", "password": "narrow-password"})
    arn = vault.create_secret(Name="narrow-valkey", SecretString=secret)["ARN"]
    say(path, sessions="valkey", menu_cache="valkey", valkey=replace(valkey.place, secret_arn=arn))
    a = before()
    settle(a)
    ready, checks = a.readiness()
    assert ready
    assert checks["cache"] == "does not answer; the shop goes on without it, slower"
    valkey.client.acl_setuser("narrow", True, reset=True, keys=["shop:*"], **rules)
    time.sleep(1.1)
    assert a.readiness()[1]["cache"] == "ok"


def test_who_is_not_to_be_asked_is_away() -> None:
    nobody: Any = None
    with pytest.raises(Away):
        ValkeyStore(nobody, longest=1).ask(lambda client: client.ping())


def test_the_layout_of_names(task: NewTask, valkey: Valkey) -> None:
    """Everything is below `shop:`, so that the user's rules in Valkey may say so."""
    a = task()
    session = a_session()
    a.sessions.save(session)
    a.limiter.count("sign-in", "ada", limit=5, window=timedelta(minutes=15))
    names = sorted(name.split(":", 2)[2] for name in copies(valkey))
    assert names[0].startswith("RATE#sign-in#")
    assert names[1:] == [keys.session(session.id)[0]]
