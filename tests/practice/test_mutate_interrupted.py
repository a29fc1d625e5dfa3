"""Whoever ends the tool early ends all of it: what records, what judges, and what these have started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from brewhaven.errors import INTERRUPTED
from brewhaven.local.settings import REPOSITORY
from brewhaven.processes import Process, see_them_end, tree
from tests.practice.test_mutate import GUARDED, SAMPLE
from tests.unit.mutate.sample.endless import SLEEPER

TOOL = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that started the tests in the background ignores it
from brewhaven.mutate import __main__, run
run.LOOKING_AT = sys.argv[1:]
__main__.app(["--phase", "1"])
"""


def terminal(tool: subprocess.Popen[str]) -> None:
    """Ctrl-C: every process of the terminal's group gets it."""
    os.killpg(tool.pid, signal.SIGINT)


def somebody(tool: subprocess.Popen[str]) -> None:
    """`kill`, a time limit, or a machine that shuts down: it is for the tool alone."""
    tool.send_signal(signal.SIGTERM)


def wait_for(found: Callable[[], bool], tool: subprocess.Popen[str], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert tool.poll() is None, tool.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.parametrize("ended_by", [terminal, somebody])
@pytest.mark.parametrize(
    ("looking_at", "mark", "count"),
    [(f"{SAMPLE}/endless.py", SLEEPER, 1), (GUARDED, "spawn_main", 2)],
    ids=["recording", "judging"],
)
def test_nothing_is_left_of_it(
    looking_at: str, mark: str, count: int, ended_by: Callable[[subprocess.Popen[str]], None]
) -> None:
    tool = subprocess.Popen(
        [sys.executable, "-c", TOOL, looking_at],
        cwd=REPOSITORY, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    started: list[Process] = []

    def at_work() -> bool:
        started[:] = tree(tool.pid)
        return sum(mark in one.command for one in started) == count

    try:
        wait_for(at_work, tool)
        ended_by(tool)
        _, said = tool.communicate(timeout=30)
    finally:
        left = see_them_end(started, seconds=1)
    assert tool.returncode == INTERRUPTED, said
    assert "Interrupted." in said
    assert left == 0
