"""What the course consists of: its phases and lessons, read from ``phases/*/phase.toml``.

The tool knows the course from these files and not from the stacks, because importing the CDK takes longer than most
commands do. A test holds that both say the same.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache

from brewhaven.errors import UsageError
from brewhaven.local.settings import REPOSITORY


@dataclass(frozen=True)
class Lesson:
    """One lesson: its id (``1.3``) and its title."""

    id: str
    title: str


@dataclass(frozen=True)
class Phase:
    """One phase of the course.

    Attributes:
        stacks: Ids of its stacks without a student's prefix, in the order they are deployed; empty when it is coming.
    """

    number: int
    title: str
    level: str
    story: str
    services: tuple[str, ...]
    stacks: tuple[str, ...]
    lessons: tuple[Lesson, ...]

    @property
    def is_available(self) -> bool:
        return bool(self.stacks)


@dataclass(frozen=True)
class Place:
    """How far the course is to be built: a phase, and the lesson in it (None: all of the phase)."""

    phase: Phase
    lesson: Lesson | None = None

    @property
    def context(self) -> dict[str, str]:
        """The context switch with which the CDK app builds so far."""
        return {"lesson": self.lesson.id} if self.lesson else {"phase": str(self.phase.number)}

    def __str__(self) -> str:
        if self.lesson:
            return f"lesson {self.lesson.id}, {self.lesson.title}"
        return f"phase {self.phase.number}, {self.phase.title}"


@cache
def phases() -> tuple[Phase, ...]:
    """All phases in order, also those that are coming."""
    found = []
    for path in REPOSITORY.glob("phases/*/phase.toml"):
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        found.append(
            Phase(
                number=values["number"],
                title=values["title"],
                level=values["level"],
                story=values["story"],
                services=tuple(values["services"]),
                stacks=tuple(values["stacks"]),
                lessons=tuple(Lesson(lesson["id"], lesson["title"]) for lesson in values["lessons"]),
            )
        )
    return tuple(sorted(found, key=lambda phase: phase.number))


def available_phases() -> tuple[Phase, ...]:
    """The phases that can be deployed."""
    return tuple(phase for phase in phases() if phase.is_available)


def find(text: str) -> Place:
    """Return what a student means by ``2`` or ``1.3``.

    Raises:
        UsageError: It is no phase or lesson of the course, or one that is still coming.
    """
    if not re.fullmatch(r"\d{1,3}(\.\d{1,3})?", text):
        raise UsageError(f"{text!r} is neither a phase nor a lesson.", "Give a number like 1, or a lesson like 1.3.")
    number = text.partition(".")[0]
    phase = phase_numbered(int(number))
    if not phase.is_available:
        raise UsageError(
            f"Phase {number}, {phase.title}, is coming and cannot be deployed yet.",
            f"What can be deployed today: phase {_numbers(available_phases())}.",
        )
    if "." not in text:
        return Place(phase)
    lesson = next((candidate for candidate in phase.lessons if candidate.id == text), None)
    if lesson is None:
        known = ", ".join(candidate.id for candidate in phase.lessons)
        raise UsageError(f"Phase {number} has no lesson {text}.", f"Its lessons are {known}.")
    return Place(phase, lesson)


def phase_numbered(number: int) -> Phase:
    """The phase with this number, also one that is coming.

    Raises:
        UsageError: There is none.
    """
    phase = next((candidate for candidate in phases() if candidate.number == number), None)
    if phase is None:
        raise UsageError(f"There is no phase {number}.", f"The course has the phases {_numbers(phases())}.")
    return phase


def stack_ids(through: Phase, student: str | None = None) -> list[str]:
    """Ids of the stacks of all phases up to ``through``, in the order they are deployed."""
    prefix = f"{student}-" if student else ""
    return [prefix + stack for phase in phases() if phase.number <= through.number for stack in phase.stacks]


def _numbers(some: tuple[Phase, ...]) -> str:
    return ", ".join(str(phase.number) for phase in some)
