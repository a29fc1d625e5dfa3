"""Orders move from the table to PostgreSQL while guests go on ordering and tasks hear of it at different moments."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shop.adapters import keys
from shop.adapters.people import Argon2Hasher
from shop.adapters.switches import Parameter, Switches
from shop.adapters.table import Table
from shop.domain import ids
from shop.domain.customers import Caller, Role
from shop.domain.errors import NotFound, OutOfStock, Unavailable
from shop.domain.hours import day_of
from shop.domain.orders import Choice, Order, Status
from shop.services import Services
from shop.settings import Settings
from shop.wiring import build
from tests.plugins.engines import Postgres
from tests.unit.shop.conftest import CROISSANT, PASSWORD, forget, say, stored, until

STOREFRONT = Path(__file__).resolve().parents[3] / "storefront"
LATTE = Choice("latte", "large", ("oat-milk",), 2, "hot")
PIECE = Choice("croissant", "piece")
GUEST = Caller("guest-1")
BARISTA = Caller("guest-9", "staff", "Grace", "grace@example.org", Role.BARISTA)
NewTask = Callable[[], Services]


@pytest.fixture
def here(settings: Settings, path: str, logins: None, postgres: Postgres) -> Settings:
    """Settings with a parameter of their own, and an empty PostgreSQL."""
    postgres.empty({})
    return replace(settings, config_parameter=path)


@pytest.fixture
def task(here: Settings) -> Iterator[NewTask]:
    """Makes tasks of the shop: each reads the parameter only when it is told to, or has a reason."""
    made: list[Services] = []

    def new() -> Services:
        made.append(replace(build(here), hasher=Argon2Hasher(memory_kib=64)))
        return made[-1]

    yield new
    for services in made:
        services.seam.close()


@pytest.fixture
def move(here: Settings, postgres: Postgres) -> Callable[[], None]:
    """Says in the parameter that orders live in PostgreSQL."""
    return lambda: say(here.config_parameter, orders="postgresql", postgresql=postgres.place)


def home(services: Services) -> Any:
    return services.orders._home  # type: ignore[attr-defined]


def in_postgres(services: Services) -> bool:
    return home(services).postgres is not None


def place(services: Services, *choices: Choice, caller: Caller = GUEST, key: str = "") -> Order:
    return services.ordering.place(caller, choices or (LATTE, PIECE), key=key or str(uuid.uuid4()))


def placed_and_moved(services: Services, status: Status, caller: Caller = GUEST) -> Order:
    order = place(services, LATTE, caller=caller)
    if status is Status.CANCELLED:
        return services.ordering.cancel(caller, order.id)
    order = services.ordering.pay(caller, order.id, "tok_visa") if status is not Status.AWAITING_PAYMENT else order
    for step in (Status.MAKING, Status.READY, Status.COLLECTED):
        if order.status is not status and status in {Status.MAKING, Status.READY, Status.COLLECTED}:
            order = services.ordering.move(BARISTA, order.id, step, order.version)
    return order


def everything(services: Services, orders: list[Order]) -> dict[str, Any]:
    """All that can be asked about these orders."""
    today = day_of(ids.now(), services.zone)
    book = services.orders
    return {
        "each": [book.find(order.id) for order in orders],
        "mine": [book.of_owner(owner, 50) for owner in sorted({order.owner for order in orders})],
        "open": book.open_orders(),
        "collected": book.collected_on(today, 50),
        "sales": sorted(book.sales_on(today), key=lambda sale: sale.order_id),
        "menu": services.catalog.menu(),
    }


def test_everything_is_carried_over_once(task: NewTask, move: Callable[[], None], postgres: Postgres) -> None:
    a = task()
    ada = a.accounts.register(name="Ada", email=f"{uuid.uuid4()}@a.org", password=PASSWORD, role=Role.CUSTOMER)
    a.accounts.register(name="Bob", email=f"{uuid.uuid4()}@a.org", password=PASSWORD, role=Role.CUSTOMER)
    customer = Caller("guest-2", ada.id, "Ada", ada.email, Role.CUSTOMER)
    orders = [placed_and_moved(a, status) for status in Status]
    orders.append(placed_and_moved(a, Status.NEW, customer))
    key = "a-key-from-before"
    orders.append(place(a, PIECE, key=key))
    before = everything(a, orders)
    move()
    a.seam.refresh()
    assert in_postgres(a)
    assert postgres.sql("select product_id, stock from inventory") == [("croissant", 4)]
    assert everything(a, orders) == before
    assert place(a, PIECE, key=key).id == orders[-1].id  # a try of before the move, sent again
    assert postgres.sql("select id, email, name from customers") == [(ada.id, ada.email, "Ada")]
    assert postgres.sql("select count(*), count(customer_id) from orders") == [(8, 1)]
    assert dict(postgres.sql("select what, count from carried_over")) == {
        "orders": 8,
        "customers": 1,
        "keys": 8,
        "stock": 1,
    }
    paid = [order for order in orders if order.payment_attempts]
    assert postgres.sql("select count(*), bool_and(approved) from payments") == [(len(paid), True)]
    assert postgres.sql("select count(*) from outbox") == [(0,)]  # nothing has happened to them
    changed = place(a, PIECE)
    for other in (task(), a):  # another task, and the same one again
        other.seam.refresh()
        assert other.orders.find(changed.id) == changed
        assert other.catalog.get_many(["croissant"])["croissant"].stock == 3
    assert postgres.sql("select count(*) from carried_over") == [(4,)]


def test_tasks_that_move_at_the_same_moment_carry_over_once(
    task: NewTask, move: Callable[[], None], postgres: Postgres
) -> None:
    tasks = [task() for _ in range(4)]
    orders = [place(tasks[0]) for _ in range(3)]
    move()
    gate = threading.Barrier(4)

    def refresh(services: Services) -> bool:
        gate.wait()
        services.seam.refresh()
        return in_postgres(services)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(refresh, tasks)) == [True] * 4
    assert postgres.sql("select what, count from carried_over order by what") == [
        ("customers", 0),
        ("keys", 3),
        ("orders", 3),
        ("stock", 1),
    ]
    assert tasks[3].orders.open_orders() == orders


def test_a_task_that_has_not_heard_of_it_goes_on_within_the_request(task: NewTask, move: Callable[[], None]) -> None:
    a, b = task(), task()
    before = place(a, PIECE)
    move()
    a.seam.refresh()
    after = place(a, PIECE)

    def unaware() -> Services:
        """A task that still has the old way before its eyes."""
        home(b)._here = None
        home(b)._parameter.now = Switches()
        return b

    assert unaware().orders.find(after.id) == after
    assert [order.id for order in unaware().orders.open_orders()] == [before.id, after.id]
    assert [order.id for order in unaware().orders.of_owner(GUEST.owner, 5)] == [after.id, before.id]
    paid = unaware().ordering.pay(GUEST, before.id, "tok_visa")
    assert a.orders.find(before.id) == paid
    today = day_of(ids.now(), a.zone)
    assert [sale.order_id for sale in unaware().orders.sales_on(today)] == [before.id]
    for step in (Status.MAKING, Status.READY, Status.COLLECTED):
        paid = unaware().ordering.move(BARISTA, paid.id, step, paid.version)
    assert unaware().orders.collected_on(today, 5) == [paid]
    another = place(unaware(), PIECE)
    assert another in a.orders.open_orders()  # found by its id it would be in the table as well
    assert unaware().catalog.set_stock("croissant", 7, expected=2).stock == 7
    new = replace(unaware().catalog.menu()[0], id="new-one", stock=4, version=1)
    assert unaware().catalog.add(new, "guest-9#key-of-new", "f").stock == 4
    assert (stock(a), stock(a, "new-one")) == (7, 4)


def stock(services: Services, product_id: str = "croissant") -> int | None:
    product = services.catalog.get(product_id)
    assert product
    return product.stock


def test_orders_without_pause_while_they_move(
    task: NewTask, move: Callable[[], None], postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three tasks, of which one hears of the move at once, one late and one never: none is lost, none is doubled."""
    tasks = [task() for _ in range(3)]
    tasks[0].catalog.set_stock("croissant", 10_000, expected=None)
    accepted: list[tuple[Order, float]] = []
    unread: list[str] = []
    stop = threading.Event()
    turn = itertools.count()

    def any_task() -> Services:
        return tasks[next(turn) % 3]

    def guest(number: int) -> None:
        caller = Caller(f"guest-{number}")
        while not stop.is_set():
            key = str(uuid.uuid4())
            begun = time.monotonic()
            order = place(any_task(), PIECE, LATTE, caller=caller, key=key)
            took = time.monotonic() - begun
            assert place(any_task(), PIECE, LATTE, caller=caller, key=key).id == order.id
            paid = any_task().ordering.pay(caller, order.id, "tok_visa")
            accepted.append((paid, took))
            if any_task().orders.find(order.id) != paid:
                unread.append(order.id)

    with ThreadPoolExecutor(6) as pool:
        guests = [pool.submit(guest, number) for number in range(6)]
        time.sleep(0.8)
        move()
        tasks[0].seam.refresh()
        time.sleep(0.6)
        tasks[1].seam.refresh()
        time.sleep(0.8)
        stop.set()
        for each in guests:
            each.result(30)
    count = len(accepted)
    carried = postgres.sql("select count from carried_over where what = 'orders'")[0][0]
    slowest = max(took for _, took in accepted)
    with capsys.disabled():
        print(f"\n  {count} orders, {carried} of them carried over, slowest order {slowest * 1000:.0f} ms")
    assert 0 < carried < count
    assert unread == []
    assert all(in_postgres(each) for each in tasks)
    assert postgres.sql("select count(*), count(distinct id) from orders") == [(count, count)]
    for order, _ in accepted:
        assert tasks[1].orders.find(order.id) == order
    assert stock(tasks[0]) == 10_000 - count
    assert len(tasks[0].orders.sales_on(day_of(ids.now(), tasks[0].zone))) == count


