"""The course as a CDK app: one line per stack."""

import sys

import aws_cdk as cdk

from stacks.course import all_lessons
from stacks.phase1_foundation import Phase1Foundation
from stacks.settings import Settings, SettingsError


def build(app: cdk.App) -> None:
    """Add the phases' stacks to `app`, as its context asks for.

    :raises SettingsError: when a context switch cannot be used.
    """
    settings = Settings.from_context(app.node, lessons=all_lessons())
    Phase1Foundation(app, settings=settings)


if __name__ == "__main__":
    course = cdk.App()
    try:
        build(course)
    except SettingsError as error:
        sys.exit(str(error))
    course.synth()
