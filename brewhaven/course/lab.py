"""Running a lab: every step of a lesson in one shell, each outcome compared with what the lesson says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from brewhaven.course.document import Document, Step
from brewhaven.course.expectation import differs
from brewhaven.course.shell import Outcome, Shell
from brewhaven.local.settings import REPOSITORY

Target = Literal["local", "aws"]
# How long a step may take where the lesson does not say otherwise. CloudFormation on AWS takes minutes.
PATIENCE: Mapping[Target, int] = {"local": 180, "aws": 1800}


@dataclass(frozen=True)
class StepResult:
    """What became of one step.

    Attributes:
        state: ``passed``, ``failed``, ``elsewhere`` (it needs the other target) or ``not-run`` (an earlier one failed).
        problem: What differs from the lesson's text; empty unless it failed.
    """

    number: int
    heading: str
    line: int
    state: Literal["passed", "failed", "elsewhere", "not-run"]
    command: str
    expected: str
    only: str | None = None
    output: str = ""
    problem: str = ""
    seconds: float = 0.0


@dataclass
class LabResult:
    """What became of a lab."""

    lab: str
    target: Target
    file: str
    steps: list[StepResult] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.failures and any(step.state == "passed" for step in self.steps)

    @property
    def failures(self) -> list[StepResult]:
        return [step for step in self.steps if step.state == "failed"]

    def count(self, state: str) -> int:
        return sum(step.state == state for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """The result for `--json`: what ran, what did not and why."""
        return {
            "lab": self.lab,
            "target": self.target,
            "file": self.file,
            "passed": self.passed,
            "counts": {
                "passed": self.count("passed"),
                "failed": self.count("failed"),
                "needs_the_other_target": self.count("elsewhere"),
                "not_run": self.count("not-run"),
            },
            "seconds": round(sum(step.seconds for step in self.steps), 2),
            "steps": [{**asdict(step), "seconds": round(step.seconds, 2)} for step in self.steps],
        }


def run(
    lab: str,
    document: Document,
    *,
    target: Target,
    environment: Mapping[str, str],
    folder: Path = REPOSITORY,
    drop: int | None = None,
    watch: Callable[[StepResult], None] = lambda result: None,
) -> LabResult:
    """Run the steps of a lesson in order, and stop at the first whose outcome is not as the lesson says.

    Args:
        drop: Leave out the command of this step, as a reader who skips it would; its outcome is still expected. With
            this a test finds outcomes that prove nothing.
        watch: Called with each step's result as soon as it is known.
    """
    path = document.path
    result = LabResult(lab, target, str(path.relative_to(folder) if path.is_relative_to(folder) else path))
    with Shell(environment, folder) as shell:
        for step in document.steps:
            if step.only and step.only != target:
                done = _result(step, "elsewhere")
            elif result.failures:
                done = _result(step, "not-run")
            else:
                command = ":" if step.number == drop else step.command
                outcome = shell.run(command, step.timeout or PATIENCE[target])
                problem = judge(step, outcome)
                done = _result(step, "failed" if problem else "passed", outcome, problem or "")
            result.steps.append(done)
            watch(done)
    return result


def judge(step: Step, outcome: Outcome) -> str | None:
    """Say what differs from the lesson's text, or None where the outcome is as it says."""
    if step.expected is None:
        return "the lesson does not say what you see, so there is nothing to compare"
    if outcome.ended == "timeout":
        return f"it did not end within {outcome.seconds:.0f} seconds and was stopped"
    if outcome.ended == "shell":
        return "it ended the shell, so the following steps cannot run"
    return differs(outcome.output, step.expected) or _status_problem(step, outcome.status)


def _status_problem(step: Step, status: int) -> str | None:
    """The status alone proves nothing; together with the right output it must be the right one."""
    if step.refused and status == 0:
        return "the lesson says that it is refused or fails, and it ended without an error"
    if not step.refused and status != 0:
        return f"it printed what was expected and yet ended with the error status {status}"
    return None


def _result(
    step: Step,
    state: Literal["passed", "failed", "elsewhere", "not-run"],
    outcome: Outcome | None = None,
    problem: str = "",
) -> StepResult:
    return StepResult(
        number=step.number,
        heading=step.heading,
        line=step.line,
        state=state,
        command=step.command,
        expected=step.expected or "",
        only=step.only,
        output=outcome.output if outcome else "",
        problem=problem,
        seconds=outcome.seconds if outcome else 0.0,
    )
