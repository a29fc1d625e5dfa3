"""How long a student waits for the verdict on an exercise: from a cold start, and after each save while watching."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from brewhaven.bench.sections import Row
from brewhaven.errors import BrewHavenError
from brewhaven.exercises import workspace
from brewhaven.exercises.declared import Exercise, all_exercises
from brewhaven.exercises.judge import Verdict, watch
from brewhaven.exercises.workshop import Workshop
from brewhaven.local.settings import REPOSITORY

TARGET_SECONDS = 3.0


class _OverError(Exception):
    """What was to be measured has been."""


def waits(rounds: int) -> Iterator[Row]:
    """Every exercise of the course: a look at its start, then its solution saved over it, `rounds` times."""
    with tempfile.TemporaryDirectory(prefix="brewhaven-bench-") as place, Workshop() as workshop:
        exercises = all_exercises()
        yield Row("exercise: check, from a cold start", round(_cold(exercises[0], Path(place)), 2), "s")
        started = time.perf_counter()
        workshop.warm_up()
        yield Row("exercise: watch is ready", round(time.perf_counter() - started, 2), "s")
        measured = [_watched(each, Path(place) / each.id, workshop, rounds) for each in exercises]
    saves = [seconds for _, after_saves in measured for seconds in after_saves]
    first = max(seconds for seconds, _ in measured)
    yield Row("exercise: first look of a watch, slowest", round(first, 2), "s", TARGET_SECONDS)
    yield Row("exercise: save to verdict, median", round(statistics.median(saves), 2), "s")
    yield Row("exercise: save to verdict, slowest", round(max(saves), 2), "s", TARGET_SECONDS)


def _cold(exercise: Exercise, place: Path) -> float:
    environment = {**os.environ, workspace.FOLDER: str(place), "BREWHAVEN_HOME": str(place / "home")}
    program = [str(Path(sys.executable).with_name("brewhaven")), "exercise"]
    subprocess.run([*program, "start", exercise.id], env=environment, cwd=REPOSITORY, check=True, capture_output=True)
    began = time.perf_counter()
    done = subprocess.run(
        [*program, "check", exercise.id], env=environment, cwd=REPOSITORY, check=False, capture_output=True
    )
    if b"Not yet" not in done.stdout:
        raise BrewHavenError(f"The start of {exercise.id} was not judged: {done.stderr.decode()[-300:]}")
    return time.perf_counter() - began


def _watched(exercise: Exercise, folder: Path, workshop: Workshop, rounds: int) -> tuple[float, list[float]]:
    """Seconds of the first look, and from each save to its verdict."""
    folder.mkdir(exist_ok=True)
    looks: list[tuple[Verdict, float | None]] = []
    saved = 0

    def save(files: dict[str, str]) -> None:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")

    def pause(seconds: float) -> None:
        nonlocal saved
        time.sleep(seconds)
        if len(looks) > rounds:
            raise _OverError
        if len(looks) > saved:
            saved += 1
            save(exercise.solution_files())

    save(exercise.start_files())
    with suppress(_OverError):
        watch(exercise, folder, workshop, lambda verdict, since: looks.append((verdict, since)), pause)
    wrong = [verdict for verdict, _ in looks[1:] if not verdict.passed]
    if wrong:
        raise BrewHavenError(f"The solution of {exercise.id} was saved and did not pass: {wrong[0].broken}")
    return looks[0][0].seconds, [since or 0.0 for _, since in looks[1:]]
