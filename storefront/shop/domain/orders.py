"""Orders: what a line costs, which steps an order takes, and who may take them.

    awaiting_payment -> new -> making -> ready -> collected
            \\____________\\______\\________\\____-> cancelled   (guests: until making begins; staff: until collected)

An `Order` never changes: each step returns the next one with `version` one higher, and the table takes it only if it
still holds the version it came from.  Two people who press at the same moment cannot both win.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shop.domain.catalog import Product
from shop.domain.errors import Conflict, Invalid
from shop.domain.texts import problem_of

MAX_QUANTITY = 20
MAX_LINES = 20
MAX_NOTE = 140
PAYMENT_WINDOW = timedelta(minutes=15)


class Status(StrEnum):
    AWAITING_PAYMENT = "awaiting_payment"
    NEW = "new"
    MAKING = "making"
    READY = "ready"
    COLLECTED = "collected"
    CANCELLED = "cancelled"


NEXT_STEP = {Status.NEW: Status.MAKING, Status.MAKING: Status.READY, Status.READY: Status.COLLECTED}
OPEN = frozenset({Status.AWAITING_PAYMENT, Status.NEW, Status.MAKING, Status.READY})
GUEST_MAY_CANCEL = frozenset({Status.AWAITING_PAYMENT, Status.NEW})


class Payment(StrEnum):
    OPEN = "open"
    DECLINED = "declined"
    PAID = "paid"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody wants of one product: in the cart and in an order request."""

    product_id: str
    size_id: str
    extra_ids: tuple[str, ...] = ()
    quantity: int = 1
    note: str = ""

    @property
    def same_as(self) -> tuple[str, str, tuple[str, ...], str]:
        """Two choices with equal values differ only in quantity and belong on one line."""
        return self.product_id, self.size_id, tuple(sorted(self.extra_ids)), self.note


@dataclass(frozen=True, slots=True)
class ChosenExtra:
    id: str
    name: str
    price_cents: int


@dataclass(frozen=True, slots=True)
class Line:
    """A choice with the names and prices of the moment it was made: a later price change does not touch it."""

    product_id: str
    name: str
    size_id: str
    size_name: str
    extras: tuple[ChosenExtra, ...]
    quantity: int
    unit_price_cents: int
    counted: bool
    note: str = ""
    picture: str | None = None

    @property
    def total_cents(self) -> int:
        return self.unit_price_cents * self.quantity

    @property
    def choice(self) -> Choice:
        return Choice(self.product_id, self.size_id, tuple(extra.id for extra in self.extras), self.quantity, self.note)


@dataclass(frozen=True, slots=True)
class Step:
    status: Status
    at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    id: str
    owner: str
    name: str
    note: str
    lines: tuple[Line, ...]
    status: Status
    version: int
    created_at: datetime
    steps: tuple[Step, ...]
    payment: Payment = Payment.OPEN
    payment_attempts: int = 0
    payment_message: str = ""
    paid_at: datetime | None = None

    @property
    def total_cents(self) -> int:
        return sum(line.total_cents for line in self.lines)

    @property
    def number(self) -> str:
        """What the barista calls out: the last four characters of the id."""
        return self.id[-4:]

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def updated_at(self) -> datetime:
        return self.steps[-1].at

    @property
    def next_step(self) -> Status | None:
        """The step a barista may take now."""
        return NEXT_STEP.get(self.status)

    @property
    def guest_may_cancel(self) -> bool:
        return self.status in GUEST_MAY_CANCEL

    def reserved(self) -> dict[str, int]:
        """Pieces of counted products that this order holds, by product id."""
        pieces: Counter[str] = Counter()
        for line in self.lines:
            if line.counted:
                pieces[line.product_id] += line.quantity
        return dict(pieces)

    def paid(self, at: datetime, message: str) -> "Order":
        self._expect_awaiting_payment()
        return replace(
            self._step(Status.NEW, at),
            payment=Payment.PAID,
            payment_attempts=self.payment_attempts + 1,
            payment_message=message,
            paid_at=at,
        )

    def declined(self, message: str) -> "Order":
        """The card was declined: the order waits for another try."""
        self._expect_awaiting_payment()
        return replace(
            self,
            version=self.version + 1,
            payment=Payment.DECLINED,
            payment_attempts=self.payment_attempts + 1,
            payment_message=message,
        )

    def moved(self, to: Status, at: datetime) -> "Order":
        """The barista's step.  Raises `Conflict` for anything but the very next one."""
        if to is not self.next_step:
            what = f"The next step is {self.next_step.value!r}" if self.next_step else "It takes no further step"
            raise Conflict(
                f"Order {self.number} is {spoken(self.status)} and cannot become {spoken(to)}. {what}.",
                facts={"status": self.status.value, "version": self.version},
            )
        return self._step(to, at)

    def cancelled(self, at: datetime, *, by_staff: bool) -> "Order":
        """Raises `Conflict` when it is too late: for guests once it is being made, for staff once it is collected."""
        if not (self.is_open if by_staff else self.guest_may_cancel):
            raise Conflict(
                f"Order {self.number} is {spoken(self.status)} and can no longer be cancelled.",
                facts={"status": self.status.value, "version": self.version},
            )
        payment = Payment.REFUNDED if self.payment is Payment.PAID else self.payment
        return replace(self._step(Status.CANCELLED, at), payment=payment)

    def gives_back(self) -> dict[str, int]:
        """What cancelling now returns to the shelf: everything until it is being made, nothing afterwards."""
        return self.reserved() if self.guest_may_cancel else {}

    def lapsed(self, at: datetime) -> bool:
        """Whether nobody paid in time, so that the reserved pieces go back to the shelf."""
        return self.status is Status.AWAITING_PAYMENT and at - self.created_at > PAYMENT_WINDOW

    def _expect_awaiting_payment(self) -> None:
        if self.status is not Status.AWAITING_PAYMENT:
            raise Conflict(
                f"Order {self.number} is {spoken(self.status)}; there is nothing to pay.",
                facts={"status": self.status.value, "version": self.version},
            )

    def _step(self, status: Status, at: datetime) -> "Order":
        return replace(self, status=status, version=self.version + 1, steps=(*self.steps, Step(status, at)))


