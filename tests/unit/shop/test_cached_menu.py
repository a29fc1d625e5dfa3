"""The menu's copy in Valkey: loaded once however many ask, never older than a manager's change, and never needed."""

import contextlib
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from shop.adapters.cache_aside import CacheAside
from shop.adapters.valkey_store import Away, ValkeyStore
from shop.domain.catalog import Product
from shop.domain.customers import Caller
from shop.domain.errors import Unavailable
from shop.domain.orders import Choice
from shop.services import Services
from shop.settings import Settings
from shop.wiring import build
from tests.plugins.engines import Postgres, Valkey
from tests.unit.shop.conftest import say, settle, until

NewTask = Callable[..., Services]
GUEST = Caller("guest-1")


@pytest.fixture
def task(settings: Settings, path: str, logins: None, valkey: Valkey, postgres: Postgres) -> Iterator[NewTask]:
    """Makes tasks whose menu is in Valkey; `orders` may be in PostgreSQL."""
    made: list[Services] = []

    def new(*, orders: str = "dynamodb") -> Services:
        if not made:
            postgres.empty({"croissant": 5})
            say(path, orders=orders, menu_cache="valkey", valkey=valkey.place, postgresql=postgres.place)
        made.append(build(replace(settings, config_parameter=path)))
        made[-1].seam.refresh()
        settle(made[-1])
        return made[-1]

    yield new
    for services in made:
        services.seam.close()


class Loads:
    """Counts how often the menu is read from its source, and makes that slow."""

    def __init__(self, services: Services, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0) -> None:
        self.count = 0
        self.begun = threading.Event()
        source = services.catalog._source  # type: ignore[attr-defined]
        menu = source.menu

        def counted(category: str | None = None) -> list[Product]:
            self.count += 1
            self.begun.set()
            found: list[Product] = menu(category)
            time.sleep(seconds)
            return found

        monkeypatch.setattr(source, "menu", counted)


def stock_on_menu(services: Services) -> int | None:
    [croissant] = services.catalog.menu("bakery")
    return croissant.stock


