"""Every exercise of the course: the start fails, the solution passes, each wrong answer gets its explanation."""

from __future__ import annotations

import pytest

from brewhaven.exercises.declared import Exercise, all_exercises
from brewhaven.exercises.lint import LEAST_WRONG
from brewhaven.exercises.selftest import prove
from brewhaven.exercises.workshop import Workshop

EXERCISES = all_exercises()
NAMES = [each.id for each in EXERCISES]


@pytest.mark.parametrize("exercise", EXERCISES, ids=NAMES)
def test_start_solution_and_wrong_answers_are_judged_as_declared(exercise: Exercise, workshop: Workshop) -> None:
    proofs = prove(exercise, workshop)
    assert [f"{proof.what}: {proof.problem}" for proof in proofs if not proof.holds] == []
    explained = [proof for proof in proofs if proof.what.endswith("is explained")]
    assert len(explained) == sum(wrong.on == "template" for wrong in exercise.wrong) >= LEAST_WRONG
