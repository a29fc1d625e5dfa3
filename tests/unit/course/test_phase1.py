"""Phase 1's own files: lessons keep the rules, labs notice a dropped step, checks find a broken template."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from brewhaven.course import checks, document, lab, lint, load, verify
from brewhaven.course.document import Document
from brewhaven.course.shell import Outcome
from brewhaven.course.template import Template
from stacks.course import all_lessons

STACK = "BrewHaven-Phase1-Foundation"
COURSE = load()
PHASE = COURSE.phase(1)
CHECKS = list(checks.load(PHASE.folder))
Body = dict[str, Any]


def test_every_lesson_keeps_every_rule() -> None:
    assert lint.course_problems(COURSE, checked=checks.by_objective(COURSE)) == []


def test_the_lessons_are_those_of_the_stacks() -> None:
    assert [(lesson.id, lesson.title) for lesson in COURSE.lessons] == [
        (known.id, known.title) for known in all_lessons()
    ]


def test_there_are_enough_checks_and_each_names_an_objective_of_its_lesson() -> None:
    assert len(CHECKS) >= 15
    taught = {lesson.id: lesson.objectives for lesson in PHASE.lessons}
    assert [check.id for check in CHECKS if check.objective not in taught[check.lesson]] == []
    assert [check.id for check in CHECKS if not check.targets] == []


class Replay:
    """A shell in which every command does what its lesson says."""

    document: Document

    def __init__(self, *_: Any) -> None:
        self._steps = {step.command: step for step in self.document.steps}

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, command: str, _timeout: float) -> Outcome:
        step = self._steps.get(command)
        if step is None:
            return Outcome("", 0, "normally", 0)
        return Outcome((step.expected or "").replace("...", "x"), int(step.refused), "normally", 0)


def all_steps() -> Iterator[Any]:
    for lesson in PHASE.lessons:
        for step in document.read(lesson.path).steps:
            yield pytest.param(lesson.path, step.number, id=f"{lesson.id}-{step.number}")


@pytest.mark.parametrize(("path", "number"), list(all_steps()))
def test_a_lab_without_one_of_its_steps_fails(path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    replay = type("Replay", (Replay,), {"document": document.read(path)})
    monkeypatch.setattr(lab, "Shell", replay)
    only = replay.document.steps[number - 1].only
    target: lab.Target = "aws" if only == "aws" else "local"
    whole = lab.run("x", replay.document, target=target, environment={})
    dropped = lab.run("x", replay.document, target=target, environment={}, drop=number)
    assert whole.passed
    assert [step.number for step in dropped.failures] == [number]


def of_type(body: Body, type_: str, of: str = "") -> Body:
    """The properties of the first resource of a type, to be changed in place."""
    properties: Body = Template(STACK, body).resources(type_, of=of)[0].properties
    return properties


def rename_key(body: Body) -> None:
    of_type(body, "AWS::DynamoDB::GlobalTable")["KeySchema"][0]["AttributeName"] = "code"


def fix_the_name(body: Body) -> None:
    of_type(body, "AWS::S3::Bucket")["BucketName"] = "our-pictures"


def forget_backups(body: Body) -> None:
    table = of_type(body, "AWS::DynamoDB::GlobalTable")
    table["Replicas"][0]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] = False


def lose_index(number: int) -> Callable[[Body], None]:
    def lose(body: Body) -> None:
        del of_type(body, "AWS::DynamoDB::GlobalTable")["GlobalSecondaryIndexes"][number]

    return lose


def allow_scan(body: Body) -> None:
    statement = of_type(body, "AWS::IAM::Policy", "Storefront")["PolicyDocument"]["Statement"]
    statement.append({"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": "*"})


def fix_the_capacity(body: Body) -> None:
    of_type(body, "AWS::DynamoDB::GlobalTable")["BillingMode"] = "PROVISIONED"


def open_the_bucket(body: Body) -> None:
    of_type(body, "AWS::S3::Bucket")["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] = False


def forbid_pages_to_upload(body: Body) -> None:
    del of_type(body, "AWS::S3::Bucket")["CorsConfiguration"]


def make_a_user(body: Body) -> None:
    body["Resources"]["Intern"] = {"Type": "AWS::IAM::User", "Properties": {}}


def loosen_the_barista(body: Body) -> None:
    for statement in of_type(body, "AWS::IAM::Policy", "StaffRolesBarista")["PolicyDocument"]["Statement"]:
        statement.pop("Condition", None)


BREAKS: dict[str, Callable[[Body], None]] = {
    "stack-in-sync": fix_the_name,
    "menu-seeded": rename_key,
    "catalog-recoverable": forget_backups,
    "menu-by-category": lose_index(0),
    "nothing-scans": allow_scan,
    "catalog-capacity": fix_the_capacity,
    "assets-private": open_the_bucket,
    "uploads-bounded": forbid_pages_to_upload,
    "open-orders-sparse": lose_index(1),
    "barista-can-work": make_a_user,
    "barista-is-limited": loosen_the_barista,
}


@pytest.fixture
def body(template: Callable[..., Body]) -> Body:
    """Phase 1's template, a copy of its own for each test."""
    return copy.deepcopy(template(STACK))


def failed(body: Body) -> list[str]:
    report = verify.run("1", CHECKS, template=Template(STACK, body))
    for finding in report.findings:
        assert finding.passed or (finding.what and finding.where and finding.next)
    return [finding.check for finding in report.findings if not finding.passed]


def test_the_phase_as_it_is_passes(body: Body) -> None:
    assert failed(body) == []


def test_every_check_on_the_template_up_to_lesson_14_has_a_break() -> None:
    """Those of the later lessons are in test_phase1_template_checks.py."""
    assert sorted(BREAKS) == sorted(check.id for check in CHECKS if check.template and check.number <= (1, 4))


@pytest.mark.parametrize("check", BREAKS)
def test_a_broken_template_fails_exactly_the_check_for_it(body: Body, check: str) -> None:
    BREAKS[check](body)
    assert failed(body) == [check]


@pytest.mark.parametrize("lesson", [lesson.id for lesson in PHASE.lessons])
def test_each_lesson_passes_the_checks_so_far(template: Callable[..., Body], lesson: str) -> None:
    so_far = verify.chosen(CHECKS, through=COURSE.lesson(lesson).number)
    report = verify.run(lesson, so_far, template=Template(STACK, template(STACK, lesson=lesson)))
    assert [finding.check for finding in report.findings if not finding.passed] == []
