"""The cart: choices that have not become an order yet.  It may outlive a price, a piece of stock or a product."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shop.domain.catalog import Product
from shop.domain.errors import Invalid
from shop.domain.orders import MAX_LINES, MAX_QUANTITY, Choice, Line, price


@dataclass(frozen=True, slots=True)
class CartLine:
    """A choice at today's price, or with the sentence that says why it cannot be ordered."""

    choice: Choice
    line: Line | None
    name: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class Cart:
    lines: tuple[CartLine, ...]

    @property
    def total_cents(self) -> int:
        """What the orderable lines cost together."""
        return sum(line.line.total_cents for line in self.lines if line.line and not line.problem)

    @property
    def orderable(self) -> bool:
        return bool(self.lines) and not any(line.problem for line in self.lines)


def tidy(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Equal choices joined on one line.

    Raises `Invalid` for too many lines or a quantity outside 1 to 20.
    """
    joined: dict[object, Choice] = {}
    for choice in choices:
        before = joined.get(choice.same_as)
        joined[choice.same_as] = replace(choice, quantity=choice.quantity + (before.quantity if before else 0))
    problems = [
        (f"lines.{number}.quantity", f"Order 1 to {MAX_QUANTITY} of a kind at once, got {choice.quantity}.")
        for number, choice in enumerate(joined.values())
        if not 1 <= choice.quantity <= MAX_QUANTITY
    ]
    if len(joined) > MAX_LINES:
        problems.append(("lines", f"A cart holds at most {MAX_LINES} lines, got {len(joined)}."))
    if problems:
        raise Invalid(problems)
    return tuple(joined.values())


def look_at(choices: Sequence[Choice], products: Mapping[str, Product]) -> Cart:
    """The cart as it is today: a retired or sold out product stays in it, with a sentence that says so."""
    return Cart(tuple(_look_at(choice, products.get(choice.product_id)) for choice in choices))


def _look_at(choice: Choice, product: Product | None) -> CartLine:
    name = product.name if product else choice.product_id
    try:
        line = price(choice, product)
    except Invalid as invalid:
        return CartLine(choice, None, name, invalid.detail)
    problem = None
    if product and product.stock is not None and product.stock < choice.quantity:
        problem = f"{name} is sold out." if product.stock == 0 else f"Only {product.stock} of {name} left."
    return CartLine(choice, line, name, problem)