def test_the_copy_is_the_menu(task: NewTask, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = task(), task()
    source = a.catalog._source.menu()  # type: ignore[attr-defined]
    assert a.catalog.menu() == source
    loads = Loads(b, monkeypatch)
    assert b.catalog.menu() == source
    assert b.catalog.menu("coffee") == [product for product in source if product.category == "coffee"]
    assert b.catalog.menu("nothing") == []
    assert loads.count == 0


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Valkey may be slow: with 32 threads on a busy machine it is, and that is not what is looked at here."""
    for name in ("valkey_client._CONNECT_SECONDS", "valkey_client._ANSWER_SECONDS", "cache_aside._WAIT_SECONDS"):
        monkeypatch.setattr(f"shop.adapters.{name}", 20)


@pytest.mark.usefixtures("patient")
def test_thirty_two_guests_at_one_moment_are_one_load(task: NewTask, monkeypatch: pytest.MonkeyPatch) -> None:
    a = connected(task())
    loads = Loads(a, monkeypatch, seconds=0.3)
    assert len(_at_once([a] * 32)) == 1
    assert loads.count == 1


@pytest.mark.usefixtures("patient")
def test_thirty_two_guests_of_two_tasks_are_one_load(task: NewTask, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = connected(task()), connected(task())
    loads = [Loads(each, monkeypatch, seconds=0.3) for each in (a, b)]
    assert len(_at_once([a, b] * 16)) == 1
    assert sum(each.count for each in loads) == 1


@pytest.mark.usefixtures("patient")
def test_who_missed_the_copy_and_then_gets_the_lease_looks_again(task: NewTask) -> None:
    store: ValkeyStore = connected(task()).catalog._store  # type: ignore[attr-defined]
    store.ask(lambda client: client.set(store.name("late"), b"brought meanwhile"))

    def load() -> bytes:
        raise AssertionError("loaded although the copy is there")

    assert CacheAside(store, 60)._load("late", load) == b"brought meanwhile"
    assert store.ask(lambda client: client.exists(store.name("lease:late"))) == 0


def connected(services: Services) -> Services:
    """With a connection to Valkey for each thread, so that nobody waits for a handshake."""
    store: ValkeyStore = services.catalog._store  # type: ignore[attr-defined]
    gate = threading.Barrier(32)

    def connect(_: int) -> str | None:
        with contextlib.suppress(Away):
            store.ask(lambda client: (client.ping(), gate.wait(10)))
        return store.check()

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(connect, range(32)))
    until(lambda: store.check() is None, 5, "Valkey does not answer")
    return services


def _at_once(tasks: list[Services]) -> Counter[int]:
    """All ask for the menu at the same moment; how many different answers there were."""
    gate = threading.Barrier(len(tasks))

    def ask(services: Services) -> int:
        gate.wait()
        return hash(repr(services.catalog.menu()))

    with ThreadPoolExecutor(len(tasks)) as pool:
        return Counter(pool.map(ask, tasks))


def test_without_valkey_thirty_two_guests_are_still_one_load(
    task: NewTask, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = task()
    loads = Loads(a, monkeypatch, seconds=0.5)
    valkey.stop()
    try:
        assert len(_at_once([a] * 32)) == 1
        assert loads.count == 1
    finally:
        valkey.start()


def test_a_task_that_dies_while_it_loads_holds_up_the_others_for_a_second(
    task: NewTask, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = task()
    loads = Loads(a, monkeypatch)
    lease = a.catalog._store.name("lease:menu")  # type: ignore[attr-defined]
    valkey.client.set(lease, "of a task that is gone", px=60_000)
    begun = time.monotonic()
    assert a.catalog.menu()
    assert 0.9 < time.monotonic() - begun < 5
    assert loads.count == 1


def test_a_load_that_fails_fails_for_who_waits_and_not_for_who_comes_later(
    task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = task()
    source = a.catalog._source  # type: ignore[attr-defined]
    menu = source.menu
    begun = threading.Event()

    def fails(category: str | None = None) -> list[Product]:
        begun.set()
        time.sleep(0.2)
        raise Unavailable("the table is away")

    monkeypatch.setattr(source, "menu", fails)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(a.catalog.menu) for _ in range(3)]
        assert begun.wait(5)
    assert all(isinstance(each.exception(), Unavailable) for each in asked)
    monkeypatch.setattr(source, "menu", menu)
    at = time.monotonic()
    assert a.catalog.menu()
    assert time.monotonic() - at < 0.9  # nobody else's lease is waited for


@pytest.mark.parametrize("orders", ["dynamodb", "postgresql"])
def test_every_change_is_on_the_menu_at_once_in_every_task(task: NewTask, orders: str) -> None:
    a, b = task(orders=orders), task(orders=orders)
    assert stock_on_menu(a) == stock_on_menu(b) == 5
    order = a.ordering.place(GUEST, [Choice("croissant", "piece", quantity=2)], key=str(uuid.uuid4()))
    assert stock_on_menu(b) == stock_on_menu(a) == 3
    b.ordering.cancel(GUEST, order.id)
    assert stock_on_menu(a) == stock_on_menu(b) == 5
    b.catalog.set_stock("croissant", 9, expected=5)
    assert stock_on_menu(a) == 9
    [croissant] = a.catalog.menu("bakery")
    a.catalog.replace(replace(croissant, name="Kipferl", version=croissant.version + 1))
    assert [product.name for product in b.catalog.menu("bakery")] == ["Kipferl"]
    new = replace(croissant, id="strudel", stock=None, version=1)
    b.catalog.add(new, "guest-9#key-of-strudel", "f")
    assert "strudel" in {product.id for product in a.catalog.menu()}


def test_what_is_loaded_while_it_changes_is_not_kept(task: NewTask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader has the menu of before the change in hand, and puts it down after the change has taken copies away."""
    a, b = task(), task()
    loads = Loads(a, monkeypatch, seconds=0.4)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(stock_on_menu, a)
        assert loads.begun.wait(5)
        time.sleep(0.1)
        b.catalog.set_stock("croissant", 7, expected=None)
        assert reading.result(5) == 5  # began before the change
    assert stock_on_menu(b) == stock_on_menu(a) == 7


def test_who_comes_after_a_change_does_not_get_what_others_still_load(
    task: NewTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = task()
    loads = Loads(a, monkeypatch, seconds=0.4)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(stock_on_menu, a)
        assert loads.begun.wait(5)
        time.sleep(0.1)
        a.catalog.set_stock("croissant", 7, expected=None)
        assert stock_on_menu(a) == 7
        assert reading.result(5) == 5
    assert stock_on_menu(a) == 7


def test_copies_do_not_all_run_out_at_the_same_moment(task: NewTask, valkey: Valkey) -> None:
    a = task()
    name = a.catalog._store.name("menu")  # type: ignore[attr-defined]
    lives = []
    for _ in range(12):
        a.catalog.menu()
        lives.append(valkey.client.pttl(name))
        a.catalog.changed()  # type: ignore[attr-defined]
    assert all(24_000 - 500 < life <= 36_000 for life in lives)
    assert max(lives) - min(lives) > 500


def test_when_a_copy_runs_out_it_is_loaded_again(task: NewTask) -> None:
    store: ValkeyStore = task().catalog._store  # type: ignore[attr-defined]
    copies = CacheAside(store, seconds=0.1)
    loads: list[int] = []

    def load() -> bytes:
        loads.append(1)
        return b"%d" % len(loads)

    assert [copies.get("short", load) for _ in range(3)] == [b"1"] * 3
    time.sleep(0.15)
    assert copies.get("short", load) == b"2"


def test_while_valkey_is_away_the_menu_is_the_sources(
    task: NewTask, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = task()
    a.catalog.menu()
    valkey.freeze()
    try:
        loads = Loads(a, monkeypatch)
        a.catalog.set_stock("croissant", 2, expected=None)
        begun = time.monotonic()
        assert [stock_on_menu(a) for _ in range(5)] == [2] * 5
        assert time.monotonic() - begun < 2
        assert loads.count == 5
    finally:
        valkey.thaw()
    time.sleep(1.1)
    assert stock_on_menu(a) == 2  # and not the copy that Valkey still had


def test_what_prices_an_order_is_never_a_copy(task: NewTask, dynamodb: Any) -> None:
    """A price that somebody changed behind the shop's back counts at once where it costs money."""
    a = task()
    a.catalog.menu()
    dynamodb.update_item(
        TableName="catalog",
        Key={"pk": {"S": "PRODUCT#croissant"}, "sk": {"S": "PRODUCT"}},
        UpdateExpression="SET sizes[0].price_cents = :price",
        ExpressionAttributeValues={":price": {"N": "999"}},
    )
    order = a.ordering.place(GUEST, [Choice("croissant", "piece")], key=str(uuid.uuid4()))
    assert order.total_cents == 999
