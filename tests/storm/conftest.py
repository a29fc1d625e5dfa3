"""One local cloud for all of it: phase 1, phase 2 deployed while guests order, the storm, and phase 2 destroyed."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.local_cloud import Cloud, brewhaven
from tests.storm.books import Expected, expected_from
from tests.storm.guests import Crowd, read_logs
from tests.storm.shop import Shop, until
from tests.storm.storm import Storm, weather

TOLD = pytest.StashKey[list[tuple[str, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TOLD] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the counts below the tests, whether they passed or not."""
    for title, table in config.stash[TOLD]:
        terminalreporter.section(title)
        terminalreporter.write_line(table)


def tool(cloud: Cloud, *arguments: str) -> Any:
    """What the tool prints as JSON."""
    done = brewhaven(cloud, *arguments, "--json")
    assert done.returncode == 0, f"brewhaven {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def logs(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the guests write down what they were told."""
    return tmp_path_factory.mktemp("guests")


@dataclass
class Move:
    """Phase 2 deployed or destroyed while guests order.

    Attributes:
        accepted: Order -> when the guest was told, in the order of that.
        began: When the tool was called.
        ended: When it had done its work.
        readable: Order -> what its guest is answered afterwards.
    """

    crowd: Crowd
    accepted: dict[str, float]
    began: float
    ended: float
    readable: dict[str, int]
    expected: Expected

    def table(self) -> str:
        """All counts."""
        told = sorted(self.expected.answers.items())
        afterwards = sorted(Counter(self.readable.values()).items())
        reread = sorted(self.crowd.reread.items())
        rows = [
            ("seconds of the move", round(self.ended - self.began)),
            *told,
            *((f"read while it went on: {status}", number) for status, number in reread),
            *((f"read afterwards: {status}", number) for status, number in afterwards),
        ]
        return "\n".join(f"{name:<42}{number:>8}" for name, number in rows)


def moved(url: str, folder: Path, work: Callable[[], object], settled: Callable[[], object]) -> Move:
    """Let four guests order without pause before, during and after some work."""
    crowd = Crowd(url, folder, 4, pause=0.05, rereads=True)
    crowd.start()
    try:
        crowd.wait_for(20)
        began = time.time()
        work()
        ended = time.time()
        settled()
        crowd.wait_for(20)
    finally:
        crowd.stop()
    log = read_logs(folder)
    told = {entry["order"]: entry["at"] for entry in log if entry["what"] == "accepted"}
    accepted = dict(sorted(told.items(), key=lambda one: one[1]))
    return Move(crowd, accepted, began, ended, crowd.read_all(), expected_from(log))


@pytest.fixture(scope="session")
def foundation(cloud: Cloud) -> Shop:
    """Phase 1 on the session's local cloud."""
    answer = tool(cloud, "up", "--phase", "1")
    staff = {one["role"]: (one["email"], one["password"]) for one in answer["accounts"]}
    return Shop(cloud, dict(answer["outputs"]), staff)


@pytest.fixture(scope="session")
def arrival(foundation: Shop, logs: Path, request: pytest.FixtureRequest) -> Move:
    """Phase 2 deployed over phase 1 while guests order. The shop's outputs are those of both phases afterwards."""

    def deploy() -> None:
        foundation.outputs.update(tool(foundation.cloud, "deploy", "2")["outputs"])

    def settled() -> None:
        until(lambda: foundation.rows("select 1 from carried_over limit 1"), "the orders have moved", 120)

    move = moved(foundation.url, logs / "arrival", deploy, settled)
    request.config.stash[TOLD].append(("phase 2 deployed while guests order", move.table()))
    return move


@pytest.fixture(scope="session")
def shop(foundation: Shop, arrival: Move) -> Shop:
    """Phase 2."""
    return foundation


@pytest.fixture(scope="session")
def departure(shop: Shop, logs: Path, request: pytest.FixtureRequest) -> Move:
    """Phase 2 destroyed while guests order."""
    move = moved(shop.url, logs / "departure", lambda: tool(shop.cloud, "destroy", "2"), lambda: time.sleep(15))
    request.config.stash[TOLD].append(("phase 2 destroyed while guests order", move.table()))
    return move


@pytest.fixture(scope="session")
def storm(shop: Shop, logs: Path, request: pytest.FixtureRequest) -> Storm:
    """The storm, once for all tests; its counts are printed."""
    storm = weather(shop, logs / "storm")
    request.config.stash[TOLD].append(("the storm", storm.table()))
    return storm
