"""What each fault of the course goes through on a deployed shop; a phase says what its faults can change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brewhaven import target
from brewhaven.course.faults import proof
from brewhaven.course.faults.declared import Fault
from brewhaven.course.faults.practice import Practice
from brewhaven.local.settings import REPOSITORY
from tests.plugins.local_cloud import DeployedShop

State = Callable[[Practice], dict[str, Any]]
"""Answers everything that a fault of a phase changes or makes."""


@contextmanager
def practising(shop: DeployedShop) -> Iterator[Practice]:
    """Faults in the deployed shop; it is left as it was, also when a test fails."""
    found = Practice(shop.cloud.settings, target.local(shop.cloud.settings))
    try:
        yield found
    finally:
        if found.open_fault() is not None:
            found.undo()


def staged(practice: Practice) -> list[Any]:
    """The templates that an update of a stack has put into the CDK's bucket, and should have removed."""
    (toolkit,) = practice.cloud.client("cloudformation").describe_stacks(StackName="CDKToolkit")["Stacks"]
    bucket = next(o["OutputValue"] for o in toolkit["Outputs"] if o["OutputKey"] == "BucketName")
    listing = practice.cloud.client("s3").list_object_versions(Bucket=bucket, Prefix="brewhaven-break/")
    return [*listing.get("Versions", []), *listing.get("DeleteMarkers", [])]


def prove(practice: Practice, fault: Fault) -> None:
    """Felt, found by its check and mended: what `brewhaven break --selftest` does."""
    found = proof.prove(fault, practice, practice.cloud.environment)
    assert found.passed, [f"{step.title}: {step.detail}" for step in found.steps if not step.passed]
    assert practice.book.history()[fault.id][-1]["outcome"] == "mended"


def give_up(practice: Practice, fault: Fault, *, state: State, settle: Callable[[], None] = lambda: None) -> None:
    """Made and taken back: everything is as it was."""
    settle()
    before = state(practice)
    practice.break_it(fault)
    assert state(practice) != before
    practice.undo()
    settle()
    assert state(practice) == before


def kill_and_take_back(
    practice: Practice,
    shop: DeployedShop,
    id_: str,
    delay: float,
    *,
    state: State,
    settle: Callable[[], None] = lambda: None,
) -> None:
    """The tool is killed so many seconds after it has begun to change something: what it left is taken back."""
    settle()
    before = state(practice)
    try:
        while not _killed_in_the_middle(practice, shop, id_, delay):
            practice.undo()
            delay /= 2
        refused = shop.brewhaven("break", id_)
        assert refused.returncode == 1
        assert "broken off" in refused.stderr
    finally:
        undone = shop.brewhaven("fix", "--undo")
    assert undone.returncode == 0, undone.stderr
    settle()
    assert state(practice) == before


def _killed_in_the_middle(practice: Practice, shop: DeployedShop, id_: str, delay: float) -> bool:
    """Kill `brewhaven break`; answers False when the fault was made already, which a fast machine does within delay."""
    settings = shop.cloud.settings
    environment = {**os.environ, "BREWHAVEN_HOME": str(settings.home), "BREWHAVEN_PORT": str(settings.port)}
    program = [str(Path(sys.executable).with_name("brewhaven")), "break", id_]
    opened = settings.home / "faults" / "open.json"
    assert not opened.exists()
    process = subprocess.Popen(
        program, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not opened.exists() and process.poll() is None:
        time.sleep(0.002)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = practice.open_fault()
    assert found is not None, "the tool ended without making the fault"
    return found.stage == "breaking"
