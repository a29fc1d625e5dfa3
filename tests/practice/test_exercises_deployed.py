"""Exercises that are judged on the local cloud as well: the solution passes there, and what it asked for is gone."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from brewhaven import target
from brewhaven.course import verify
from brewhaven.errors import BrewHavenError
from brewhaven.exercises import trial
from brewhaven.exercises.declared import CODE, STACK, Exercise, all_exercises, find
from brewhaven.exercises.selftest import prove
from brewhaven.exercises.workshop import Work, Workshop
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
        cloud.client("cloudformation").describe_stacks(StackName=trial.stack_name(exercise))


def test_a_role_that_may_too_much_is_found_by_asking(cloud: Cloud) -> None:
    """The check on the cloud is not the one on the template said twice: here the template's is left out."""
    exercise = find("narrow-grant")
    local = target.local(cloud.settings)
    with Workshop() as workshop:
        built = workshop.build(exercise, exercise.folder / "start")
    assert built.work is not None, CODE
    with trial.deployed(exercise, built.work, local) as deployment:
        report = verify.run(exercise.id, [check for check in exercise.checks() if check.cloud], deployment=deployment)
    [finding] = report.findings
    assert not finding.passed
    assert "was allowed Scan, PutItem, DeleteItem" in finding.what


def test_what_an_interrupted_check_left_goes_first(cloud: Cloud) -> None:
    exercise = find("narrow-grant")
    local, stack = target.local(cloud.settings), trial.stack_name(exercise)
    with Workshop() as workshop:
        built = workshop.build(exercise, exercise.folder / "start")
    assert built.work is not None
    queue = {"Resources": {"Left": {"Type": "AWS::SQS::Queue"}}}
    cloud.client("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(queue))
    with pytest.raises(KeyboardInterrupt), trial.deployed(exercise, built.work, local) as deployment:
        assert deployment.outputs.keys() == {"TableName", "DisplayRoleArn"}
        raise KeyboardInterrupt
    with pytest.raises(ClientError, match="does not exist"):
        cloud.client("cloudformation").describe_stacks(StackName=stack)


def test_a_stack_that_cannot_be_made_is_told_with_its_reasons_and_is_gone(cloud: Cloud) -> None:
    exercise = find("narrow-grant")
    broken = {"Resources": {"Display": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}}}
    work = Work(STACK, {"Resources": {**broken["Resources"], "Odd": {"Type": "AWS::Nothing::AtAll"}}})
    with (
        pytest.raises(BrewHavenError, match="AWS::Nothing::AtAll"),
        trial.deployed(exercise, work, target.local(cloud.settings)),
    ):
        pass
    with pytest.raises(ClientError, match="does not exist"):
        cloud.client("cloudformation").describe_stacks(StackName=trial.stack_name(exercise))
