"""The phases that tests look at: those of the course, and those that are built but wait for their lessons."""

from stacks.course import PHASES as COURSE
from stacks.lessons import Lesson
from stacks.phase2_orders import Phase2Orders
from stacks.phase_stack import PhaseStack

PHASES: tuple[type[PhaseStack], ...] = (*COURSE, *(phase for phase in (Phase2Orders,) if phase not in COURSE))
LESSONS: tuple[Lesson, ...] = tuple(lesson for phase in PHASES for lesson in phase.lessons)
WHOLE = {"phase": str(PHASES[-1].phase)}
"""The switches with which everything is built."""


def stack_of(lesson: Lesson) -> str:
    """The stack that a lesson is a state of."""
    return name_of(PHASES[lesson.phase - 1])


def name_of(phase: type[PhaseStack], student: str = "") -> str:
    """The name of a phase's stack, with a student's prefix in front."""
    return f"{student}{'-' if student else ''}BrewHaven-Phase{phase.phase}-{phase.title}"
