"""Runs the student's migration on a database with cards in it, and tries what must be and what must not be."""

from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from brewhaven.exercises.scratch_database import Try, attempt

FILLED = """
insert into orders values ('o1', 1800), ('o2', 900), ('o3', 500);
insert into gift_cards values ('OLD1', 5000), ('OLD2', 2500);
"""
USED = "insert into redemptions (code, order_id, cents) values ('OLD1', 'o1', 800)"


def _redeem(columns: str, values: str) -> Try:
    return Try(f"insert into redemptions ({columns}) values ({values})")  # noqa: S608  (of the lines below)


TRIES = {
    "old-card": Try("", ask="select coalesce(spent_cents::text, 'nothing') from gift_cards where code = 'OLD1'"),
    "how-many": Try("", ask="select count(*) from gift_cards"),
    "new-card": Try(
        "insert into gift_cards (code, cents) values ('NEW', 1000)",
        ask="select coalesce(spent_cents::text, 'nothing') from gift_cards where code = 'NEW'",
    ),
    "spend-all": Try("update gift_cards set spent_cents = 5000 where code = 'OLD1'"),
    "spend-more": Try("update gift_cards set spent_cents = 5001 where code = 'OLD1'"),
    "shrink": Try(
        "update gift_cards set cents = 100 where code = 'OLD1'",
        before="update gift_cards set spent_cents = 5000 where code = 'OLD1'",
    ),
    "spend-less": Try("update gift_cards set spent_cents = -1 where code = 'OLD1'"),
    "spend-null": Try("update gift_cards set spent_cents = null where code = 'OLD1'"),
    "spent-type": Try(
        "",
        ask="select data_type from information_schema.columns where table_name = 'gift_cards' "
        "and column_name = 'spent_cents'",
    ),
    "redeem": Try(USED, ask="select coalesce(at::text, 'nothing') from redemptions"),
    "no-card": _redeem("code, order_id, cents", "'LOST', 'o1', 800"),
    "no-order": _redeem("code, order_id, cents", "'OLD1', 'o9', 800"),
    "nothing": _redeem("code, order_id, cents", "'OLD1', 'o1', 0"),
    "less": _redeem("code, order_id, cents", "'OLD1', 'o1', -5"),
    "null-code": _redeem("code, order_id, cents", "null, 'o1', 800"),
    "null-order": _redeem("code, order_id, cents", "'OLD1', null, 800"),
    "null-cents": _redeem("code, order_id", "'OLD1', 'o1'"),
    "null-at": _redeem("code, order_id, cents, at", "'OLD1', 'o1', 800, null"),
    "two-cards": Try("insert into redemptions (code, order_id, cents) values ('OLD2', 'o1', 100)", before=USED),
    "two-orders": Try("insert into redemptions (code, order_id, cents) values ('OLD1', 'o2', 100)", before=USED),
    "twice": Try("insert into redemptions (code, order_id, cents) values ('OLD1', 'o1', 100)", before=USED),
    "order-goes": Try("delete from orders where id = 'o1'", before=USED, ask="select count(*) from redemptions"),
    "used-card-goes": Try("delete from gift_cards where code = 'OLD1'", before=USED),
    "card-goes": Try("delete from gift_cards where code = 'OLD2'", before=USED),
    "cents-type": Try(
        "",
        ask="select data_type from information_schema.columns where table_name = 'redemptions' "
        "and column_name = 'cents'",
    ),
    "at-type": Try(
        "",
        ask="select data_type from information_schema.columns where table_name = 'redemptions' and column_name = 'at'",
    ),
}


def probe(_module: ModuleType, _body: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Name -> what came of it; `there` and `migration` are the two migrations."""
    path = folder / "0002.sql"
    migration = path.read_text(encoding="utf-8") if path.exists() else ""
    there = (Path(__file__).parent / "start" / "0001.sql").read_text(encoding="utf-8") + FILLED
    outcomes = attempt([Try(there, keep=True), Try(migration, keep=True), *TRIES.values()])
    return {name: asdict(outcome) for name, outcome in zip(("there", "migration", *TRIES), outcomes, strict=True)}
