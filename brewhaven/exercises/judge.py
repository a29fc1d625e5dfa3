"""Says of a student's stack what is missing: on its template at once, and on a cloud where a call tells more."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brewhaven.course import verify
from brewhaven.course.checks import Check, Failure, OnTemplate
from brewhaven.course.progress import Progress
from brewhaven.course.template import Template
from brewhaven.course.verify import Report
from brewhaven.errors import BrewHavenError
from brewhaven.exercises import workspace
from brewhaven.exercises.declared import CODE, Exercise
from brewhaven.exercises.trial import deployed
from brewhaven.exercises.workshop import Broken, Built, Work, Workshop
from brewhaven.target import Target

PAUSE_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Verdict:
    """What is said of one attempt.

    Attributes:
        report: The findings; None when the file could not be built.
        seconds: From the beginning of the build to the verdict on the template.
    """

    exercise: Exercise
    report: Report | None
    broken: Broken | None
    printed: str
    seconds: float

    @property
    def passed(self) -> bool:
        return self.report is not None and self.report.passed

    @property
    def asked_on_cloud(self) -> bool:
        """Whether it was deployed and asked, too."""
        return self.report is not None and self.report.targets != ("template",)

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
    began = time.monotonic()
    built = workshop.build(exercise, folder)
    if built.work is None:
        return Verdict(exercise, None, built.broken, built.printed, time.monotonic() - began)
    return _look(exercise, built, built.work, cloud, began)


def _look(exercise: Exercise, built: Built, work: Work, cloud: Target | None, began: float) -> Verdict:
    checks = list(exercise.checks())
    looking = [_in_words(check, check.template) for check in checks if check.template]
    report = verify.run(exercise.id, looking, template=work)
    seconds = time.monotonic() - began
    if cloud is not None and report.passed:
        with deployed(exercise, work, cloud) as deployment:
            asking = [check for check in checks if check.cloud]
            asked = verify.run(exercise.id, asking, deployment=deployment, cloud=cloud.name)
        report.findings += asked.findings
        report.targets = (*report.targets, *asked.targets)
    report.not_on_target = []
    return Verdict(exercise, report, None, built.printed, seconds)


def _in_words(check: Check, look: OnTemplate) -> Check:
    """The same check, which says in words that a stack is so unlike the start that it could not be looked at."""

    def looked_at(template: Template) -> str:
        try:
            return look(template)
        except Failure:
            raise
        except Exception as error:  # a student's stack may be anything, and no save may end the watching
            raise Failure(
                f"{check.proves}: that could not be seen, because your stack has something else than the start had "
                f"where the check looks ({type(error).__name__}: {error})",
                where="the resources of the start: their ids and their kind are what the check finds them by",
                next_step="keep them and change what the task names",
            ) from error

    return dataclasses.replace(check, template=looked_at)


def note(verdict: Verdict, progress: Progress) -> None:
    """Remember the attempt, and for good that the exercise was solved."""
    key = workspace.key(verdict.exercise)
    progress.record(key, "check", passed=verdict.passed)
    if verdict.passed:
        progress.record(key, "solved", passed=True)


def watch(
    exercise: Exercise,
    folder: Path,
    workshop: Workshop,
    say: Callable[[Verdict, float | None], None],
    pause: Callable[[float], None],
) -> None:
    """Judge at once and after every save, until `pause` is interrupted.

    Args:
        say: Called with each verdict, and the seconds from the save to it; None where nothing was saved just now.
        pause: Waits for some seconds, as `time.sleep` does.
    """
    workshop.warm_up()
    seen: dict[str, int] | None = None
    while True:
        now = _saved(folder)
        if now != seen:
            pause(PAUSE_SECONDS / 2)  # an editor may still be at it
            if now != _saved(folder):
                continue
            first, seen = seen is None, now
            verdict = _judge_in_words(exercise, folder, workshop) if CODE in now else _gone(exercise)
            say(verdict, None if first else _since(now))
        pause(PAUSE_SECONDS)


def _judge_in_words(exercise: Exercise, folder: Path, workshop: Workshop) -> Verdict:
    """Whatever is wrong with the exercise itself, in the middle of an update of the course say, is told as well."""
    try:
        return judge(exercise, folder, workshop)
    except BrewHavenError as error:
        said = str(error)
    except Exception as error:  # no save, and no update of the course, may end the watching
        said = f"the exercise itself cannot be used ({type(error).__name__}: {error}); an update of the course mends it"
    return Verdict(exercise, None, Broken(said, exercise.id), "", 0.0)


def _gone(exercise: Exercise) -> Verdict:
    broken = Broken(
        f"the file is gone. It is looked at when it is back; `brewhaven exercise start {exercise.id}` begins anew", CODE
    )
    return Verdict(exercise, None, broken, "", 0.0)


def _since(saved: dict[str, int]) -> float | None:
    """Seconds since the last save; None for a file that was put there with an old or a future date."""
    seconds = time.time() - max(saved.values(), default=0) / 1e9
    return seconds if 0 <= seconds < LONGEST_WAIT_SECONDS else None


def _saved(folder: Path) -> dict[str, int]:
    """When each of the student's files was saved."""
    times = {}
    for path in (*folder.glob("*.py"), *folder.glob("*.sql")):
        try:
            times[path.name] = path.stat().st_mtime_ns
        except FileNotFoundError:
            continue  # an editor replaces files by others
    return times
