"""Proves the exercises themselves: the start fails, the solution passes, and each wrong answer gets its explanation."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from brewhaven.exercises.declared import Exercise, Wrong
from brewhaven.exercises.judge import Verdict, judge
from brewhaven.exercises.workshop import Workshop
from brewhaven.target import Target


@dataclass(frozen=True)
class Proof:
    """One thing that must hold of an exercise, and what was found; `problem` is empty when it holds."""

    exercise: str
    what: str
    problem: str
    seconds: float

    @property
    def holds(self) -> bool:
        return not self.problem


def prove(
    exercise: Exercise, workshop: Workshop, cloud: Target | None = None, watch: Callable[[Proof], None] = lambda _: None
) -> list[Proof]:
    """Every proof of one exercise. What only a deployment can tell is part of it where a cloud is given."""
    found = []
    for proof in _proofs(exercise, workshop, cloud):
        watch(proof)
        found.append(proof)
    return found


def _proofs(exercise: Exercise, workshop: Workshop, cloud: Target | None) -> Iterator[Proof]:
    start, solution = exercise.start_files(), {**exercise.start_files(), **exercise.solution_files()}
    on_cloud = cloud if exercise.runs_on_cloud else None
    began = _judged(exercise, start, workshop)
    yield Proof(exercise.id, "the start fails", "it passes" if began.passed else _unreadable(began), began.seconds)
    solved = _judged(exercise, solution, workshop, on_cloud)
    yield Proof(exercise.id, "the solution passes", _failures(solved), solved.seconds)
    failed = _failed(began)
    for wrong in exercise.wrong:
        if wrong.on == "local" and cloud is None:
            continue
        files = {**solution, wrong.replaces: wrong.file.read_text(encoding="utf-8")}
        verdict = _judged(exercise, files, workshop, on_cloud if wrong.on == "local" else None)
        failed |= _failed(verdict)
        yield Proof(exercise.id, f"{wrong.file.name} is explained", _not_explained(verdict, wrong), verdict.seconds)
    never = [check.id for check in exercise.checks() if check.id not in failed and (check.template or on_cloud)]
    problem = f"neither the start nor a wrong answer fails {', '.join(never)}" if never else ""
    yield Proof(exercise.id, "each check can fail", problem, 0.0)


def left_for_cloud(exercises: Sequence[Exercise]) -> int:
    """How many wrong answers only a deployment can tell from a right one."""
    return sum(wrong.on == "local" for exercise in exercises for wrong in exercise.wrong)


def _judged(exercise: Exercise, files: dict[str, str], workshop: Workshop, cloud: Target | None = None) -> Verdict:
    folder = Path(tempfile.mkdtemp(prefix="brewhaven-exercise-"))
    try:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return judge(exercise, folder, workshop, cloud)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unreadable(verdict: Verdict) -> str:
    """A start that cannot even be built teaches nothing."""
    return f"it cannot be built: {verdict.broken.what} ({verdict.broken.where})" if verdict.broken else ""


def _failed(verdict: Verdict) -> set[str]:
    return {finding.check for finding in verdict.report.findings if not finding.passed} if verdict.report else set()


def _failures(verdict: Verdict) -> str:
    if verdict.report is None:
        return _unreadable(verdict)
    return "; ".join(f"{finding.check}: {finding.what}" for finding in verdict.report.findings if not finding.passed)


def _not_explained(verdict: Verdict, wrong: Wrong) -> str:
    if verdict.report is None:
        return _unreadable(verdict)
    failed = {finding.check: finding.what for finding in verdict.report.findings if not finding.passed}
    if not failed:
        return "it passes"
    if wrong.check not in failed:
        return f"{wrong.check} passes; {', '.join(failed)} fails"
    if wrong.said not in failed[wrong.check]:
        return f"{wrong.check} says {failed[wrong.check]!r}, and it should say {wrong.said!r}"
    return ""
