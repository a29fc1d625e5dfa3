"""The story of an order, from the counter to the cup."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime

from shop.domain import ids
from shop.domain.customers import Caller, Role
from shop.domain.errors import Conflict, Forbidden, Invalid, KeyReused, NotFound, OutOfStock, PaymentDeclined, ShopError
from shop.domain.orders import MAX_NOTE, Choice, Order, Status, Step, price_all, short_of
from shop.domain.payments import charge
from shop.domain.ports import Catalog, OrderBook
from shop.domain.texts import problem_of

MAX_PICKUP_NAME = 40
KEY_LENGTH = (8, 100)
_TRIES = 4


class Ordering:
    """Placing, paying, making and cancelling orders.

    `clock` is a parameter so that tests can move time.
    """

    def __init__(self, catalog: Catalog, orders: OrderBook, clock: Callable[[], datetime] = ids.now) -> None:
        self._catalog = catalog
        self._orders = orders
        self._clock = clock

    def place(
        self,
        caller: Caller,
        choices: Sequence[Choice],
        *,
        key: str,
        name: str = "",
        note: str = "",
        expected_total_cents: int | None = None,
    ) -> Order:
        """Place an order once per key.  The same key with the same order answers the order that is there.

        Raises:
            Invalid: something about the order breaks a rule.
            KeyReused: the key came before with another order.
            OutOfStock: too few pieces are left.
            Conflict: the total is not the one the guest was shown.
        """
        check_key(key)
        wanted = [asdict(choice) for choice in choices]
        fingerprint = fingerprint_of({"choices": wanted, "name": name, "note": note, "total": expected_total_cents})
        try:
            placed = self._orders.place(self._new(caller, choices, name, note, expected_total_cents), key, fingerprint)
        except (Invalid, Conflict):
            # Perhaps this is the second try of an order that succeeded, and the last croissant is in it.
            earlier = self._orders.placed_with(caller.owner, key)
            if earlier is None:
                raise
            placed = earlier
        if placed.fingerprint != fingerprint:
            raise KeyReused(
                "This idempotency key was used for another order. Use a new key for a new order.",
                facts={"order_id": placed.order.id},
            )
        return placed.order

    def _new(self, caller: Caller, choices: Sequence[Choice], name: str, note: str, expected: int | None) -> Order:
        problems = []
        if len(name) > MAX_PICKUP_NAME:
            problems.append(("name", f"The name we call out has at most {MAX_PICKUP_NAME} characters on one line."))
        elif strange := problem_of(name):
            problems.append(("name", strange))
        if len(note) > MAX_NOTE:
            problems.append(("note", f"A note has at most {MAX_NOTE} characters, got {len(note)}."))
        elif strange := problem_of(note, lines=True):
            problems.append(("note", strange))
        if problems:
            raise Invalid(problems)
        products = self._catalog.get_many({choice.product_id for choice in choices})
        lines = price_all(choices, products)
        short = short_of(lines, products)
        if short:
            raise out_of_stock(short, {id_: products[id_].name for id_ in short})
        at = self._clock()
        order = Order(
            id=ids.new_id(),
            owner=caller.owner,
            name=name.strip() or caller.name[:MAX_PICKUP_NAME],
            note=note,
            lines=lines,
            status=Status.AWAITING_PAYMENT,
            version=1,
            created_at=at,
            steps=(Step(Status.AWAITING_PAYMENT, at),),
        )
        if expected is not None and expected != order.total_cents:
            raise Conflict(
                "The price has changed since you looked. Please check the new total and order again.",
                facts={"total_cents": order.total_cents},
            )
        return order

    def find(self, caller: Caller, order_id: str) -> Order:
        """The order, for whoever placed it and for staff.  `NotFound` for everybody else, as if it did not exist."""
        order = self._orders.find(order_id) if ids.is_id(order_id) else None
        if order is None or not (caller.is_staff or order.owner in caller.owners):
            raise NotFound("There is no such order, or it is somebody else's.")
        return order

    def mine(self, caller: Caller, limit: int) -> list[Order]:
        """The caller's newest orders first."""
        orders = [order for owner in caller.owners for order in self._orders.of_owner(owner, limit)]
        return sorted(orders, key=lambda order: order.id, reverse=True)[:limit]

    def pay(self, caller: Caller, order_id: str, token: str) -> Order:
        """Pay.  Paying a paid order again answers the order and charges nothing.

        Raises:
            PaymentDeclined: the card was declined; another one may be tried.
            Conflict: the order was cancelled, or lapsed before it was paid.
        """
        card = charge(token)

        def attempt(order: Order) -> Order:
            if order.paid_at is not None and order.status is not Status.CANCELLED:
                return order
            if order.lapsed(self._clock()):
                self._orders.save(order, order.cancelled(self._clock(), by_staff=False))
                raise Conflict("This order waited too long for its payment and was cancelled. Please order again.")
            return order.paid(self._clock(), card.message) if card.approved else order.declined(card.message)

        order = self._change(lambda: self._own(caller, order_id), attempt)
        if not card.approved and order.paid_at is None:
            raise PaymentDeclined(card.message, facts={"order_id": order.id, "version": order.version})
        return order

    def cancel(self, caller: Caller, order_id: str) -> Order:
        """Cancel.  Cancelling a cancelled order again answers the order."""

        def attempt(order: Order) -> Order:
            if order.status is Status.CANCELLED:
                return order
            return order.cancelled(self._clock(), by_staff=caller.is_staff)

        return self._change(lambda: self.find(caller, order_id), attempt)

    def move(self, caller: Caller, order_id: str, to: Status, version: int) -> Order:
        """The barista's step from the version they saw.  The same step twice answers the order as it is.

        Raises:
            Conflict: somebody else was faster, or it is not the next step.
        """
        caller.expect(Role.BARISTA, Role.MANAGER)
        order = self.find(caller, order_id)
        if order.status is to and order.version == version + 1:
            return order
        if order.version != version:
            raise _changed(order)
        after = order.moved(to, self._clock())
        try:
            self._orders.save(order, after)
        except Conflict:
            order = self.find(caller, order_id)
            if order.status is to and order.version == version + 1:
                return order
            raise _changed(order) from None
        return after

    def cancel_lapsed(self) -> int:
        """Give back the pieces that unpaid orders hold for too long.  Answers how many orders that were."""
        count = 0
        for order in self._orders.open_orders():
            if order.lapsed(self._clock()):
                try:
                    self._orders.save(order, order.cancelled(self._clock(), by_staff=False))
                    count += 1
                except ShopError:
                    continue  # paid at the last moment, or another task was faster
        return count

    def _own(self, caller: Caller, order_id: str) -> Order:
        order = self.find(caller, order_id)
        if order.owner not in caller.owners:
            raise Forbidden("Only the guest who ordered can pay this order.")
        return order

    def _change(self, load: Callable[[], Order], attempt: Callable[[Order], Order]) -> Order:
        """Load, decide, save; again from the start when somebody else changed the order meanwhile."""
        for _ in range(_TRIES):
            before = load()
            after = attempt(before)
            if after == before:
                return before
            try:
                self._orders.save(before, after)
            except Conflict:
                continue
            return after
        raise _changed(load())


def fingerprint_of(content: object) -> str:
    """A short stand-in for a request's content, to see whether a key came with the same one."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def out_of_stock(left: dict[str, int], names: dict[str, str]) -> OutOfStock:
    """The error for products of which too few are left."""
    sentences = [
        f"Only {stock} of {names.get(id_, id_)} left." if stock else f"{names.get(id_, id_)} is sold out."
        for id_, stock in sorted(left.items())
    ]
    return OutOfStock(" ".join(sentences), facts={"left": left})


def check_key(key: str) -> None:
    shortest, longest = KEY_LENGTH
    if not shortest <= len(key) <= longest or not key.isascii() or not key.isprintable():
        raise Invalid(
            [("Idempotency-Key", f"The header Idempotency-Key has {shortest} to {longest} characters, e.g. a UUID.")]
        )


def _changed(order: Order) -> Conflict:
    return Conflict(
        f"Somebody else changed order {order.number} meanwhile; it is now {order.status.value.replace('_', ' ')}.",
        facts={"status": order.status.value, "version": order.version},
    )
