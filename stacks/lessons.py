"""Lessons are states of a stack: what each one adds is one method of its phase's stack.

    class Phase1Foundation(PhaseStack):
        @lesson("1.1", "The menu in one table")
        def menu(self) -> None:
            self.catalog = CatalogTable(self, "CatalogTable", ...)

`-c lesson=1.3` builds the methods of 1.1 to 1.3. A later lesson may add to what an earlier one made; it never replaces
a resource that holds data, so each lesson is deployed in place over the one before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[[Any], None])
_MARK = "_lesson"


@dataclass(frozen=True)
class Lesson:
    """One lesson: its id (`1.3`) and its title."""

    id: str
    title: str

    @property
    def number(self) -> tuple[int, int]:
        """The id as numbers, so that lessons compare in order: `1.3` is (1, 3)."""
        phase, _, step = self.id.partition(".")
        return int(phase), int(step)

    @property
    def phase(self) -> int:
        """The number of the phase that the lesson belongs to."""
        return self.number[0]


def lesson(id_: str, title: str) -> Callable[[Method], Method]:
    """Mark a method of a phase stack as what lesson `id_` adds."""

    def mark(method: Method) -> Method:
        setattr(method, _MARK, Lesson(id_, title))
        return method

    return mark


def lesson_methods(stack_class: type) -> dict[Lesson, str]:
    """The lessons of a phase stack in the order they are written, each with the name of its method."""
    return {getattr(value, _MARK): name for name, value in vars(stack_class).items() if hasattr(value, _MARK)}
