"""The products in the one table."""

import time
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shop.adapters import keys
from shop.adapters.idempotency import Records
from shop.adapters.order_gate import Closed, OrderGate
from shop.adapters.table import ConditionFailed, Item, Table, change, put
from shop.domain.catalog import MENU_PICTURES, Allergen, Board, Category, Extra, Product, Size
from shop.domain.errors import Conflict, KeyReused, NotFound
from shop.domain.ids import now, to_text

_BOARD_KEPT_SECONDS = 60.0
_ADD_REMEMBERED = timedelta(days=1)


class DynamoCatalog:
    """Implements `shop.domain.ports.Catalog`.

    The categories change perhaps twice a year, so they are kept for a minute; products are read every time.  Their
    stock belongs to the orders that live on it: when the gate has closed behind the orders, `add` and `set_stock`
    raise `Closed`.
    """

    def __init__(self, table: Table, gate: OrderGate) -> None:
        self._table = table
        self._gate = gate
        self._records = Records(table, "product")
        self._board: tuple[float, Board] = (0.0, Board())

    def board(self) -> Board:
        until, board = self._board
        if time.monotonic() < until:
            return board
        item = self._table.get(keys.BOARD, consistent=False)
        if item is None:
            return Board()
        board = Board(
            categories=tuple(
                Category(each["id"], each["name"], each.get("description", ""), each["sort"])
                for each in item.get("categories", [])
            ),
            allergens=tuple(Allergen(each["id"], each["name"]) for each in item.get("allergens", [])),
        )
        self._board = (time.monotonic() + _BOARD_KEPT_SECONDS, board)
        return board

    def menu(self, category: str | None = None) -> list[Product]:
        begins = f"{category}#" if category else None
        return [to_product(item) for item in self._table.query(keys.MENU, begins=begins, index=keys.BY_CATEGORY)]

    def retired(self) -> list[Product]:
        return [to_product(item) for item in self._table.query(keys.RETIRED, index=keys.BY_CATEGORY)]

    def get(self, product_id: str) -> Product | None:
        item = self._table.get(keys.product(product_id))
        return to_product(item) if item else None

    def get_many(self, product_ids: Collection[str]) -> dict[str, Product]:
        items = self._table.get_many([keys.product(id_) for id_ in sorted(product_ids)])
        return {product.id: product for product in map(to_product, items)}

    def add(self, product: Product, key: str, fingerprint: str, *, counted_here: bool = True) -> Product:
        """As the port says; `counted_here` False when its stock is kept elsewhere and the gate does not matter."""
        owner, _, word = key.partition("#")
        record = self._records.new(owner, word, fingerprint, product.id, _ADD_REMEMBERED)
        item = {**to_item(product), "stock": product.stock, "created_at": to_text(now())}
        writes = [record, put(self._table.name, item, "attribute_not_exists(pk)")]
        if counted_here:
            writes.append(self._gate.check(product.id))
        try:
            self._table.transact(writes)
        except ConditionFailed as failed:
            if 2 in failed.places:
                raise Closed from None
            earlier = self._records.find(owner, word)
            if earlier and earlier.fingerprint != fingerprint:
                raise KeyReused("This idempotency key was used for another product. Use a new key.") from None
            if earlier and (there := self.get(earlier.made)):
                return there
            raise Conflict(f"There is already a product {product.id!r}. Please choose another id.") from failed
        return product

    def replace(self, product: Product) -> Product:
        values = {
            name: value
            for name, value in to_item(product).items()
            if name not in {"pk", "sk", "stock"} and value is not None
        }
        sets = ", ".join(f"#{name} = :{name}" for name in values)
        gone = [name for name in ("picture",) if name not in values]
        update = f"SET {sets}" + (f" REMOVE {', '.join('#' + name for name in gone)}" if gone else "")
        try:
            item = self._table.update(
                keys.product(product.id),
                update,
                {**{f":{name}": value for name, value in values.items()}, ":before": product.version - 1},
                condition="#version = :before",
            )
        except ConditionFailed:
            raise Conflict(f"Somebody else changed {product.name} meanwhile. Please look at it again.") from None
        return to_product(item)

    def set_stock(
        self, product_id: str, stock: int | None, *, expected: int | None, counted_here: bool = True
    ) -> Product:
        """As the port says; `counted_here` as in `add`."""
        values: dict[str, Any] = {} if stock is None else {":stock": stock}
        condition = "attribute_exists(pk)"
        if expected is not None:
            values[":expected"] = expected
            condition += " AND #stock = :expected"
        update = "REMOVE #stock" if stock is None else "SET #stock = :stock"
        product = change(self._table.name, keys.product(product_id), update, values, condition=condition)
        try:
            self._table.transact([product, self._gate.check(product_id)] if counted_here else [product])
        except ConditionFailed as failed:
            if 1 in failed.places:
                raise Closed from None
            there = self.get(product_id)
            if there is None:
                raise NotFound("There is no such product.") from None
            raise stock_differs(there, expected) from None
        there = self.get(product_id)
        if there is None:
            raise NotFound("There is no such product.")
        return replace(there, stock=stock)


def stock_differs(there: Product, expected: int | None) -> Conflict:
    """The error for a manager who saw another number."""
    return Conflict(
        f"Meanwhile there are {there.stock} of {there.name}, not {expected}. Please look again.",
        facts={"stock": there.stock},
    )


def to_item(product: Product) -> Item:
    """A product as it is stored, without its stock."""
    pk, sk = keys.product(product.id)
    return {
        "pk": pk,
        "sk": sk,
        "type": "product",
        "id": product.id,
        "category": product.category,
        "name": product.name,
        "description": product.description,
        "sizes": [
            {"id": size.id, "name": size.name, "detail": size.detail, "price_cents": size.price_cents}
            for size in product.sizes
        ],
        "extras": [
            {
                "id": extra.id,
                "name": extra.name,
                "price_cents": extra.price_cents,
                "allergens": extra.allergens,
                "vegan": extra.vegan,
            }
            for extra in product.extras
        ],
        "allergens": product.allergens,
        "vegan": product.vegan,
        "picture": product.picture,
        "picture_alt": product.picture_alt,
        "sort": product.sort,
        "retired": product.retired,
        "version": product.version,
        "updated_at": to_text(now()),
        "gsi1pk": keys.RETIRED if product.retired else keys.MENU,
        "gsi1sk": keys.place_on_menu(product.category, product.sort, product.id),
    }


def to_product(item: Item) -> Product:
    """A product as it was stored, by the shop or by the seeder, which leaves out what has a default."""
    picture = item.get("picture")
    return Product(
        id=item["id"],
        category=item["category"],
        name=item["name"],
        description=item["description"],
        sizes=tuple(Size(s["id"], s["name"], s.get("detail", ""), s["price_cents"]) for s in item["sizes"]),
        extras=tuple(
            Extra(e["id"], e["name"], e["price_cents"], tuple(e.get("allergens", ())), e.get("vegan", True))
            for e in item.get("extras", ())
        ),
        allergens=tuple(item.get("allergens", ())),
        vegan=item.get("vegan", False),
        stock=item.get("stock"),
        picture=picture if picture is None or "/" in picture else MENU_PICTURES + picture,
        picture_alt=item.get("picture_alt", ""),
        sort=item.get("sort", 0),
        retired=item.get("retired", False),
        version=item.get("version", 1),
    )
