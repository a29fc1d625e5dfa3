"""The rules of the shop, checked with many made-up cases: prices, steps of an order, stock, times."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from shop.domain import cart, hours, ids
from shop.domain.catalog import Extra, Product, Size, Wish, slug
from shop.domain.customers import Caller, Role, check_new_person, checked_email
from shop.domain.errors import Conflict, Forbidden, Invalid, OutOfStock, PaymentDeclined, ShopError, SignInNeeded
from shop.domain.ordering import Ordering
from shop.domain.orders import MAX_QUANTITY, Choice, Order, Status, price, price_all, short_of
from shop.domain.sales import Sale, add_up
from shop.domain.texts import problem_of
from tests.unit.shop.memory import MemoryCatalog, MemoryOrders

VIENNA = ZoneInfo("Europe/Vienna")
cents = st.integers(0, 100_000)
few = settings(max_examples=40, deadline=None)


@st.composite
def products(draw: st.DrawFn) -> Product:
    sizes = draw(st.lists(cents, min_size=1, max_size=3))
    extras = draw(st.lists(cents, max_size=4))
    return Product(
        id=draw(st.sampled_from(["latte", "mocha", "croissant", "strudel", "cookie", "tea"])),
        category="coffee",
        name="P",
        description="d",
        sizes=tuple(Size(f"s{number}", "S", "", amount) for number, amount in enumerate(sizes)),
        extras=tuple(Extra(f"e{number}", "E", amount) for number, amount in enumerate(extras)),
        stock=draw(st.none() | st.integers(0, 50)),
    )


@st.composite
def choices_of(draw: st.DrawFn, product: Product) -> Choice:
    return Choice(
        product.id,
        draw(st.sampled_from(product.sizes)).id,
        tuple(extra.id for extra in draw(st.lists(st.sampled_from(product.extras), unique=True)))
        if product.extras
        else (),
        draw(st.integers(1, MAX_QUANTITY)),
    )


@few
@given(st.data(), st.lists(products(), min_size=1, max_size=4, unique_by=lambda product: product.id))
def test_a_total_is_the_sum_of_what_was_chosen(data: st.DataObject, menu: list[Product]) -> None:
    by_id = {product.id: product for product in menu}
    chosen = [data.draw(choices_of(product)) for product in menu]
    lines = price_all(chosen, by_id)
    expected = 0
    for choice in chosen:
        product = by_id[choice.product_id]
        size = next(size.price_cents for size in product.sizes if size.id == choice.size_id)
        extras = sum(extra.price_cents for extra in product.extras if extra.id in choice.extra_ids)
        expected += (size + extras) * choice.quantity
    assert sum(line.total_cents for line in lines) == expected
    assert all(isinstance(line.total_cents, int) and line.total_cents >= 0 for line in lines)
    assert tuple(line.choice for line in lines) == tuple(chosen)


@few
@given(st.data(), products())
def test_later_prices_do_not_touch_a_line(data: st.DataObject, product: Product) -> None:
    line = price(data.draw(choices_of(product)), product)
    dearer = replace(product, sizes=tuple(replace(size, price_cents=99_999) for size in product.sizes))
    assert price(line.choice, product).total_cents == line.total_cents
    assert dearer.sizes[0].price_cents == 99_999


@pytest.mark.parametrize("quantity", [0, -1, 21, 1_000_000, 10**30])
def test_silly_quantities_are_refused(quantity: int) -> None:
    product = Product("latte", "coffee", "Latte", "d", (Size("s", "S", "", 1),))
    with pytest.raises(Invalid) as refused:
        price(Choice("latte", "s", quantity=quantity), product)
    assert [field for field, _ in refused.value.problems] == ["quantity"]


def test_every_problem_of_an_order_is_named_at_once() -> None:
    product = Product("latte", "coffee", "Latte", "d", (Size("s", "S", "", 1),), (Extra("e", "E", 1),))
    chosen = [Choice("latte", "xl", ("e", "e", "f"), 0, "n" * 141), Choice("nothing", "s")]
    with pytest.raises(Invalid) as refused:
        price_all(chosen, {"latte": product})
    assert sorted({field for field, _ in refused.value.problems}) == [
        "lines.0.extras",
        "lines.0.note",
        "lines.0.quantity",
        "lines.0.size",
        "lines.1.product_id",
    ]


@few
@given(st.lists(st.tuples(st.integers(1, 5), st.text(max_size=2)), max_size=12))
def test_a_tidy_cart_has_the_same_pieces_on_fewer_lines(pieces: list[tuple[int, str]]) -> None:
    chosen = [Choice("latte", "s", quantity=quantity, note=note) for quantity, note in pieces]
    try:
        tidy = cart.tidy(chosen)
    except Invalid:
        assert any(sum(q for q, n in pieces if n == note) > MAX_QUANTITY for _, note in pieces)
        return
    assert sum(choice.quantity for choice in tidy) == sum(choice.quantity for choice in chosen)
    assert len({choice.same_as for choice in tidy}) == len(tidy)
    assert cart.tidy(tidy) == tidy


def test_counted_products_are_counted_over_all_lines() -> None:
    product = Product("c", "bakery", "C", "d", (Size("s", "S", "", 1), Size("t", "T", "", 2)), stock=3)
    lines = price_all([Choice("c", "s", quantity=2), Choice("c", "t", quantity=2)], {"c": product})
    assert short_of(lines, {"c": product}) == {"c": 3}


class TheShop(RuleBasedStateMachine):
    """Anybody presses any button in any order, and the books must balance after each."""

    orders: Bundle[str] = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        counted = Product("c", "bakery", "Croissant", "d", (Size("s", "S", "", 300),), stock=10)
        self.catalog = MemoryCatalog([counted, replace(counted, id="l", stock=None)])
        self.book = MemoryOrders(self.catalog)
        self.moment = datetime(2026, 3, 1, tzinfo=UTC)
        self.ordering = Ordering(self.catalog, self.book, clock=lambda: self.moment)
        self.guest = Caller("guest-1")
        self.barista = Caller("guest-2", "staff-1", role=Role.BARISTA)
        self.given_out = 0

    @rule(target=orders, product=st.sampled_from("cl"), quantity=st.integers(1, 6), key=st.integers(1, 30))
    def place(self, product: str, quantity: int, key: int) -> str:
        try:
            return self.ordering.place(
                self.guest, [Choice(product, "s", quantity=quantity)], key=f"key-{key:05}-{product}{quantity}"
            ).id
        except OutOfStock:
            stock = self.catalog.products["c"].stock
            assert stock is not None and stock < quantity
            return ""

    @rule(order=orders, token=st.sampled_from(["tok_visa", "tok_declined"]))
    def pay(self, order: str, token: str) -> None:
        self._try(lambda: self.ordering.pay(self.guest, order, token), order)

    @rule(order=orders, by_staff=st.booleans())
    def cancel(self, order: str, by_staff: bool) -> None:
        self._try(lambda: self.ordering.cancel(self.barista if by_staff else self.guest, order), order)

    @rule(order=orders, to=st.sampled_from(list(Status)))
    def move(self, order: str, to: Status) -> None:
        version = self.book.orders[order].version if order else 1
        self._try(lambda: self.ordering.move(self.barista, order, to, version), order)

    @rule(order=consumes(orders), minutes=st.integers(1, 20))
    def wait(self, order: str, minutes: int) -> None:
        self.moment += timedelta(minutes=minutes)
        self.ordering.cancel_lapsed()

    @invariant()
    def every_piece_is_on_the_shelf_or_in_an_order(self) -> None:
        stock = self.catalog.products["c"].stock
        assert stock is not None and stock >= 0
        taken = 0
        for order in self.book.orders.values():
            made = any(step.status is Status.MAKING for step in order.steps)
            if order.status is not Status.CANCELLED or made:
                taken += order.reserved().get("c", 0)
        assert stock + taken == 10

    @invariant()
    def versions_count_changes_and_steps_never_go_back(self) -> None:
        rank = {status: number for number, status in enumerate(Status)}
        for order in self.book.orders.values():
            ranks = [rank[step.status] for step in order.steps]
            assert ranks == sorted(set(ranks))
            assert order.version >= len(order.steps)
            assert (order.paid_at is not None) == any(step.status is Status.NEW for step in order.steps)

    def _try(self, button: "object", order: str) -> None:
        before = self.book.orders.get(order)
        try:
            button()  # type: ignore[operator]
        except PaymentDeclined:
            pass
        except ShopError:
            after = self.book.orders.get(order)
            assert after == before or (after and after.status is Status.CANCELLED)  # it lapsed


TestTheShop = TheShop.TestCase
TestTheShop.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def placed(shop: TheShop, product: str, quantity: int) -> Order:
    """A fresh order of the guest."""
    return shop.ordering.place(shop.guest, [Choice(product, "s", quantity=quantity)], key=f"key-{ids.new_id()}")


def test_only_the_next_step_is_taken() -> None:
    shop = TheShop()
    order = placed(shop, "l", 1)
    with pytest.raises(Conflict, match="awaiting payment"):
        order.moved(Status.MAKING, shop.moment)
    paid = order.paid(shop.moment, "ok")
    with pytest.raises(Conflict, match="next step is 'making'"):
        paid.moved(Status.READY, shop.moment)
    with pytest.raises(Conflict, match="no further step"):
        paid.cancelled(shop.moment, by_staff=True).moved(Status.MAKING, shop.moment)


def test_a_guest_cannot_cancel_what_is_being_made_and_staff_can() -> None:
    shop = TheShop()
    paid = placed(shop, "c", 1).paid(shop.moment, "ok")
    making = paid.moved(Status.MAKING, shop.moment)
    with pytest.raises(Conflict):
        making.cancelled(shop.moment, by_staff=False)
    assert making.cancelled(shop.moment, by_staff=True).payment.value == "refunded"
    assert (paid.gives_back(), making.gives_back()) == ({"c": 1}, {})


def test_roles() -> None:
    with pytest.raises(SignInNeeded):
        Caller("g").expect(Role.MANAGER)
    with pytest.raises(Forbidden):
        Caller("g", "c", role=Role.CUSTOMER).expect(Role.BARISTA, Role.MANAGER)
    Caller("g", "c", role=Role.MANAGER).expect(Role.MANAGER)


@few
@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_next_change_of_opening_is_the_next(moment: datetime) -> None:
    change = hours.next_change(moment, VIENNA)
    assert moment < change <= moment + timedelta(days=8)
    before, after = change.astimezone(UTC) - timedelta(seconds=1), change.astimezone(UTC)
    assert hours.is_open(before, VIENNA) != hours.is_open(after, VIENNA)
    assert hours.is_open(moment, VIENNA) == hours.is_open(before, VIENNA)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-07-01T21:59:59.999Z", "2026-07-01"),
        ("2026-07-01T22:00:00.000Z", "2026-07-02"),
        ("2026-12-31T23:00:00.000Z", "2027-01-01"),
    ],
)
def test_a_day_begins_in_the_shops_zone(moment: str, day: str) -> None:
    assert hours.day_of(ids.from_text(moment), VIENNA) == day


@few
@given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_times_survive_being_written(moment: datetime) -> None:
    cut = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert ids.from_text(ids.to_text(moment)) == cut
    assert len(ids.to_text(moment)) == 24


def test_ids_are_distinct_and_sort_by_time() -> None:
    made = [ids.new_id() for _ in range(200)]
    assert len(set(made)) == 200
    assert [id_[:10] for id_ in made] == sorted(id_[:10] for id_ in made)
    assert all(map(ids.is_id, made))
    assert not ids.is_id("../../etc/passwd")


@few
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 23)), max_size=20))
def test_a_day_adds_up(paid: list[tuple[int, int]]) -> None:
    sales = [
        Sale(str(n), datetime(2026, 1, 5, hour, tzinfo=UTC), total, (("a", "A", 1, total),))
        for n, (total, hour) in enumerate(paid)
    ]
    day = add_up("2026-01-05", sales, VIENNA)
    assert day.orders == len(paid)
    assert day.revenue_cents == sum(total for total, _ in paid) == sum(each.revenue_cents for each in day.by_product)
    assert sum(count for _, count, _ in day.by_hour) == len(paid)


@pytest.mark.parametrize(
    ("name", "made"), [("Crème brûlée", "creme-brulee"), ("  A & B  ", "a-b"), ("☕️", ""), ("x" * 90, "x" * 40)]
)
def test_slugs(name: str, made: str) -> None:
    assert slug(name) == made


def test_an_empty_wish_fits_everything() -> None:
    assert Wish().matches(Product("a", "b", "c", "d", (Size("s", "S", "", 1),)))


def test_an_order_knows_its_number_and_total() -> None:
    shop = TheShop()
    order = placed(shop, "c", 3)
    assert (order.number, order.total_cents, order.reserved()) == (order.id[-4:], 900, {"c": 3})


@pytest.mark.parametrize(
    "name",
    ["Ada", "Zoë 👩\u200d🍳", "李", "עדה", "\u200fעדה\u200f 3", "سمر", "\u0646\u06cc\u200c\u0645"],
)
def test_names_of_every_script_are_welcome(name: str) -> None:
    check_new_person(name, "a@example.org", "a long enough password")


@pytest.mark.parametrize(
    "mark", list("\u202e\u202a\u2066\u2068\x00\x7f\x85\u2028\n\ud800"), ids=lambda mark: f"U+{ord(mark):04X}"
)
def test_a_name_that_would_disturb_what_stands_around_it_is_refused_in_words(mark: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_new_person(f"Ada{mark}ecila", "a@example.org", "a long enough password")
    [(field, sentence)] = refused.value.problems
    assert field == "name"
    assert f"U+{ord(mark):04X}" in sentence
    assert mark not in sentence


@pytest.mark.parametrize("name", ["", "   ", "\u200b\u200d", "\u2060 \ufeff"])
def test_a_name_can_be_seen(name: str) -> None:
    with pytest.raises(Invalid, match="1 to 60 characters"):
        check_new_person(name, "a@example.org", "a long enough password")


def test_an_address_holds_no_hidden_marks() -> None:
    with pytest.raises(Invalid, match="e-mail"):
        checked_email("ada\u202e@example.org")


def test_a_note_may_have_lines_and_nothing_else_that_is_invisible() -> None:
    assert problem_of("No foam.\nThank you!", lines=True) is None
    assert problem_of("No foam.\u202e", lines=True)
    latte = Product("latte", "coffee", "Latte", "d", (Size("one", "One", "", 400),))
    with pytest.raises(Invalid, match=r"U\+202E"):
        price(Choice("latte", "one", (), 1, "no\u202eyes"), latte)
