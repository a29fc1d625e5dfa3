"""All who may notice a mistake: the course's checks, the tests, cdk-nag and cfn-lint, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from brewhaven.course import available_phases, checks, verify
from brewhaven.course.template import Template
from brewhaven.errors import BrewHavenError
from brewhaven.mutate.rerun import Judge, course_key
from brewhaven.mutate.stack import OUTPUT, Mutant, Stack

Kind = Literal["check", "test", "rule", "refused", ""]


@dataclass(frozen=True)
class Task:
    """A mistake to be judged, and the stack and phase that it is made in."""

    phase: int
    stack: str
    mutant: Mutant


@dataclass(frozen=True)
class Verdict:
    """What became of a mistake.

    Attributes:
        kind: ``check`` of the course, ``test``, ``rule`` of cdk-nag or cfn-lint, or ``refused``: none of these noticed,
            but CloudFormation would not deploy it. Empty if it survived.
        noticed_by: Id of the check, the test or the rule.
    """

    stack: str
    mutant: Mutant
    kind: Kind
    noticed_by: str


class Panel:
    """All who may notice a mistake, the quick ones first.

    Args:
        stacks: The record's stacks.
        tests: Runs the tests again.
        folder: Where templates may be written.
    """

    def __init__(self, stacks: dict[str, Stack], tests: Judge, folder: Path) -> None:
        self._tests = tests
        self._folder = folder
        whole = {name: course_key(name, {}) for phase in available_phases() for name in phase.stacks}
        self._stacks = {name: stacks[key] for name, key in whole.items() if key in stacks}
        self._checks = {phase.number: list(checks.load(phase.folder)) for phase in available_phases()}

    @cached_property
    def _rules(self) -> tuple[Any, Any]:
        """cfn-lint and cdk-nag, who take seconds to load and have nothing to say about the stacks as they are."""
        from brewhaven.mutate.rules import Lint, Nag  # noqa: PLC0415

        lint, nag = Lint(), Nag(self._folder)
        for name, stack in self._stacks.items():
            if wrong := [*lint.findings(stack.body), *(rule for rule, _ in nag.findings(stack, stack.body))]:
                raise BrewHavenError(
                    f"{name} has findings without any mistake: {', '.join(wrong)}.", "Mend them first: `make check`."
                )
        return lint, nag

    def _failed(self, phase: int, name: str, body: dict[str, Any]) -> str | None:
        """The first check of a phase that fails on its stack, beside the others as they are."""
        beside = {**{other: stack.body for other, stack in self._stacks.items()}, name: body}
        report = verify.run(name, self._checks[phase], template=Template(name, body, beside))
        return next((finding.check for finding in report.findings if not finding.passed), None)

    @cached_property
    def _well(self) -> frozenset[str]:
        """The stacks, whose checks pass as they are: one that fails anyway would seem to notice every mistake."""
        phases = {name: phase.number for phase in available_phases() for name in phase.stacks}
        for name, stack in self._stacks.items():
            if failed := self._failed(phases[name], name, stack.body):
                raise BrewHavenError(
                    f"The check {failed} fails on {name} without any mistake.",
                    f"Mend it first: `brewhaven verify {phases[name]} --on template`.",
                )
        return frozenset(self._stacks)

    def verdict(self, task: Task) -> Verdict:
        """Ask one after the other until somebody notices."""
        kind, noticed_by = self._noticed(task)
        return Verdict(task.stack, task.mutant, kind, noticed_by)

    def _noticed(self, task: Task) -> tuple[Kind, str]:
        stack = self._stacks[task.stack]
        body = stack.with_mistake(task.mutant, stack)
        if body is None:
            raise BrewHavenError(f"The mistake '{task.mutant.id}' cannot be made where it was thought of.")
        if task.stack in self._well and (failed := self._failed(task.phase, task.stack, body)):
            return "check", failed
        if test := self._tests.noticed_by(task.mutant, stack):
            return "test", test
        lint, nag = self._rules
        if nagged := nag.findings(stack, body):
            return "rule", min(nagged)[0]
        around = stack.by_maker[task.mutant.maker][0] if task.mutant.path and task.mutant.type != OUTPUT else ""
        linted = lint.findings(body, around)
        if warnings := [rule for rule in linted if not rule.startswith("E")]:
            return "rule", warnings[0]
        return ("refused", linted[0]) if linted else ("", "")
