"""What a menu is, and which items of the catalog table it becomes. Plain Python: no AWS."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Item = dict[str, Any]

VERSION = 1
CURRENCY = "EUR"
MAX_PRICE_CENTS = 100_000
MAX_COUNT = 999_999
_ID = re.compile(r"[a-z0-9-]{2,40}")


class MenuError(ValueError):
    """The menu breaks its rules. The message names every place and what is expected there."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("The menu cannot be used: " + "; ".join(problems))


def board_item(menu: Mapping[str, Any]) -> Item:
    """The item that lists the categories in their order, and the allergens by name.

    >>> board_item({"categories": [{"id": "tea", "sort": 20}, {"id": "coffee", "sort": 10}], "allergens": []})
    {'pk': 'MENU', 'sk': 'CATEGORIES', 'type': 'menu', 'categories': [{'id': 'coffee', 'sort': 10}, \
{'id': 'tea', 'sort': 20}], 'allergens': []}
    """
    return {
        "pk": "MENU",
        "sk": "CATEGORIES",
        "type": "menu",
        "categories": sorted(menu["categories"], key=lambda category: category["sort"]),
        "allergens": list(menu["allergens"]),
    }


def product_item(product: Mapping[str, Any]) -> Item:
    """The item of one product: its fields, its keys, and its place in the index ByCategory.

    A product that is not counted has no `stock`. The whole menu is one partition of the index, so that one Query reads
    it. The sort key begins with the category, so that one category is a Query too; the product's id makes it unique.

    >>> item = product_item({"id": "espresso", "category": "coffee", "sort": 10, "stock": None})
    >>> item["pk"], item["gsi1pk"], item["gsi1sk"], "stock" in item
    ('PRODUCT#espresso', 'MENU', 'coffee#000010#espresso', False)
    """
    return {
        **{name: value for name, value in product.items() if value is not None},
        "pk": f"PRODUCT#{product['id']}",
        "sk": "PRODUCT",
        "type": "product",
        "gsi1pk": "MENU",
        "gsi1sk": f"{product['category']}#{product['sort']:06d}#{product['id']}",
        "retired": False,
        "version": 1,
    }


def check(menu: Any) -> None:
    """Refuse a menu that the shop could not sell from.

    :raises MenuError: with every problem at once.
    """
    if not isinstance(menu, dict) or menu.get("version") != VERSION or menu.get("currency") != CURRENCY:
        raise MenuError([f"it must be an object with version {VERSION} and currency {CURRENCY}"])
    problems: list[str] = []
    categories = _ids(menu, "categories", problems)
    allergens = _ids(menu, "allergens", problems)
    _ids(menu, "products", problems)
    for category in _objects(menu, "categories"):
        _expect(problems, _is_count(category.get("sort")), f"category {category.get('id')}: sort must be 0 or more")
    products = _objects(menu, "products")
    _expect(problems, bool(products), "products must not be empty")
    for product in products:
        where = f"product {product.get('id')}"
        _expect(problems, product.get("category") in categories, f"{where}: category must be one of the categories")
        _expect(problems, _is_text(product.get("name"), 60), f"{where}: name must have 1 to 60 characters")
        _expect(
            problems, _is_text(product.get("description"), 300), f"{where}: description must have 1 to 300 characters"
        )
        _expect(problems, isinstance(product.get("vegan"), bool), f"{where}: vegan must be true or false")
        _expect(problems, _is_count(product.get("sort")), f"{where}: sort must be 0 or more")
        stock = product.get("stock")
        _expect(problems, stock is None or _is_count(stock), f"{where}: stock must be 0 or more, or null")
        sizes = _objects(product, "sizes")
        _expect(problems, 1 <= len(sizes) <= 6, f"{where}: there must be 1 to 6 sizes")
        for size in sizes:
            fine = _is_price(size.get("price_cents"), least=1)
            _expect(problems, fine, f"{where}: a size must cost 1 to {MAX_PRICE_CENTS} cents")
        for extra in _objects(product, "extras"):
            fine = _is_price(extra.get("price_cents"), least=0)
            _expect(problems, fine, f"{where}: an extra must cost 0 to {MAX_PRICE_CENTS} cents")
        for dish in (product, *_objects(product, "extras")):
            unknown = sorted(set(map(str, dish.get("allergens", ()))) - allergens)
            _expect(problems, not unknown, f"{where}: unknown allergens {', '.join(unknown)}")
    if problems:
        raise MenuError(problems)


def _ids(menu: Mapping[str, Any], kind: str, problems: list[str]) -> set[str]:
    ids = [str(entry.get("id")) for entry in _objects(menu, kind)]
    wrong = [id_ for id_ in ids if not _ID.fullmatch(id_)]
    double = sorted({id_ for id_ in ids if ids.count(id_) > 1})
    _expect(problems, not wrong, f"{kind}: ids must match {_ID.pattern}, got {', '.join(wrong)}")
    _expect(problems, not double, f"{kind}: ids must be unique, got twice {', '.join(double)}")
    return set(ids)


def _objects(parent: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    entries = parent.get(name)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _expect(problems: list[str], holds: bool, sentence: str) -> None:
    if not holds:
        problems.append(sentence)


def _is_text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= longest


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT


def _is_price(value: Any, *, least: int) -> bool:
    return _is_count(value) and least <= value <= MAX_PRICE_CENTS
