"""Labs one after the other: each from the beginning of its lesson, on one cloud."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from brewhaven import target
from brewhaven.course import catalogue, document, lab, start
from brewhaven.course.catalogue import Course, Lesson
from brewhaven.course.lab import LabResult, StepResult
from brewhaven.course.progress import Progress
from brewhaven.errors import BrewHavenError, UsageError
from brewhaven.local.settings import CloudSettings
from brewhaven.target import Target


def chosen(lesson: str | None, phase: int | None) -> list[Lesson]:
    """The labs that were asked for.

    Raises:
        UsageError: Neither or both are given, or there is no such lesson or phase.
    """
    course = catalogue.load()
    if (lesson is None) == (phase is None):
        raise UsageError(
            "Give one lesson or one phase.", "Like `brewhaven lab run 1.3` or `brewhaven lab run --phase 1`."
        )
    return [course.lesson(lesson)] if lesson is not None else list(course.phase(phase or 0).lessons)


def handed_on() -> dict[str, str]:
    """What a lab's shell gets of this process's environment besides the cloud's variables.

    ``BREWHAVEN_*`` names the local cloud for the `brewhaven` commands of a lab; ``CDK_VALIDATION`` leaves out the
    CDK's validation of templates, for a test run that has done it once already.
    """
    return {
        name: value for name, value in os.environ.items() if name.startswith("BREWHAVEN_") or name == "CDK_VALIDATION"
    }


@dataclass
class Session:
    """Runs labs on one cloud.

    Attributes:
        prepare: Bring the deployment to the beginning of each lesson where it is somewhere else. On AWS that is done
            only where nothing is removed by it.
        confirm: Asked before the local account is emptied for it.
    """

    settings: CloudSettings
    cloud: Target
    prepare: bool = True
    confirm: Callable[[str], bool] = field(default=lambda text: True)
    announce: Callable[[str], None] = field(default=lambda text: None)
    watch: Callable[[StepResult], None] = field(default=lambda result: None)

    def run(self, lessons: Sequence[Lesson], *, drop: int | None = None) -> list[LabResult]:
        """Run the labs in order and note the results in the student's progress."""
        course = catalogue.load()
        results = []
        for item in lessons:
            self.announce(f"[bold]{item.id} {item.title}[/bold]")
            if self.prepare:
                self._prepare(course, item)
            result = lab.run(
                item.id,
                document.read(item.path),
                target=self.cloud.name,
                environment={**self.cloud.environment, **handed_on()},
                drop=drop,
                watch=self.watch,
            )
            if drop is None:
                counts = {f"steps_{state}": result.count(state) for state in ("passed", "failed", "elsewhere")}
                Progress(self.settings.home).record(item.id, "lab", passed=result.passed, on=self.cloud.name, **counts)
            results.append(result)
        return results

    def _prepare(self, course: Course, item: Lesson) -> None:
        """A lab begins with what the lesson before left, or with its own state when it is run again."""
        goal = course.before(item)
        what = start.plan_from_here(course, self.cloud, goal)
        if what.way == "nothing" or what.found == item:
            return
        if not self.cloud.is_local and what.way != "forward":
            raise BrewHavenError(
                f"Lab {item.id} begins where the lesson before it ended, and on AWS lesson "
                f"{what.found.id if what.found else 'none'} is deployed; going there removes what later lessons added.",
                f"Run `brewhaven start {item.id}` if you want that.",
            )
        self.announce(f"[dim]{what.sentence}[/dim]")
        if what.way in ("afresh", "empty") and what.found and not self.confirm("Empty the local account for this lab?"):
            raise BrewHavenError("Nothing was run.", "Run the lab of the lesson that is deployed, or a later one.")
        self.cloud = start.carry_out(
            course,
            self.settings,
            self.cloud,
            what,
            restart=lambda: target.local(self.settings),
        )