SLOW_MOVE = """
import logging, os, sys, time
from shop.adapters.table import Table
from shop.settings import Settings
from shop.wiring import build

scan = Table.scan
def slow(self, types):
    for page in scan(self, types):
        yield page
        print("in the middle", flush=True)
        time.sleep(60)
Table.scan = slow
build(Settings.from_environment(os.environ)).seam.refresh()
"""


def test_a_task_killed_in_the_middle_leaves_it_to_the_next(
    task: NewTask, move: Callable[[], None], here: Settings, postgres: Postgres, cloud: str
) -> None:
    a = task()
    orders = [place(a) for _ in range(3)]
    move()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "PGSSLROOTCERT", "SSL_CERT_FILE")},
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        "CATALOG_TABLE": here.catalog_table,
        "ASSET_BUCKET": here.asset_bucket,
        "SESSION_SECRET_ARN": here.session_secret_arn,
        "SHOP_CONFIG_PARAMETER": str(here.config_parameter),
    }
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_MOVE], cwd=STOREFRONT, env=environment, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "in the middle\n"
        other.send_signal(signal.SIGKILL)
        other.wait(10)
    # The gate is closed, and nothing is in PostgreSQL.
    assert postgres.sql("select count(*) from orders") == postgres.sql("select count(*) from carried_over") == [(0,)]
    new = place(a)
    assert in_postgres(a)
    assert postgres.sql("select count(*) from orders") == [(4,)]
    assert [a.orders.find(order.id) for order in (*orders, new)] == [*orders, new]
    assert stock(a) == 1


