"""A check that passes where there is nothing proves nothing: on an empty stack every template check fails."""

from __future__ import annotations

import pytest

from brewhaven.course import checks, verify
from brewhaven.course.catalogue import Phase, load
from brewhaven.course.checks import Check
from brewhaven.course.template import Template


def _on_template(phase: Phase) -> list[Check]:
    return [check for check in checks.load(phase.folder) if check.template]


PHASES = [phase for phase in load().phases if _on_template(phase)]


def test_there_are_checks_to_look_at() -> None:
    assert PHASES


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: str(phase.number))
def test_no_check_passes_on_an_empty_stack(phase: Phase) -> None:
    nothing = Template(phase.stacks[-1], {"Resources": {}})
    report = verify.run("nothing", _on_template(phase), template=nothing)
    assert [finding.check for finding in report.findings if finding.passed] == []
    assert len(report.findings) == len(_on_template(phase))
