"""The orders in PostgreSQL.

Placing an order is one transaction: the customer, the order with its lines, the idempotency key, the pieces it takes
from the shelf, and the event that tells of it.  Either all of it is there or nothing.

How two guests never get the same croissant: a transaction locks the rows of `inventory` that it needs, always in the
order of their ids (so that no two wait for each other), looks, and takes.  Who comes second waits a few milliseconds
and then sees what is left.  The CHECK of the table stands behind it.

Statements go out together, in the pipeline mode of PostgreSQL's protocol: an order is two trips to the database, not
ten.  See https://www.psycopg.org/psycopg3/docs/advanced/pipeline.html
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from shop.adapters.events import event_of
from shop.adapters.orders import KEY_REMEMBERED
from shop.adapters.postgres import Connection, Database
from shop.adapters.postgres_rows import INSERT_LINES, INSERT_ORDER, SELECT, to_order, to_row
from shop.domain import ids
from shop.domain.customers import Customer
from shop.domain.errors import Conflict, Unavailable
from shop.domain.ordering import out_of_stock
from shop.domain.orders import Order, Status
from shop.domain.ports import Placed
from shop.domain.sales import Sale

_SENT_KEPT = timedelta(days=7)
_KNOWN_CUSTOMERS = 10_000

_INSERT_CUSTOMER = """
insert into customers (id, email, name, created_at) values (%s, %s, %s, %s) on conflict (id) do nothing
"""
# Takes the key when it is free or older than a day; changes no row when it is taken.
_TAKE_KEY = """
insert into idempotency_keys as k (owner, key, fingerprint, order_id, created_at)
values (%(owner)s, %(key)s, %(fingerprint)s, %(order_id)s, %(now)s)
on conflict (owner, key) do update
   set fingerprint = excluded.fingerprint, order_id = excluded.order_id, created_at = excluded.created_at
 where k.created_at < %(forgotten)s
"""
_STOCK = "select product_id, stock from inventory"
_HOLD_STOCK = """
select product_id, stock from inventory where product_id = any(%s) order by product_id for update
"""
_TAKE_STOCK = """
update inventory i set stock = i.stock - w.pieces
from unnest(%s::text[], %s::integer[]) as w (product_id, pieces)
where i.product_id = w.product_id and i.stock >= w.pieces
"""
_RETURN_STOCK = """
update inventory i set stock = i.stock + w.pieces
from unnest(%s::text[], %s::integer[]) as w (product_id, pieces)
where i.product_id = w.product_id
"""
_UPDATE_ORDER = """
update orders set status = %(status)s, version = %(version)s, payment = %(payment)s, updated_at = %(updated_at)s,
                  paid_at = %(paid_at)s, day_paid = %(day_paid)s, document = %(document)s
where id = %(id)s and version = %(before)s
"""
# Nothing to do on conflict: then the order has changed too, and all of this is rolled back.
_INSERT_PAYMENT = """
insert into payments (order_id, attempt, at, amount_cents, approved, message) values (%s, %s, %s, %s, %s, %s)
on conflict do nothing
"""
_INSERT_EVENT = """
insert into outbox (id, order_id, type, payload)
select %(id)s, %(order_id)s, %(type)s,
       jsonb_set(%(payload)s, '{order,email}',
                 coalesce((select to_jsonb(email) from customers where id = %(customer_id)s), 'null'))
