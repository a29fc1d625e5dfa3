"""Destroying: the right stacks in the right order, what stacks leave behind, and a failure that names its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from brewhaven import course, destroy, inventory, stacks
from brewhaven.errors import BrewHavenError
from brewhaven.inventory import Findings, Item
from brewhaven.local.settings import CloudSettings
from tests.unit.tool.conftest import refusal

FOUNDATION = "BrewHaven-Phase1-Foundation"


def _summary(name: str, status: str = "CREATE_COMPLETE") -> dict[str, str]:
    return {"StackName": name, "StackStatus": status}


@pytest.fixture
def five_phases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A course whose first two phases can be deployed."""
    first, second, *rest = course.phases()
    orders = course.Phase(**{**vars(second), "stacks": ("BrewHaven-Phase2-Orders", "BrewHaven-Phase2-OrdersEdge")})
    monkeypatch.setattr(course, "phases", lambda: (first, orders, *rest))


ALL = [_summary(FOUNDATION), _summary("BrewHaven-Phase2-Orders"), _summary("BrewHaven-Phase2-OrdersEdge"),
       _summary("s01-BrewHaven-Phase1-Foundation"), _summary("CDKToolkit"), _summary("BrewHaven-Phase3-Old"),
       _summary("BrewHaven-Phase4-Gone", "DELETE_COMPLETE")]  # fmt: skip


@pytest.mark.usefixtures("five_phases")
@pytest.mark.parametrize(
    ("first", "student", "expected"),
    [
        (1, None, ["BrewHaven-Phase3-Old", "BrewHaven-Phase2-OrdersEdge", "BrewHaven-Phase2-Orders", FOUNDATION]),
        (2, None, ["BrewHaven-Phase3-Old", "BrewHaven-Phase2-OrdersEdge", "BrewHaven-Phase2-Orders"]),
        (4, None, []),
        (1, "s01", ["s01-BrewHaven-Phase1-Foundation"]),
    ],
)
def test_later_phases_go_first_and_others_stay(
    settings: CloudSettings,
    fake_target: Callable[..., Any],
    first: int,
    student: str | None,
    expected: list[str],
) -> None:
    cloud = fake_target(cloudformation={"list_stacks": {"StackSummaries": ALL}})
    plan = destroy.plan(settings, cloud, first, student)
    assert list(plan.stacks) == expected
    assert plan.whole_course is (first == 1)


class Deletion:
    """A CloudFormation that deletes the foundation stack, or fails to."""

    def __init__(self, ends_with: str = "DELETE_COMPLETE", *, protected: bool = False) -> None:
        self.status = "CREATE_COMPLETE"
        self.ends_with = ends_with
        self.protected = protected
        self.polls = 0

    def answers(self) -> dict[str, Any]:
        return {
            "describe_stacks": self.describe,
            "delete_stack": self.delete,
            "list_stack_resources": {"StackResourceSummaries": [
                {"ResourceType": "AWS::EC2::VPC", "PhysicalResourceId": "vpc-0abc1234", "ResourceStatus": "COMPLETE"}
            ]},
            "get_template": {"TemplateBody": {}},
            "list_stacks": lambda: {"StackSummaries": [_summary(FOUNDATION, self.status)]},
            "describe_stack_events": {"StackEvents": [
                {"LogicalResourceId": "Vpc", "ResourceType": "AWS::EC2::VPC", "ResourceStatus": "DELETE_FAILED",
                 "ResourceStatusReason": "has dependencies"},
                {"LogicalResourceId": "Role", "ResourceType": "AWS::IAM::Role", "ResourceStatus": "DELETE_COMPLETE"},
            ]},
        }  # fmt: skip

    def describe(self, **_: Any) -> dict[str, Any]:
        if self.status == "DELETE_IN_PROGRESS":
            self.polls += 1
            if self.polls > 1:
                self.status = self.ends_with
        stack = {"StackId": "arn:stack", "StackStatus": self.status, "EnableTerminationProtection": self.protected}
        return {"Stacks": [stack]}

    def delete(self, **_: Any) -> None:
        self.status = "DELETE_IN_PROGRESS"


PLAN = destroy.Plan((FOUNDATION,), (FOUNDATION,), None, True)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destroy, "POLL_SECONDS", {"local": 0.0, "aws": 0.0})


