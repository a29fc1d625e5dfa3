"""What is wrong with the course's own files, each with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brewhaven.errors import BrewHavenError
from brewhaven.local.settings import REPOSITORY


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a file of the course: where it is and what it is."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        path = self.path.relative_to(REPOSITORY) if self.path.is_relative_to(REPOSITORY) else self.path
        return f"{path}:{self.line}: {self.message}"


class CourseError(BrewHavenError):
    """Files of the course cannot be used. The message names every problem with its file and line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        listing = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"The course's files have {len(self.problems)} problem(s):\n{listing}")
