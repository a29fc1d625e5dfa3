"""Every exercise of the course: the start fails, the solution passes, each wrong answer gets its explanation."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from brewhaven.course import load
from brewhaven.errors import BrewHavenError
from brewhaven.exercises import declared
from brewhaven.exercises.declared import Exercise, all_exercises
from brewhaven.exercises.selftest import LEAST_WRONG, prove
from brewhaven.exercises.workshop import Workshop

EXERCISES = all_exercises()
NAMES = [each.id for each in EXERCISES]


def test_phase_1_has_at_least_six() -> None:
    assert sum(each.lesson.startswith("1.") for each in EXERCISES) >= 6


@pytest.mark.parametrize("exercise", EXERCISES, ids=NAMES)
def test_start_solution_and_wrong_answers_are_judged_as_declared(exercise: Exercise, workshop: Workshop) -> None:
    proofs = prove(exercise, workshop)
    assert [f"{proof.what}: {proof.problem}" for proof in proofs if not proof.holds] == []
    assert len(proofs) == 2 + len(exercise.wrong) >= 2 + LEAST_WRONG


@pytest.mark.parametrize("exercise", EXERCISES, ids=NAMES)
def test_each_belongs_to_a_lesson_and_an_objective_and_has_three_hints(exercise: Exercise) -> None:
    course = load()
    lesson = course.lesson(exercise.lesson)
    objectives = {objective.id for objective in course.phase_of(lesson).objectives}
    assert {exercise.objective, *(check.objective for check in exercise.checks())} <= objectives
    assert len(exercise.hints) == 3
    assert exercise.read


def test_a_proof_that_does_not_hold_is_found(workshop: Workshop) -> None:
    """The self-test itself can fail: each declaration is turned into a lie."""
    good = declared.find("pickups-by-day")
    wrong = good.wrong[0]
    lies = {
        "it should say": dataclasses.replace(wrong, said="something else"),
        "passes": dataclasses.replace(wrong, check="index-exists"),
        "it passes": dataclasses.replace(wrong, file=good.folder / "solution" / declared.CODE),
    }
    for problem, lie in lies.items():
        proofs = prove(dataclasses.replace(good, wrong=(lie, *good.wrong[1:])), workshop)
        assert [problem in proof.problem for proof in proofs if not proof.holds] == [True], problem


def test_a_declaration_that_is_not_whole_is_named(tmp_path: Path) -> None:
    (tmp_path / "exercise.toml").write_text('title = "Half"\n')
    with pytest.raises(BrewHavenError, match=r"exercise\.toml is not whole: KeyError\('lesson'\)"):
        declared.read(tmp_path)
    (tmp_path / "exercise.toml").write_text(
        'title = "x"\nlesson = "1.1"\nobjective = "o"\nminutes = 1\nread = []\nhints = []\n'
    )
    with pytest.raises(BrewHavenError, match=r"has no task\.md, checks\.py, start/exercise\.py, solution/solution\.md"):
        declared.read(tmp_path)
