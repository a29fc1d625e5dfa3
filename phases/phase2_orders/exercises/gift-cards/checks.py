"""The migration runs on a database with data, and the database refuses what cannot be."""

from typing import Any

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.template import Template
from brewhaven.exercises.workshop import Work

CHECKS = CheckList()
CONSTRAINTS = "https://www.postgresql.org/docs/16/ddl-constraints.html"
ALTER = "https://www.postgresql.org/docs/16/ddl-alter.html"
WHERE = "0002.sql"
IN_ONE_TRANSACTION = ("0A000", "25001")
"""PostgreSQL's codes for what does not go inside of a transaction."""

_runs = CHECKS.check(
    "runs-on-what-is-there",
    lesson="2.1",
    objective="schema-migrations",
    proves="The migration runs on a database with cards in it, and they are still there",
)
_cards = CHECKS.check(
    "cards-add-up",
    lesson="2.1",
    objective="rds-relational-design",
    proves="No card is ever spent below zero or beyond what is on it",
)
_whole = CHECKS.check(
    "redemptions-are-whole",
    lesson="2.1",
    objective="rds-relational-design",
    proves="A redemption has a card, an order and an amount",
)
_once = CHECKS.check(
    "once-each",
    lesson="2.1",
    objective="rds-relational-design",
    proves="An order uses a card once, several cards if it likes, and a card serves several orders",
)
_goes = CHECKS.check(
    "goes-with-its-order",
    lesson="2.1",
    objective="rds-relational-design",
    proves="A redemption goes with its order, and a card that was used stays",
)
_moment = CHECKS.check(
    "a-moment",
    lesson="2.1",
    objective="rds-relational-design",
    proves="When it was is filled in, and means the same in every time zone",
)


def _came(template: Template, name: str) -> dict[str, Any]:
    """What came of a try, once the migration has run at all."""
    assert isinstance(template, Work)
    migration = template.probed["migration"]
    expect(
        migration["kind"] == "accepted",
        _why_not(migration),
        where=ALTER,
        next_step="correct it; it is tried on tables with rows in them, as it will be run in the shop",
    )
    found: dict[str, Any] = template.probed[name]
    expect(
        found["kind"] != "unprepared",
        f"a usual redemption of 800 cents is refused: {found['text']}",
        where=WHERE,
        next_step="an insert that names code, order_id and cents must do",
    )
    return found


def _why_not(migration: dict[str, Any]) -> str:
    if migration["code"] in IN_ONE_TRANSACTION:
        return (
            f"the migration is refused ({migration['text']}): the runner opens the transaction, and ends it, so that a "
            "migration is there whole or not at all"
        )
    return f"the migration is refused: {migration['text']}"


def _accepts(template: Template, names: dict[str, str], next_step: str) -> None:
    for name, words in names.items():
        came = _came(template, name)
        expect(
            came["kind"] == "accepted",
            f"{words} is refused: {came['text']}",
            where=CONSTRAINTS,
            next_step=next_step,
        )


def _refuses(template: Template, names: dict[str, str], next_step: str) -> None:
    taken = [words for name, words in names.items() if _came(template, name)["kind"] == "accepted"]
    expect(
        not taken,
        f"the database accepts {' and '.join(taken)}",
        where=CONSTRAINTS,
        next_step=next_step,
    )


@_runs.on_template
def _(template: Template) -> str:
    old, new, count = (_came(template, name) for name in ("old-card", "new-card", "how-many"))
    expect(
        count["text"] == "2",
        f"there were 2 cards before the migration, and afterwards there are {count['text'] or 'none'}",
        where=WHERE,
        next_step="change the table that is there; a new table is an empty one",
    )
    for words, came in (("a card of last year", old), ("a new card", new)):
        expect(
            came["kind"] == "accepted" and came["text"] == "0",
            f"spent_cents of {words} is not 0: {came['text'] or 'the card is gone'}",
            where=ALTER,
            next_step="a column with a default gets it in the rows that there are; one without keeps null",
        )
    return "2 cards, nothing spent"


