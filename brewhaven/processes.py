"""The local cloud's processes as the machine sees them: which there are, where they listen, and whether they ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Collection
from dataclasses import dataclass

END_SECONDS = 5.0


@dataclass(frozen=True)
class Process:
    """One running process."""

    pid: int
    parent: int
    seconds: int
    megabytes: float
    command: str


def running() -> dict[int, Process]:
    """All processes of this machine, by id."""
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,etime=,rss=,args="], capture_output=True, text=True, check=True
    ).stdout
    found = {}
    for line in listing.splitlines():
        pid, parent, elapsed, kilobytes, *command = line.split(None, 4)
        found[int(pid)] = Process(
            int(pid), int(parent), _seconds(elapsed), round(int(kilobytes) / 1024, 1), "".join(command)
        )
    return found


def tree(root: int) -> list[Process]:
    """A process and all its descendants."""
    found = running()
    ours = {root}
    while more := {pid for pid, process in found.items() if process.parent in ours} - ours:
        ours |= more
    return [found[pid] for pid in sorted(ours) if pid in found]


def see_them_end(processes: Collection[Process], seconds: float = END_SECONDS) -> int:
    """Wait until these processes are gone and end those that do not go; return how many had to be ended.

    A process counts as one of them only while it runs the same command: an id that died may have been given away.
    """
    deadline = time.monotonic() + seconds
    while left := _still_running(processes):
        if time.monotonic() > deadline:
            for process in left:
                os.kill(process.pid, signal.SIGKILL)
            return len(left)
        time.sleep(0.1)
    return 0


def _still_running(processes: Collection[Process]) -> list[Process]:
    now = running()
    return [process for process in processes if process.pid in now and now[process.pid].command == process.command]


def _seconds(elapsed: str) -> int:
    """Seconds of `ps`'s ``[[days-]hours:]minutes:seconds``."""
    days, _, clock = elapsed.rpartition("-")
    total = 0
    for part in clock.split(":"):
        total = total * 60 + int(part)
    return total + int(days or 0) * 86400


def listening_ports(pids: Collection[int]) -> list[int]:
    """Ports on which these processes listen; empty where neither `ss` nor `lsof` is there to say."""
    try:
        listing = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return _listening_ports_by_lsof(pids)
    ports = set()
    for line in listing.splitlines():
        if set(pids) & {int(pid) for pid in re.findall(r"pid=(\d+)", line)}:
            ports.add(int(line.split()[3].rsplit(":", 1)[1]))
    return sorted(ports)


def _listening_ports_by_lsof(pids: Collection[int]) -> list[int]:
    command = ["lsof", "-a", "-nP", "-iTCP", "-sTCP:LISTEN", "-Fn", "-p", ",".join(map(str, sorted(pids)))]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return []
    return sorted({int(port) for port in re.findall(r"^n.*:(\d+)$", listing, re.MULTILINE)})
