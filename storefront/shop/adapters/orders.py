"""The orders in the one table.

Placing an order is one transaction of four kinds of items: the idempotency record, the order, the pointer by which its
owner finds it, and the stock of what is counted.  Either all of it happens or nothing.  A fifth is only looked at: the
gate that closes when the orders move elsewhere (`shop.adapters.order_gate`).
"""

from datetime import timedelta
from zoneinfo import ZoneInfo

from shop.adapters import keys
from shop.adapters.idempotency import Records
from shop.adapters.order_gate import Closed, OrderGate
from shop.adapters.table import ConditionFailed, Item, Key, Table, change, delete, put
from shop.domain.errors import Conflict
from shop.domain.hours import day_of
from shop.domain.ids import from_text, to_text
from shop.domain.ordering import out_of_stock
from shop.domain.orders import ChosenExtra, Line, Order, Payment, Status, Step
from shop.domain.ports import Placed
from shop.domain.sales import Sale

KEY_REMEMBERED = timedelta(days=1)
_COLLECTED_KEPT = timedelta(days=3)


class DynamoOrders:
    """Implements `shop.domain.ports.OrderBook`.  `zone` decides on which day a sale falls.

    Every method raises `Closed` when the gate is closed, reading ones too: what stands here may have changed elsewhere.
    """

    def __init__(self, table: Table, zone: ZoneInfo, gate: OrderGate) -> None:
        self._table = table
        self._zone = zone
        self._gate = gate
        self._records = Records(table, "order")

    def find(self, order_id: str) -> Order | None:
        found = self._gate.pass_through(self._table.get_many([keys.order(order_id), self._gate.key(order_id)]))
        return to_order(found[0]) if found else None

    def find_left_behind(self, order_id: str) -> Order | None:
        """The order as it was when the gate closed."""
        item = self._table.get(keys.order(order_id))
        return to_order(item) if item else None

    def of_owner(self, owner: str, limit: int) -> list[Order]:
        pointers = self._table.query(keys.customer(owner)[0], begins=keys.ORDER_PREFIX, newest_first=True, limit=limit)
        return self._fetch(pointers, owner)

    def open_orders(self) -> list[Order]:
        items = self._table.query(keys.OPEN, index=keys.OPEN_ORDERS)
        self._gate.expect_open(keys.OPEN)
        return [to_order(item) for item in items]

    def collected_on(self, day: str, limit: int) -> list[Order]:
        pointers = self._table.query(keys.collected(day, "", "")[0], newest_first=True, limit=limit)
        return self._fetch(pointers, day)

    def sales_on(self, day: str) -> list[Sale]:
        items = self._table.query(keys.sale(day, "", "")[0])
        self._gate.expect_open(day)
        return [
            Sale(
                item["order_id"],
                from_text(item["at"]),
                item["total_cents"],
                tuple((i["product_id"], i["name"], i["quantity"], i["cents"]) for i in item["items"]),
            )
            for item in items
        ]

    def placed_with(self, owner: str, key: str) -> Placed | None:
        record = self._records.find(owner, key)
        order = self.find(record.made) if record else None
        return Placed(order, record.fingerprint) if record and order else None

    def place(self, order: Order, key: str, fingerprint: str) -> Placed:
        reserved = order.reserved()
        writes = [
            self._records.new(order.owner, key, fingerprint, order.id, KEY_REMEMBERED),
            put(self._table.name, to_item(order), "attribute_not_exists(pk)"),
            put(self._table.name, _pointer(order)),
            *(
                change(
                    self._table.name,
                    keys.product(product_id),
                    "SET #stock = #stock - :pieces",
                    {":pieces": pieces, ":yes": True},
                    condition="#stock >= :pieces AND #retired <> :yes",
                )
                for product_id, pieces in reserved.items()
            ),
            self._gate.check(order.id),
        ]
        try:
            self._table.transact(writes)
        except ConditionFailed as failed:
            if len(writes) - 1 in failed.places:
                raise Closed from None
            earlier = self.placed_with(order.owner, key)
            if earlier:
                return earlier
            missing = [product_id for place, product_id in enumerate(reserved, start=3) if place in failed.places]
            names = {line.product_id: line.name for line in order.lines}
            left = {item["id"]: item.get("stock", 0) for item in self._products(missing)}
            raise out_of_stock(left, names) from None
        return Placed(order, fingerprint)

    def save(self, before: Order, after: Order) -> None:
        order = put(self._table.name, to_item(after), "#version = :before", {":before": before.version})
        shelf = [
            change(
                self._table.name,
                keys.product(product_id),
                "SET #stock = #stock + :pieces",
                {":pieces": pieces},
                condition="attribute_exists(#stock)",  # no longer counted: there is no shelf to return it to
            )
            for product_id, pieces in (before.gives_back() if after.status is Status.CANCELLED else {}).items()
        ]
        self._save(after, [order, *self._books(before, after), self._gate.check(after.id)], shelf)

    def _save(self, after: Order, writes: list[Item], shelf: list[Item]) -> None:
        try:
            self._table.transact([*writes, *shelf])
        except ConditionFailed as failed:
            if len(writes) - 1 in failed.places:
                raise Closed from None
            if 0 in failed.places:
                raise Conflict(f"Order {after.number} was changed by somebody else meanwhile.") from None
            still_counted = [write for at, write in enumerate(shelf, len(writes)) if at not in failed.places]
            self._save(after, writes, still_counted)

    def _books(self, before: Order, after: Order) -> list[Item]:
        """What a step adds to, or takes from, the day's sales and the list of collected orders."""
        if after.status is before.status:
            return []
        if after.status is Status.NEW:
            return [put(self._table.name, self._sale(after))]
        if after.status is Status.COLLECTED:
            return [put(self._table.name, self._collected(after))]
        if after.status is Status.CANCELLED and before.paid_at:
            return [delete(self._table.name, self._sale_key(before))]
        return []

    def _sale_key(self, order: Order) -> Key:
        paid_at = order.paid_at or order.created_at
        return keys.sale(day_of(paid_at, self._zone), to_text(paid_at), order.id)

    def _sale(self, order: Order) -> Item:
        pk, sk = self._sale_key(order)
        return {
            "pk": pk,
            "sk": sk,
            "type": "sale",
            "order_id": order.id,
            "at": to_text(order.paid_at or order.created_at),
            "total_cents": order.total_cents,
            "items": [
                {
                    "product_id": line.product_id,
                    "name": line.name,
                    "quantity": line.quantity,
                    "cents": line.total_cents,
                }
                for line in order.lines
            ],
        }

    def _collected(self, order: Order) -> Item:
        at = order.updated_at
        pk, sk = keys.collected(day_of(at, self._zone), to_text(at), order.id)
        expires = int((at + _COLLECTED_KEPT).timestamp())
        return {"pk": pk, "sk": sk, "type": "collected-order", "order_id": order.id, "expires_at": expires}

    def _fetch(self, pointers: list[Item], about: str) -> list[Order]:
        items = self._table.get_many([self._gate.key(about), *(keys.order(p["order_id"]) for p in pointers)])
        return [to_order(item) for item in self._gate.pass_through(items)]

    def _products(self, product_ids: list[str]) -> list[Item]:
        return self._table.get_many([keys.product(product_id) for product_id in product_ids])


