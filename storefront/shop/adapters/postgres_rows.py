"""Orders as rows of `orders`, `order_lines` and `payments`, and back.  The tables are in
`lambda_src/order_schema/migrations/0001_orders.sql`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from shop.domain.hours import day_of
from shop.domain.ids import from_text, to_text
from shop.domain.orders import ChosenExtra, Line, Order, Payment, Status, Step

Row = dict[str, Any]

# Each order in one row, its lines with it: two queries could see an order and the lines of another moment.
SELECT = """
select o.id, o.owner, o.name, o.note, o.status, o.version, o.payment, o.created_at, o.paid_at, o.document,
       (select jsonb_agg(to_jsonb(l) order by l.position) from order_lines l where l.order_id = o.id) as lines
from orders o
"""
# One statement for all lines, whatever their number.
INSERT_LINES = """
insert into order_lines (order_id, position, product_id, name, size_id, size_name, unit_cents, quantity, extras, note,
                         counted, picture)
select %(id)s, l.position, l.product_id, l.name, l.size_id, l.size_name, l.unit_cents, l.quantity, l.extras, l.note,
       l.counted, l.picture
from jsonb_to_recordset(%(lines)s) as l (position integer, product_id text, name text, size_id text, size_name text,
    unit_cents integer, quantity integer, extras jsonb, note text, counted boolean, picture text)
"""
INSERT_ORDER = """
insert into orders (id, owner, customer_id, name, note, status, version, total_cents, payment, created_at, updated_at,
                    paid_at, day_paid, document)
values (%(id)s, %(owner)s, %(customer_id)s, %(name)s, %(note)s, %(status)s, %(version)s, %(total_cents)s, %(payment)s,
        %(created_at)s, %(updated_at)s, %(paid_at)s, %(day_paid)s, %(document)s)
"""


def to_row(order: Order, zone: ZoneInfo, customer_id: str | None = None) -> Row:
    """The order as parameters of `INSERT_ORDER` and `INSERT_LINES`.  A sale falls on a day of `zone`."""
    return {
        "id": order.id,
        "owner": order.owner,
        "customer_id": customer_id,
        "name": order.name,
        "note": order.note,
        "status": order.status.value,
        "version": order.version,
        "total_cents": order.total_cents,
        "payment": order.payment.value,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "paid_at": order.paid_at,
        "day_paid": day_of(order.paid_at, zone) if order.paid_at else None,
        "document": Jsonb(
            {
                "steps": [{"status": step.status.value, "at": to_text(step.at)} for step in order.steps],
                "payment_attempts": order.payment_attempts,
                "payment_message": order.payment_message,
            }
        ),
        "lines": Jsonb([_to_line_row(position, line) for position, line in enumerate(order.lines)]),
    }


def _to_line_row(position: int, line: Line) -> Row:
    return {
        "position": position,
        "product_id": line.product_id,
        "name": line.name,
        "size_id": line.size_id,
        "size_name": line.size_name,
        "unit_cents": line.unit_price_cents,
        "quantity": line.quantity,
        "extras": [{"id": e.id, "name": e.name, "price_cents": e.price_cents} for e in line.extras],
        "note": line.note,
        "counted": line.counted,
        "picture": line.picture,
    }


def to_order(row: Sequence[Any]) -> Order:
    """The order in a row of `SELECT`."""
    id_, owner, name, note, status, version, payment, created_at, paid_at, document, lines = row
    return Order(
        id=id_,
        owner=owner,
        name=name,
        note=note,
        lines=tuple(_to_line(line) for line in lines or ()),
        status=Status(status),
        version=version,
        created_at=_utc(created_at),
        steps=tuple(Step(Status(step["status"]), from_text(step["at"])) for step in document["steps"]),
        payment=Payment(payment),
        payment_attempts=document["payment_attempts"],
        payment_message=document["payment_message"],
        paid_at=_utc(paid_at) if paid_at else None,
    )


def _to_line(line: Mapping[str, Any]) -> Line:
    return Line(
        product_id=line["product_id"],
        name=line["name"],
        size_id=line["size_id"],
        size_name=line["size_name"],
        extras=tuple(ChosenExtra(e["id"], e["name"], e["price_cents"]) for e in line["extras"]),
        quantity=line["quantity"],
        unit_price_cents=line["unit_cents"],
        counted=line["counted"],
        note=line["note"],
        picture=line["picture"],
    )


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
