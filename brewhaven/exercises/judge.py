"""Says of a student's stack what is missing: on its template at once, and on a cloud where a call tells more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from brewhaven import console
from brewhaven.course import verify
from brewhaven.course.cloud import Deployment
from brewhaven.course.progress import Progress
from brewhaven.course.verify import Report
from brewhaven.errors import BrewHavenError
from brewhaven.exercises import workspace
from brewhaven.exercises.declared import CODE, STACK, Exercise
from brewhaven.exercises.workshop import Broken, Built, Work, Workshop
from brewhaven.target import Target

PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class Verdict:
    """What is said of one attempt.

    Attributes:
        report: The findings; None when the file could not be built.
        seconds: From the beginning of the build to the verdict.
    """

    exercise: Exercise
    report: Report | None
    broken: Broken | None
    printed: str
    seconds: float

    @property
    def passed(self) -> bool:
        return self.report is not None and self.report.passed

    def as_json(self) -> dict[str, Any]:
        """The verdict for a program."""
        broken = self.broken and {"what": self.broken.what, "where": self.broken.where, "code": self.broken.code}
        findings = self.report.as_json()["checks"] if self.report else []
        return {
            "exercise": self.exercise.id,
            "passed": self.passed,
            "seconds": round(self.seconds, 2),
            "broken": broken,
            "printed": self.printed,
            "checks": findings,
        }


def judge(exercise: Exercise, folder: Path, workshop: Workshop, cloud: Target | None = None) -> Verdict:
    """Build what is in the folder and look at it; with a cloud, deploy it there as well and ask."""
    built = workshop.build(exercise, folder)
    if built.work is None:
        return Verdict(exercise, None, built.broken, built.printed, built.seconds)
    return _look(exercise, built, built.work, cloud)


def _look(exercise: Exercise, built: Built, work: Work, cloud: Target | None) -> Verdict:
    checks = list(exercise.checks())
    report = verify.run(exercise.id, [check for check in checks if check.template], template=work)
    if cloud is not None and report.passed:
        with deployed(exercise, work, cloud) as deployment:
            asked = verify.run(
                exercise.id, [check for check in checks if check.cloud], deployment=deployment, cloud=cloud.name
            )
        report.findings += asked.findings
        report.targets = (*report.targets, *asked.targets)
    report.not_on_target = []
    seconds = built.seconds + sum(finding.seconds for finding in report.findings if finding.target == "template")
    return Verdict(exercise, report, None, built.printed, seconds)


@contextmanager
def deployed(exercise: Exercise, work: Work, cloud: Target) -> Iterator[Deployment]:
    """The student's stack on a cloud, gone again afterwards."""
    name = f"{STACK}-{exercise.id}"
    cloudformation = cloud.client("cloudformation")
    patience = {"Delay": 1 if cloud.is_local else 5, "MaxAttempts": 120}
    with console.step(f"Deploying {name} on {cloud.name}"):
        try:
            cloudformation.create_stack(
                StackName=name,
                TemplateBody=json.dumps(work.body),
                Capabilities=["CAPABILITY_NAMED_IAM"],
                OnFailure="DELETE",
            )
            cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=patience)
        except (ClientError, WaiterError) as error:
            raise BrewHavenError(
                f"The stack {name} could not be deployed: {error}",
                f"`aws cloudformation describe-stack-events --stack-name {name}` says why; delete it if it is left.",
            ) from error
    try:
        yield Deployment(cloud, [name])
    finally:
        with console.step(f"Deleting {name}"):
            cloudformation.delete_stack(StackName=name)
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=patience)


def note(verdict: Verdict, progress: Progress) -> None:
    """Remember the attempt, and for good that the exercise was solved."""
    key = workspace.key(verdict.exercise)
    progress.record(key, "check", passed=verdict.passed)
    if verdict.passed:
        progress.record(key, "solved", passed=True)


def watch(
    exercise: Exercise, folder: Path, workshop: Workshop, say: Callable[[Verdict], None], pause: Callable[[float], None]
) -> None:
    """Judge at once and after every save, until `pause` is interrupted.

    Args:
        say: Called with each verdict.
        pause: Waits for some seconds, as `time.sleep` does.
    """
    workshop.warm_up()
    seen: dict[str, int] | None = None
    while True:
        now = _saved(folder)
        if now != seen:
            seen = now
            if CODE in now:
                say(judge(exercise, folder, workshop))
            else:
                missing = Broken(f"{CODE} is gone; it is looked at again when it is back", CODE)
                say(Verdict(exercise, None, missing, "", 0.0))
        pause(PAUSE_SECONDS)


def _saved(folder: Path) -> dict[str, int]:
    """When each of the student's files was saved."""
    times = {}
    for path in folder.glob("*.py"):
        try:
            times[path.name] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue  # an editor replaces files by others
    return times
