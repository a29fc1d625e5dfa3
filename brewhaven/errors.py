"""The one base error of the tool: what happened, where, and what to do next."""

from __future__ import annotations


class BrewHavenError(Exception):
    """An error a person can meet.

    Args:
        message: One sentence that says what happened and where.
        remedy: What to do next; omitted when the message already says it.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str | None = None) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message} {remedy}" if remedy else message)