def test_what_a_stack_held_is_recorded_before_it_goes(
    settings: CloudSettings, fake_target: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[inventory.Ownership] = []

    def look(_cloud: Any, ownership: inventory.Ownership) -> Findings:
        seen.append(ownership)
        return Findings(())

    monkeypatch.setattr(inventory, "of_target", look)
    cloud = fake_target(cloudformation=Deletion().answers())
    assert destroy.destroy(settings, cloud, PLAN).is_empty
    assert seen[0].covers(Item("network interface", "eni-1", ("vpc-0abc1234",)))
    assert stacks.Record.of(settings, cloud).stack_names() == [], "an empty account needs no record"


def test_the_record_stays_while_something_is_left(
    settings: CloudSettings, fake_target: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = Findings((Item("VPC", "vpc-0abc1234"),))
    monkeypatch.setattr(inventory, "of_target", lambda *_: left)
    cloud = fake_target(cloudformation=Deletion().answers())
    assert destroy.destroy(settings, cloud, PLAN) == left
    assert stacks.Record.of(settings, cloud).ids([FOUNDATION]) == {"vpc-0abc1234"}


def test_a_failed_deletion_names_resource_and_reason(settings: CloudSettings, fake_target: Callable[..., Any]) -> None:
    cloud = fake_target(cloudformation=Deletion("DELETE_FAILED").answers())
    with pytest.raises(BrewHavenError, match=r"Vpc \(AWS::EC2::VPC\): has dependencies"):
        destroy.destroy(settings, cloud, PLAN)
    assert stacks.Record.of(settings, cloud).ids([FOUNDATION]) == {"vpc-0abc1234"}


def test_termination_protection_is_respected(settings: CloudSettings, fake_target: Callable[..., Any]) -> None:
    deletion = Deletion(protected=True)
    with pytest.raises(BrewHavenError, match="termination protection"):
        destroy.destroy(settings, fake_target(cloudformation=deletion.answers()), PLAN)
    assert deletion.status == "CREATE_COMPLETE"


def test_a_stack_that_vanished_is_deleted(settings: CloudSettings, fake_target: Callable[..., Any]) -> None:
    """The local cloud forgets a deleted stack's id where AWS still answers for it."""
    deletion = Deletion()
    answers = deletion.answers()

    def describe(**arguments: Any) -> Any:
        if deletion.status == "DELETE_IN_PROGRESS":
            raise refusal("ValidationError", "Stack with id arn:stack does not exist")
        return deletion.describe(**arguments)

    answers["describe_stacks"] = describe
    cloud = fake_target(cloudformation=answers)
    destroy.delete_stack(cloud, FOUNDATION, destroy.console.Step("x"))
    assert deletion.status == "DELETE_IN_PROGRESS"


def test_what_no_stack_removes_is_swept(
    settings: CloudSettings, fake_target: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = "arn:aws:ecs:us-east-1:111122223333:task-definition/BrewHavenPhase1:3"
    findings = [
        Findings(
            (
                Item("CloudWatch log group", f"/aws/lambda/{FOUNDATION}-F"),
                Item("ECS task definition", definition),
                Item("image in the CDK's repository", "a" * 64),
            )
        ),
        Findings(()),
    ]
    monkeypatch.setattr(inventory, "of_target", lambda *_: findings.pop(0))
    monkeypatch.setattr(inventory, "bootstrap_repository", lambda _: "cdk-assets")
    cloud = fake_target(
        cloudformation=Deletion().answers(),
        ecs={
            "list_task_definitions": {"taskDefinitionArns": []},
            "delete_task_definitions": lambda taskDefinitions: {"taskDefinitions": taskDefinitions},  # noqa: N803
        },
        logs={},
        ecr={},
    )
    stacks.Record.of(settings, cloud).add(FOUNDATION, [("container image asset", "a" * 64)])
    assert destroy.destroy(settings, cloud, PLAN).is_empty
    assert cloud.client("logs").calls == [("delete_log_group", {"logGroupName": f"/aws/lambda/{FOUNDATION}-F"})]
    assert ("delete_task_definitions", {"taskDefinitions": [definition]}) in cloud.client("ecs").calls
    assert cloud.client("ecr").calls == [
        ("batch_delete_image", {"repositoryName": "cdk-assets", "imageIds": [{"imageTag": "a" * 64}]})
    ]


def test_an_image_that_another_student_runs_stays_and_is_not_called_left(
    settings: CloudSettings, fake_target: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tag is a hash of the content, so that students of one account share it."""
    shared, own = "a" * 64, "b" * 64
    deletion = Deletion()
    answers = deletion.answers()
    answers["list_stacks"] = lambda: {
        "StackSummaries": [_summary(FOUNDATION, deletion.status), _summary("s02-BrewHaven-Phase1-Foundation")]
    }
    answers["get_template"] = lambda StackName: {  # noqa: N803
        "TemplateBody": {"Image": f"x/cdk-container-assets-1:{shared}"} if StackName.startswith("s02-") else {}
    }
    listed = [Item("image in the CDK's repository", tag) for tag in (shared, own)]
    monkeypatch.setattr(
        inventory, "of_target", lambda _, mine: Findings(tuple(item for item in listed if mine.covers(item)))
    )
    monkeypatch.setattr(inventory, "bootstrap_repository", lambda _: "cdk-assets")

    def delete(repositoryName: str, imageIds: list[dict[str, str]]) -> Any:  # noqa: N803
        listed[:] = [item for item in listed if {"imageTag": item.id} not in imageIds]
        return {}

    cloud = fake_target(cloudformation=answers, ecr={"batch_delete_image": delete}, ecs={}, logs={})
    stacks.Record.of(settings, cloud).add(FOUNDATION, [("container image asset", tag) for tag in (shared, own)])
    assert destroy.destroy(settings, cloud, PLAN).is_empty
    assert [item.id for item in listed] == [shared]
