import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from brewhaven.course import lab, render
from brewhaven.course.document import Document
from brewhaven.course.lab import LabResult
from tests.unit.course.conftest import Edit


def run(text: Document, folder: Path, **options: Any) -> LabResult:
    return lab.run("9.1", text, target="local", environment={"PATH": os.environ["PATH"]}, folder=folder, **options)


def test_the_steps_run_in_one_shell(text: Document, tmp_path: Path) -> None:
    result = run(text, tmp_path)
    assert result.passed
    assert [step.state for step in result.steps] == ["passed", "passed", "passed", "elsewhere"]


def test_what_needs_an_account_is_counted_and_shown(text: Document, tmp_path: Path) -> None:
    result = run(text, tmp_path)
    assert result.as_json()["counts"]["needs_the_other_target"] == 1
    assert "1 need a real account and did not run" in render.to_text(render.lab_summary([result]))


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_lab_without_one_of_its_steps_fails(text: Document, tmp_path: Path, step: int) -> None:
    result = run(text, tmp_path, drop=step)
    assert not result.passed
    assert result.failures[0].number == step


def test_a_failing_step_shows_command_output_and_expectation(edited: Edit, tmp_path: Path) -> None:
    result = run(edited("2 cups in ...", "3 cups in ..."), tmp_path)
    assert [step.state for step in result.steps] == ["passed", "failed", "not-run", "elsewhere"]
    shown = render.to_text(render.step_result(result.failures[0]))
    for part in (
        "the line '3 cups in ...' was not printed",
        "wc -l < cups.txt",
        "2 cups in /",
        "line 36 of the lesson",
    ):
        assert part in shown


def test_right_output_with_an_error_status_is_no_success(edited: Edit, tmp_path: Path) -> None:
    result = run(edited("cat cups.txt", "cat cups.txt; false"), tmp_path)
    assert "ended with the error status 1" in result.failures[0].problem


def test_pipefail_is_set(edited: Edit, tmp_path: Path) -> None:
    result = run(edited("cat cups.txt", "cat cups.txt nowhere.txt 2>/dev/null | cat"), tmp_path)
    assert "error status" in result.failures[0].problem


def test_an_announced_refusal_must_be_one(edited: Edit, tmp_path: Path) -> None:
    text = edited("cat saucers.txt\n", "echo cat: saucers.txt: No such file or directory\n")
    assert "it ended without an error" in run(text, tmp_path).failures[0].problem


def test_a_step_that_ends_the_shell_is_named(edited: Edit, tmp_path: Path) -> None:
    result = run(edited("cat cups.txt", "cat cups.txt; exit 0"), tmp_path)
    assert "ended the shell" in result.failures[0].problem


def test_a_step_that_hangs_is_stopped(edited: Edit, tmp_path: Path) -> None:
    text = edited("```bash\nSHELF", "```bash timeout=1\nsleep 60; SHELF")
    result = run(text, tmp_path)
    assert "did not end within 1 seconds" in result.failures[0].problem
    assert result.failures[0].seconds < 5


def test_a_step_reads_nothing_from_the_terminal(edited: Edit, tmp_path: Path) -> None:
    assert run(edited("cat cups.txt", "read -r line || cat cups.txt"), tmp_path).passed


def test_what_a_step_leaves_running_ends_with_the_lab(edited: Edit, tmp_path: Path) -> None:
    result = run(edited("cat cups.txt", 'sleep 300 & echo $! > "$OLDPWD/pid"; cat cups.txt'), tmp_path)
    assert result.passed
    pid = (tmp_path / "pid").read_text().strip()
    state = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False).stdout
    assert state.strip()[:1] in ("", "Z")
