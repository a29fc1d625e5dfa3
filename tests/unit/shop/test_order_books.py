"""What every order book promises, wherever it keeps its orders, and what PostgreSQL promises besides."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from shop.domain import ids
from shop.domain.customers import Caller, Role
from shop.domain.errors import Conflict, OutOfStock
from shop.domain.hours import day_of
from shop.domain.orders import Choice, ChosenExtra, Line, Order, Payment, Status, Step
from shop.domain.ports import OrderBook
from shop.services import Services
from tests.plugins.engines import Postgres
from tests.unit.shop.conftest import BOTH_WAYS, PASSWORD

AT = datetime(2026, 11, 28, 9, 30, 0, 123_000, tzinfo=UTC)
LATTE = Line(
    product_id="latte",
    name="Caffè “latte” \\ 🙂",
    size_id="large",
    size_name="Large",
    extras=(ChosenExtra("oat-milk", "Oat milk", 60), ChosenExtra("extra-shot", "Extra shot", 90)),
    quantity=20,
    unit_price_cents=640,
    counted=False,
    note="hot,\nplease\t' -- %s {} $1",
    picture="media/menu/latte.webp",
)
CROISSANT = Line("croissant", "Croissant", "piece", "Piece", (), 1, 310, counted=True)
EVERY_STEP = (Status.AWAITING_PAYMENT, Status.NEW, Status.MAKING, Status.READY, Status.COLLECTED)


def an_order(*lines: Line, owner: str = "guest-1", at: datetime = AT) -> Order:
    return Order(
        id=ids.new_id(),
        owner=owner,
        name="Ada ☕ O'Neil",
        note="by the window\n窓のそば",
        lines=lines or (LATTE, CROISSANT),
        status=Status.AWAITING_PAYMENT,
        version=1,
        created_at=at,
        steps=(Step(Status.AWAITING_PAYMENT, at),),
    )


def placed(book: OrderBook, *lines: Line, owner: str = "guest-1", at: datetime = AT) -> Order:
    return book.place(an_order(*lines, owner=owner, at=at), str(uuid.uuid4()), "f").order


def saved(book: OrderBook, before: Order, after: Order) -> Order:
    book.save(before, after)
    return after


def moved_to(book: OrderBook, order: Order, status: Status) -> Order:
    """Pay it and move it along, a second a step."""
    for step in EVERY_STEP[1 : EVERY_STEP.index(status) + 1]:
        at = order.updated_at + timedelta(seconds=1)
        order = saved(book, order, order.paid(at, "Paid.") if step is Status.NEW else order.moved(step, at))
    return order


@BOTH_WAYS
def test_every_detail_survives_every_step(services: Services) -> None:
    book = services.orders
    order = placed(book)
    steps: list[Callable[[Order], Order]] = [
        lambda order: order.declined("The card was declined."),
        lambda order: order.declined("Again."),
        lambda order: order.paid(AT + timedelta(seconds=3), "Paid with Visa."),
        lambda order: order.moved(Status.MAKING, AT + timedelta(seconds=4)),
        lambda order: order.cancelled(AT + timedelta(seconds=5), by_staff=True),
    ]
    for step in steps:
        assert book.find(order.id) == order
        order = saved(book, order, step(order))
    assert book.find(order.id) == order
    assert (order.payment, order.payment_attempts, len(order.steps)) == (Payment.REFUNDED, 3, 4)


@BOTH_WAYS
def test_lists_have_the_same_order_everywhere(services: Services) -> None:
    book = services.orders
    orders = [placed(book, LATTE, at=AT + timedelta(seconds=number)) for number in range(6)]
    other = placed(book, LATTE, owner="guest-2", at=AT)
    assert [order.id for order in book.of_owner("guest-1", 4)] == [order.id for order in reversed(orders)][:4]
    assert [order.id for order in book.open_orders()] == [
        order.id for order in sorted([*orders, other], key=lambda order: (order.created_at, order.id))
    ]
    handed_out = [moved_to(book, order, Status.COLLECTED) for order in (orders[2], orders[0], orders[4])]
    ready = moved_to(book, orders[1], Status.READY)
    newest_first = sorted(handed_out, key=lambda order: order.updated_at, reverse=True)
    assert book.collected_on("2026-11-28", 10) == newest_first
    assert book.collected_on("2026-11-28", 2) == newest_first[:2]
    assert book.collected_on("2026-11-29", 10) == book.collected_on("2026-11-27", 10) == []
    assert [order.id for order in book.open_orders()] == [other.id, ready.id, orders[3].id, orders[5].id]


@BOTH_WAYS
def test_a_day_of_sales_begins_at_midnight_in_the_shops_zone(services: Services) -> None:
    book = services.orders
    before, after = datetime(2026, 11, 27, 22, 59, 59, tzinfo=UTC), datetime(2026, 11, 27, 23, 0, 0, tzinfo=UTC)
    for at in (before, after):
        order = placed(book, LATTE, at=at - timedelta(minutes=1))
        moved_to(book, saved(book, order, order.paid(at, "Paid.")), Status.AWAITING_PAYMENT)
    assert [sale.at for sale in book.sales_on("2026-11-27")] == [before]
    [sale] = book.sales_on("2026-11-28")
    assert (sale.at, sale.total_cents, sale.items) == (after, 12_800, (("latte", LATTE.name, 20, 12_800),))


@BOTH_WAYS
def test_a_cancelled_sale_is_none_and_its_pieces_are_back(services: Services) -> None:
    book = services.orders
    order = placed(book, CROISSANT)
    paid = saved(book, order, order.paid(AT, "Paid."))
    assert stock_of(services) == 4
    assert len(book.sales_on(day_of(AT, services.zone))) == 1
    saved(book, paid, paid.cancelled(AT, by_staff=False))
    assert book.sales_on(day_of(AT, services.zone)) == []
    assert stock_of(services) == 5


@BOTH_WAYS
def test_what_is_being_made_does_not_go_back_to_the_shelf(services: Services) -> None:
    making = moved_to(services.orders, placed(services.orders, CROISSANT), Status.MAKING)
    saved(services.orders, making, making.cancelled(AT, by_staff=True))
    assert stock_of(services) == 4


@BOTH_WAYS
def test_what_is_no_longer_counted_has_no_shelf_to_go_back_to(services: Services) -> None:
    order = placed(services.orders, CROISSANT)
    services.catalog.set_stock("croissant", None, expected=None)
    saved(services.orders, order, order.cancelled(AT, by_staff=False))
    assert stock_of(services) is None


@BOTH_WAYS
def test_all_or_nothing(services: Services) -> None:
    book = services.orders
    order = an_order(LATTE, replace(CROISSANT, quantity=6))
    with pytest.raises(OutOfStock) as missing:
        book.place(order, "a-key-for-all", "f")
    assert missing.value.facts == {"left": {"croissant": 5}}
    assert book.find(order.id) is None
    assert book.placed_with("guest-1", "a-key-for-all") is None
    assert stock_of(services) == 5
    # The key was not used up by the order that did not happen.
    assert book.place(an_order(CROISSANT), "a-key-for-all", "g").fingerprint == "g"


@BOTH_WAYS
def test_a_key_belongs_to_its_owner_and_to_one_order(services: Services) -> None:
    book = services.orders
    first = book.place(an_order(CROISSANT), "some-key-1", "f")
    again = book.place(an_order(CROISSANT), "some-key-1", "other")
    assert (again.order, again.fingerprint) == (first.order, "f")
    assert stock_of(services) == 4
    assert book.place(an_order(LATTE, owner="guest-2"), "some-key-1", "h").order.owner == "guest-2"
    assert book.placed_with("guest-1", "another-key") is None


@BOTH_WAYS
def test_the_older_version_loses(services: Services) -> None:
    order = placed(services.orders, LATTE)
    saved(services.orders, order, order.declined("no"))
    with pytest.raises(Conflict):
        services.orders.save(order, order.paid(AT, "Paid."))
    assert services.orders.sales_on(day_of(AT, services.zone)) == []


@BOTH_WAYS
def test_thirty_guests_and_two_kinds_of_the_last_pieces(services: Services) -> None:
    """In either order on the ticket, so that guests who wait for each other would wait for ever."""
    services.catalog.set_stock("croissant", 10, expected=None)
    services.catalog.set_stock("espresso", 12, expected=None)
    kinds = [Choice("croissant", "piece"), Choice("espresso", "single")]
    gate = threading.Barrier(30)

    def buy(number: int) -> str:
        gate.wait()
        try:
            services.ordering.place(Caller(f"guest-{number}"), kinds[:: (-1) ** number], key=f"key-of-{number}")
        except OutOfStock:
            return "sold out"
        return "placed"

    with ThreadPoolExecutor(30) as pool:
        assert Counter(pool.map(buy, range(30))) == {"placed": 10, "sold out": 20}
    assert (stock_of(services), stock_of(services, "espresso")) == (0, 2)
    assert len(services.orders.open_orders()) == 10


def stock_of(services: Services, product_id: str = "croissant") -> int | None:
    product = services.catalog.get(product_id)
    assert product
    return product.stock


in_postgres = pytest.mark.parametrize("way", ["postgresql"], indirect=True, scope="session")


@in_postgres
def test_a_customer_who_orders_is_known_by_name(services: Services, postgres: Postgres) -> None:
    email = f"{uuid.uuid4()}@example.org"
    person = services.accounts.register(name="Ada", email=email, password=PASSWORD, role=Role.CUSTOMER)
    for _ in range(2):
        placed(services.orders, LATTE, owner=person.id)
    placed(services.orders, LATTE, owner="guest-1")
    assert postgres.sql("select id, email, name from customers") == [(person.id, person.email, "Ada")]
    assert postgres.sql("select customer_id, count(*) from orders group by 1 order by 1") == [(person.id, 2), (None, 1)]


@in_postgres
def test_every_try_to_pay_is_kept(services: Services, postgres: Postgres) -> None:
    order = placed(services.orders, CROISSANT)
    order = saved(services.orders, order, order.declined("No money."))
    saved(services.orders, order, order.paid(AT, "Paid."))
    rows = postgres.sql("select attempt, amount_cents, approved, message from payments order by attempt")
    assert rows == [(1, 310, False, "No money."), (2, 310, True, "Paid.")]


@in_postgres
def test_the_database_itself_refuses_less_than_nothing(services: Services, postgres: Postgres) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        postgres.sql("update inventory set stock = stock - 6 where product_id = 'croissant'")


@in_postgres
def test_a_key_is_free_again_after_a_day(services: Services, postgres: Postgres) -> None:
    book = services.orders
    first = book.place(an_order(LATTE), "yesterdays-key", "f").order
    postgres.sql("update idempotency_keys set created_at = created_at - interval '25 hours'")
    assert book.placed_with("guest-1", "yesterdays-key") is None
    second = book.place(an_order(LATTE), "yesterdays-key", "f").order
    assert second.id != first.id
    assert postgres.sql("select order_id from idempotency_keys") == [(second.id,)]


@in_postgres
def test_old_keys_and_sent_events_are_tidied_away(services: Services, postgres: Postgres) -> None:
    old, new = placed(services.orders, LATTE), placed(services.orders, LATTE)
    postgres.sql(
        "update idempotency_keys set created_at = created_at - interval '2 days' where order_id = %s", [old.id]
    )
    postgres.sql("update outbox set sent_at = now() - interval '8 days' where order_id = %s", [old.id])
    home(services).postgres.tidy()
    assert postgres.sql("select order_id from idempotency_keys") == [(new.id,)]
    assert postgres.sql("select order_id, sent_at from outbox") == [(new.id, None)]
    assert len(services.orders.of_owner("guest-1", 5)) == 2


def home(services: Services) -> Any:
    return services.orders._home  # type: ignore[attr-defined]


QUESTIONS: dict[str, Callable[[OrderBook], object]] = {
    "orders_of_owner": lambda book: book.of_owner("guest-7", 20),
    "orders_open": lambda book: book.open_orders(),
    "orders_collected": lambda book: book.collected_on("2026-11-28", 10),
    "orders_sold": lambda book: book.sales_on("2026-11-28"),
    "orders_pkey": lambda book: book.find("01KAN8M3T6Q0X3D1V7C5W9R2YB"),
    "idempotency_keys_pkey": lambda book: book.placed_with("guest-7", "key"),
}


@in_postgres
def test_every_question_has_its_index(services: Services, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twenty thousand orders the answer is a handful, and PostgreSQL itself chooses the index."""
    postgres.sql(MANY_ORDERS)
    postgres.sql("analyze orders")
    book = home(services).postgres
    run = book.database.run
    plans: list[str] = []

    class Explained:
        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def execute(self, query: str, parameters: Any = None) -> Any:
            plans.extend(line for (line,) in self._connection.execute(f"explain {query}", parameters))
            return self._connection.execute(query, parameters)

    monkeypatch.setattr(book.database, "run", lambda work, **more: run(lambda c: work(Explained(c)), **more))
    for index, ask in QUESTIONS.items():
        plans.clear()
        ask(book)
        plan = "\n".join(plans)
        assert f"Index Scan using {index}" in plan or f"Bitmap Index Scan on {index}" in plan, plan
        assert "Seq Scan" not in plan, plan


# One in a hundred is open, and one in a hundred was collected or paid on the day that is asked for.
MANY_ORDERS = """
insert into orders (id, owner, name, note, status, version, total_cents, payment, created_at, updated_at, paid_at,
                    day_paid, document)
select 'O' || n, 'guest-' || n % 1000, '', '', case when n % 100 = 0 then 'new' else 'collected' end, 3, 100, 'paid',
       at, at, at, at::date, '{"steps": [{"status": "new", "at": "2026-11-28T09:00:00.000Z"}], "payment_attempts": 1,
                               "payment_message": ""}'
from (select n, timestamptz '2026-11-28 09:00:00Z' - n % 100 * interval '1 day' as at
      from generate_series(1, 20000) as n) as made
"""
