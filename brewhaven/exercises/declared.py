"""What an exercise is: a folder below ``phases/<phase>/exercises/`` with these files.

| File | What it is |
|---|---|
| ``exercise.toml`` | id, title, lesson, objective, minutes, what to read, hints, the wrong answers |
| ``task.md`` | what is wanted, and why the shop wants it |
| ``start/`` | what the student begins with; ``exercise.py`` defines a stack called ``Exercise`` |
| ``checks.py`` | ``CHECKS``, as for a phase; they look at the template of the student's stack |
| ``probe.py`` | optional: ``probe(module, body, folder)`` looks at the student's code beside its template |
| ``solution/`` | the files that differ from ``start/``, and ``solution.md`` with the reasoning |
| ``wrong/`` | plausible wrong answers, each with the explanation that it must be given |
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brewhaven.course import checks
from brewhaven.course.catalogue import Course, load
from brewhaven.errors import BrewHavenError, UsageError

CODE = "exercise.py"
STACK = "Exercise"
"""Name of the class in a student's file, and of the stack that is built from it."""


@dataclass(frozen=True)
class Wrong:
    """A plausible wrong answer.

    Attributes:
        file: Stands in for ``replaces`` in the student's folder.
        check: The check that must fail.
        said: What its explanation must contain.
        on: `template`, or `local` where only a call to what is deployed can tell.
    """

    file: Path
    replaces: str
    check: str
    said: str
    on: str


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        minutes: For somebody who has done the lesson.
        read: Pages and files that help.
        hints: From a nudge to nearly the answer.
    """

    id: str
    title: str
    lesson: str
    objective: str
    minutes: int
    read: tuple[str, ...]
    hints: tuple[str, ...]
    wrong: tuple[Wrong, ...]
    folder: Path

    @property
    def task(self) -> str:
        """What is wanted, in Markdown."""
        return (self.folder / "task.md").read_text(encoding="utf-8")

    @property
    def reasoning(self) -> str:
        """Why the solution is as it is, in Markdown."""
        return (self.folder / "solution" / "solution.md").read_text(encoding="utf-8")

    def start_files(self) -> dict[str, str]:
        """What the student begins with, by file name."""
        return _texts(self.folder / "start")

    def solution_files(self) -> dict[str, str]:
        """The files of the solution that differ from the start."""
        return {name: text for name, text in _texts(self.folder / "solution").items() if name != "solution.md"}

    @property
    def to_write(self) -> tuple[str, ...]:
        """The names of the files in which the student's work is: those that the solution has otherwise."""
        start = self.start_files()
        return tuple(name for name, text in self.solution_files().items() if start.get(name) != text)

    def checks(self) -> checks.CheckList:
        """What must hold."""
        return checks.load(self.folder)

    @property
    def runs_on_cloud(self) -> bool:
        """Whether some check looks at what is deployed."""
        return any(check.cloud for check in self.checks())


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir()) if path.is_file()}


def all_exercises(course: Course | None = None) -> list[Exercise]:
    """Every exercise of every phase, in the order of the lessons.

    Raises:
        BrewHavenError: A declaration is not whole; it says which file and what is missing.
    """
    found = [each for phase in (course or load()).phases for each in _of(phase.folder / "exercises")]
    return sorted(found, key=lambda each: (tuple(map(int, each.lesson.split("."))), each.minutes, each.id))


def _of(folder: Path) -> Iterator[Exercise]:
    for path in sorted(folder.glob("*/exercise.toml")):
        yield read(path.parent)


def read(folder: Path) -> Exercise:
    """Read one exercise's folder.

    Raises:
        BrewHavenError: Something is missing or of the wrong kind.
    """
    path = folder / "exercise.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        wrong = tuple(_wrong(folder, entry) for entry in table.get("wrong", []))
        exercise = Exercise(
            id=folder.name,
            title=str(table["title"]),
            lesson=str(table["lesson"]),
            objective=str(table["objective"]),
            minutes=int(table["minutes"]),
            read=tuple(table["read"]),
            hints=tuple(table["hints"]),
            wrong=wrong,
            folder=folder,
        )
    except FileNotFoundError as error:
        raise BrewHavenError(f"{folder} has no exercise.toml.", "See docs/writing-a-phase.md.") from error
    except KeyError as error:
        raise BrewHavenError(f"{path} does not say {error.args[0]}.", "See docs/writing-a-phase.md.") from error
    except (TypeError, ValueError) as error:  # of TOML, too
        raise BrewHavenError(f"{path} cannot be used: {error}.", "See docs/writing-a-phase.md.") from error
    needed = ["task.md", "checks.py", f"start/{CODE}", "solution/solution.md", *(str(each.file) for each in wrong)]
    missing = [name for name in needed if not (folder / name).exists()]
    if missing:
        raise BrewHavenError(f"{folder} has no {', '.join(missing)}.", "See docs/writing-a-phase.md.")
    return exercise


def _wrong(folder: Path, entry: dict[str, Any]) -> Wrong:
    return Wrong(
        file=folder / "wrong" / str(entry["file"]),
        replaces=str(entry.get("replaces", CODE)),
        check=str(entry["check"]),
        said=str(entry["said"]),
        on=str(entry.get("on", "template")),
    )


def find(id_: str, among: list[Exercise] | None = None) -> Exercise:
    """The exercise with this id.

    Raises:
        UsageError: There is none.
    """
    known = all_exercises() if among is None else among
    for each in known:
        if each.id == id_:
            return each
    raise UsageError(
        f"There is no exercise {id_!r}; there are {', '.join(each.id for each in known)}.",
        "See `brewhaven exercise list`.",
    )
