"""Processes: who belongs to whom, and that none is left."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from brewhaven import processes


@pytest.mark.parametrize(
    ("elapsed", "seconds"), [("00:07", 7), ("12:34", 754), ("02:00:01", 7201), ("3-00:00:00", 259200)]
)
def test_elapsed_time_is_read_as_ps_writes_it(elapsed: str, seconds: int) -> None:
    assert processes._seconds(elapsed) == seconds


def test_the_process_tree_holds_descendants_and_nobody_else() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        tree = processes.tree(os.getpid())
        assert {os.getpid(), child.pid} <= {process.pid for process in tree}
        assert os.getppid() not in {process.pid for process in tree}
    finally:
        child.kill()
        child.wait()


def test_a_command_is_read_whole_however_narrow_the_terminal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    child = _sleeper("import time; time.sleep(60)  # and a remark at the end")
    try:
        assert processes.running()[child.pid].command.endswith("# and a remark at the end")
    finally:
        child.kill()
        child.wait()


def _sleeper(script: str = "import time; time.sleep(60)") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", script])


def test_processes_that_end_by_themselves_are_waited_for() -> None:
    child = _sleeper("import time; time.sleep(0.5)")
    seen = [process for process in processes.tree(os.getpid()) if process.pid == child.pid]
    threading.Thread(target=child.wait, daemon=True).start()
    assert processes.see_them_end(seen, seconds=10) == 0
    assert child.poll() == 0


def test_a_process_that_does_not_go_is_ended() -> None:
    child = _sleeper()
    seen = [process for process in processes.tree(os.getpid()) if process.pid == child.pid]
    assert processes.see_them_end(seen, seconds=0.2) == 1
    assert child.wait(5) == -9


def test_an_id_that_was_given_away_is_left_alone() -> None:
    child = _sleeper()
    try:
        time.sleep(0.1)
        stranger = processes.Process(child.pid, os.getpid(), 1, 1.0, "python -m brewhaven.local.server")
        assert processes.see_them_end([stranger], seconds=0.2) == 0
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_the_ports_of_a_process_are_found() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert listener.getsockname()[1] in processes.listening_ports({os.getpid()})
