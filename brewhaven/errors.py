"""The errors of the tool, and what its exit codes mean."""

from __future__ import annotations

SUCCESS = 0
FAILURE = 1  # what was asked could not be done
WRONG_USE = 2  # the command line asks for something that does not exist
LEFT_OVER = 3  # after `destroy` something of the course is still there, or could not be looked for
INTERRUPTED = 130  # Ctrl-C


class BrewHavenError(Exception):
    """An error a person can meet: what happened, where, and what to do next.

    Args:
        message: One sentence that says what happened and where.
        remedy: What to do next; omitted when the message already says it.
    """

    exit_code = FAILURE

    def __init__(self, message: str, remedy: str | None = None) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message} {remedy}" if remedy else message)


class UsageError(BrewHavenError):
    """What was asked for does not exist or does not go together."""

    exit_code = WRONG_USE
