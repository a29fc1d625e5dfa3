"""The course as a CDK app: one line per stack."""

import sys
from collections.abc import Sequence

import aws_cdk as cdk

from stacks.course import all_lessons
from stacks.lessons import Lesson
from stacks.phase1_foundation import Phase1Foundation
from stacks.phase2_orders import Phase2Orders
from stacks.settings import Settings, SettingsError


def build(app: cdk.App, lessons: Sequence[Lesson] | None = None) -> None:
    """Add the phases' stacks to `app`, as its context asks for.

    :param lessons: what can be built. By default all lessons of the course.
    :raises SettingsError: when a context switch cannot be used.
    """
    settings = Settings.from_context(app.node, lessons=lessons or all_lessons())
    foundation = Phase1Foundation(app, settings=settings)
    if settings.reaches(Phase2Orders.phase):
        Phase2Orders(app, settings=settings, foundation=foundation)


if __name__ == "__main__":
    course = cdk.App()
    try:
        build(course)
    except SettingsError as error:
        sys.exit(str(error))
    course.synth()
