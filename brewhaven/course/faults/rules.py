"""The rules that every declared fault keeps; a broken one is an error that names the fault."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from brewhaven.course import checks
from brewhaven.course.catalogue import Course, Phase
from brewhaven.course.checks import Check
from brewhaven.course.faults import declared
from brewhaven.course.faults.declared import Fault
from brewhaven.course.problems import Problem

_PAGES = "https://docs.aws.amazon.com/"
# What a guest does not know, and what would tell the cause.
_TELLING = (
    "security group", "bucket policy", "health check", "capacity", "boundary", "throttl", "task definition",
    "queue", "filter", "subscription", "event source", "dead letter", "endpoint", "access string",
)  # fmt: skip


def problems(course: Course) -> list[Problem]:
    """Every rule that a fault of the course breaks."""
    found = []
    for phase in course.phases:
        known = {check.id: check for check in checks.load(phase.folder)}
        lines = _lines(phase)
        for fault in declared.load(phase.folder):
            path, line = lines.get(fault.id, (phase.folder / "faults.py", 1))
            found += [Problem(path, line, f"{fault.id}: {message}") for message in _broken(fault, phase, known)]
    return sorted(found)


def _lines(phase: Phase) -> dict[str, tuple[Path, int]]:
    """Where each fault is declared: a phase may have several files of them."""
    places: dict[str, tuple[Path, int]] = {}
    for path in sorted(phase.folder.glob("faults*.py")):
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if name := re.fullmatch(r'\s*"([a-z-]+)",', text):
                places.setdefault(name[1], (path, number))
    return places


def _broken(fault: Fault, phase: Phase, known: dict[str, Check]) -> Iterator[str]:
    check = known.get(fault.check)
    if fault.lesson not in [lesson.id for lesson in phase.lessons]:
        yield f"the phase has no lesson {fault.lesson}"
    if check is None or check.cloud is None:
        yield f"the phase has no check {fault.check} that looks at what is deployed"
    elif check.number > fault.number:
        yield f"the check {fault.check} holds from lesson {check.lesson} on, later than the fault's {fault.lesson}"
    for name in fault.may_fail:
        if name not in known:
            yield f"the phase has no check {name}, which may_fail names"
    if fault.check in fault.may_fail:
        yield "may_fail names its own check, which must fail"
    if (fault.change is None) == (fault.plan is None):
        yield "it changes the template (@on_template) or goes around CloudFormation (@out_of_band), one of the two"
    if fault.notices is None:
        yield "it does not say how a user notices it (@noticed)"
    if not fault.explanation.page.startswith(_PAGES):
        yield f"its page is none of AWS's documentation ({_PAGES}...)"
    for text in _told(
        fault.symptom, [*phase.services, *(name for lesson in phase.lessons for name in lesson.services)]
    ):
        yield f"the symptom says {text!r}, which no guest would say, and which tells the cause"


def _told(symptom: str, services: Iterable[str]) -> Iterator[str]:
    for word in dict.fromkeys([*services, *_TELLING]):
        if re.search(rf"\b{re.escape(word)}", symptom, re.IGNORECASE):
            yield word
