"""The domain's ports in memory, for tests that press ten thousand buttons."""

from collections.abc import Collection
from dataclasses import replace

from shop.domain.catalog import Board, Product
from shop.domain.errors import Conflict
from shop.domain.ordering import out_of_stock
from shop.domain.orders import Order, Status
from shop.domain.ports import Placed
from shop.domain.sales import Sale


class MemoryCatalog:
    """Products in a dictionary."""

    def __init__(self, products: list[Product]) -> None:
        self.products = {product.id: product for product in products}

    def board(self) -> Board:
        return Board()

    def menu(self, category: str | None = None) -> list[Product]:
        return [p for p in self.products.values() if not p.retired and category in {None, p.category}]

    def retired(self) -> list[Product]:
        return [product for product in self.products.values() if product.retired]

    def get(self, product_id: str) -> Product | None:
        return self.products.get(product_id)

    def get_many(self, product_ids: Collection[str]) -> dict[str, Product]:
        return {id_: self.products[id_] for id_ in product_ids if id_ in self.products}

    def add(self, product: Product, key: str, fingerprint: str) -> Product:
        self.products[product.id] = product
        return product

    def replace(self, product: Product) -> Product:
        self.products[product.id] = product
        return product

    def set_stock(self, product_id: str, stock: int | None, *, expected: int | None) -> Product:
        return self.replace(replace(self.products[product_id], stock=stock))

    def take(self, product_id: str, pieces: int) -> None:
        product = self.products[product_id]
        if product.stock is not None:
            self.products[product_id] = replace(product, stock=product.stock - pieces)


class MemoryOrders:
    """Orders in a dictionary, with the same promises as the table."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        self.catalog = catalog
        self.orders: dict[str, Order] = {}
        self.keys: dict[tuple[str, str], Placed] = {}

    def find(self, order_id: str) -> Order | None:
        return self.orders.get(order_id)

    def of_owner(self, owner: str, limit: int) -> list[Order]:
        return [order for order in reversed(self.orders.values()) if order.owner == owner][:limit]

    def open_orders(self) -> list[Order]:
        return [order for order in self.orders.values() if order.is_open]

    def collected_on(self, day: str, limit: int) -> list[Order]:
        return [order for order in self.orders.values() if order.status is Status.COLLECTED][:limit]

    def sales_on(self, day: str) -> list[Sale]:
        return []

    def placed_with(self, owner: str, key: str) -> Placed | None:
        placed = self.keys.get((owner, key))
        return placed and Placed(self.orders[placed.order.id], placed.fingerprint)

    def place(self, order: Order, key: str, fingerprint: str) -> Placed:
        earlier = self.placed_with(order.owner, key)
        if earlier:
            return earlier
        for product_id, pieces in order.reserved().items():
            stock = self.catalog.products[product_id].stock
            if stock is not None and stock < pieces:
                raise out_of_stock({product_id: stock}, {})
            self.catalog.take(product_id, pieces)
        self.orders[order.id] = order
        self.keys[order.owner, key] = Placed(order, fingerprint)
        return Placed(order, fingerprint)

    def save(self, before: Order, after: Order) -> None:
        if self.orders[before.id].version != before.version:
            raise Conflict("changed")
        self.orders[after.id] = after
        for product_id, pieces in (before.gives_back() if after.status is Status.CANCELLED else {}).items():
            self.catalog.take(product_id, -pieces)
