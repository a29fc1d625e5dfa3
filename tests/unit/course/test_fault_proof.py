"""The proof of a fault: it passes where everything is as declared, and each deviation is found and taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brewhaven.course.catalogue import Course
from brewhaven.course.checks import Failure
from brewhaven.course.faults import declared, practice, proof
from brewhaven.course.faults.declared import Fault
from brewhaven.course.faults.practice import Practice
from brewhaven.course.faults.proof import Proof
from brewhaven.course.shell import Outcome
from brewhaven.local.settings import CloudSettings
from tests.unit.course.cups import TEMPLATE, Cups

Prove = Callable[[Fault], Proof]


class Student:
    """A shell in which the repair mends the cups, or does not."""

    cups: Cups
    status = 0
    mends = True
    ran: list[str] = []  # noqa: RUF012  (one test, one list)

    def __init__(self, *_: Any) -> None: ...

    def __enter__(self) -> Student:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, command: str, _timeout: float) -> Outcome:
        self.ran.append(command)
        if self.mends:
            self.cups.template, self.cups.hidden = dict(TEMPLATE), False
        return Outcome("it said this", self.status, "normally", 0)


@pytest.fixture
def student(monkeypatch: pytest.MonkeyPatch) -> type[Student]:
    kind = type("Student", (Student,), {"cups": Cups(), "ran": []})
    monkeypatch.setattr(proof, "Shell", kind)
    for name in ("NOTICE_SECONDS",):
        monkeypatch.setattr(proof, name, 0.05)
    monkeypatch.setattr(practice, "PERIOD_SECONDS", {"local": 0})
    monkeypatch.setattr(practice, "PATIENCE_SECONDS", {"local": 0.05})
    monkeypatch.setattr(practice, "COMES_UP_SECONDS", {"local": 0.05})
    return kind


@pytest.fixture
def prove(student: type[Student], course: Course, tmp_path: Path) -> Prove:
    settings = CloudSettings(home=tmp_path / "home", port=4718)
    return lambda fault: proof.prove(
        fault, Practice(settings, student.cups.target(), counts=False, of=course), {"PATH": "/bin"}
    )


@pytest.fixture(params=["no-cups", "hidden-cups"])
def fault(course: Course, request: pytest.FixtureRequest) -> Fault:
    return declared.find(course, request.param)


def what_failed(found: Proof) -> list[str]:
    return [step.title for step in found.steps if not step.passed]


def test_a_good_fault_is_proven(prove: Prove, fault: Fault, student: type[Student]) -> None:
    found = prove(fault)
    assert found.passed, found.steps
    assert len(found.steps) == 6
    assert not found.taken_back
    (ran,) = student.ran
    assert "STACK=BrewHaven-Phase9-Sample\nLESSON=9.1\n" in ran
    assert found.as_json()["passed"] is True


def test_what_is_noticed_before_proves_nothing(prove: Prove, fault: Fault) -> None:
    fault.noticed(lambda _: "always")
    found = prove(fault)
    assert what_failed(found) == ["all is well before"]
    assert "before it is made: always" in found.steps[0].detail
    assert not found.taken_back


def test_what_nobody_notices_is_no_fault(prove: Prove, fault: Fault, student: type[Student]) -> None:
    fault.noticed(lambda _: None)
    found = prove(fault)
    assert what_failed(found) == ["a user of the shop notices"]
    assert found.taken_back
    assert (student.cups.template, student.cups.hidden) == (TEMPLATE, False)


@pytest.mark.parametrize("may_fail", [(), ("other",)])
def test_a_check_that_has_nothing_to_do_with_it_must_pass(
    prove: Prove, fault: Fault, student: type[Student], monkeypatch: pytest.MonkeyPatch, may_fail: tuple[str, ...]
) -> None:
    load = practice.checks.load

    def with_another(folder: Path) -> Any:
        found = load(folder)
        other = found.check("other", lesson="9.1", objective="count-cups", proves="Another thing holds")

        @other.on_cloud
        def _(cloud: Any) -> str:
            if "Bucket" not in cloud.outputs:
                raise Failure("the other is broken", where="here", next_step="mend it")
            return "well"

        return found

    monkeypatch.setattr(practice.checks, "load", with_another)
    fault.may_fail = may_fail
    found = prove(fault)
    assert found.passed is bool(may_fail)
    if not may_fail:
        assert "other fails too: the other is broken" in found.steps[-1].detail
        assert (student.cups.template, student.cups.hidden) == (TEMPLATE, False)


def test_a_repair_that_fails_is_shown_and_taken_back(prove: Prove, fault: Fault, student: type[Student]) -> None:
    student.status, student.mends = 3, False
    found = prove(fault)
    assert what_failed(found) == ["a student's repair"]
    assert "status 3: it said this" in found.steps[-1].detail
    assert found.taken_back


def test_a_repair_that_mends_nothing_is_found(prove: Prove, fault: Fault, student: type[Student]) -> None:
    student.mends = False
    found = prove(fault)
    assert what_failed(found) == ["all is well after"]
    assert "one-bucket" in found.steps[-1].detail
    assert found.taken_back
