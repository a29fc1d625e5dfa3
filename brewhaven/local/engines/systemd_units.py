"""systemd units as far as user data uses them: start a program with its environment, and again if it ends.

https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from brewhaven.local.engines.containers import end_group
from brewhaven.local.engines.trust import with_local_authority
from brewhaven.local.engines.watchdog import WATCHDOG

STOP_SECONDS = 10
_RESTARTING = ("always", "on-failure", "on-abnormal")


class UnitError(Exception):
    """A unit that cannot be started, with the reason."""


@dataclass
class Unit:
    """The ``[Service]`` section of a unit file; User and the sandboxing settings are recorded, not enforced."""

    command: list[str]
    directory: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    restart: bool = False
    restart_seconds: float = 0.1


def read(file: Path, root: Path) -> Unit:
    """Read a unit file, and the environment files that it names below the instance's root.

    Raises:
        UnitError: The file is not there or has no ExecStart.
    """
    if not file.exists():
        raise UnitError(f"Unit {file.name} not found.")
    settings: dict[str, list[str]] = {}
    section = ""
    for raw in file.read_text().splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            settings.setdefault(name.strip(), []).append(value.strip())
    if "ExecStart" not in settings:
        raise UnitError(f"Unit {file.name} has no ExecStart.")
    environment: dict[str, str] = {}
    for text in settings.get("Environment", []):
        environment.update(word.partition("=")[::2] for word in shlex.split(text))
    for name in settings.get("EnvironmentFile", []):
        path = Path(name.removeprefix("-"))
        if not path.exists():
            if name.startswith("-"):
                continue
            raise UnitError(f"Failed to load environment files: {path}: No such file or directory")
        for line in path.read_text().splitlines():
            if "=" in line and not line.lstrip().startswith("#"):
                key, _, value = line.partition("=")
                environment[key.strip()] = value.strip().strip("\"'")
    return Unit(
        command=shlex.split(settings["ExecStart"][-1]),
        directory=settings.get("WorkingDirectory", [str(root)])[-1],
        environment=environment,
        restart=settings.get("Restart", ["no"])[-1] in _RESTARTING,
        restart_seconds=float(settings.get("RestartSec", ["0.1"])[-1].rstrip("s") or 0),
    )


class RunningUnit:
    """A started unit: one process, restarted as the unit says, its output in a journal file."""

    def __init__(self, unit: Unit, environment: dict[str, str], journal: Path) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._unit = unit
        self._environment = environment
        self._journal = journal
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"unit-{journal.stem}")
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            code = self._once()
            if not self._unit.restart:
                return
            self._note(f"Main process exited, status={code}; restarting")
            self._stopping.wait(max(self._unit.restart_seconds, 0.1))

    def _once(self) -> int:
        with self._journal.open("ab") as output:
            try:
                process = subprocess.Popen(
                    self._unit.command,
                    cwd=self._unit.directory,
                    env=with_local_authority({**self._environment, **self._unit.environment}),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            except OSError as error:
                self._note(f"Failed to start: {error}")
                return 203
        self.process = process
        WATCHDOG.guard(process.pid)
        code = process.wait()
        end_group(process.pid, signal.SIGKILL)
        WATCHDOG.release(process.pid)
        return code

    def _note(self, text: str) -> None:
        with self._journal.open("a") as journal:
            journal.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} systemd: {text}\n")

    def stop(self) -> None:
        """SIGTERM, SIGKILL after a while."""
        self._stopping.set()
        process = self.process
        if process is not None and process.poll() is None:
            end_group(process.pid, signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                end_group(process.pid, signal.SIGKILL)
        self._thread.join(STOP_SECONDS)