def spoken(status: Status) -> str:
    return status.value.replace("_", " ")


def price(choice: Choice, product: Product | None) -> Line:
    """The line that a choice makes at today's prices.

    Raises `Invalid` when the product is unknown or retired, or has no such size or extra, or the quantity is silly.
    """
    problems: list[tuple[str, str]] = []
    if not 1 <= choice.quantity <= MAX_QUANTITY:
        problems.append(("quantity", f"Order 1 to {MAX_QUANTITY} of a kind at once, got {choice.quantity}."))
    if len(choice.note) > MAX_NOTE:
        problems.append(("note", f"A note has at most {MAX_NOTE} characters, got {len(choice.note)}."))
    elif strange := problem_of(choice.note, lines=True):
        problems.append(("note", strange))
    if product is None:
        problems.append(("product_id", f"There is no product {choice.product_id!r} on the menu."))
        raise Invalid(problems)
    if product.retired:
        problems.append(("product_id", f"{product.name} is no longer on the menu."))
    size = product.size_of(choice.size_id)
    if size is None:
        sizes = ", ".join(size.id for size in product.sizes)
        problems.append(("size", f"{product.name} has no size {choice.size_id!r}; choose one of {sizes}."))
    extras = [product.extra_of(extra_id) for extra_id in choice.extra_ids]
    for extra_id, extra in zip(choice.extra_ids, extras, strict=True):
        if extra is None:
            problems.append(("extras", f"{product.name} has no extra {extra_id!r}."))
    if len(set(choice.extra_ids)) < len(choice.extra_ids):
        problems.append(("extras", f"Each extra of {product.name} can be chosen once."))
    if problems or size is None:
        raise Invalid(problems)
    chosen = tuple(ChosenExtra(extra.id, extra.name, extra.price_cents) for extra in extras if extra)
    return Line(
        product_id=product.id,
        name=product.name,
        size_id=size.id,
        size_name=size.name,
        extras=chosen,
        quantity=choice.quantity,
        unit_price_cents=size.price_cents + sum(extra.price_cents for extra in chosen),
        counted=product.stock is not None,
        note=choice.note,
        picture=product.picture,
    )


def price_all(choices: Sequence[Choice], products: Mapping[str, Product]) -> tuple[Line, ...]:
    """The lines of an order.  Raises `Invalid` with the problems of all lines at once."""
    if not 1 <= len(choices) <= MAX_LINES:
        raise Invalid([("lines", f"An order has 1 to {MAX_LINES} lines, got {len(choices)}.")])
    lines: list[Line] = []
    problems: list[tuple[str, str]] = []
    for number, choice in enumerate(choices):
        try:
            lines.append(price(choice, products.get(choice.product_id)))
        except Invalid as invalid:
            problems += [(f"lines.{number}.{where}", sentence) for where, sentence in invalid.problems]
    if problems:
        raise Invalid(problems)
    return tuple(lines)


def short_of(lines: Sequence[Line], products: Mapping[str, Product]) -> dict[str, int]:
    """Counted products of which too few are left, with what is left of each."""
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line.product_id] += line.quantity
    left = {id_: products[id_].stock for id_ in wanted}
    return {id_: stock for id_, stock in left.items() if stock is not None and stock < wanted[id_]}