"""


class _KeyTaken(Exception):  # noqa: N818  (what happened, not a mistake)
    """The idempotency key has placed an order before."""


class PostgresOrders:
    """Implements `shop.domain.ports.OrderBook`.

    `zone` decides on which day a sale falls, `customer` answers whose id this is, and `written` is called after each
    commit that left an event in the outbox.
    """

    def __init__(
        self,
        database: Database,
        zone: ZoneInfo,
        customer: Callable[[str], Customer | None],
        written: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = ids.now,
    ) -> None:
        self.database = database
        self._zone = zone
        self._customer = customer
        self._written = written
        self._clock = clock
        self._known: set[str] = set()

    def find(self, order_id: str) -> Order | None:
        found = self._orders("where o.id = %s", [order_id])
        return found[0] if found else None

    def of_owner(self, owner: str, limit: int) -> list[Order]:
        return self._orders("where o.owner = %s order by o.id desc limit %s", [owner, limit])

    def open_orders(self) -> list[Order]:
        return self._orders("where o.status not in ('collected', 'cancelled') order by o.created_at, o.id", [])

    def collected_on(self, day: str, limit: int) -> list[Order]:
        begins = datetime.combine(datetime.fromisoformat(day), time.min, self._zone)
        ends = datetime.combine(datetime.fromisoformat(day) + timedelta(days=1), time.min, self._zone)
        where = "where o.status = 'collected' and o.updated_at >= %s and o.updated_at < %s"
        return self._orders(f"{where} order by o.updated_at desc, o.id desc limit %s", [begins, ends, limit])

    def sales_on(self, day: str) -> list[Sale]:
        orders = self._orders("where o.payment = 'paid' and o.day_paid = %s order by o.paid_at, o.id", [day])
        return [
            Sale(
                order.id,
                order.paid_at or order.created_at,
                order.total_cents,
                tuple((line.product_id, line.name, line.quantity, line.total_cents) for line in order.lines),
            )
            for order in orders
        ]

    def placed_with(self, owner: str, key: str) -> Placed | None:
        def read(connection: Connection) -> Placed | None:
            record = connection.execute(
                "select fingerprint, order_id from idempotency_keys where owner = %s and key = %s and created_at >= %s",
                [owner, key, self._clock() - KEY_REMEMBERED],
            ).fetchone()
            row = record and connection.execute(f"{SELECT} where o.id = %s", [record[1]]).fetchone()
            return Placed(to_order(row), record[0]) if record and row else None

        return self.database.run(read)

    def place(self, order: Order, key: str, fingerprint: str) -> Placed:
        customer_id, newcomer = self._who_ordered(order)
        row = to_row(order, self._zone, customer_id)
        now = self._clock()
        taking = {
            "owner": order.owner,
            "key": key,
            "fingerprint": fingerprint,
            "order_id": order.id,
            "now": now,
            "forgotten": now - KEY_REMEMBERED,
        }
        pieces = order.reserved()

        def write(connection: Connection) -> None:
            with connection.pipeline():
                if newcomer:
                    person = [newcomer.id, newcomer.email, newcomer.name, newcomer.created_at]
                    connection.execute(_INSERT_CUSTOMER, person)
                connection.execute(INSERT_ORDER, row)
                connection.execute(INSERT_LINES, row)
                key_taken = connection.execute(_TAKE_KEY, taking)
                # Two tries of one order meet at the key, before either holds any stock.
                shelf = connection.execute(_HOLD_STOCK, [list(pieces)]) if pieces else None
                took = connection.execute(_TAKE_STOCK, _columns(pieces)) if pieces else None
                self._tell(connection, None, order, customer_id)
            if key_taken.rowcount == 0:
                raise _KeyTaken
            if shelf and took and took.rowcount < len(pieces):
                held: dict[str, int] = dict(shelf.fetchall())
                left = {id_: held.get(id_, 0) for id_ in pieces if held.get(id_, 0) < pieces[id_]}
                raise out_of_stock(left, {line.product_id: line.name for line in order.lines})

        try:
            self.database.run(write)
        except _KeyTaken:
            earlier = self.placed_with(order.owner, key)
            if earlier is None:
                raise Unavailable("This order's key ran out at this very moment. Please try again.") from None
            return earlier
        if newcomer:
            self._remember(newcomer.id)
        self._written()
        return Placed(order, fingerprint)

    def save(self, before: Order, after: Order) -> None:
        row = {**to_row(after, self._zone), "before": before.version}
        returned = before.gives_back() if after.status is Status.CANCELLED else {}
        customer_id = after.owner if ids.is_id(after.owner) else None

        def write(connection: Connection) -> None:
            with connection.pipeline():
                changed = connection.execute(_UPDATE_ORDER, row)
                if after.payment_attempts > before.payment_attempts:
                    connection.execute(_INSERT_PAYMENT, self._payment(after))
                if returned:
                    connection.execute(_HOLD_STOCK, [list(returned)])
                    connection.execute(_RETURN_STOCK, _columns(returned))
                self._tell(connection, before, after, customer_id)
            if changed.rowcount == 0:
                raise Conflict(f"Order {after.number} was changed by somebody else meanwhile.")

        self.database.run(write)
        self._written()

    def stock(self) -> dict[str, int]:
        """Pieces of all counted products, by id."""
        return self.database.run(lambda connection: dict(connection.execute(_STOCK).fetchall()))

    def begin_counting(self, stock: dict[str, int]) -> None:
        """Put these on the shelf, unless they are there already."""
        insert = "insert into inventory (product_id, stock) values (%s, %s) on conflict do nothing"
        self.database.run(lambda connection: connection.cursor().executemany(insert, sorted(stock.items())))

    def set_stock(self, product_id: str, stock: int | None, *, expected: int | None) -> int | None:
        """Set the stock if `expected` is None or there; answers what was there before either way."""

        def write(connection: Connection) -> int | None:
            row = connection.execute(_HOLD_STOCK, [[product_id]]).fetchone()
            before: int | None = row[1] if row else None
            if expected is not None and before != expected:
                return before
            if stock is None:
                connection.execute("delete from inventory where product_id = %s", [product_id])
            else:
                connection.execute(
                    "insert into inventory (product_id, stock) values (%s, %s) "
                    "on conflict (product_id) do update set stock = excluded.stock",
                    [product_id, stock],
                )
            return before

        return self.database.run(write)

    def tidy(self) -> None:
        """Delete forgotten keys, and events that were sent a week ago."""
        now = self._clock()

        def delete(connection: Connection) -> None:
            connection.execute("delete from idempotency_keys where created_at < %s", [now - KEY_REMEMBERED])
            connection.execute("delete from outbox where sent_at < %s", [now - _SENT_KEPT])

        self.database.run(delete)

    def answers(self, *, patience: float = 3.0) -> None:
        """Raises `Unavailable` when PostgreSQL does not answer in so many seconds, or has not the shop's tables."""
        self.database.run(lambda connection: connection.execute("select from carried_over limit 1"), patience=patience)

    def _orders(self, which: str, parameters: list[Any]) -> list[Order]:
        def read(connection: Connection) -> list[Any]:
            return connection.execute(f"{SELECT} {which}", parameters).fetchall()

        return [to_order(row) for row in self.database.run(read)]

    def _tell(self, connection: Connection, before: Order | None, after: Order, customer_id: str | None) -> None:
        event = event_of(before, after, customer_id)
        if event:
            parameters = {**event, "payload": Jsonb(event), "customer_id": customer_id}
            connection.execute(_INSERT_EVENT, parameters)

    def _payment(self, order: Order) -> list[Any]:
        at = order.paid_at or self._clock()
        approved = order.paid_at is not None
        return [order.id, order.payment_attempts, at, order.total_cents, approved, order.payment_message]

    def _who_ordered(self, order: Order) -> tuple[str | None, Customer | None]:
        """The customer's id, if it was somebody who is signed in; and who that is, unless they ordered before."""
        if not ids.is_id(order.owner):
            return None, None
        if order.owner in self._known:
            return order.owner, None
        newcomer = self._customer(order.owner)
        return (newcomer.id if newcomer else None), newcomer

    def _remember(self, customer_id: str) -> None:
        if len(self._known) >= _KNOWN_CUSTOMERS:
            self._known.clear()
        self._known.add(customer_id)


def _columns(pieces: dict[str, int]) -> list[Any]:
    return [list(pieces), list(pieces.values())]
