"""Processes and progress: one process records what the tests look at, then several judge the mistakes between them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import pickle
import queue
import random
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import pytest

from brewhaven import console
from brewhaven.course import Phase
from brewhaven.errors import BrewHavenError, UsageError
from brewhaven.local.settings import REPOSITORY
from brewhaven.mutate.mutants import mutants
from brewhaven.mutate.panel import Panel, Task, Verdict
from brewhaven.mutate.rerun import Judge, Recorder, course_key, pytest_arguments
from brewhaven.mutate.stack import Stack
from brewhaven.processes import see_them_end, tree
from brewhaven.toolchain import node_bin

LOOKING_AT = ("tests/assertion", "tests/compliance/test_only_adds.py")
"""Tests that say what must hold. Snapshots are not asked: they notice everything and explain nothing."""
PROCESSES = 2
PATIENCE_SECONDS = 1.0
_SPAWN = multiprocessing.get_context("spawn")  # the CDK's Node process must not be shared


@dataclass(frozen=True)
class Outcome:
    """What became of the mistakes that were tried, and all that could have been."""

    verdicts: list[Verdict]
    possible: list[Task]


def judge_all(
    phases: Sequence[Phase], *, only: str = "*", sample: int | None = None, seed: int | None = None
) -> Outcome:
    """Judge the mistakes in the stacks of some phases.

    Args:
        only: A pattern for CloudFormation types.
        sample: How many to take by chance; all by default.
        seed: Chooses them. By default it follows from the stacks, so that another template gets another sample.

    Raises:
        UsageError: There is no resource of this type.
        BrewHavenError: The tests fail without a mistake.
    """
    with tempfile.TemporaryDirectory(prefix="brewhaven-mutate-") as name:
        folder = Path(name)
        with console.step("Noting which stacks the tests look at") as step:
            stacks = record(folder, LOOKING_AT)
            step.result(f"{len(stacks)} stacks")
        tasks = possible(stacks, phases)
        wanted = [task for task in tasks if fnmatchcase(task.mutant.type, only)]
        if not wanted:
            types = sorted({task.mutant.type for task in tasks})
            raise UsageError(f"There is no {only} to make a mistake in.", f"There are {', '.join(types)}.")
        if sample is not None and sample < len(wanted):
            chance = random.Random(_seed(tasks) if seed is None else seed)  # noqa: S311  (no secret)
            chosen = set(chance.sample(range(len(wanted)), sample))
            wanted = [task for number, task in enumerate(wanted) if number in chosen]
        with console.step(f"Making {len(wanted)} mistakes, one at a time") as step:
            verdicts = []
            with contextlib.closing(judge(folder, wanted, LOOKING_AT)) as judging:
                for verdict in judging:
                    verdicts.append(verdict)
                    step.note(f"{len(verdicts)} of {len(wanted)}, {sum(not one.kind for one in verdicts)} survived")
    place = {(task.stack, task.mutant.id): number for number, task in enumerate(wanted)}
    return Outcome(sorted(verdicts, key=lambda verdict: place[verdict.stack, verdict.mutant.id]), tasks)


def possible(stacks: dict[str, Stack], phases: Sequence[Phase]) -> list[Task]:
    """Every mistake that can be made in the stacks of some phases.

    Args:
        stacks: What the tests look at.

    Raises:
        BrewHavenError: No test looks at a phase's whole stack.
    """
    tasks = []
    for phase in phases:
        for name in phase.stacks:
            stack = stacks.get(course_key(name, {}))
            if stack is None:
                raise BrewHavenError(f"No test looks at the whole of {name}.", "Write one in tests/assertion.")
            tasks += [Task(phase.number, name, mutant) for mutant in mutants(stack)]
    return tasks


def _seed(tasks: Sequence[Task]) -> str:
    text = json.dumps([task.mutant.id for task in tasks])
    return hashlib.sha256(text.encode()).hexdigest()


# In processes of their own


def record(folder: Path, looking_at: Sequence[str]) -> dict[str, Stack]:
    """Run the tests as they are, and leave in a folder what they look at.

    Returns:
        The stacks by :func:`brewhaven.mutate.rerun.course_key`.

    Raises:
        BrewHavenError: A test fails without a mistake.
    """
    process = _SPAWN.Process(target=_recording, args=(folder, looking_at), daemon=True)
    with _running([process]):
        process.join()
    file = folder / "record.pickle"
    if not file.exists():
        raise BrewHavenError(f"The tests could not be run: {_last_words(folder / 'record.log')}", "Run `make test`.")
    found = pickle.loads(file.read_bytes())  # noqa: S301  (written by the process above)
    if found.failed:
        raise BrewHavenError(
            f"Tests fail without any mistake: {', '.join(found.failed[:3])}", "Mend them first: `make test`."
        )
    stacks: dict[str, Stack] = found.stacks
    return stacks


def _recording(folder: Path, looking_at: Sequence[str]) -> None:
    _prepare(folder / "record.log")
    recorder = Recorder()
    code = pytest.main(pytest_arguments(looking_at), plugins=[recorder])
    if code in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        (folder / "record.pickle").write_bytes(pickle.dumps(recorder.record))


def judge(folder: Path, tasks: Sequence[Task], looking_at: Sequence[str]) -> Generator[Verdict]:
    """Judge mistakes with tests that were recorded in this folder; verdicts come in any order.

    Whoever does not want all of them closes the generator, which ends the processes.

    Raises:
        BrewHavenError: A test fails without a mistake, or the processes ended early.
    """
    waiting: Any = _SPAWN.Queue()
    done: Any = _SPAWN.Queue()
    waiting.cancel_join_thread()  # else an interrupted run waits until somebody takes the mistakes that are left
    for task in tasks:
        waiting.put(task)
    count = min(PROCESSES, len(tasks))
    processes = [
        _SPAWN.Process(target=_judging, args=(folder, number, looking_at, waiting, done), daemon=True)
        for number in range(count)
    ]
    for _ in processes:
        waiting.put(None)
    missing = len(tasks)
    with _running(processes):
        while missing:
            try:
                answer = done.get(timeout=PATIENCE_SECONDS)
            except queue.Empty:
                if any(process.is_alive() for process in processes):
                    continue
                words = _last_words(folder / "judge-0.log")
                raise BrewHavenError(f"{missing} mistakes were not judged: {words}", "Run it again.") from None
            if isinstance(answer, Exception):
                raise answer
            missing -= 1
            yield answer
        for process in processes:
            process.join()


@contextlib.contextmanager
def _running(processes: Sequence[SpawnProcess]) -> Iterator[None]:
    """Start processes that do not outlive this: however it is left, they end, and so does what they have started."""
    try:
        for process in processes:
            process.start()
        yield
    finally:
        alive = [process for process in processes if process.is_alive()]
        left = [one for process in alive for one in tree(process.pid or 0)]
        for process in alive:
            process.terminate()
        see_them_end(left)


def _judging(folder: Path, number: int, looking_at: Sequence[str], waiting: Any, done: Any) -> None:
    _prepare(folder / f"judge-{number}.log")
    own = folder / str(number)
    own.mkdir(exist_ok=True)
    recorded = pickle.loads((folder / "record.pickle").read_bytes())  # noqa: S301  (written by the process before)

    def work(tests: Judge) -> None:
        try:
            if failing := tests.failing():
                raise BrewHavenError(f"These tests fail when they are run again: {', '.join(failing[:3])}.")
            panel = Panel(recorded.stacks, tests, own)
            while (task := waiting.get()) is not None:
                done.put(panel.verdict(task))
        except Exception as error:
            done.put(error)
            raise

    pytest.main(pytest_arguments(looking_at), plugins=[Judge(recorded, work)])


def _prepare(log: Path) -> None:
    """A process that says nothing on the terminal, finds the pinned Node, and tidies up when it is ended."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.chdir(REPOSITORY)
    os.environ.setdefault("JSII_NODE", str(node_bin() / "node"))
    file = os.open(log, os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.path.insert(0, str(REPOSITORY))


def _last_words(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it wrote nothing"
    return "it wrote nothing"
