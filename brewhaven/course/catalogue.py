"""What the course consists of: its phases, lessons and objectives, read from ``phases/*/phase.toml``.

The tool knows the course from these files and not from the stacks, because importing the CDK takes longer than most
commands do. A test holds that both say the same.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from brewhaven.course.problems import CourseError, Problem
from brewhaven.errors import UsageError
from brewhaven.local.settings import REPOSITORY

PHASES_FOLDER = REPOSITORY / "phases"
LEVELS = ("Beginner", "Intermediate", "Advanced", "Expert")
_LESSON_ID = re.compile(r"[1-9]\.[1-9][0-9]?")
_OBJECTIVE_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Objective:
    """Something a student can do afterwards, which at least one check proves."""

    id: str
    text: str


@dataclass(frozen=True)
class Lesson:
    """One lesson: a state of the phase's stack and the text that teaches it.

    Attributes:
        id: For example ``1.3``.
        minutes_local: Time for a person who has not seen it before, on the local cloud.
        minutes_aws: The same with the waits of a real deployment.
        path: The Markdown file; with a `*` for its name where nobody has written it yet.
        adds_index: Whether it gives an existing table an index, of which DynamoDB makes or deletes one an update.
    """

    id: str
    title: str
    objectives: tuple[str, ...]
    services: tuple[str, ...]
    prerequisites: tuple[str, ...]
    minutes_local: int
    minutes_aws: int
    path: Path
    adds_index: bool = False

    @property
    def number(self) -> tuple[int, int]:
        """The id as numbers, so that lessons compare in order."""
        phase, step = self.id.split(".")
        return int(phase), int(step)


@dataclass(frozen=True)
class Phase:
    """One phase of the course and what its folder declares.

    Attributes:
        story: One sentence for lists.
        stacks: Ids of its stacks without a student's prefix, in the order they are deployed; empty when it is coming.
    """

    number: int
    title: str
    level: str
    story: str
    stacks: tuple[str, ...]
    services: tuple[str, ...]
    prerequisites: tuple[str, ...]
    objectives: tuple[Objective, ...]
    lessons: tuple[Lesson, ...]
    folder: Path

    @property
    def is_available(self) -> bool:
        """Whether the phase can be deployed; else it is announced."""
        return bool(self.stacks)

    @property
    def minutes_local(self) -> int:
        return sum(lesson.minutes_local for lesson in self.lessons)

    @property
    def minutes_aws(self) -> int:
        return sum(lesson.minutes_aws for lesson in self.lessons)


@dataclass(frozen=True)
class Place:
    """How far the course is to be built: a phase, and the lesson in it (None: all of the phase)."""

    phase: Phase
    lesson: Lesson | None = None

    @property
    def context(self) -> dict[str, str]:
        """The context switch with which the CDK app builds so far."""
        return {"lesson": self.lesson.id} if self.lesson else {"phase": str(self.phase.number)}

    def __str__(self) -> str:
        if self.lesson:
            return f"lesson {self.lesson.id}, {self.lesson.title}"
        return f"phase {self.phase.number}, {self.phase.title}"


@dataclass(frozen=True)
class Course:
    """All phases in order."""

    phases: tuple[Phase, ...]

    @cached_property
    def lessons(self) -> tuple[Lesson, ...]:
        return tuple(lesson for phase in self.phases for lesson in phase.lessons)

    def phase(self, number: int | str) -> Phase:
        """The phase with this number.

        Raises:
            UsageError: There is none; the message lists those there are.
        """
        for phase in self.phases:
            if str(phase.number) == str(number):
                return phase
        raise UsageError(f"There is no phase {number}.", f"The course has the phases {_numbers(self.phases)}.")

    def lesson(self, id_: str) -> Lesson:
        """The lesson with this id.

        Raises:
            UsageError: There is none; the message lists those there are.
        """
        place = self.find(id_)
        if place.lesson is None:
            first = place.phase.lessons[0].id
            raise UsageError(f"{id_} is a phase, and here a lesson is wanted.", f"Give a lesson like {first}.")
        return place.lesson

    def find(self, text: str) -> Place:
        """Return what a student means by ``2`` or ``1.3``.

        Raises:
            UsageError: It is no phase or lesson of the course, or one that is still coming.
        """
        if not re.fullmatch(r"\d{1,3}(\.\d{1,3})?", text):
            raise UsageError(
                f"{text!r} is neither a phase nor a lesson.", "Give a number like 1, or a lesson like 1.3."
            )
        phase = self.phase(text.partition(".")[0])
        if not phase.is_available:
            available = tuple(other for other in self.phases if other.is_available)
            raise UsageError(
                f"Phase {phase.number}, {phase.title}, is coming and cannot be deployed yet.",
                f"What can be deployed today: phase {_numbers(available)}.",
            )
        if "." not in text:
            return Place(phase)
        for lesson in phase.lessons:
            if lesson.id == text:
                return Place(phase, lesson)
        known = ", ".join(lesson.id for lesson in phase.lessons)
        raise UsageError(f"Phase {phase.number} has no lesson {text}.", f"Its lessons are {known}.")

    def phase_of(self, lesson: Lesson) -> Phase:
        return self.phase(lesson.number[0])

    def before(self, lesson: Lesson) -> Lesson | None:
        """The lesson that comes before, or None for the first of the course."""
        place = self.lessons.index(lesson)
        return self.lessons[place - 1] if place else None

    def stations(self, found: Lesson | None, goal: Lesson) -> tuple[Lesson, ...]:
        """The lessons to deploy one after the other on the way from one to another, the goal last.

        CloudFormation makes or deletes one index of a table in an update, so a way over several lessons that add one
        stops between them, upwards and downwards alike. A new table comes with all its indexes at once.
        """
        if found is None:
            return (goal,)
        numbers = sorted((found.number, goal.number))
        indexed = [item for item in self.lessons if item.adds_index and numbers[0] < item.number <= numbers[1]]
        if goal.number > found.number:
            return (*indexed[:-1], goal)
        below = [self.before(item) for item in reversed(indexed)]
        return (*(item for item in below[:-1] if item), goal)


def _numbers(phases: tuple[Phase, ...]) -> str:
    return ", ".join(str(phase.number) for phase in phases) or "none yet"


@cache
def load(folder: Path = PHASES_FOLDER) -> Course:
    """Read every ``phase.toml`` below ``folder``.

    Raises:
        CourseError: With every problem of every file at once.
    """
    problems: list[Problem] = []
    phases = []
    for path in sorted(folder.glob("*/phase.toml")):
        reader = _Reader(path)
        phase = reader.phase()
        problems += reader.problems
        if phase:
            phases.append(phase)
    phases.sort(key=lambda phase: phase.number)
    seen: dict[str, Path] = {}
    for phase in phases:
        for name in [str(phase.number), *(lesson.id for lesson in phase.lessons), *(o.id for o in phase.objectives)]:
            if seen.setdefault(name, phase.folder) != phase.folder:
                problems.append(Problem(phase.folder / "phase.toml", 1, f"'{name}' is used by {seen[name].name} too"))
    if problems:
        raise CourseError(problems)
    return Course(tuple(phases))


class _Reader:
    """Reads one ``phase.toml``, collecting every problem instead of stopping at the first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.problems: list[Problem] = []

    def phase(self) -> Phase | None:
        try:
            table = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"line (\d+)", str(error))
            self._wrong(f"not valid TOML: {error}", line=int(place[1]) if place else 1)
            return None
        number = table.get("number")
        if not isinstance(number, int) or not 1 <= number <= 9:
            self._wrong(f"number must be 1 to 9, got {number!r}", near="number")
            number = 0
        level = self._text(table, "level")
        if level and level not in LEVELS:
            self._wrong(f"level must be one of {', '.join(LEVELS)}, got '{level}'", near="level")
        stacks = self._texts(table, "stacks", may_be_empty=True)
        coming = not stacks
        objectives = tuple(self._objective(entry) for entry in self._tables(table, "objectives", may_be_absent=coming))
        self._unique([objective.id for objective in objectives], "objective")
        lessons = tuple(self._lesson(entry, number) for entry in self._tables(table, "lessons", may_be_absent=coming))
        self._unique([lesson.id for lesson in lessons], "lesson")
        if [lesson.id for lesson in lessons] != [f"{number}.{step}" for step in range(1, len(lessons) + 1)]:
            self._wrong(
                f"lessons must be {number}.1, {number}.2 and so on in order, got "
                f"{', '.join(lesson.id for lesson in lessons)}",
                near="[[lessons]]",
            )
        self._match(objectives, lessons)
        story = self._text(table, "story")
        return Phase(
            number=number,
            title=self._text(table, "title"),
            level=level,
            story=story,
            stacks=stacks,
            services=self._texts(table, "services"),
            prerequisites=self._texts(table, "prerequisites", may_be_empty=True),
            objectives=objectives,
            lessons=lessons if not self.problems else (),
            folder=self.path.parent,
        )

    def _match(self, objectives: tuple[Objective, ...], lessons: tuple[Lesson, ...]) -> None:
        declared = {objective.id for objective in objectives}
        taught = {name for lesson in lessons for name in lesson.objectives}
        for name in sorted(taught - declared):
            self._wrong(f"a lesson names the objective '{name}', which is not declared", near=f'"{name}"')
        for name in sorted(declared - taught):
            self._wrong(f"no lesson teaches the objective '{name}'", near=f'"{name}"')

    def _objective(self, entry: dict[str, Any]) -> Objective:
        id_ = self._text(entry, "id", near="[[objectives]]")
        if id_ and not _OBJECTIVE_ID.fullmatch(id_):
            self._wrong(f"an objective's id must be lower-case words joined by hyphens, got '{id_}'", near=f'"{id_}"')
        return Objective(id_, self._text(entry, "text", near=f'"{id_}"'))

    def _lesson(self, entry: dict[str, Any], phase: int) -> Lesson:
        id_ = self._text(entry, "id", near="[[lessons]]")
        near = f'"{id_}"'
        if id_ and not _LESSON_ID.fullmatch(id_):
            self._wrong(f"a lesson's id must look like {phase}.3, got '{id_}'", near=near)
            id_ = ""
        files = sorted((self.path.parent / "lessons").glob(f"{id_}-*.md")) if id_ else []
        if len(files) > 1:
            self._wrong(f"lesson {id_} has {len(files)} files lessons/{id_}-*.md; it must be one", near=near)
        minutes = entry.get("minutes")
        times = minutes if isinstance(minutes, dict) else {}
        for where in ("local", "aws"):
            if not isinstance(times.get(where), int) or times[where] < 1:
                self._wrong(
                    f"lesson {id_ or '?'} must say minutes.{where} as a whole number of minutes, "
                    f"got {times.get(where)!r}",
                    near=near,
                )
                times = {**times, where: 0}
        return Lesson(
            id=id_ or "0.0",
            title=self._text(entry, "title", near=near),
            objectives=self._texts(entry, "objectives", near=near),
            services=self._texts(entry, "services", near=near),
            prerequisites=self._texts(entry, "prerequisites", near=near, may_be_empty=True),
            minutes_local=times["local"],
            minutes_aws=times["aws"],
            path=files[0] if files else self.path.parent / "lessons" / f"{id_}-*.md",
            adds_index=self._flag(entry, "adds_index", near=near),
        )

    def _flag(self, table: dict[str, Any], name: str, *, near: str) -> bool:
        value = table.get(name, False)
        if not isinstance(value, bool):
            self._wrong(f"{name} must be true or false, got {value!r}", near=near)
        return bool(value)

    def _text(self, table: dict[str, Any], name: str, *, near: str = "") -> str:
        value = table.get(name)
        if isinstance(value, str) and value.strip():
            return value
        self._wrong(f"{name} must be a text, got {value!r}", near=near or name)
        return ""

    def _texts(
        self, table: dict[str, Any], name: str, *, near: str = "", may_be_empty: bool = False
    ) -> tuple[str, ...]:
        value = table.get(name)
        if isinstance(value, list) and all(isinstance(item, str) for item in value) and (value or may_be_empty):
            return tuple(value)
        if value is None and may_be_empty:
            return ()
        self._wrong(f"{name} must be a list of texts, got {value!r}", near=near or name)
        return ()

    def _tables(self, table: dict[str, Any], name: str, *, may_be_absent: bool) -> Iterator[dict[str, Any]]:
        value = table.get(name)
        if not value and may_be_absent:
            return
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            yield from value
        else:
            self._wrong(f"there must be at least one [[{name}]]")

    def _unique(self, ids: list[str], what: str) -> None:
        for id_ in sorted({id_ for id_ in ids if id_ and ids.count(id_) > 1}):
            self._wrong(f"the {what} '{id_}' is declared more than once", near=f'"{id_}"')

    def _wrong(self, message: str, *, near: str = "", line: int | None = None) -> None:
        """Note a problem at `line`, or at the first line that contains `near`, or at the top."""
        if line is None:
            lines = self.text.splitlines()
            line = next((number for number, text in enumerate(lines, 1) if near and near in text), 1)
        self.problems.append(Problem(self.path, line, message))
