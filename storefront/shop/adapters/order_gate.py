"""Whether the table takes orders: the gate that closes when they move to PostgreSQL.

Every write of an order, and of the stock that orders live on, carries a ConditionCheck that the gate is open, in the
same transaction.  So once the gate is closed nothing in the order book of the table can change any more.  A task that
has not heard of the move yet meets `Closed`, asks where orders live now, and goes on there.

The gate is sixteen items instead of one, and an order looks at one of them: two transactions at the same moment that
name the same item, be it only to check it, make each other wait.
See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zlib import crc32

from shop.adapters import keys
from shop.adapters.table import ConditionFailed, Item, Key, Table, check
from shop.domain import ids

_OPEN = "attribute_not_exists(#closing)"


class Closed(Exception):  # noqa: N818  (what happened, not a mistake)
    """The table takes no orders any more."""


@dataclass(frozen=True, slots=True)
class Closing:
    """A closed gate: which closing it was, and when."""

    id: str
    at: datetime


class OrderGate:
    """The gate of one table."""

    def __init__(self, table: Table, clock: Callable[[], datetime] = ids.now) -> None:
        self._table = table
        self._clock = clock

    def key(self, about: str) -> Key:
        """The item that this order (or product) looks at, to be read along with others."""
        return keys.order_book(crc32(about.encode()) % keys.ORDER_BOOK_SHARDS)

    def check(self, about: str) -> Item:
        """The write for a transaction whose condition fails when the gate is closed."""
        return check(self._table.name, self.key(about), _OPEN)

    def pass_through(self, items: Sequence[Item]) -> list[Item]:
        """The items without the gate's own.  Raises `Closed` when that is among them."""
        if any("closing" in item for item in items):
            raise Closed
        return list(items)

    def expect_open(self, about: str) -> None:
        """Raises `Closed`."""
        item = self._table.get(self.key(about))
        self.pass_through([item] if item else [])

    def close(self) -> Closing:
        """Close the gate; closed again it answers the closing that holds.

        When this returns no order in the table changes any more.
        """
        items = self._items()
        closed = {_closing(item) for item in items}
        if len(items) == keys.ORDER_BOOK_SHARDS and len(closed) == 1:
            return closed.pop()
        closing = self._close_first()
        for shard in range(1, keys.ORDER_BOOK_SHARDS):
            self._table.put(_item(shard, closing))
        return closing

    def closing(self) -> Closing | None:
        """The latest closing that any of the items holds; None when all are open."""
        items = self._items()
        return max((_closing(item) for item in items), key=lambda closing: closing.at, default=None)

    def reopen(self, upto: datetime) -> None:
        """Take orders again, but for what was closed after `upto`: that is somebody's who knows better."""
        for item in self._items():
            if _closing(item).at <= upto:
                self._table.delete_if((item["pk"], item["sk"]), "#closing = :seen", {":seen": item["closing"]})

    def _close_first(self) -> Closing:
        """All tasks that close at the same moment agree on the closing of the first item."""
        while True:
            closing = Closing(ids.new_id(), self._clock())
            try:
                self._table.put(_item(0, closing), condition=_OPEN)
            except ConditionFailed:
                item = self._table.get(keys.order_book(0))
                if item is None:
                    continue  # reopened at this very moment
                return _closing(item)
            return closing

    def _items(self) -> list[Item]:
        return self._table.get_many([keys.order_book(shard) for shard in range(keys.ORDER_BOOK_SHARDS)])


def _item(shard: int, closing: Closing) -> Item:
    pk, sk = keys.order_book(shard)
    return {"pk": pk, "sk": sk, "type": "order-book", "closing": closing.id, "closed_at": ids.to_text(closing.at)}


def _closing(item: Item) -> Closing:
    return Closing(item["closing"], ids.from_text(item["closed_at"]))
