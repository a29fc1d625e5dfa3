"""The course: its phases and lessons, and the engine of lessons, labs, checks and quizzes, the same for every phase.

A phase is a folder below ``phases/`` (``phase.toml``, ``lessons/``, ``checks.py``). Nothing in here knows what a
particular phase teaches; ``docs/writing-a-phase.md`` tells how to write one.
"""

from brewhaven.course.catalogue import Course, Lesson, Phase, Place, load

__all__ = [
    "Course",
    "Lesson",
    "Phase",
    "Place",
    "available_phases",
    "find",
    "load",
    "phase_numbered",
    "phases",
    "stack_ids",
]


def phases() -> tuple[Phase, ...]:
    """All phases in order, also those that are coming."""
    return load().phases


def available_phases() -> tuple[Phase, ...]:
    """The phases that can be deployed."""
    return tuple(phase for phase in phases() if phase.is_available)


def find(text: str) -> Place:
    """Return what a student means by ``2`` or ``1.3``; see :meth:`Course.find`."""
    return load().find(text)


def phase_numbered(number: int) -> Phase:
    """The phase with this number; see :meth:`Course.phase`."""
    return load().phase(number)


def stack_ids(through: Phase, student: str | None = None) -> list[str]:
    """Ids of the stacks of all phases up to ``through``, in the order they are deployed."""
    prefix = f"{student}-" if student else ""
    return [prefix + stack for phase in phases() if phase.number <= through.number for stack in phase.stacks]
