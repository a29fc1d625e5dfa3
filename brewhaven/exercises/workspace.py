"""The student's own folder: ``workspace/<exercise>/``, which git and the course's own tests never look at.

A started exercise is never overwritten. What it was started from is remembered, so that after an update of the course
the student is told that the start is another now, and can take it: what was written so far is then moved, not deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from brewhaven.course.progress import Progress
from brewhaven.errors import BrewHavenError, UsageError
from brewhaven.exercises.declared import CODE, Exercise, all_exercises, find
from brewhaven.local.settings import REPOSITORY

FOLDER = "BREWHAVEN_WORKSPACE"
"""Variable that names another folder for the student's work, for example one under version control of their own."""
_NOTE = ".started.json"


def workspace() -> Path:
    """Where the student's work is."""
    return Path(os.environ.get(FOLDER) or REPOSITORY / "workspace").expanduser()


@dataclass(frozen=True)
class Started:
    """What `start` did.

    Attributes:
        put: Names of the files that were missing and are there now; the others are as they were.
        kept: Where what was there before was moved to.
    """

    folder: Path
    put: tuple[str, ...]
    kept: Path | None = None


def folder_of(exercise: Exercise) -> Path:
    """Where the student works on this exercise, whether it has begun or not."""
    return workspace() / exercise.id


def start(exercise: Exercise, *, again: bool = False) -> Started:
    """Put the files to begin with into the student's folder, unless they are there already.

    Args:
        again: Begin from the course's files of today. What is there is moved into a folder ``kept-<number>`` beside it.
    """
    folder = folder_of(exercise)
    files = exercise.start_files()
    kept = _keep(folder) if again else None
    missing = {name: text for name, text in files.items() if not (folder / name).exists()}
    _write(folder, missing)
    if len(missing) == len(files):
        (folder / _NOTE).write_text(json.dumps({"version": _version(files)}) + "\n", encoding="utf-8")
    return Started(folder, tuple(missing), kept)


def is_older(exercise: Exercise) -> bool:
    """Whether the course's start has changed since the student began."""
    return _noted(folder_of(exercise) / _NOTE) not in (_version(exercise.start_files()), None)


def _keep(folder: Path) -> Path | None:
    """Move what the student wrote out of the way."""
    mine = [path for path in folder.glob("*") if path.is_file() and path.name != _NOTE]
    if not mine:
        return None
    kept = next(place for number in count(1) if not (place := folder / f"kept-{number}").exists())
    kept.mkdir()
    for path in mine:
        path.rename(kept / path.name)
    return kept


def _write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _version(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]


def _noted(note: Path) -> str | None:
    try:
        return str(json.loads(note.read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def begun(exercise: Exercise) -> Path:
    """The folder of an exercise that was begun.

    Raises:
        BrewHavenError: It was not, or its file is gone.
    """
    folder = folder_of(exercise)
    if (folder / CODE).is_file():
        return folder
    what = f"{folder / CODE} is gone" if folder.exists() else f"The exercise {exercise.id} has not begun"
    raise BrewHavenError(f"{what}.", f"`brewhaven exercise start {exercise.id}` puts the file to begin with there.")


def chosen(id_: str | None) -> Exercise:
    """The exercise that is named, or the only one, or the one whose files were changed last.

    Raises:
        UsageError: None was begun.
    """
    known = all_exercises()
    if id_ is not None:
        return find(id_, known)
    there = [each for each in known if (folder_of(each) / CODE).is_file()]
    if not there:
        raise UsageError("No exercise has begun.", "See `brewhaven exercise list`, then `brewhaven exercise start ID`.")
    return max(there, key=lambda each: (folder_of(each) / CODE).stat().st_mtime)


def state(exercise: Exercise, progress: Progress) -> str:
    """`passed`, `begun` or `new`: once passed it stays so, whatever is tried with it later."""
    if progress.passed(key(exercise), "solved"):
        return "passed"
    return "begun" if (folder_of(exercise) / CODE).is_file() else "new"


def key(exercise: Exercise) -> str:
    """Under which the progress of an exercise is kept."""
    return f"exercise {exercise.id}"
