"""Which lesson a deployment has reached, from what its stacks say about themselves."""

from __future__ import annotations

from brewhaven import stacks
from brewhaven.course.catalogue import Course, Lesson
from brewhaven.errors import BrewHavenError
from brewhaven.target import Target


class UnknownStateError(BrewHavenError):
    """It cannot be said which lesson is deployed, so no way leads on from there in place."""


def deployed_lesson(
    course: Course, cloud: Target, student: str | None = None, *, through: int | None = None
) -> Lesson | None:
    """The last lesson that is deployed, from what the stacks say about themselves.

    Args:
        through: Look at the phases up to this one alone.

    Raises:
        UnknownStateError: A stack of the course is there, but not whole, or it does not say what it is.
    """
    found: Lesson | None = None
    prefix = f"{student}-" if student else ""
    for phase in course.phases:
        if through is not None and phase.number > through:
            break
        for name in phase.stacks:
            state = stacks.describe(cloud, prefix + name)
            if state is None:
                continue
            if not state.is_complete and state.status != "UPDATE_ROLLBACK_COMPLETE":
                raise UnknownStateError(
                    f"The stack {state.name} is not whole: its status is {state.status}.",
                    "`brewhaven destroy` takes it away, then start again.",
                )
            if state.lesson is None:
                raise UnknownStateError(
                    f"The stack {state.name} does not say which lesson it has reached: another version made it.",
                    "`brewhaven destroy` takes it away, then start again.",
                )
            found = course.lesson(state.lesson)
    return found
