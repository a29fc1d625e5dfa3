"""Exercises that are judged on the local cloud as well: the solution passes there, and what it asked for is gone."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from brewhaven import target
from brewhaven.course import verify
from brewhaven.exercises import judge
from brewhaven.exercises.declared import CODE, Exercise, all_exercises, find
from brewhaven.exercises.selftest import prove
from brewhaven.exercises.workshop import Workshop
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

ON_CLOUD = [each for each in all_exercises() if each.runs_on_cloud]


def test_there_are_some() -> None:
    assert ON_CLOUD


@pytest.mark.parametrize("exercise", ON_CLOUD, ids=[each.id for each in ON_CLOUD])
def test_the_solution_passes_on_the_local_cloud(cloud: Cloud, exercise: Exercise) -> None:
    with Workshop() as workshop:
        proofs = prove(exercise, workshop, target.local(cloud.settings))
    assert [f"{proof.what}: {proof.problem}" for proof in proofs if not proof.holds] == []
    with pytest.raises(ClientError, match="does not exist"):
        cloud.client("cloudformation").describe_stacks(StackName=f"Exercise-{exercise.id}")


def test_a_role_that_may_too_much_is_found_by_asking(cloud: Cloud) -> None:
    """The check on the cloud is not the one on the template said twice: here the template's is left out."""
    exercise = find("narrow-grant")
    local = target.local(cloud.settings)
    with Workshop() as workshop:
        built = workshop.build(exercise, exercise.folder / "start")
    assert built.work is not None, CODE
    with judge.deployed(exercise, built.work, local) as deployment:
        report = verify.run(exercise.id, [check for check in exercise.checks() if check.cloud], deployment=deployment)
    [finding] = report.findings
    assert not finding.passed
    assert "was allowed Scan, PutItem, DeleteItem" in finding.what
