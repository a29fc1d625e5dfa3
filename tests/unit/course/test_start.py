"""Which way `brewhaven start` takes, from any state to any lesson."""

from __future__ import annotations

import pytest

from brewhaven.course import load, start
from brewhaven.course.catalogue import Lesson
from brewhaven.errors import UsageError

COURSE = load()


def lesson(id_: str | None) -> Lesson | None:
    return COURSE.lesson(id_) if id_ else None


@pytest.mark.parametrize(
    ("found", "goal", "local", "way"),
    [
        ("1.3", "1.3", True, "nothing"),
        (None, None, True, "nothing"),
        (None, "1.4", True, "forward"),
        ("1.1", "1.4", True, "forward"),
        ("1.1", "1.4", False, "forward"),
        ("1.7", "1.3", True, "afresh"),
        ("1.7", "1.5", False, "back"),
        ("1.7", None, True, "empty"),
        ("1.7", None, False, "empty"),
    ],
)
def test_the_way_keeps_data_where_it_can(found: str | None, goal: str | None, local: bool, way: str) -> None:
    what = start.plan(COURSE, lesson(found), lesson(goal), local=local)
    assert what.way == way
    assert what.sentence.endswith(".")


@pytest.mark.parametrize(
    ("found", "goal", "stations"),
    [
        (None, "1.7", ["1.7"]),
        ("1.1", "1.2", ["1.2"]),
        ("1.1", "1.3", ["1.3"]),
        ("1.1", "1.7", ["1.2", "1.7"]),
        ("1.2", "1.7", ["1.7"]),
        ("1.7", "1.5", ["1.5"]),
        ("1.7", "1.2", ["1.2"]),
        ("1.7", "1.1", ["1.3", "1.1"]),
        ("1.3", "1.3", ["1.3"]),
    ],
)
def test_no_step_of_a_way_makes_or_deletes_two_indexes(found: str | None, goal: str, stations: list[str]) -> None:
    assert [item.id for item in COURSE.stations(lesson(found), COURSE.lesson(goal))] == stations


@pytest.mark.parametrize(("text", "id_"), [("1.0", None), ("0", None), ("1.3", "1.3")])
def test_a_lesson_or_the_empty_account_is_meant(text: str, id_: str | None) -> None:
    assert start.parse(COURSE, text) == lesson(id_)


@pytest.mark.parametrize("text", ["1", "1.9", "3.1", "x"])
def test_what_is_no_lesson_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        start.parse(COURSE, text)
