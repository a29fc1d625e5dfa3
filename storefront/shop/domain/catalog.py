"""The menu: products with sizes and extras, their rules, and how guests look for something."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shop.domain.errors import Invalid
from shop.domain.texts import is_blank, problem_of

MAX_PRICE_CENTS = 100_000
MAX_STOCK = 100_000
MAX_NAME = 60
MAX_DESCRIPTION = 300
MAX_SIZES = 6
MAX_EXTRAS = 12
PRODUCT_ID = re.compile(r"[a-z0-9-]{2,40}")
MENU_PICTURES = "media/menu/"
CHECKED_PICTURES = "media/uploads/checked/"
THUMBNAILS = "media/thumbnails/"
PICTURE_FOLDERS = (MENU_PICTURES, CHECKED_PICTURES)  # what pages may show; an upload as it arrived is not in them


@dataclass(frozen=True, slots=True)
class Size:
    id: str
    name: str
    detail: str
    price_cents: int


@dataclass(frozen=True, slots=True)
class Extra:
    id: str
    name: str
    price_cents: int
    allergens: tuple[str, ...] = ()
    vegan: bool = True


@dataclass(frozen=True, slots=True)
class Category:
    id: str
    name: str
    description: str
    sort: int


@dataclass(frozen=True, slots=True)
class Allergen:
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Product:
    """One thing on the menu.  `stock` None means made to order and not counted; a retired product keeps its id."""

    id: str
    category: str
    name: str
    description: str
    sizes: tuple[Size, ...]
    extras: tuple[Extra, ...] = ()
    allergens: tuple[str, ...] = ()
    vegan: bool = False
    stock: int | None = None
    picture: str | None = None
    picture_alt: str = ""
    sort: int = 0
    retired: bool = False
    version: int = 1

    @property
    def available(self) -> bool:
        """Whether somebody may order it now."""
        return not self.retired and (self.stock is None or self.stock > 0)

    @property
    def from_cents(self) -> int:
        """The price of the cheapest size."""
        return min(size.price_cents for size in self.sizes)

    def size_of(self, size_id: str) -> Size | None:
        return next((size for size in self.sizes if size.id == size_id), None)

    def extra_of(self, extra_id: str) -> Extra | None:
        return next((extra for extra in self.extras if extra.id == extra_id), None)


@dataclass(frozen=True, slots=True)
class Board:
    """What hangs over the counter and rarely changes: the categories in their order, and the allergens by name."""

    categories: tuple[Category, ...] = ()
    allergens: tuple[Allergen, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a guest is looking for.  An empty wish is the whole menu."""

    category: str | None = None
    text: str = ""
    vegan: bool = False
    without: frozenset[str] = field(default_factory=frozenset)
    max_price_cents: int | None = None

    def matches(self, product: Product) -> bool:
        return (
            (self.category is None or product.category == self.category)
            and (not self.vegan or product.vegan)
            and not self.without.intersection(product.allergens)
            and (self.max_price_cents is None or product.from_cents <= self.max_price_cents)
            and all(word in _plain(f"{product.name} {product.description}") for word in _plain(self.text).split())
        )


def on_the_menu(products: Iterable[Product], wish: Wish) -> list[Product]:
    """The products that fit the wish and are not retired, in the order given."""
    return [product for product in products if not product.retired and wish.matches(product)]


def slug(name: str) -> str:
    """An id made of a name: `Crème brûlée` becomes `creme-brulee`.  Empty when no letter or digit is left."""
    return re.sub(r"[^a-z0-9]+", "-", _plain(name)).strip("-")[:40].strip("-")


def check_product(product: Product, board: Board) -> None:
    """Refuse a product that breaks a rule of the menu.

    Raises `Invalid` with every problem at once.
    """
    problems: list[tuple[str, str]] = []

    def expect(holds: bool, where: str, sentence: str) -> None:
        if not holds:
            problems.append((where, sentence))

    categories = {category.id for category in board.categories}
    allergens = {allergen.id for allergen in board.allergens}
    expect(
        bool(PRODUCT_ID.fullmatch(product.id)),
        "id",
        "An id is 2 to 40 small letters, digits and dashes; give one if the name makes none.",
    )
    expect(
        product.category in categories,
        "category",
        f"There is no category {product.category!r}; choose one of {', '.join(sorted(categories))}.",
    )
    _expect_text(problems, "name", product.name, MAX_NAME)
    _expect_text(problems, "description", product.description, MAX_DESCRIPTION)
    expect(1 <= len(product.sizes) <= MAX_SIZES, "sizes", f"A product has 1 to {MAX_SIZES} sizes.")
    expect(len(product.extras) <= MAX_EXTRAS, "extras", f"A product has at most {MAX_EXTRAS} extras.")
    _expect_distinct(problems, "sizes", [size.id for size in product.sizes])
    _expect_distinct(problems, "extras", [extra.id for extra in product.extras])
    for number, size in enumerate(product.sizes):
        _expect_text(problems, f"sizes.{number}.name", size.name, MAX_NAME)
        _expect_no_control(problems, f"sizes.{number}.detail", size.detail)
        expect(
            0 <= size.price_cents <= MAX_PRICE_CENTS,
            f"sizes.{number}.price_cents",
            f"A price is between 0 and {MAX_PRICE_CENTS} cents, got {size.price_cents}.",
        )
    for number, extra in enumerate(product.extras):
        _expect_text(problems, f"extras.{number}.name", extra.name, MAX_NAME)
        expect(
            0 <= extra.price_cents <= MAX_PRICE_CENTS,
            f"extras.{number}.price_cents",
            f"A price is between 0 and {MAX_PRICE_CENTS} cents, got {extra.price_cents}.",
        )
    named = set(product.allergens).union(*(extra.allergens for extra in product.extras))
    unknown = sorted(named - allergens)
    expect(not unknown, "allergens", f"Unknown allergens: {', '.join(unknown)}.")
    expect(
        product.stock is None or 0 <= product.stock <= MAX_STOCK,
        "stock",
        f"Stock is between 0 and {MAX_STOCK} pieces, or nothing for what is made to order.",
    )
    expect(
        product.picture is None or product.picture.startswith(PICTURE_FOLDERS),
        "picture",
        "Finish the upload first: a product shows only pictures that the shop has checked.",
    )
    expect(len(product.picture_alt) <= MAX_DESCRIPTION, "picture_alt", "Describe the picture in 300 characters.")
    _expect_no_control(problems, "picture_alt", product.picture_alt)
    if problems:
        raise Invalid(problems)


def _expect_text(problems: list[tuple[str, str]], where: str, text: str, longest: int) -> None:
    if is_blank(text) or len(text.strip()) > longest:
        problems.append((where, f"The {where.rsplit('.', 1)[-1]} needs 1 to {longest} characters, got {len(text)}."))
    _expect_no_control(problems, where, text)


def _expect_no_control(problems: list[tuple[str, str]], where: str, text: str) -> None:
    # A description may be a paragraph of several lines.
    strange = problem_of(text, lines=where == "description")
    if strange:
        problems.append((where, strange))


def _expect_distinct(problems: list[tuple[str, str]], where: str, ids: Sequence[str]) -> None:
    twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
    if twice:
        problems.append((where, f"Used twice in {where}: {', '.join(twice)}."))


def _plain(text: str) -> str:
    """Lower case without accents, so that `cafe` finds `Café`."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()
