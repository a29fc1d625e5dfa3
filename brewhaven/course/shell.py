"""One bash session in which the steps of a lab run one after the other, as they would in a student's terminal."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from brewhaven.errors import BrewHavenError


@dataclass(frozen=True)
class Outcome:
    """What one command did.

    Attributes:
        output: What it printed, errors included, in the order it was printed.
        ended: ``normally`` with a status, ``timeout`` when it was stopped, ``shell`` when it ended the shell itself.
    """

    output: str
    status: int
    ended: Literal["normally", "timeout", "shell"]
    seconds: float


class Shell:
    """A bash process that keeps variables and the working directory from one command to the next.

    Each command's output goes to a file of its own, and its status comes back over a pipe that the command does not
    see, so that neither can be confused with what a command prints.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        bash = shutil.which("bash", path=environment.get("PATH"))
        if bash is None:
            raise BrewHavenError("Labs run in bash, and there is none on the search path.", "Install bash.")
        self._files = Path(tempfile.mkdtemp(prefix="brewhaven-lab-"))
        self._status_pipe, write_end = os.pipe()
        self._count = 0
        self._process = subprocess.Popen(
            [bash, "--noprofile", "--norc", "-o", "pipefail"],
            env={**environment, "BREWHAVEN_STATUS": str(write_end)},
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(write_end,),
            start_new_session=True,
        )
        os.close(write_end)

    def run(self, command: str, timeout: float) -> Outcome:
        """Run a command (one line or many) and wait for it at most `timeout` seconds."""
        self._count += 1
        script = self._files / f"{self._count}.sh"
        log = self._files / f"{self._count}.log"
        script.write_text(command + "\n", encoding="utf-8")
        start = time.monotonic()
        status, ended = self._wait(
            f'source "{script}" >"{log}" 2>&1 </dev/null; echo $? >&"$BREWHAVEN_STATUS"\n', timeout
        )
        output = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        return Outcome(output, status, ended, time.monotonic() - start)

    def _wait(self, line: str, timeout: float) -> tuple[int, Literal["normally", "timeout", "shell"]]:
        if self._process.stdin is None or self._process.poll() is not None:
            return 1, "shell"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            return 1, "shell"
        deadline = time.monotonic() + timeout
        answer = b""
        while not answer.endswith(b"\n"):
            # Looked at twice a second: a background process of a step can hold the pipe open after bash has ended.
            ready, _, _ = select.select([self._status_pipe], [], [], max(0.0, min(0.5, deadline - time.monotonic())))
            if ready:
                part = os.read(self._status_pipe, 100)
                if not part:
                    return 1, "shell"
                answer += part
            elif self._process.poll() is not None:
                return 1, "shell"
            elif time.monotonic() >= deadline:
                self._kill()
                return 1, "timeout"
        return int(answer), "normally"

    def _kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self._process.wait()

    def __enter__(self) -> Shell:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End bash and whatever its steps left running."""
        self._kill()
        if self._process.stdin:
            self._process.stdin.close()
        os.close(self._status_pipe)
        shutil.rmtree(self._files, ignore_errors=True)
