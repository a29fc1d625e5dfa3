"""Running checks and reporting which target proved what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from brewhaven.course.checks import Check, Failure
from brewhaven.course.cloud import Deployment
from brewhaven.course.template import Template

TargetName = Literal["template", "local", "aws"]
TARGETS: tuple[TargetName, ...] = ("template", "local", "aws")
AT_ONCE = 8


@dataclass(frozen=True)
class Finding:
    """What one check found on one target.

    Attributes:
        evidence: What proved it, when it passed.
        what: What is wrong, when it failed; `where` to look and what to do `next`.
    """

    check: str
    lesson: str
    objective: str
    proves: str
    target: TargetName
    passed: bool
    seconds: float
    evidence: str = ""
    what: str = ""
    where: str = ""
    next: str = ""


@dataclass
class Report:
    """All findings, what was not looked at, and how long each target took from the first check to the last."""

    asked: str
    targets: tuple[TargetName, ...]
    findings: list[Finding] = field(default_factory=list)
    not_on_target: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[TargetName, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return bool(self.findings) and all(finding.passed for finding in self.findings)

    def of_lesson(self, id_: str) -> dict[str, Any] | None:
        """What to remember of one lesson: a check passed if it did on every target; None if none was looked at."""
        verdicts: dict[str, bool] = {}
        for finding in self.findings:
            if finding.lesson == id_:
                verdicts[finding.check] = verdicts.get(finding.check, True) and finding.passed
        if not verdicts:
            return None
        return {
            "passed": all(verdicts.values()),
            "checks": len(verdicts),
            "checks_passed": sum(verdicts.values()),
            "on": list(self.targets),
        }

    def objectives(self) -> dict[str, dict[str, list[str]]]:
        """For each objective the targets that proved it and those on which a check of it failed."""
        found: dict[str, dict[str, list[str]]] = {}
        for finding in self.findings:
            entry = found.setdefault(finding.objective, {"proved_on": [], "failed_on": []})
            place = entry["proved_on" if finding.passed else "failed_on"]
            if finding.target not in place:
                place.append(finding.target)
        for entry in found.values():
            entry["proved_on"] = [target for target in entry["proved_on"] if target not in entry["failed_on"]]
        return found

    def as_json(self) -> dict[str, Any]:
        """The report for instructors and CI."""
        return {
            "verified": self.asked,
            "targets": list(self.targets),
            "passed": self.passed,
            "counts": {
                target: {
                    "passed": sum(f.passed for f in self.findings if f.target == target),
                    "failed": sum(not f.passed for f in self.findings if f.target == target),
                }
                for target in self.targets
            },
            "seconds": {target: round(seconds, 1) for target, seconds in self.seconds.items()},
            "objectives": self.objectives(),
            "checks": [{**asdict(finding), "seconds": round(finding.seconds, 3)} for finding in self.findings],
            "not_on_this_target": self.not_on_target,
        }


def chosen(checks: Iterable[Check], *, through: tuple[int, int] | None) -> list[Check]:
    """The checks of the lessons up to `through`; all of them without it."""
    return [check for check in checks if through is None or check.number <= through]


def run(
    asked: str,
    checks: Sequence[Check],
    *,
    template: Template | None = None,
    deployment: Deployment | None = None,
    cloud: Literal["local", "aws"] = "local",
) -> Report:
    """Run every check on the targets that are given, those that do not disturb each other at the same time.

    Raises:
        NotDeployedError: A deployment is given, and its stack is not there.
    """
    targets: list[TargetName] = [*(["template"] if template else []), *([cloud] if deployment else [])]  # type: ignore[list-item]
    report = Report(asked, tuple(targets))
    began = time.monotonic()
    if template:
        report.findings += [
            _finding(check, "template", check.template, template)
            for check in checks
            if check.template and check.applies_to(template.description)
        ]
        report.seconds["template"] = time.monotonic() - began
    if deployment:
        began = time.monotonic()
        deployment.prepare()
        there = [check for check in checks if check.cloud and check.applies_to(deployment.description)]
        together = [check for check in there if not check.alone]
        try:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                report.findings += pool.map(lambda check: _on_cloud(check, cloud, deployment), together)
            report.findings += [_on_cloud(check, cloud, deployment) for check in there if check.alone]
        finally:
            deployment.tidy()
        report.seconds[cloud] = time.monotonic() - began
    place = {check.id: number for number, check in enumerate(checks)}
    report.findings.sort(key=lambda finding: (targets.index(finding.target), place[finding.check]))
    report.not_on_target = [
        {
            "check": check.id,
            "objective": check.objective,
            "runs_on": list(check.targets),
            "left_out_by": check.left_out_by,
        }
        for check in checks
        if not any(finding.check == check.id for finding in report.findings)
    ]
    return report


def _on_cloud(check: Check, cloud: TargetName, deployment: Deployment) -> Finding:
    """Look at what is deployed, or say that the deployment has not come so far."""

    def not_yet(_: Deployment) -> str:
        phase, step = deployment.reached or check.number
        raise Failure(
            f"{check.proves}: this holds from lesson {check.lesson} on, and lesson {phase}.{step} is deployed",
            where="`brewhaven status`",
            next_step=f"deploy the lesson (`brewhaven deploy {check.lesson}`), or verify {phase}.{step} alone",
        )

    came_so_far = deployment.reached is None or check.number <= deployment.reached
    return _finding(check, cloud, check.cloud if came_so_far else not_yet, deployment)


def _finding(check: Check, target: TargetName, function: Callable[[Any], str] | None, subject: Any) -> Finding:
    start = time.monotonic()
    passed, evidence, what, where, then = False, "", "", "", ""
    try:
        evidence = function(subject) if function else ""
        passed = True
    except Failure as failure:
        what, where, then = failure.what, failure.where, failure.next_step
    except (ClientError, BotoCoreError, OSError) as error:
        what = f"{check.proves}: this could not be found out, because {error}"
        where = "the message above names the call and, where AWS refused it, who called"
        then = f"see that the deployment is whole (`brewhaven status`), then verify {check.lesson} again"
    except (LookupError, TypeError, ValueError, StopIteration) as error:
        what = f"{check.proves}: something that must be there is missing ({type(error).__name__}: {error})"
        where = f"what lesson {check.lesson} adds to the stack"
        then = f"compare your stack with the lesson's: `brewhaven diff {check.lesson} <yours>`"
    return Finding(
        check=check.id,
        lesson=check.lesson,
        objective=check.objective,
        proves=check.proves,
        target=target,
        passed=passed,
        seconds=time.monotonic() - start,
        evidence=evidence,
        what=what,
        where=where,
        next=then,
    )
