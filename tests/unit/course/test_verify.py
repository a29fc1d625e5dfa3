import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from brewhaven.course import checks, render, verify
from brewhaven.course.catalogue import Course
from brewhaven.course.checks import CheckList
from brewhaven.course.cloud import Deployment, NotDeployedError
from brewhaven.course.template import Template

STACK = "BrewHaven-Phase9-Sample"
ONE = Template(STACK, {"Resources": {"CupBucket": {"Type": "AWS::S3::Bucket"}}})
NONE = Template(STACK, {"Resources": {}})


class CloudFormation:
    """Answers as CloudFormation does for one stack, or for none."""

    def __init__(
        self, outputs: Mapping[str, str] | None, status: str = "CREATE_COMPLETE", description: str = ""
    ) -> None:
        self._outputs = outputs
        self._status = status
        self._description = description

    def describe_stacks(self, **query: str) -> Any:
        if self._outputs is None:
            message = {"Code": "ValidationError", "Message": f"Stack with id {query['StackName']} does not exist"}
            raise ClientError({"Error": message}, "DescribeStacks")
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self._outputs.items()]
        stack = {"StackStatus": self._status, "Outputs": outputs, "Description": self._description}
        return {"Stacks": [stack]}

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, **_: str) -> Any:
        entry = {"LogicalResourceId": "CupBucket", "ResourceType": "AWS::S3::Bucket", "PhysicalResourceId": "cups"}
        return [{"StackResourceSummaries": [entry]}]


class Clients:
    region = "eu-central-1"

    def __init__(self, cloudformation: CloudFormation) -> None:
        self._cloudformation = cloudformation

    def client(self, service: str) -> Any:
        assert service == "cloudformation"
        return self._cloudformation


def deployment(outputs: Mapping[str, str] | None, status: str = "CREATE_COMPLETE") -> Deployment:
    return Deployment(Clients(CloudFormation(outputs, status)), [STACK])


@pytest.fixture
def sample(phases: Path, course: Course) -> CheckList:
    return checks.load(course.phase(9).folder)


def test_the_report_says_which_target_proved_what(sample: CheckList) -> None:
    report = verify.run("9", list(sample), template=ONE, deployment=deployment({"Bucket": "cups"}))
    assert report.passed
    assert report.objectives() == {"count-cups": {"proved_on": ["template", "local"], "failed_on": []}}
    assert [finding.evidence for finding in report.findings] == ["CupBucket", "cups"]


def test_a_failure_says_what_where_and_what_next(sample: CheckList) -> None:
    report = verify.run("9", list(sample), template=NONE)
    assert not report.passed
    shown = render.to_text(render.report(report))
    for part in ("there are 0 buckets", "look:  the stack", "next:  keep one", "0 of 1 objectives proved"):
        assert part in shown


def test_one_target_can_prove_what_another_refutes(sample: CheckList) -> None:
    report = verify.run("9", list(sample), template=NONE, deployment=deployment({"Bucket": "cups"}))
    assert report.objectives()["count-cups"] == {"proved_on": ["local"], "failed_on": ["template"]}
    lesson = report.findings[0].lesson
    assert report.of_lesson(lesson) == {
        "passed": False, "checks": 1, "checks_passed": 0, "on": ["template", "local"]
    }  # fmt: skip
    assert report.of_lesson("9.9") is None


def test_something_missing_is_a_failure_and_not_a_crash(sample: CheckList) -> None:
    report = verify.run("9", list(sample), deployment=deployment({}))
    assert "something that must be there is missing (KeyError: 'Bucket')" in report.findings[0].what


def test_a_stack_that_is_not_there_stops_with_a_remedy(sample: CheckList) -> None:
    with pytest.raises(NotDeployedError, match=r"is not deployed. Run `brewhaven deploy 9`"):
        verify.run("9", list(sample), deployment=deployment(None))


def test_a_stack_that_is_not_whole_stops(sample: CheckList) -> None:
    with pytest.raises(NotDeployedError, match="its status is ROLLBACK_COMPLETE"):
        verify.run("9", list(sample), deployment=deployment({}, "ROLLBACK_COMPLETE"))


def test_what_was_not_looked_at_is_in_the_report(sample: CheckList) -> None:
    template_only = CheckList()
    template_only.check("later", lesson="9.1", objective="count-cups", proves="x").on_cloud(lambda cloud: "")
    report = verify.run("9", [*sample, *template_only], template=ONE)
    assert report.as_json()["not_on_this_target"] == [
        {"check": "later", "objective": "count-cups", "runs_on": ["local", "aws"], "left_out_by": ""}
    ]


