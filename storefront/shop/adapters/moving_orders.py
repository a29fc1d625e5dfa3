"""The order book wherever it is, and the catalog with the stock that belongs to it."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from shop.adapters.catalog import DynamoCatalog, stock_differs
from shop.adapters.order_home import OrderHome
from shop.adapters.orders import DynamoOrders
from shop.domain.catalog import Board, Product
from shop.domain.errors import NotFound, Unavailable
from shop.domain.orders import Order
from shop.domain.ports import Placed
from shop.domain.sales import Sale

if TYPE_CHECKING:
    from shop.adapters.postgres_orders import PostgresOrders


class MovingOrders:
    """Implements `shop.domain.ports.OrderBook`: in the table until they have moved, then in PostgreSQL.

    `stock_changed` is called after an order took pieces from the shelf or gave them back.
    """

    def __init__(self, home: OrderHome, table: DynamoOrders, stock_changed: Callable[[], None] = lambda: None) -> None:
        self._home = home
        self._table = table
        self._stock_changed = stock_changed

    def find(self, order_id: str) -> Order | None:
        return self._home.do(
            lambda: self._table.find(order_id),
            lambda postgres: postgres.find(order_id) or self._table.find_left_behind(order_id),
        )

    def of_owner(self, owner: str, limit: int) -> list[Order]:
        return self._home.do(
            lambda: self._table.of_owner(owner, limit), lambda postgres: postgres.of_owner(owner, limit)
        )

    def open_orders(self) -> list[Order]:
        return self._home.do(self._table.open_orders, lambda postgres: postgres.open_orders())

    def collected_on(self, day: str, limit: int) -> list[Order]:
        return self._home.do(
            lambda: self._table.collected_on(day, limit), lambda postgres: postgres.collected_on(day, limit)
        )

    def sales_on(self, day: str) -> list[Sale]:
        return self._home.do(lambda: self._table.sales_on(day), lambda postgres: postgres.sales_on(day))

    def placed_with(self, owner: str, key: str) -> Placed | None:
        return self._home.do(
            lambda: self._table.placed_with(owner, key), lambda postgres: postgres.placed_with(owner, key)
        )

    def place(self, order: Order, key: str, fingerprint: str) -> Placed:
        placed = self._home.do(
            lambda: self._table.place(order, key, fingerprint),
            lambda postgres: postgres.place(order, key, fingerprint),
        )
        if order.reserved():
            self._stock_changed()
        return placed

    def save(self, before: Order, after: Order) -> None:
        self._home.do(lambda: self._table.save(before, after), lambda postgres: postgres.save(before, after))
        if after.status is not before.status and before.gives_back():
            self._stock_changed()


class StockedCatalog:
    """Implements `shop.domain.ports.Catalog`: products from the table, their stock from where the orders live.

    Once that is PostgreSQL, the stock in the table says no more than that a product is counted, and how many pieces a
    manager (or the seeder) has last seen.  A counted product that PostgreSQL has not heard of begins with these.

    When PostgreSQL does not answer, the menu shows the stock that was last seen: it is placing an order that decides.
    """

    def __init__(self, home: OrderHome, table: DynamoCatalog) -> None:
        self._home = home
        self._table = table
        self._seen: dict[str, int] | None = None

    def board(self) -> Board:
        return self._table.board()

    def menu(self, category: str | None = None) -> list[Product]:
        return self._stocked(self._table.menu(category))

    def retired(self) -> list[Product]:
        return self._stocked(self._table.retired())

    def get(self, product_id: str) -> Product | None:
        product = self._table.get(product_id)
        return self._stocked([product])[0] if product else None

    def get_many(self, product_ids: Collection[str]) -> dict[str, Product]:
        return {product.id: product for product in self._stocked(self._table.get_many(product_ids).values())}

    def add(self, product: Product, key: str, fingerprint: str) -> Product:
        def at_postgres(postgres: "PostgresOrders") -> Product:
            return self._stocked([self._table.add(product, key, fingerprint, counted_here=False)])[0]

        return self._home.do(lambda: self._table.add(product, key, fingerprint), at_postgres)

    def replace(self, product: Product) -> Product:
        return self._stocked([self._table.replace(product)])[0]

    def set_stock(self, product_id: str, stock: int | None, *, expected: int | None) -> Product:
        def at_postgres(postgres: "PostgresOrders") -> Product:
            product = self._table.get(product_id)
            if product is None:
                raise NotFound("There is no such product.")
            if stock is None:  # first, or somebody who reads in between begins to count it again
                self._table.set_stock(product_id, None, expected=None, counted_here=False)
            before = postgres.set_stock(product_id, stock, expected=expected)
            differs = expected is not None and before != expected
            self._table.set_stock(product_id, before if differs else stock, expected=None, counted_here=False)
            if differs:
                raise stock_differs(replace(product, stock=before), expected)
            return replace(product, stock=stock)

        return self._home.do(lambda: self._table.set_stock(product_id, stock, expected=expected), at_postgres)

    def _stocked(self, products: Iterable[Product]) -> list[Product]:
        listed = list(products)
        postgres = self._home.postgres
        if postgres is None or not listed:
            return listed
        try:
            self._seen = postgres.stock()
            if any(product.stock is not None and product.id not in self._seen for product in listed):
                self._begin_counting(postgres, [product.id for product in listed])
        except Unavailable:
            if self._seen is None:
                return listed
        seen = self._seen
        return [replace(product, stock=seen.get(product.id)) for product in listed]

    def _begin_counting(self, postgres: "PostgresOrders", product_ids: list[str]) -> None:
        """Tell PostgreSQL of counted products that it has not heard of; read again, lest one has just been changed."""
        there = self._table.get_many(product_ids)
        postgres.begin_counting({id_: product.stock for id_, product in there.items() if product.stock is not None})
        self._seen = postgres.stock()
