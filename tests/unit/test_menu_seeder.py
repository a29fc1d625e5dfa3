"""The function that puts the menu into the table: what it writes, and what it leaves alone."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from menu_seeder import handler, menu
from menu_seeder.table import CatalogTable

ESPRESSO: dict[str, Any] = {
    "id": "espresso",
    "category": "coffee",
    "name": "Espresso",
    "description": "Short and dark.",
    "sizes": [{"id": "single", "name": "Single", "detail": "30 ml", "price_cents": 260}],
    "extras": [{"id": "oat", "name": "Oat milk", "price_cents": 0, "allergens": ["gluten"], "vegan": True}],
    "allergens": [],
    "vegan": True,
    "stock": None,
    "picture": "espresso.webp",
    "picture_alt": "A cup",
    "sort": 10,
}
MENU: dict[str, Any] = {
    "version": 1,
    "currency": "EUR",
    "allergens": [{"id": "gluten", "name": "Gluten"}],
    "categories": [
        {"id": "tea", "name": "Tea", "description": "", "sort": 20},
        {"id": "coffee", "name": "Coffee", "description": "", "sort": 10},
    ],
    "products": [ESPRESSO],
}


class ConditionFailedError(Exception):
    """What boto3 raises when a conditional put finds its item there."""


class FakeTable:
    """A DynamoDB table in a dictionary that knows the one condition used."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}

    def put_item(self, **request: Any) -> None:
        key = request["Item"]["pk"], request["Item"]["sk"]
        if request.get("ConditionExpression") == "attribute_not_exists(pk)" and key in self.items:
            raise ConditionFailedError
        self.items[key] = request["Item"]


@pytest.fixture
def table() -> FakeTable:
    return FakeTable()


def seed(table: FakeTable, contents: Any = MENU) -> dict[str, int]:
    return handler.seed(contents, CatalogTable(table, ConditionFailedError))


def test_an_empty_table_gets_the_whole_menu(table: FakeTable) -> None:
    assert seed(table) == {"products_added": 1, "products_kept": 0}
    assert set(table.items) == {("MENU", "CATEGORIES"), ("PRODUCT#espresso", "PRODUCT")}


def test_what_a_manager_changed_stays_changed(table: FakeTable) -> None:
    # Given a menu in the table whose espresso has become dearer
    seed(table)
    table.items["PRODUCT#espresso", "PRODUCT"]["sizes"][0]["price_cents"] = 999
    # When the menu is deployed again
    result = seed(table, copy.deepcopy(MENU))
    # Then the new price is still there
    assert result == {"products_added": 0, "products_kept": 1}
    assert table.items["PRODUCT#espresso", "PRODUCT"]["sizes"][0]["price_cents"] == 999


def test_a_new_category_and_its_product_arrive_in_a_table_that_is_in_use(table: FakeTable) -> None:
    seed(table)
    bigger = copy.deepcopy(MENU)
    bigger["categories"].append({"id": "cake", "name": "Cake", "description": "", "sort": 30})
    bigger["products"].append({**ESPRESSO, "id": "cheesecake", "category": "cake"})
    assert seed(table, bigger) == {"products_added": 1, "products_kept": 1}
    assert [entry["id"] for entry in table.items["MENU", "CATEGORIES"]["categories"]] == ["coffee", "tea", "cake"]


def test_the_items_have_the_keys_that_the_shop_asks_for() -> None:
    item = menu.product_item({**ESPRESSO, "stock": 7})
    assert {name: item[name] for name in ("pk", "sk", "type", "gsi1pk", "gsi1sk", "stock", "retired", "version")} == {
        "pk": "PRODUCT#espresso",
        "sk": "PRODUCT",
        "type": "product",
        "gsi1pk": "MENU",
        "gsi1sk": "coffee#000010#espresso",
        "stock": 7,
        "retired": False,
        "version": 1,
    }
    assert "gsi2pk" not in item, "a product is never among the open orders"


def test_a_product_that_is_not_counted_has_no_stock() -> None:
    assert "stock" not in menu.product_item(ESPRESSO)


def changed(**fields: Any) -> dict[str, Any]:
    return {**MENU, "products": [{**ESPRESSO, **fields}]}


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        ([], "it must be an object with version 1 and currency EUR"),
        ({**MENU, "version": 2}, "it must be an object with version 1"),
        ({**MENU, "currency": "USD"}, "it must be an object with version 1 and currency EUR"),
        ({**MENU, "products": []}, "products must not be empty"),
        ({**MENU, "products": [ESPRESSO, ESPRESSO]}, "products: ids must be unique, got twice espresso"),
        (changed(id="E spresso"), "products: ids must match [a-z0-9-]{2,40}, got E spresso"),
        (changed(category="soup"), "product espresso: category must be one of the categories"),
        (changed(name="n" * 61), "product espresso: name must have 1 to 60 characters"),
        (changed(description=""), "product espresso: description must have 1 to 300 characters"),
        (changed(sizes=[]), "product espresso: there must be 1 to 6 sizes"),
        (changed(sizes=[{"price_cents": 0}]), "product espresso: a size must cost 1 to 100000 cents"),
        (changed(sizes=[{"price_cents": 2.5}]), "product espresso: a size must cost 1 to 100000 cents"),
        (changed(sizes=[{"price_cents": True}]), "product espresso: a size must cost 1 to 100000 cents"),
        (changed(extras=[{"price_cents": -1}]), "product espresso: an extra must cost 0 to 100000 cents"),
        (changed(allergens=["dust"]), "product espresso: unknown allergens dust"),
        (changed(extras=[{"price_cents": 1, "allergens": ["dust"]}]), "product espresso: unknown allergens dust"),
        (changed(stock=-1), "product espresso: stock must be 0 or more, or null"),
        (changed(vegan="yes"), "product espresso: vegan must be true or false"),
        (changed(sort=None), "product espresso: sort must be 0 or more"),
        ({**MENU, "categories": [{"id": "coffee"}]}, "category coffee: sort must be 0 or more"),
    ],
)
def test_a_broken_menu_is_refused_before_anything_is_written(table: FakeTable, contents: Any, sentence: str) -> None:
    with pytest.raises(menu.MenuError) as caught:
        seed(table, contents)
    assert any(problem.startswith(sentence) for problem in caught.value.problems), caught.value.problems
    assert table.items == {}


def test_all_problems_of_a_menu_are_named_at_once() -> None:
    with pytest.raises(menu.MenuError) as caught:
        menu.check(changed(category="soup", name="", sizes=[]))
    assert len(caught.value.problems) == 3


def test_the_menu_of_the_shop_is_good() -> None:
    path = Path(__file__).resolve().parents[2] / "storefront" / "menu" / "menu.json"
    contents = json.loads(path.read_text(encoding="utf-8"))
    menu.check(contents)
    assert len(contents["products"]) >= 24
