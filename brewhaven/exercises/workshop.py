"""Builds students' stacks in a process that stays warm, and survives whatever their code does."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from brewhaven import toolchain
from brewhaven.course.template import Template
from brewhaven.errors import BrewHavenError
from brewhaven.exercises.declared import CODE, STACK, Exercise
from brewhaven.local.settings import REPOSITORY

LOAD_SECONDS = 60.0
BUILD_SECONDS = 10.0
GRACE_SECONDS = 2.0  # for the process to end itself and to say where the code was
_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+) in ', re.MULTILINE)


@dataclass(frozen=True)
class Work(Template):
    """A student's stack: its template, and what the exercise's probe found out about the code."""

    probed: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Broken:
    """The student's file could not be built.

    Attributes:
        what: The error in one line.
        where: ``exercise.py, line 12``, or the file alone.
        code: The line itself.
    """

    what: str
    where: str
    code: str = ""


@dataclass(frozen=True)
class Built:
    """What came of building: a stack or an error, and what the code printed."""

    work: Work | None
    broken: Broken | None
    printed: str
    seconds: float


class Workshop:
    """One warm process. Use it as a context manager; it starts with the first build.

    A build that takes longer than ``patience`` seconds is taken for an endless loop: the process ends, the student is
    told the line, and the next build gets a new process.
    """

    def __init__(self, patience: float = BUILD_SECONDS) -> None:
        self._patience = patience
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process, with all that the student's code may have started in it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            self._process = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def warm_up(self) -> None:
        """Start the process, so that the first build is as quick as the others.

        Raises:
            BrewHavenError: The CDK cannot be loaded.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self.close()  # one that has ended by itself
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  (closed with the process)
        environment = {
            **os.environ,
            "JSII_NODE": os.environ.get("JSII_NODE", str(toolchain.node_bin() / "node")),
            "PYTHONUNBUFFERED": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "brewhaven.exercises.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=REPOSITORY,
            env=environment,
            start_new_session=True,  # Ctrl-C ends the watching, which then ends this
        )
        if self._read(LOAD_SECONDS) is None:
            self._errors.seek(0)
            tail = "\n".join(self._errors.read().splitlines()[-3:])
            self.close()
            raise BrewHavenError(f"The CDK cannot be loaded: {tail}", "`make setup` installs it.")

    def build(self, exercise: Exercise, folder: Path) -> Built:
        """Build the stack in a student's folder."""
        self.warm_up()
        started = time.monotonic()
        probe = exercise.folder / "probe.py"
        request = {
            "folder": str(folder.resolve()),
            "file": CODE,
            "probe": str(probe) if probe.exists() else "",
            "context": self._context,
            "patience": self._patience,
        }
        answer = self._ask(request)
        seconds = time.monotonic() - started
        if answer is None:
            broken = self._unanswered(folder.resolve())
            self.close()
            return Built(None, broken, "", seconds)
        if "error" in answer:
            error = answer["error"]
            where = _place(error["file"] or CODE, error["line"])
            return Built(None, Broken(error["what"], where, error["code"]), answer["printed"], seconds)
        return Built(Work(STACK, answer["template"], probed=answer["probed"]), None, answer["printed"], seconds)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any] | None:
        process = self._process
        if process is None or process.stdin is None:
            return None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        except BrokenPipeError:  # it ended since the last build
            return None
        return self._read(self._patience + GRACE_SECONDS)

    def _unanswered(self, folder: Path) -> Broken:
        """Why there was no answer, and the innermost line of the student's that was being run."""
        said = ""
        if self._errors is not None:
            self._errors.seek(0)
            said = self._errors.read()
        _, timed_out, frames = said.rpartition("Timeout (")
        if not timed_out and self._process is not None and self._has_ended(self._process):
            return Broken("the code ended the whole process (is there an os._exit in it?)", CODE)
        what = f"the code did not come to an end in {self._patience:g} seconds: is there a loop without an end?"
        for frame in _FRAME.finditer(frames):
            file = Path(frame["file"])
            if file.is_relative_to(folder):
                return Broken(what, _place(file.name, int(frame["line"])), _line(file, int(frame["line"])))
        return Broken(what, CODE)

    @staticmethod
    def _has_ended(process: subprocess.Popen[str]) -> bool:
        try:
            process.wait(0.5)  # its output ends a moment before it does
        except subprocess.TimeoutExpired:
            return False
        return True

    @cached_property
    def _context(self) -> dict[str, Any]:
        context: dict[str, Any] = json.loads((REPOSITORY / "cdk.json").read_text(encoding="utf-8"))["context"]
        return context

    def _read(self, seconds: float) -> dict[str, Any] | None:
        """The next answer; None when none came in time or the process has ended."""
        process = self._process
        if process is None or process.stdout is None:
            return None
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            if not waiting.select(seconds):
                return None
        line = process.stdout.readline()
        return dict(json.loads(line)) if line else None


def _place(file: str, line: int | None) -> str:
    return f"{file}, line {line}" if line else file


def _line(file: Path, number: int) -> str:
    """One line of a file, or nothing where it was changed meanwhile."""
    try:
        return file.read_text(encoding="utf-8").splitlines()[number - 1].strip()
    except (OSError, ValueError, IndexError):
        return ""
