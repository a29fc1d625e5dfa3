"""Checks judge a mistake beside the other stacks, and only when they pass without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from brewhaven.course import checks
from brewhaven.course.checks import CheckList, expect
from brewhaven.course.template import Template
from brewhaven.errors import BrewHavenError
from brewhaven.mutate.panel import Panel, Task
from brewhaven.mutate.rerun import course_key
from brewhaven.mutate.stack import Mutant, Stack

FIRST, SECOND = "BrewHaven-Phase1-Foundation", "BrewHaven-Phase2-Orders"
QUEUE = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60}}}
TOPIC = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {}}}
LEFT_OUT = Mutant(
    "Queue VisibilityTimeout: left out",
    "Queue",
    "AWS::SQS::Queue",
    ("Properties", "VisibilityTimeout"),
    "remove",
    removes=True,
)


def panel(monkeypatch: pytest.MonkeyPatch, folder: Path, check: Any) -> Panel:
    """Phase 1 with a topic and phase 2 with a queue, and one check of phase 2."""
    declared = CheckList()
    declared.check("one", lesson="2.1", objective="sqs", proves="it holds").on_template(check)
    monkeypatch.setattr(checks, "load", lambda path: declared if "phase2" in path.name else CheckList())
    stacks = {
        course_key(FIRST, {}): Stack(FIRST, {"Resources": TOPIC}, {"Topic": "Topic"}),
        course_key(SECOND, {}): Stack(SECOND, {"Resources": QUEUE}, {"Queue": "Queue"}),
    }
    tests: Any = None  # nobody gets so far as to ask them
    return Panel(stacks, tests, folder)


def test_a_check_sees_the_mistake_beside_the_other_stacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def looks(template: Template) -> str:
        assert template.beside[FIRST]["Resources"] == TOPIC
        assert template.beside[SECOND] == template.body
        queue = template.resources("AWS::SQS::Queue")[0]
        expect("VisibilityTimeout" in queue.properties, "too short", where="here", next_step="mend it")
        return "long enough"

    verdict = panel(monkeypatch, tmp_path, looks).verdict(Task(2, SECOND, LEFT_OUT))
    assert (verdict.kind, verdict.noticed_by) == ("check", "one")


def test_a_check_that_fails_without_a_mistake_notices_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(_: Template) -> str:
        raise checks.Failure("always", where="here", next_step="mend it")

    with pytest.raises(BrewHavenError, match=f"The check one fails on {SECOND} without any mistake"):
        panel(monkeypatch, tmp_path, fails).verdict(Task(2, SECOND, LEFT_OUT))
