"""The PostgreSQL that judges migrations: what it says, what it takes back, and what stays of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from brewhaven.errors import BrewHavenError
from brewhaven.exercises import scratch_database
from brewhaven.exercises.scratch_database import Try, attempt

CUPS = "create table cups (id integer primary key, size integer check (size > 0))"


@pytest.fixture(autouse=True)
def one_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty database is made once for this file; each test asks for another copy of it."""
    home = tmp_path_factory.getbasetemp() / "scratch"
    monkeypatch.setenv("BREWHAVEN_HOME", str(home))
    return home / "exercises"


def test_what_is_kept_stays_for_the_next_and_the_rest_is_taken_back() -> None:
    _, first, second = attempt(
        [
            Try(CUPS, keep=True),
            Try("insert into cups values (1, 2)", ask="select count(*) from cups"),
            Try("", ask="select count(*) from cups"),
        ]
    )
    assert (first.kind, first.text) == ("accepted", "1")
    assert second.text == "0"


def test_a_refusal_has_the_code_and_the_words_of_postgresql() -> None:
    _, check, key = attempt(
        [
            Try(CUPS, keep=True),
            Try("insert into cups values (1, 0)"),
            Try("insert into cups values (1, 3)", before="insert into cups values (1, 2)"),
        ]
    )
    assert (check.kind, check.code) == ("refused", "23514")
    assert "violates check constraint" in check.text
    assert (key.kind, key.code) == ("refused", "23505")


def test_what_could_not_be_prepared_is_not_taken_for_refused() -> None:
    [outcome] = attempt([Try("select 1", before="insert into nowhere values (1)")])
    assert (outcome.kind, outcome.code) == ("unprepared", "42P01")


def test_what_is_deferred_is_checked_too() -> None:
    table = "create table parts (id integer, whole integer references cups deferrable initially deferred)"
    outcomes = attempt([Try(CUPS, keep=True), Try(table, keep=True), Try("insert into parts values (1, 9)")])
    assert outcomes[-1].code == "23503"


def test_several_statements_with_empty_lines_between_them_are_one_try() -> None:
    text = CUPS + ";\n\n\ninsert into cups values (1, 2);\n\n-- and no more\n"
    [outcome] = attempt([Try(text, ask="select size from cups")])
    assert (outcome.kind, outcome.text) == ("accepted", "2")


def test_a_statement_without_an_end_is_ended() -> None:
    [outcome] = attempt([Try("select count(*) from generate_series(1, 1e12::bigint)")])
    assert (outcome.kind, outcome.code) == ("refused", "57014")


def test_nothing_is_left_but_the_empty_database(one_folder: Path) -> None:
    attempt([Try(CUPS)])
    assert [path.name for path in one_folder.iterdir()] == [f"postgresql-{scratch_database.version()}"]


def test_a_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch_database, "ANSWER_SECONDS", 0.5)
    with pytest.raises(BrewHavenError, match=r"did not come to an end within 0\.5 s"):
        attempt([Try("select pg_sleep(1.9)")])
