"""Proving a fault on the local cloud: it is felt, its check finds it, a student can mend it, and nothing is left.

``brewhaven break --selftest`` and the tests of CI do the same: this.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from brewhaven.course.faults.declared import Fault
from brewhaven.course.faults.practice import Practice
from brewhaven.course.shell import Shell
from brewhaven.course.verify import Finding
from brewhaven.errors import BrewHavenError
from brewhaven.local.settings import REPOSITORY

NOTICE_SECONDS = 90
REPAIR_SECONDS = 300

PREAMBLE = """\
STACK={stack}
LESSON={lesson}
output() {{
  aws cloudformation describe-stacks --stack-name "$STACK" \\
    --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text
}}
"""


class _Broken(Exception):  # noqa: N818  (what a proof finds, not a mistake of the program)
    """A step of a proof did not go as the fault says."""


@dataclass
class ProofStep:
    """One step of a proof."""

    title: str
    passed: bool = False
    detail: str = ""
    seconds: float = 0.0


@dataclass
class Proof:
    """What became of the proof of one fault.

    Attributes:
        taken_back: Whether the fault had to be taken back by the tool, because a step failed.
    """

    fault: str
    lesson: str
    check: str
    steps: list[ProofStep] = field(default_factory=list)
    taken_back: bool = False

    @property
    def passed(self) -> bool:
        return bool(self.steps) and all(step.passed for step in self.steps)

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed, "seconds": round(self.seconds, 2)}


Watch = Callable[[ProofStep], None]


def preamble(stack: str, lesson: str) -> str:
    """What a repair's lines of bash can rely on, as the lessons define it."""
    return PREAMBLE.format(stack=stack, lesson=lesson)


def prove(fault: Fault, practice: Practice, environment: Mapping[str, str], watch: Watch = lambda step: None) -> Proof:
    """Go through a fault from a shop that is well to a shop that is well again.

    Args:
        environment: Of the repair's shell.
        watch: Told of each step when it is over.
    """
    proof = Proof(fault.id, fault.lesson, fault.check)
    try:
        _prove(fault, practice, environment, _Recorder(proof, watch))
    except _Broken:
        if practice.open_fault() is not None:
            practice.undo()
            proof.taken_back = True
    return proof


class _Recorder:
    """Keeps the steps of a proof; the first that fails ends it."""

    def __init__(self, proof: Proof, watch: Watch) -> None:
        self._proof = proof
        self._watch = watch

    @contextmanager
    def step(self, title: str) -> Iterator[ProofStep]:
        step, began = ProofStep(title), time.monotonic()
        self._proof.steps.append(step)
        try:
            yield step
            step.passed = True
        except _Broken as found:
            step.detail = str(found)
            raise
        except (BrewHavenError, ClientError, BotoCoreError, OSError) as error:
            step.detail = str(error)
            raise _Broken(str(error)) from error
        finally:
            step.seconds = time.monotonic() - began
            self._watch(step)


def _prove(fault: Fault, practice: Practice, environment: Mapping[str, str], recorder: _Recorder) -> None:
    if fault.notices is None:
        raise ValueError(f"the fault {fault.id} does not say how it is noticed")
    stack = practice.stack_of(fault)
    with recorder.step("all is well before") as step:
        practice.refuse(fault)
        findings = practice.see_it_well(fault)
        seen = fault.notices(practice.deployment(stack))
        if seen is not None:
            raise _Broken(f"what the fault does is noticed before it is made: {seen}")
        step.detail = f"{len(findings)} checks pass"
    with recorder.step("something is broken, and its check finds it") as step:
        finding = practice.break_it(fault)
        step.detail = f"{finding.check}: {finding.what}"
    with recorder.step("no check fails that has nothing to do with it") as step:
        step.detail = _no_strangers(practice.look(fault, leave_out=(fault.check, *fault.may_fail)))
    with recorder.step("a user of the shop notices") as step:
        step.detail = _until(lambda: fault.notices and fault.notices(practice.deployment(stack)))
    with recorder.step("a student's repair") as step:
        found = practice.must_be_open()
        with Shell(environment, REPOSITORY) as shell:
            outcome = shell.run(f"(set -eu\n{preamble(stack, found.lesson)}{fault.repair}\n)", REPAIR_SECONDS)
        if outcome.ended != "normally" or outcome.status != 0:
            raise _Broken(f"it ended with status {outcome.status}: {outcome.output.strip()[-600:]}")
    with recorder.step("all is well after") as step:
        step.detail = _mended(fault, practice, stack)


def _no_strangers(findings: list[Finding]) -> str:
    strangers = [f"{finding.check} fails too: {finding.what}" for finding in findings if not finding.passed]
    if strangers:
        raise _Broken("; ".join(strangers))
    return f"{len(findings)} others pass"


def _until(look: Callable[[], str | None]) -> str:
    deadline = time.monotonic() + NOTICE_SECONDS
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise _Broken(f"nobody noticed anything within {NOTICE_SECONDS} s")
        time.sleep(0.3)


def _mended(fault: Fault, practice: Practice, stack: str) -> str:
    """Wait until the tool itself says that it is mended, which closes it, and until no user notices anything."""
    deadline = time.monotonic() + NOTICE_SECONDS
    while not (verdict := practice.check()).mended:
        if time.monotonic() > deadline:
            failing = [verdict.intended, *verdict.others]
            said = "; ".join(f"{finding.check}: {finding.what}" for finding in failing if not finding.passed)
            raise _Broken(said or "the stack's template still has the fault")
        time.sleep(0.3)
    while (seen := fault.notices and fault.notices(practice.deployment(stack))) is not None:
        if time.monotonic() > deadline:
            raise _Broken(f"all checks pass, and it is noticed all the same: {seen}")
        time.sleep(0.3)
    return "all checks pass"
