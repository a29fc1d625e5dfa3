"""The menu's files belong together: each product has its drawing, and each drawing is small enough."""

import json
from pathlib import Path
from typing import Any

import pytest

MENU = Path(__file__).resolve().parents[3] / "storefront" / "menu"
PRODUCTS: list[dict[str, Any]] = json.loads((MENU / "menu.json").read_text(encoding="utf-8"))["products"]
PICTURE_LIMIT_BYTES = 30_000


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product["id"])
def test_a_product_has_a_small_picture_of_the_usual_size(product: dict[str, Any]) -> None:
    data = (MENU / "pictures" / product["picture"]).read_bytes()
    assert len(data) <= PICTURE_LIMIT_BYTES
    assert (data[:4], data[8:16]) == (b"RIFF", b"WEBPVP8X")
    width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    assert (width, height) == (640, 480)
    assert product["picture_alt"]


def test_no_picture_is_left_over() -> None:
    files = {file.name for file in (MENU / "pictures").iterdir()}
    assert files == {product["picture"] for product in PRODUCTS}


def test_sizes_and_extras_are_named_once_in_a_product() -> None:
    for product in PRODUCTS:
        for choices in (product["sizes"], product["extras"]):
            ids = [choice["id"] for choice in choices]
            assert len(ids) == len(set(ids)), product["id"]
