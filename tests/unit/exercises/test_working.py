"""What a student does and what can go wrong with it: begin, save, break the file, get hints, see the solution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from brewhaven.cli import app
from brewhaven.course.progress import Progress
from brewhaven.exercises import workspace
from brewhaven.exercises.declared import CODE, Exercise, find
from brewhaven.exercises.judge import Verdict, judge, note, watch
from brewhaven.exercises.workshop import Workshop


@pytest.fixture
def exercise() -> Exercise:
    return find("pickups-by-day")


@pytest.fixture
def folder(exercise: Exercise) -> Path:
    return workspace.start(exercise).folder


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["exercise", *arguments])


def broken(exercise: Exercise, folder: Path, workshop: Workshop, code: str) -> tuple[str, str, str]:
    (folder / CODE).write_text(code)
    verdict = judge(exercise, folder, workshop)
    assert not verdict.passed
    assert verdict.broken is not None
    return verdict.broken.what, verdict.broken.where, verdict.broken.code


def test_start_never_touches_what_is_there(exercise: Exercise, folder: Path) -> None:
    (folder / CODE).write_text("mine")
    again = workspace.start(exercise)
    assert not again.fresh
    assert again.renewed is None
    assert (folder / CODE).read_text() == "mine"


def test_a_changed_start_lies_beside_the_work(exercise: Exercise, folder: Path) -> None:
    (folder / CODE).write_text("mine")
    (folder / ".started.json").write_text(json.dumps({"version": "of last year"}))
    again = workspace.start(exercise)
    assert again.renewed == folder / "new-start"
    assert (again.renewed / CODE).read_text() == exercise.start_files()[CODE]
    assert (folder / CODE).read_text() == "mine"


def test_a_deleted_file_is_put_back_and_the_others_stay() -> None:
    drawer = find("receipt-drawer")
    folder = workspace.start(drawer).folder
    (folder / "test_exercise.py").write_text("mine")
    (folder / CODE).unlink()
    assert workspace.start(drawer).fresh
    assert (folder / CODE).exists()
    assert (folder / "test_exercise.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("code", "what", "where"),
    [
        ("def broken(:\n", "SyntaxError: ", "exercise.py, line 1"),
        ("import aws_cdk\nprint(1 / 0)\n", "ZeroDivisionError: division by zero", "exercise.py, line 2"),
        ("x = 1\n", "the file must define `class Exercise(cdk.Stack)`", "exercise.py"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3", "exercise.py, line 2"),
        ("import no_such_package\n", "ModuleNotFoundError: No module named 'no_such_package'", "exercise.py, line 1"),
    ],
)
def test_a_file_that_cannot_be_built_is_told_with_its_line(
    exercise: Exercise, folder: Path, workshop: Workshop, code: str, *, what: str, where: str
) -> None:
    said, at, line = broken(exercise, folder, workshop, code)
    assert said.startswith(what)
    assert at == where
    assert not line or line in code


def test_a_prop_that_the_cdk_refuses_is_told_with_the_students_line(
    exercise: Exercise, folder: Path, workshop: Workshop
) -> None:
    text = exercise.start_files()[CODE].replace("partition_key=dynamodb", "partition_kee=dynamodb")
    what, where, line = broken(exercise, folder, workshop, text)
    assert "partition_kee" in what
    assert where.startswith("exercise.py, line ")
    assert "TableV2" in line or "dynamodb" in line


def test_an_endless_loop_and_a_dead_process_end_nothing(exercise: Exercise, folder: Path) -> None:
    with Workshop(patience=1.0) as workshop:
        what, _, _ = broken(exercise, folder, workshop, "while True:\n    pass\n")
        assert what == "the code did not come to an end in 1 seconds: is there a loop without an end?"
        what, _, _ = broken(exercise, folder, workshop, "import os\nos._exit(1)\n")
        assert what.startswith("the code ended the whole process")
    with Workshop() as workshop:
        (folder / CODE).write_text(exercise.solution_files()[CODE])
        assert judge(exercise, folder, workshop).passed


def test_what_the_code_prints_is_shown_and_breaks_nothing(exercise: Exercise, folder: Path, workshop: Workshop) -> None:
    (folder / CODE).write_text('print("hello")\n' + exercise.solution_files()[CODE])
    verdict = judge(exercise, folder, workshop)
    assert verdict.passed
    assert verdict.printed == "hello\n"


def test_a_module_of_the_students_own_is_read_anew_each_time(
    exercise: Exercise, folder: Path, workshop: Workshop
) -> None:
    solution = exercise.solution_files()[CODE]
    (folder / CODE).write_text("from keys import DAY\n" + solution.replace('name="pickup_day"', "name=DAY"))
    (folder / "keys.py").write_text('DAY = "wrong_day"\n')
    assert not judge(exercise, folder, workshop).passed
    (folder / "keys.py").write_text('DAY = "pickup_day"\n# saved again, with another length\n')
    assert judge(exercise, folder, workshop).passed


class _OverError(Exception):
    pass


def test_watching_judges_each_save_and_survives_all_of_them(exercise: Exercise, folder: Path) -> None:
    solution = exercise.solution_files()[CODE]
    saves = ["nonsense(", None, solution]
    verdicts: list[Verdict] = []

    def save(_seconds: float) -> None:
        if not saves:
            raise _OverError
        text = saves.pop(0)
        if text is None:
            (folder / CODE).unlink()
        else:
            (folder / CODE).write_text(text)

    with Workshop() as workshop, pytest.raises(_OverError):
        watch(exercise, folder, workshop, verdicts.append, save)
    assert [verdict.passed for verdict in verdicts] == [False, False, False, True]
    assert verdicts[1].broken is not None
    assert "SyntaxError" in verdicts[1].broken.what
    assert verdicts[2].broken is not None
    assert "is gone" in verdicts[2].broken.what


def test_passed_once_is_passed_for_good(exercise: Exercise, folder: Path, workshop: Workshop, tmp_path: Path) -> None:
    progress = Progress(tmp_path / "home")
    assert workspace.state(exercise, progress) == "begun"
    (folder / CODE).write_text(exercise.solution_files()[CODE])
    note(judge(exercise, folder, workshop), progress)
    (folder / CODE).write_text("nonsense(")
    note(judge(exercise, folder, workshop), progress)
    assert workspace.state(exercise, progress) == "passed"


def test_the_command_line_from_list_to_solution(exercise: Exercise) -> None:
    assert "pickups-by-day" in run("list").output
    assert {row["state"] for row in json.loads(run("list", "--json").output)} == {"new"}
    nothing = run("check")
    assert nothing.exit_code == 2
    started = run("start", "pickups-by-day")
    assert started.exit_code == 0
    assert "the earliest first" in started.output
    failed = run("check")
    assert failed.exit_code == 1
    assert "the table has no index called PickupsByDay" in " ".join(failed.output.split())
    early = run("solution")
    assert early.exit_code == 2
    (workspace.folder_of(exercise) / CODE).write_text(exercise.solution_files()[CODE])
    passed = json.loads(run("check", "pickups-by-day", "--json").output)
    assert passed["passed"]
    assert [check["passed"] for check in passed["checks"]] == [True, True, True]
    assert "one answer, one drawer" in " ".join(run("solution").output.split())


def test_hints_come_one_by_one() -> None:
    run("start", "narrow-grant")
    assert run("hint").output.count("/3") == 1
    assert run("hint").output.count("/3") == 2
    assert "That was the last hint" in run("hint").output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["start", "no-such"], "There is no exercise 'no-such'; there are pickups-by-day"),
        (["check", "polite-prop"], "The exercise polite-prop has not begun"),
        (["check", "polite-prop", "--on", "moon"], "judged on `template` or on `local`, got 'moon'"),
    ],
)
def test_wrong_use_says_what_to_do(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code in (1, 2)
    assert said in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_a_file_that_is_gone_is_named() -> None:
    run("start", "polite-prop")
    (workspace.folder_of(find("polite-prop")) / CODE).unlink()
    result = run("check", "polite-prop")
    assert result.exit_code == 1
    assert "is gone" in result.output
