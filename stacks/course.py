"""The phases of the course in order, for everything that must know them without building them."""

from stacks.lessons import Lesson
from stacks.phase1_foundation import Phase1Foundation
from stacks.phase2_orders import Phase2Orders
from stacks.phase_stack import PhaseStack

PHASES: tuple[type[PhaseStack], ...] = (Phase1Foundation, Phase2Orders)


def all_lessons() -> tuple[Lesson, ...]:
    """Every lesson of every phase, in the order of the course."""
    return tuple(lesson for phase in PHASES for lesson in phase.lessons)
