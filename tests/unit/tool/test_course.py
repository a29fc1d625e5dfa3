"""The tool's knowledge of the course (phases/*/phase.toml) is the course's own."""

from __future__ import annotations

import pytest

from brewhaven import course
from brewhaven.errors import UsageError
from brewhaven.local.settings import REPOSITORY
from stacks.course import PHASES


def test_the_roadmap_has_five_phases_in_order() -> None:
    assert [phase.number for phase in course.phases()] == [1, 2, 3, 4, 5]


def test_what_can_be_deployed_is_what_the_stacks_are() -> None:
    """A phase.toml that forgets a lesson, or a stack that adds one, fails here."""
    assert {(phase.number, phase.title) for phase in course.available_phases()} == {
        (stack.phase, stack.title) for stack in PHASES
    }
    for stack in PHASES:
        phase = course.phase_numbered(stack.phase)
        assert [(lesson.id, lesson.title) for lesson in phase.lessons] == [
            (lesson.id, lesson.title) for lesson in stack.lessons
        ]
        assert f"BrewHaven-Phase{stack.phase}-{stack.title}" in phase.stacks


def test_a_phase_is_found_by_its_number() -> None:
    place = course.find("1")
    assert (place.phase.title, place.lesson, place.context) == ("Foundation", None, {"phase": "1"})


def test_a_lesson_is_found_by_its_id() -> None:
    place = course.find("1.3")
    assert place.lesson is not None
    assert (place.lesson.id, place.context) == ("1.3", {"lesson": "1.3"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "There is no phase 0"),
        ("6", "There is no phase 6"),
        ("5", "Phase 5, Enterprise, is coming"),
        ("1.0", "has no lesson 1.0"),
        ("1.99", "has no lesson 1.99"),
        ("-1", "neither a phase nor a lesson"),
        ("", "neither a phase nor a lesson"),
        ("one", "neither a phase nor a lesson"),
        ("1.2.3", "neither a phase nor a lesson"),
        ("9" * 10_000, "neither a phase nor a lesson"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refusal:
        course.find(text)
    assert refusal.value.remedy


def test_stack_ids_carry_the_students_prefix() -> None:
    assert course.stack_ids(course.phase_numbered(1), "s01") == ["s01-BrewHaven-Phase1-Foundation"]


def test_the_readme_tells_of_every_phase() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for phase in course.phases():
        row = next(line for line in readme.splitlines() if line.startswith(f"| {phase.number} {phase.title} "))
        assert all(service in row for service in phase.services), row
        assert ("coming" in row) is not phase.is_available, row
