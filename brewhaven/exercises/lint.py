"""The rules that every exercise keeps; a broken one is an error with its file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from brewhaven.course.catalogue import Course, Phase
from brewhaven.course.problems import Problem
from brewhaven.errors import BrewHavenError
from brewhaven.exercises import declared
from brewhaven.exercises.declared import Exercise

LEAST_WRONG = 3
LEAST_HINTS = 3


def problems(course: Course) -> list[Problem]:
    """Every rule that an exercise of the course breaks."""
    found: list[Problem] = []
    seen: dict[str, Path] = {}
    for phase in course.phases:
        for folder in sorted(path for path in (phase.folder / "exercises").glob("*") if path.is_dir()):
            toml = folder / "exercise.toml"
            if seen.setdefault(folder.name, folder) != folder:
                found.append(Problem(toml, 1, f"the id {folder.name} is used in {seen[folder.name].parent} too"))
            try:
                exercise = declared.read(folder)
                rules = [*_lesson_rules(exercise, course, phase), *_help_rules(exercise), *_wrong_rules(exercise)]
            except BrewHavenError as error:
                found.append(Problem(toml, 1, str(error)))
                continue
            lines = toml.read_text(encoding="utf-8").splitlines()
            for near, message in rules:
                line = next((number for number, text in enumerate(lines, 1) if near in text), 1)
                found.append(Problem(toml, line, message))
    return sorted(found)


Broken = Iterator[tuple[str, str]]
"""Pairs of a text near which it stands, and what is wrong."""


def _lesson_rules(exercise: Exercise, course: Course, phase: Phase) -> Broken:
    lesson = next((each for each in phase.lessons if each.id == exercise.lesson), None)
    if lesson is None:
        yield "lesson =", f"phase {phase.number} has no lesson {exercise.lesson}"
        return
    taught = {name for each in course.lessons if each.number <= lesson.number for name in each.objectives}
    for name in sorted({exercise.objective, *(check.objective for check in exercise.checks())} - taught):
        yield "objective =", f"the objective {name!r} is taught by no lesson up to {lesson.id}"
    for check in exercise.checks():
        if check.lesson != lesson.id:
            yield "lesson =", f"the check {check.id} belongs to lesson {check.lesson}, the exercise to {lesson.id}"


def _help_rules(exercise: Exercise) -> Broken:
    if len(exercise.hints) < LEAST_HINTS:
        yield "hints =", f"there are {len(exercise.hints)} hints, and {LEAST_HINTS} are the least"
    if not exercise.read:
        yield "read =", "it names nothing to read"
    if exercise.minutes < 1:
        yield "minutes =", f"minutes must be 1 or more, got {exercise.minutes}"


def _wrong_rules(exercise: Exercise) -> Broken:
    if len(exercise.wrong) < LEAST_WRONG:
        yield "[[wrong]]", f"there are {len(exercise.wrong)} wrong answers, and {LEAST_WRONG} are the least"
    checks = {check.id: check for check in exercise.checks()}
    for wrong in exercise.wrong:
        near, name = f'"{wrong.file.name}"', wrong.file.name
        check = checks.get(wrong.check)
        if check is None:
            yield near, f"{name} names the check {wrong.check!r}; there are {', '.join(checks)}"
        elif wrong.on not in ("template", "local"):
            yield near, f"{name} is told on `template` or on `local`, got {wrong.on!r}"
        elif (check.template if wrong.on == "template" else check.cloud) is None:
            yield near, f"the check {wrong.check} of {name} does not run on {wrong.on}"
        if not wrong.said.strip():
            yield near, f"{name} does not say what its explanation must contain"
    named = {wrong.file.name for wrong in exercise.wrong}
    for path in sorted((exercise.folder / "wrong").iterdir()):
        if path.is_file() and path.name not in named:
            yield "[[wrong]]", f"wrong/{path.name} is named by no [[wrong]], so nothing proves its explanation"