def _pointer(order: Order) -> Item:
    created = to_text(order.created_at)
    pk, sk = keys.order_of(order.owner, created, order.id)
    return {"pk": pk, "sk": sk, "type": "order-of-customer", "order_id": order.id}


def to_item(order: Order) -> Item:
    """An order as it is stored; only an open one is in the sparse index."""
    pk, sk = keys.order(order.id)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "type": "order",
        "id": order.id,
        "owner": order.owner,
        "name": order.name,
        "note": order.note,
        "status": order.status.value,
        "version": order.version,
        "created_at": to_text(order.created_at),
        "updated_at": to_text(order.updated_at),
        "paid_at": to_text(order.paid_at) if order.paid_at else None,
        "total_cents": order.total_cents,
        "lines": [_line_to_item(line) for line in order.lines],
        "steps": [{"status": step.status.value, "at": to_text(step.at)} for step in order.steps],
        "payment": order.payment.value,
        "payment_attempts": order.payment_attempts,
        "payment_message": order.payment_message,
    }
    if order.is_open:
        item["gsi2pk"] = keys.OPEN
        item["gsi2sk"] = f"{item['created_at']}#{order.id}"
    return item


def _line_to_item(line: Line) -> Item:
    return {
        "product_id": line.product_id,
        "name": line.name,
        "size_id": line.size_id,
        "size_name": line.size_name,
        "extras": [{"id": e.id, "name": e.name, "price_cents": e.price_cents} for e in line.extras],
        "quantity": line.quantity,
        "unit_price_cents": line.unit_price_cents,
        "counted": line.counted,
        "note": line.note,
        "picture": line.picture,
    }


def to_order(item: Item) -> Order:
    """An order as it was stored."""
    return Order(
        id=item["id"],
        owner=item["owner"],
        name=item["name"],
        note=item["note"],
        lines=tuple(
            Line(
                product_id=line["product_id"],
                name=line["name"],
                size_id=line["size_id"],
                size_name=line["size_name"],
                extras=tuple(ChosenExtra(e["id"], e["name"], e["price_cents"]) for e in line["extras"]),
                quantity=line["quantity"],
                unit_price_cents=line["unit_price_cents"],
                counted=line["counted"],
                note=line["note"],
                picture=line.get("picture"),
            )
            for line in item["lines"]
        ),
        status=Status(item["status"]),
        version=item["version"],
        created_at=from_text(item["created_at"]),
        steps=tuple(Step(Status(step["status"]), from_text(step["at"])) for step in item["steps"]),
        payment=Payment(item["payment"]),
        payment_attempts=item["payment_attempts"],
        payment_message=item["payment_message"],
        paid_at=from_text(item["paid_at"]) if item.get("paid_at") else None,
    )
