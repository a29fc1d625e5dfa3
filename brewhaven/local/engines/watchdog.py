"""Nothing that the local cloud started outlives it, not even if it is killed.

A small process of its own reads from a pipe which process groups live. When the pipe closes, however that came, it
ends them. Groups are written to a file besides, so that the next start finds those of a machine that lost both.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

GRACE_SECONDS = 3


class Watchdog:
    """Knows the process groups of one local cloud."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._file: Path | None = None

    def start(self, file: Path) -> list[int]:
        """Start watching; end what an earlier run left behind and return the process groups that were ended.

        Args:
            file: Where the living groups are written, in a folder that the command lines of our processes name.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        left = [group for group in _recorded(file) if _is_ours(group, file.parent)]
        end_groups(left)
        self._file = file
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env={},
        )
        self._write()
        return left

    def stop(self) -> None:
        """End every group and the watching."""
        end_groups(sorted(self._groups))
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
        self._groups.clear()
        self._write()

    def guard(self, group: int) -> None:
        """Count a process group as ours."""
        self._tell("+", group)

    def release(self, group: int) -> None:
        """Forget a process group that has ended."""
        self._tell("-", group)

    def _tell(self, sign: str, group: int) -> None:
        with self._lock:
            (self._groups.add if sign == "+" else self._groups.discard)(group)
            if self._process is not None and self._process.stdin is not None:
                with contextlib.suppress(OSError, ValueError):
                    self._process.stdin.write(f"{sign}{group}\n".encode())
                    self._process.stdin.flush()
            self._write()

    def _write(self) -> None:
        if self._file is not None:
            self._file.write_text("".join(f"{group}\n" for group in sorted(self._groups)))


def _recorded(file: Path) -> list[int]:
    return [int(word) for word in file.read_text().split()] if file.exists() else []


def _is_ours(group: int, folder: Path) -> bool:
    """Whether the leader's command line names our folder: numbers of processes are used again."""
    listing = subprocess.run(["ps", "-wwo", "args=", "-p", str(group)], capture_output=True, text=True, check=False)
    return str(folder) in listing.stdout


def end_groups(groups: list[int]) -> None:
    """SIGTERM, a moment to finish, SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline and any(_lives(group) for group in groups):
            time.sleep(0.05)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _watch() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    end_groups(sorted(groups))


WATCHDOG = Watchdog()

if __name__ == "__main__":
    _watch()
