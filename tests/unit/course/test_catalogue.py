from pathlib import Path

import pytest

from brewhaven.course.catalogue import Course, load
from brewhaven.course.problems import CourseError
from brewhaven.errors import UsageError


def toml(phases: Path, old: str, new: str) -> None:
    path = phases / "phase9_sample" / "phase.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_phase_is_read_with_its_lessons_and_objectives(course: Course) -> None:
    lesson = course.lesson("9.1")
    assert (lesson.title, lesson.minutes_local, lesson.minutes_aws) == ("Counting cups", 5, 7)
    assert lesson.path.name == "9.1-cups.md"
    assert course.phase_of(lesson).objectives[0].id == "count-cups"
    assert course.before(lesson) is None


def test_every_problem_is_reported_at_once_with_its_line(phases: Path) -> None:
    toml(phases, 'level = "Beginner"', 'level = "Easy"')
    toml(phases, "minutes = { local = 5, aws = 7 }", "minutes = { local = 5 }")
    toml(phases, 'objectives = ["count-cups"]', 'objectives = ["count-saucers"]')
    with pytest.raises(CourseError) as caught:
        load(phases)
    said = {(problem.line, problem.message) for problem in caught.value.problems}
    assert said == {
        (3, "level must be one of Beginner, Intermediate, Advanced, Expert, got 'Easy'"),
        (14, "lesson 9.1 must say minutes.aws as a whole number of minutes, got None"),
        (17, "a lesson names the objective 'count-saucers', which is not declared"),
        (10, "no lesson teaches the objective 'count-cups'"),
    }


def test_lessons_are_numbered_in_order(phases: Path) -> None:
    toml(phases, 'id = "9.1"', 'id = "9.2"')
    with pytest.raises(CourseError, match=r"lessons must be 9.1, 9.2 and so on in order, got 9.2"):
        load(phases)


def test_broken_toml_is_reported_with_its_line(phases: Path) -> None:
    toml(phases, "number = 9", "number = ")
    with pytest.raises(CourseError, match=r"phase.toml:1: not valid TOML"):
        load(phases)


def test_a_phase_that_is_coming_needs_no_lessons(phases: Path) -> None:
    path = phases / "phase9_sample" / "phase.toml"
    head = path.read_text().split("[[objectives]]")[0]
    path.write_text(head.replace('stacks = ["BrewHaven-Phase9-Sample"]', "stacks = []"))
    course = load(phases)
    assert course.lessons == ()
    with pytest.raises(UsageError, match="Phase 9, Sample, is coming"):
        course.find("9.1")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("9.4", "Phase 9 has no lesson 9.4. Its lessons are 9.1."),
        ("3", "There is no phase 3. The course has the phases 9."),
        ("x", "'x' is neither a phase nor a lesson."),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(course: Course, asked: str, answer: str) -> None:
    with pytest.raises(UsageError) as caught:
        course.find(asked)
    assert answer in str(caught.value)