def test_a_lesson_is_verified_with_the_checks_so_far(sample: CheckList) -> None:
    sample.check("later", lesson="9.2", objective="count-cups", proves="x")
    assert [check.id for check in verify.chosen(sample, through=(9, 1))] == ["one-bucket"]
    assert len(verify.chosen(sample, through=None)) == 2


def test_two_checks_cannot_share_an_id(sample: CheckList) -> None:
    with pytest.raises(ValueError, match="two checks with the id one-bucket"):
        sample.check("one-bucket", lesson="9.1", objective="count-cups", proves="x")


def test_a_check_is_left_out_where_the_stack_was_built_without_what_it_looks_at(sample: CheckList) -> None:
    (check, *_) = sample
    check.left_out_by = "storefront=ec2"
    without = Template(STACK, {**NONE.body, "Description": "Brew Haven, lesson 9.1 (storefront=ec2)"})
    report = verify.run("9", [check], template=without)
    assert (report.findings, report.passed) == ([], False)
    assert report.not_on_target[0]["left_out_by"] == "storefront=ec2"
    assert "built without" in render.to_text(render.report(report))
    assert not verify.run("9", [check], template=NONE).passed, "and looked at everywhere else"


def test_what_a_later_lesson_adds_is_not_missed_but_not_deployed_yet(sample: CheckList) -> None:
    (check, *_) = sample
    check.lesson = "9.2"
    early = Deployment(Clients(CloudFormation({"Bucket": "cups"}, description="Brew Haven, lesson 9.1")), [STACK])
    (finding,) = verify.run("9", [check], deployment=early).findings
    assert not finding.passed
    assert "holds from lesson 9.2 on, and lesson 9.1 is deployed" in finding.what
    assert "brewhaven deploy 9.2" in finding.next
    there = Deployment(Clients(CloudFormation({"Bucket": "cups"}, description="Brew Haven, lesson 9.2")), [STACK])
    assert verify.run("9", [check], deployment=there).passed


# What the checks of one run share


class Shared:
    """Something that is made for the checks of a run; it counts how often, and says what becomes of it."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.made = self.gone = 0

    @contextmanager
    def __call__(self, _: Deployment) -> Iterator[str]:
        self.made += 1
        if self.fails:
            raise checks.Failure("no coffee", where="the machine", next_step="fill it")
        try:
            yield "a cup"
        finally:
            self.gone += 1


def looking_at(shared: Shared, *, count: int = 5) -> CheckList:
    found = CheckList()
    for number in range(count):
        check = found.check(f"cup-{number}", lesson="9.1", objective="cups", proves="A cup")
        check.on_cloud(lambda cloud: cloud.shared(shared))
    return found


def test_what_checks_share_is_made_once_a_run_and_gone_afterwards() -> None:
    shared, cloud = Shared(), deployment({})
    for run in (1, 2):
        report = verify.run("9", list(looking_at(shared)), deployment=cloud)
        assert [finding.evidence for finding in report.findings] == ["a cup"] * 5
        assert (shared.made, shared.gone) == (run, run)


def test_what_could_not_be_made_is_tried_once_and_fails_every_check_that_needs_it() -> None:
    shared = Shared(fails=True)
    report = verify.run("9", list(looking_at(shared)), deployment=deployment({}))
    assert [finding.what for finding in report.findings] == ["no coffee"] * 5
    assert (shared.made, shared.gone) == (1, 0)


def test_what_checks_share_is_gone_when_one_of_them_crashes() -> None:
    shared, found = Shared(), CheckList()

    def crash(cloud: Deployment) -> str:
        raise RuntimeError(cloud.shared(shared))

    found.check("crash", lesson="9.1", objective="cups", proves="A cup").on_cloud(crash)
    with pytest.raises(RuntimeError):
        verify.run("9", list(found), deployment=deployment({}))
    assert shared.gone == 1


def test_another_stack_is_looked_at_with_the_same_clients_and_asked_once() -> None:
    cloud = deployment({"CupUrl": "x"})
    other = cloud.beside("BrewHaven-Phase8-Before")
    assert other.stacks == ("BrewHaven-Phase8-Before",)
    assert other.outputs == {"CupUrl": "x"}
    assert cloud.beside("BrewHaven-Phase8-Before") is other


def test_a_report_says_how_long_a_target_took_and_not_the_sum_of_its_checks() -> None:
    found = CheckList()
    barrier = threading.Barrier(4, timeout=10)
    for number in range(4):
        check = found.check(f"cup-{number}", lesson="9.1", objective="cups", proves="A cup")
        check.on_cloud(lambda _: (barrier.wait(), time.sleep(0.2), "at the same time")[-1])  # type: ignore[arg-type]
    report = verify.run("9", list(found), deployment=deployment({}))
    assert report.passed
    assert 0.2 <= report.seconds["local"] < sum(finding.seconds for finding in report.findings)
