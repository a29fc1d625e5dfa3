"""The orders move house: from the table to PostgreSQL, once for each closing of the gate.

Everything happens in one transaction that holds an advisory lock.  A task that is killed in the middle leaves nothing
behind and the next one begins anew; of several that want to do it at once, one does and the others find it done.

    gate closes -> lock -> carried over already? -> orders, customers, keys, stock -> what was done, and when

An order that PostgreSQL knows already (from an earlier closing) is taken only if it has changed in the table since.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from shop.adapters import keys
from shop.adapters.order_gate import Closing
from shop.adapters.orders import KEY_REMEMBERED, to_order
from shop.adapters.postgres import Connection, Database
from shop.adapters.postgres_rows import INSERT_LINES, INSERT_ORDER, to_row
from shop.adapters.table import Item, Table
from shop.domain.ids import from_text, now
from shop.domain.orders import Order

logger = logging.getLogger(__name__)
_LOCK = 0x62726577  # "brew"; any number that nobody else locks in this database
_LONGEST_MOVE = 600.0  # seconds
_TYPES = ("order", "customer", "product", "idempotency")

_NEWER_ORDER = (
    INSERT_ORDER
    + """
on conflict (id) do update
   set status = excluded.status, version = excluded.version, payment = excluded.payment,
       updated_at = excluded.updated_at, paid_at = excluded.paid_at, day_paid = excluded.day_paid,
       document = excluded.document
 where orders.version < excluded.version
"""
)
_LINES = INSERT_LINES + " on conflict do nothing"
_PAYMENT = """
insert into payments (order_id, attempt, at, amount_cents, approved, message)
values (%(id)s, %(attempt)s, %(at)s, %(total_cents)s, %(approved)s, %(message)s) on conflict do nothing
"""
_CUSTOMER = """
insert into customers (id, email, name, created_at)
select %(id)s, %(email)s, %(name)s, %(created_at)s where exists (select from orders where owner = %(id)s)
on conflict do nothing
"""
_WHO_ORDERED = """
update orders set customer_id = owner
where customer_id is null and exists (select from customers where customers.id = orders.owner)
"""
_KEY = """
insert into idempotency_keys as k (owner, key, fingerprint, order_id, created_at)
select %(owner)s, %(key)s, %(fingerprint)s, %(order_id)s, %(created_at)s
where exists (select from orders where id = %(order_id)s)
on conflict (owner, key) do update
   set fingerprint = excluded.fingerprint, order_id = excluded.order_id, created_at = excluded.created_at
 where k.created_at < excluded.created_at
"""
_STOCK = """
insert into inventory (product_id, stock) values (%(id)s, %(stock)s)
on conflict (product_id) do update set stock = excluded.stock
"""


@dataclass(slots=True)
class _Rest:
    """What waits until all orders are there."""

    customers: list[Item] = field(default_factory=list)
    keys: list[Item] = field(default_factory=list)
    stock: list[Item] = field(default_factory=list)


def may_carry_over(table: Table) -> None:
    """Raises `Unavailable` when the table cannot be read as a whole, which phase 1 does not allow."""
    next(table.scan(_TYPES), None)


def carry_over(database: Database, table: Table, closing: Closing, zone: ZoneInfo) -> bool:
    """Carry everything over, unless that has been done for this closing; answers whether it was done now.

    Raises `Unavailable`; then nothing was done, and it may be tried again.
    """
    begun = time.monotonic()
    counts: dict[str, int] = {}

    def work(connection: Connection) -> bool:
        connection.execute("set local statement_timeout = 0")
        connection.execute("set local lock_timeout = '60s'")
        connection.execute("set local idle_in_transaction_session_timeout = 0")
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        if connection.execute("select 1 from carried_over where closing = %s limit 1", [closing.id]).fetchone():
            return False
        counts.update(_carry(connection, table, zone))
        connection.cursor().executemany(
            "insert into carried_over (closing, what, count) values (%s, %s, %s)",
            [(closing.id, what, count) for what, count in counts.items()],
        )
        return True

    done = database.run(work, longest=_LONGEST_MOVE)
    if done:
        seconds = round(time.monotonic() - begun, 2)
        logger.info("carried over to PostgreSQL", extra={"facts": {**counts, "seconds": seconds}})
    return done


def _carry(connection: Connection, table: Table, zone: ZoneInfo) -> dict[str, int]:
    rest = _Rest()
    orders = 0
    for page in table.scan(_TYPES):
        rest.customers += _customers(page)
        rest.keys += _keys(page)
        rest.stock += [{"id": i["id"], "stock": i["stock"]} for i in page if i["type"] == "product" and "stock" in i]
        arrived = [to_order(item) for item in page if item["type"] == "order"]
        _insert_orders(connection, arrived, zone)
        orders += len(arrived)
    cursor = connection.cursor()
    cursor.executemany(_CUSTOMER, rest.customers)
    customers = max(cursor.rowcount, 0)
    cursor.execute(_WHO_ORDERED)
    cursor.executemany(_KEY, rest.keys)
    cursor.execute("delete from inventory where product_id <> all(%s)", [[item["id"] for item in rest.stock]])
    cursor.executemany(_STOCK, rest.stock)
    return {"orders": orders, "customers": customers, "keys": len(rest.keys), "stock": len(rest.stock)}


def _insert_orders(connection: Connection, orders: list[Order], zone: ZoneInfo) -> None:
    rows = [to_row(order, zone) for order in orders]
    cursor = connection.cursor()
    cursor.executemany(_NEWER_ORDER, rows)
    cursor.executemany(_LINES, rows)
    # The table remembers how many tries there were, and what the last one said.
    cursor.executemany(_PAYMENT, [_last_payment(order) for order in orders if order.payment_attempts])


def _last_payment(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "attempt": order.payment_attempts,
        "at": order.paid_at or order.updated_at,
        "total_cents": order.total_cents,
        "approved": order.paid_at is not None,
        "message": order.payment_message,
    }


def _customers(page: Iterable[Item]) -> list[Item]:
    return [
        {"id": i["id"], "email": i["email"], "name": i["name"], "created_at": from_text(i["created_at"])}
        for i in page
        if i["type"] == "customer"
    ]


def _keys(page: Iterable[Item]) -> list[Item]:
    """Keys of orders that are still remembered."""
    found = []
    for item in page:
        if item["type"] != "idempotency" or not item["pk"].startswith(keys.ORDER_KEYS):
            continue
        owner, _, key = item["pk"].removeprefix(keys.ORDER_KEYS).partition("#")
        created_at = datetime.fromtimestamp(item["expires_at"], UTC) - KEY_REMEMBERED
        if created_at > now() - KEY_REMEMBERED:
            what = {"fingerprint": item["fingerprint"], "order_id": item["made"], "created_at": created_at}
            found.append({"owner": owner, "key": key, **what})
    return found