def test_a_database_that_is_away_keeps_nobody_from_ordering(
    task: NewTask, move: Callable[[], None], postgres: Postgres
) -> None:
    a, b = task(), task()
    move()
    postgres.stop()
    try:
        with pytest.raises(Unavailable):
            a.seam.refresh()
        order = place(a)  # where it always was
        assert b.ordering.pay(GUEST, order.id, "tok_visa").status is Status.NEW
        ready, checks = a.readiness()
        assert not ready
        assert checks["orders"] == "does not answer (Unavailable)"
    finally:
        postgres.start()
    until(lambda: _moved(a), 10, "it did not move when the database was there")
    assert b.orders.find(order.id) == a.orders.find(order.id)
    assert a.readiness() == (True, {"table": "ok", "session secret": "ok", "orders": "ok"})


def test_a_shop_that_may_not_read_its_whole_table_goes_on_selling(
    task: NewTask, move: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On AWS a new permission takes a few seconds until it is known everywhere."""
    a = task()
    order = place(a)
    scan = Table.scan

    def refused(*_: object) -> Iterator[None]:
        raise Unavailable("Scan: AccessDeniedException")
        yield

    monkeypatch.setattr(Table, "scan", refused)
    move()
    with pytest.raises(Unavailable, match="Scan"):
        a.seam.refresh()
    assert place(a).id != order.id
    monkeypatch.setattr(Table, "scan", scan)
    a.seam.refresh()
    assert in_postgres(a)
    assert len(a.orders.open_orders()) == 2


def test_a_parameter_that_leads_nowhere_leaves_orders_where_they_are(
    task: NewTask, move: Callable[[], None], here: Settings, postgres: Postgres
) -> None:
    a = task()
    move()
    a.seam.refresh()
    say(here.config_parameter, orders="postgresql", postgresql=replace(postgres.place, port=1))
    for _ in range(3):
        with pytest.raises(Unavailable):
            a.seam.refresh()
        order = place(a, LATTE)
    move()
    a.seam.refresh()
    assert order in a.orders.open_orders()


def _moved(services: Services) -> bool:
    with contextlib.suppress(Unavailable):
        services.seam.refresh()
    return in_postgres(services)


def test_a_move_that_breaks_off_after_the_gate_closed_is_said_and_goes_on(
    task: NewTask, move: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    a = task()
    order = place(a)
    carry_over = home(a)._carry_over

    def breaks_off(*_: object) -> None:
        raise Unavailable("gone")

    monkeypatch.setattr(home(a), "_carry_over", breaks_off)
    move()
    with pytest.raises(Unavailable):
        a.seam.refresh()
    with pytest.raises(Unavailable):
        place(a)
    with pytest.raises(Unavailable):
        a.ordering.find(GUEST, order.id)
    monkeypatch.setattr(home(a), "_carry_over", carry_over)
    assert place(a).id != order.id
    assert a.orders.find(order.id) == order


def long_after(services: Services) -> None:
    """Let this task believe that it is a quarter of a minute later."""
    home(services)._clock = lambda: ids.now() + timedelta(seconds=15)


def test_without_the_parameter_orders_go_back_and_the_gate_opens(
    task: NewTask, move: Callable[[], None], here: Settings, table: Table
) -> None:
    a, b = task(), task()
    kept = place(a, PIECE)
    move()
    a.seam.refresh()
    lost = place(b, PIECE)
    forget(here.config_parameter)
    # Too young a closing may be somebody's who knows better; it is said, and not reopened.
    a.seam.refresh()
    assert not in_postgres(a)
    assert table.get(keys.order_book(3))
    with pytest.raises(Unavailable, match="moving"):
        place(a, PIECE)
    long_after(a)
    back = place(a, PIECE)
    assert [table.get(keys.order_book(shard)) for shard in range(keys.ORDER_BOOK_SHARDS)] == [None] * 16
    assert a.orders.find(kept.id) == kept
    with pytest.raises(NotFound):
        a.ordering.find(GUEST, lost.id)
    b.seam.refresh()
    assert b.orders.find(back.id) == back
    assert stock(b) == stock(a) == 3  # as the table had it: what was sold in PostgreSQL is gone with it


def test_there_and_back_and_there_again(
    task: NewTask, move: Callable[[], None], here: Settings, postgres: Postgres
) -> None:
    """A database that outlived the parameter takes what has changed since, and keeps what is newer."""
    a = task()
    first, second = place(a, LATTE), place(a, LATTE)
    move()
    a.seam.refresh()
    first = a.ordering.pay(GUEST, first.id, "tok_visa")
    first = a.ordering.move(BARISTA, first.id, Status.MAKING, first.version)
    forget(here.config_parameter)
    long_after(a)
    a.seam.refresh()
    second = a.ordering.cancel(GUEST, second.id)
    a.ordering.cancel(GUEST, first.id)  # in the table, where nobody has paid it
    third = place(a, PIECE)
    move()
    a.seam.refresh()
    assert in_postgres(a)
    assert [a.orders.find(order.id) for order in (first, second, third)] == [first, second, third]
    assert stock(a) == 4
    assert postgres.sql("select count(distinct closing), count(*) from carried_over") == [(2, 8)]


def test_a_parameter_that_cannot_be_read_opens_no_gate(
    task: NewTask, move: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    a = task()
    order = place(a)
    move()
    a.seam.refresh()
    new = task()
    long_after(new)
    read = Parameter.read

    def cannot(self: Parameter) -> Switches:
        self.problem = "it cannot be read"
        return self.now

    monkeypatch.setattr(Parameter, "read", cannot)
    with pytest.raises(Unavailable):
        place(new)
    assert "configuration" in new.readiness()[1]
    monkeypatch.setattr(Parameter, "read", read)
    assert place(new).id != order.id
    assert in_postgres(new)


def test_a_product_that_is_seeded_later_is_counted_from_what_the_seeder_said(
    task: NewTask, move: Callable[[], None], table: Table
) -> None:
    a, b = task(), task()
    move()
    a.seam.refresh()
    table.put(stored({**CROISSANT, "id": "strudel", "stock": 2}))
    assert [product.stock for product in a.catalog.menu() if product.id == "strudel"] == [2]
    place(b, Choice("strudel", "piece"))
    assert stock(a, "strudel") == stock(b, "strudel") == 1
    assert a.catalog.set_stock("strudel", None, expected=1).stock is None
    assert stock(b, "strudel") is None
    place(b, Choice("strudel", "piece", quantity=20))
    assert b.catalog.set_stock("strudel", 3, expected=None).stock == 3
    with pytest.raises(OutOfStock):
        place(a, Choice("strudel", "piece", quantity=4))
