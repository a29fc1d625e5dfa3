"""What a fault is, how a phase declares its own, and the rules that each keeps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from brewhaven.course import declarations
from brewhaven.course.catalogue import Course
from brewhaven.course.cloud import Deployment
from brewhaven.course.faults.calls import Plan
from brewhaven.course.template import Template
from brewhaven.errors import UsageError

OnTemplate = Callable[[Template], None]
OutOfBand = Callable[[Deployment], Plan]
Notices = Callable[[Deployment], str | None]

HINTS = 3
_ID = re.compile(r"[a-z]+(-[a-z]+)*")


@dataclass(frozen=True)
class Explanation:
    """What a student reads when it is over.

    Attributes:
        cause: What was wrong, and how it comes about in real life.
        found_by: How one finds it: the command, the log line or the metric.
        prevention: What would have kept it away.
        page: The page of AWS's documentation to read.
    """

    cause: str
    found_by: str
    prevention: str
    page: str


@dataclass
class Fault:
    """Something that is broken in what is deployed, the way it happens in real life.

    Attributes:
        id: Stable, lower-case words joined by hyphens, unique in the course. It says what is noticed, never why.
        lesson: The lesson from which on a student can find and mend it.
        check: Id of the check of the phase that must fail.
        symptom: What a user of the shop reports, in a user's words.
        hints: Three, each more concrete than the one before.
        repair: How a student mends it: the lines of bash that CI runs. ``$STACK``, ``$LESSON`` and ``output NAME`` are
            there, as in the lessons.
        may_fail: Further checks that look at the same thing, and may fail with it.
        local_only: Why it is not for an account on AWS; empty where it is.
        left_out_by: The switch with which the stack has nothing to break, as with a check.
    """

    id: str
    lesson: str
    check: str
    symptom: str
    hints: tuple[str, str, str]
    explanation: Explanation
    repair: str
    may_fail: tuple[str, ...] = ()
    local_only: str = ""
    left_out_by: str = ""
    change: OnTemplate | None = None
    plan: OutOfBand | None = None
    notices: Notices | None = None

    def on_template(self, function: OnTemplate) -> OnTemplate:
        """Declare what it changes in the deployed template; the stack is then updated to that."""
        self.change = function
        return function

    def out_of_band(self, function: OutOfBand) -> OutOfBand:
        """Declare what it changes around CloudFormation: the function looks, changes nothing, and returns the plan."""
        self.plan = function
        return function

    def noticed(self, function: Notices) -> Notices:
        """Declare how a user of the shop notices it: the function returns what is seen, or None while all is well."""
        self.notices = function
        return function

    @property
    def number(self) -> tuple[int, int]:
        phase, step = self.lesson.split(".")
        return int(phase), int(step)

    @property
    def phase(self) -> int:
        return self.number[0]

    def out_of_reach(self, deployment: Deployment, cloud: str) -> str | None:
        """Why it cannot be had in this deployment; None where it can."""
        if self.local_only and cloud != "local":
            return f"it is for the local cloud alone: {self.local_only}"
        if deployment.reached is not None and self.number > deployment.reached:
            phase, step = deployment.reached
            return f"it needs lesson {self.lesson}, and lesson {phase}.{step} is deployed"
        if self.left_out_by and f"({self.left_out_by})" in deployment.description:
            return f"the stack was built with {self.left_out_by}, which leaves out what it breaks"
        return None


@dataclass
class FaultList:
    """The faults of one phase, in the order they are declared."""

    faults: list[Fault] = field(default_factory=list)

    def fault(
        self,
        id_: str,
        *,
        lesson: str,
        check: str,
        symptom: str,
        hints: tuple[str, str, str],
        explanation: Explanation,
        repair: str,
        may_fail: tuple[str, ...] = (),
        local_only: str = "",
        left_out_by: str = "",
    ) -> Fault:
        """Declare a fault; see :class:`Fault`. Its functions are added with the three decorators.

        Raises:
            ValueError: The id is taken or no id, or there are not three hints.
        """
        if any(fault.id == id_ for fault in self.faults):
            raise ValueError(f"there are two faults with the id {id_}")
        if not _ID.fullmatch(id_):
            raise ValueError(f"the id of a fault is lower-case words joined by hyphens, got {id_!r}")
        if len(hints) != HINTS or not all(hint.strip() for hint in hints):
            raise ValueError(f"the fault {id_} must have {HINTS} hints")
        fault = Fault(
            id_, lesson, check, symptom, hints, explanation, repair, may_fail, local_only, left_out_by
        )  # fmt: skip
        self.faults.append(fault)
        return fault

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.faults)


def load(folder: Path) -> FaultList:
    """The faults of a phase's folder; a phase without ``faults.py`` has none.

    Raises:
        BrewHavenError: The file does not define ``FAULTS``.
    """
    return declarations.load(folder, "faults.py", "FAULTS", FaultList)


def of_course(course: Course, phase: int | None = None) -> list[Fault]:
    """The faults of all phases, or of one."""
    chosen = [course.phase(phase)] if phase is not None else course.phases
    return [fault for item in chosen for fault in load(item.folder)]


def find(course: Course, id_: str) -> Fault:
    """The fault with this id.

    Raises:
        UsageError: There is none.
    """
    for fault in of_course(course):
        if fault.id == id_:
            return fault
    raise UsageError(f"There is no fault {id_}.", "`brewhaven break --list` shows them all.")