@_cards.on_template
def _(template: Template) -> str:
    _accepts(
        template, {"spend-all": "a card of which everything is spent"}, "everything may be spent, and no cent more"
    )
    _refuses(
        template,
        {
            "spend-more": "a card of which more is spent than is on it",
            "shrink": "a card whose cents are lowered below what was spent",
            "spend-less": "a card of which less than nothing is spent",
            "spend-null": "a card whose spent_cents are missing",
        },
        "a check may compare two columns of a row, and it lets null pass, so it needs not null beside it",
    )
    _is_whole_number(template, "spent-type", "spent_cents")
    return "from nothing to everything"


def _is_whole_number(template: Template, name: str, column: str) -> None:
    kind = _came(template, name)["text"]
    expect(
        kind in ("integer", "bigint", "smallint"),
        f"{column} is of the type {kind or 'of no column'}, and money is whole cents",
        where="https://www.postgresql.org/docs/16/datatype-numeric.html",
        next_step="integer, as cents beside it",
    )


@_whole.on_template
def _(template: Template) -> str:
    _accepts(template, {"redeem": "a usual redemption of 800 cents"}, "an insert of code, order_id and cents must do")
    _refuses(
        template,
        {
            "no-card": "a redemption of a card that is not there",
            "no-order": "a redemption for an order that is not there",
            "nothing": "a redemption of 0 cents",
            "less": "a redemption of -5 cents, which puts money onto the card",
            "null-code": "a redemption without a card",
            "null-order": "a redemption without an order",
            "null-cents": "a redemption although its cents are missing",
        },
        "not null for what may not be missing, a foreign key for what must be there, a check for the amount",
    )
    _is_whole_number(template, "cents-type", "cents")
    return "seven that cannot be are refused"


@_once.on_template
def _(template: Template) -> str:
    step = "what identifies a redemption is the card and the order together"
    _accepts(
        template,
        {"two-cards": "a second card for the same order", "two-orders": "a second order with the same card"},
        step,
    )
    _refuses(template, {"twice": "the same card twice for one order"}, step)
    return "once for a card and an order"


@_goes.on_template
def _(template: Template) -> str:
    order = _came(template, "order-goes")
    expect(
        order["kind"] == "accepted",
        f"an order that was paid with a card cannot be deleted: {order['text']}",
        where=CONSTRAINTS,
        next_step="say at the foreign key to orders what happens when the order is deleted",
    )
    expect(
        order["text"] == "0",
        "an order is deleted and its redemption stays, which belongs to nothing now",
        where=CONSTRAINTS,
        next_step="let it be deleted with its order",
    )
    card = _came(template, "used-card-goes")
    expect(
        card["kind"] == "refused",
        "a card is deleted although an order was paid with it: what was paid with is not to be found any more",
        where=CONSTRAINTS,
        next_step="without a word about deleting, a foreign key refuses it",
    )
    _accepts(template, {"card-goes": "to delete a card that nobody used"}, "only used cards stay")
    return "redemptions go with their order, used cards stay"


@_moment.on_template
def _(template: Template) -> str:
    came, kind = _came(template, "redeem"), _came(template, "at-type")["text"]
    expect(
        came["kind"] == "accepted" and came["text"] != "nothing",
        f"`at` is not filled in: {came['text']}",
        where=WHERE,
        next_step="give the column a default: now()",
    )
    expect(
        kind == "timestamp with time zone",
        f"`at` is of the type {kind}: it says what a clock on the wall showed, and not whose",
        where="https://www.postgresql.org/docs/16/datatype-datetime.html",
        next_step="timestamptz: it keeps the moment, and each reader sees it in a time zone of its own",
    )
    _refuses(template, {"null-at": "a redemption whose moment is missing"}, "not null beside the default")
    return "filled in, with time zone"
