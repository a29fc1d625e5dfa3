"""What a manager does with the menu."""

from dataclasses import asdict, dataclass, replace

from shop.domain.catalog import Product, check_product
from shop.domain.customers import Caller
from shop.domain.errors import Conflict, Invalid, NotFound
from shop.domain.ordering import check_key, fingerprint_of
from shop.domain.ports import Catalog, Pictures


@dataclass(frozen=True, slots=True)
class Managing:
    """Adding, editing and retiring products.  A retired product keeps its id: old orders and carts name it."""

    catalog: Catalog
    pictures: Pictures

    def add(self, caller: Caller, product: Product, key: str) -> Product:
        """Add a product once per key.  Raises `Invalid`, `Conflict` (the id is taken) and `KeyReused`."""
        check_key(key)
        self._check(product, None)
        return self.catalog.add(product, f"{caller.owner}#{key}", fingerprint_of(asdict(product)))

    def edit(self, product: Product) -> Product:
        """Store an edited product.  The same edit again answers what is there.

        Raises `NotFound`, `Invalid`, and `Conflict` when somebody else edited it meanwhile.
        """
        before = self._get(product.id)
        product = replace(product, stock=before.stock)
        if product == before:
            return before
        if before.version != product.version - 1:
            raise Conflict(
                f"Somebody else changed {before.name} meanwhile. Please look at it again.",
                facts={"version": before.version},
            )
        self._check(product, before)
        return self.catalog.replace(product)

    def retire(self, product_id: str) -> Product:
        """Take it off the menu.  Again: it stays retired."""
        before = self._get(product_id)
        if before.retired:
            return before
        return self.catalog.replace(replace(before, retired=True, version=before.version + 1))

    def set_stock(self, product_id: str, stock: int | None, *, expected: int | None) -> Product:
        """Say how many pieces there are; raises `NotFound` and, with `expected`, `Conflict`."""
        self._get(product_id)
        return self.catalog.set_stock(product_id, stock, expected=expected)

    def _get(self, product_id: str) -> Product:
        product = self.catalog.get(product_id)
        if product is None:
            raise NotFound("There is no such product.")
        return product

    def _check(self, product: Product, before: Product | None) -> None:
        check_product(product, self.catalog.board())
        is_new = product.picture is not None and (before is None or before.picture != product.picture)
        if is_new and not self.pictures.exists(product.picture or ""):
            raise Invalid([("picture", "There is no such picture. Please upload it first.")])
