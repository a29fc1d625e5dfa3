"""Bring the deployment to the beginning of a lesson, from whatever state it is in."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from brewhaven import deploy, destroy
from brewhaven.course.catalogue import Course, Lesson, Place
from brewhaven.course.whereabouts import UnknownStateError, deployed_lesson
from brewhaven.errors import UsageError
from brewhaven.local import lifecycle
from brewhaven.local.settings import CloudSettings
from brewhaven.target import Target

Way = Literal["nothing", "forward", "afresh", "back", "empty"]


@dataclass(frozen=True)
class Plan:
    """How to get there.

    Attributes:
        found: The lesson that is deployed; None for an account without the course.
        goal: The lesson whose state is wanted; None for an empty account.
        way: ``nothing`` to do; ``forward`` in place; ``afresh`` from an empty account (local only); ``back`` in place;
            ``empty`` the account.
    """

    found: Lesson | None
    goal: Lesson | None
    way: Way

    @property
    def sentence(self) -> str:
        """What will happen, for the student."""
        found = f"lesson {self.found.id} is deployed" if self.found else "no lesson is deployed as a whole"
        goal = f"the state of lesson {self.goal.id}" if self.goal else "an empty account"
        return {
            "nothing": f"Already there: {found}.",
            "forward": f"Now {found}; it is upgraded in place to {goal}, and its data stays.",
            "afresh": f"Now {found}; the local account is emptied and built again to {goal}.",
            "back": f"Now {found}; what later lessons added is removed, down to {goal}.",
            "empty": f"Now {found}; the result is an empty account.",
        }[self.way]


def parse(course: Course, text: str) -> Lesson | None:
    """The lesson whose beginning is meant; ``1.0`` is the empty account, as is the first lesson's beginning.

    Raises:
        UsageError: There is no such lesson.
    """
    if text in ("0", "1.0"):
        return None
    if "." not in text:
        raise UsageError(f"{text!r} is no lesson.", "Give a lesson like 1.3, or 1.0 for the empty account.")
    return course.lesson(text)


def plan(course: Course, found: Lesson | None, goal: Lesson | None, *, local: bool) -> Plan:
    """Choose the way: in place where that only adds, else afresh on the local cloud and downwards in place on AWS."""
    if goal == found:
        return Plan(found, goal, "nothing")
    if goal is None:
        return Plan(found, goal, "empty")
    if found is None or goal.number > found.number:
        return Plan(found, goal, "forward")
    return Plan(found, goal, "afresh" if local else "back")


def plan_from_here(course: Course, cloud: Target, goal: Lesson | None, student: str | None = None) -> Plan:
    """Look at what is deployed and choose the way; a broken local deployment is simply built again.

    Raises:
        UnknownStateError: A deployment on AWS is broken: what is there is the student's to decide on.
    """
    try:
        found = deployed_lesson(course, cloud, student)
    except UnknownStateError:
        if not cloud.is_local:
            raise
        return Plan(None, goal, "afresh") if goal else Plan(None, None, "empty")
    return plan(course, found, goal, local=cloud.is_local)


def carry_out(
    course: Course,
    settings: CloudSettings,
    cloud: Target,
    what: Plan,
    *,
    student: str | None = None,
    restart: Callable[[], Target],
) -> Target:
    """Do what the plan says and return the cloud, which is another one if its account was emptied.

    Args:
        restart: Makes the target anew after the local account was emptied.
    """
    if what.way in ("afresh", "empty"):
        if cloud.is_local:
            empty_local_account(settings)
            cloud = restart()
        else:
            destroy.destroy(settings, cloud, destroy.plan(settings, cloud, 1, student))
    if what.goal and what.way != "nothing":
        deploy.ensure_bootstrap(settings, cloud)
        place = Place(course.phase_of(what.goal), what.goal)
        deploy.deploy(settings, cloud, deploy.Request(place, student=student))
    return cloud


def empty_local_account(settings: CloudSettings) -> None:
    """Remove every stack, item, object and process of the local account, and the tool's record of them."""
    lifecycle.reset(settings)
    for record in settings.home.glob("record/local-*.json"):
        record.unlink()
    shutil.rmtree(settings.home / "assembly", ignore_errors=True)
