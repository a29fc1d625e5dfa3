"""The menu, from its copy in Valkey: the shop's busiest answer, which changes a few times an hour."""

import json
import threading
from collections.abc import Collection

from shop.adapters.cache_aside import CacheAside
from shop.adapters.catalog import to_item, to_product
from shop.adapters.valkey_store import ValkeyStore
from shop.domain.catalog import Board, Product
from shop.domain.ports import Catalog

COPY_SECONDS = 30.0
_MENU = "menu"


class CachedCatalog:
    """Implements `shop.domain.ports.Catalog`: the menu is cached, and whatever prices an order is not.

    A manager's change and an order that changes the stock drop the copy; what others change in the table (the seeder, a
    function) shows after half a minute.
    """

    def __init__(self, store: ValkeyStore, source: Catalog) -> None:
        self._store = store
        self._source = source
        self._copies = CacheAside(store, COPY_SECONDS)
        self._lock = threading.Lock()
        self._read: tuple[bytes, list[Product]] = (b"", [])

    def board(self) -> Board:
        return self._source.board()

    def menu(self, category: str | None = None) -> list[Product]:
        if not self._store.serves("menu_cache"):
            return self._source.menu(category)
        products = self._products(self._copies.get(_MENU, self._load))
        return [product for product in products if category in {None, product.category}]

    def retired(self) -> list[Product]:
        return self._source.retired()

    def get(self, product_id: str) -> Product | None:
        return self._source.get(product_id)

    def get_many(self, product_ids: Collection[str]) -> dict[str, Product]:
        return self._source.get_many(product_ids)

    def add(self, product: Product, key: str, fingerprint: str) -> Product:
        added = self._source.add(product, key, fingerprint)
        self.changed()
        return added

    def replace(self, product: Product) -> Product:
        replaced = self._source.replace(product)
        self.changed()
        return replaced

    def set_stock(self, product_id: str, stock: int | None, *, expected: int | None) -> Product:
        product = self._source.set_stock(product_id, stock, expected=expected)
        self.changed()
        return product

    def changed(self) -> None:
        """Something on the menu is another than before."""
        if self._store.uses("menu_cache"):
            self._copies.drop(_MENU)

    def _load(self) -> bytes:
        return json.dumps([{**to_item(product), "stock": product.stock} for product in self._source.menu()]).encode()

    def _products(self, copy: bytes) -> list[Product]:
        """The products in the copy; the same bytes as last time are not taken apart again."""
        read, products = self._read
        if copy != read:
            products = [to_product(item) for item in json.loads(copy)]
            self._read = copy, products
        return products
