"""What a student does and what can go wrong with it: begin, save, break the file, get hints, see the solution."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tomllib
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
from brewhaven.local.settings import REPOSITORY


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
    assert workspace.start(exercise).put == ()
    assert (folder / CODE).read_text() == "mine"


def test_a_changed_start_is_told_and_taken_only_when_asked_for(exercise: Exercise, folder: Path) -> None:
    (folder / CODE).write_text("mine")
    assert not workspace.is_older(exercise)
    (folder / ".started.json").write_text(json.dumps({"version": "of last year"}))
    for arguments in (["start", exercise.id], ["check", exercise.id]):
        result = run(*arguments)
        assert "has another start for pickups-by-day than when you began" in " ".join(result.output.split())
        assert (folder / CODE).read_text() == "mine"
    taken = run("start", exercise.id, "--again")
    assert "kept-1" in taken.output
    assert (folder / "kept-1" / CODE).read_text() == "mine"
    assert (folder / CODE).read_text() == exercise.start_files()[CODE]
    assert not workspace.is_older(exercise)


def test_beginning_anew_twice_keeps_both(exercise: Exercise, folder: Path) -> None:
    for text in ("first", "second"):
        (folder / CODE).write_text(text)
        workspace.start(exercise, again=True)
    assert [(folder / f"kept-{number}" / CODE).read_text() for number in (1, 2)] == ["first", "second"]


@pytest.mark.parametrize("note", ["", "nonsense", "[]", "{}"])
def test_an_unreadable_note_is_no_reason_to_complain(exercise: Exercise, folder: Path, note: str) -> None:
    (folder / ".started.json").write_text(note)
    assert not workspace.is_older(exercise)
    assert workspace.start(exercise).put == ()


@pytest.mark.parametrize(("gone", "stays"), [(CODE, "test_exercise.py"), ("test_exercise.py", CODE)])
def test_a_deleted_file_is_put_back_and_the_others_stay(gone: str, stays: str) -> None:
    drawer = find("receipt-drawer")
    folder = workspace.start(drawer).folder
    (folder / stays).write_text("mine")
    (folder / gone).unlink()
    assert workspace.start(drawer).put == (gone,)
    assert (folder / gone).exists()
    assert (folder / stays).read_text() == "mine"


def test_the_work_is_nobody_elses_business(exercise: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git ignores it, and with git the formatter and the linter of `make check`; `make test` looks elsewhere."""
    monkeypatch.delenv(workspace.FOLDER)
    mine = workspace.folder_of(exercise) / "test_exercise.py"
    assert mine.is_relative_to(REPOSITORY)
    assert subprocess.run(["git", "check-ignore", "-q", str(mine)], cwd=REPOSITORY, check=False).returncode == 0
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]
    assert all(path.startswith("tests/") for path in settings["pytest"]["ini_options"]["testpaths"])
    assert settings["ruff"].get("respect-gitignore", True)


@pytest.mark.parametrize(
    ("code", "what", "where"),
    [
        ("def broken(:\n", "SyntaxError: ", "exercise.py, line 1"),
        ("import aws_cdk\nprint(1 / 0)\n", "ZeroDivisionError: division by zero", "exercise.py, line 2"),
        ("x = 1\n", "the file must define `class Exercise(cdk.Stack)`", "exercise.py"),
        ("import sys\nsys.exit(3)\n", "the file ends the program (SystemExit)", "exercise.py, line 2"),
        ("assert False\n", "AssertionError", "exercise.py, line 1"),
        ("name = input()\n", "EOFError: ", "exercise.py, line 1"),
        ("x = '\0'\n", "SyntaxError: ", "exercise.py"),
        ("def f():\n    f()\nf()\n", "RecursionError: ", "exercise.py, line 2"),
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


LOOPS = {
    "at once": ("while True:\n    pass\n", "", ("while True:", "pass")),
    "deep in the stack": ("", "\n        while True:\n            scope = scope\n", ("while True:", "scope = scope")),
    "that swallows everything": (
        "import time\nwhile True:\n    try:\n        time.sleep(9)\n    except BaseException:\n        pass\n",
        "",
        ("time.sleep(9)",),
    ),
}


@pytest.mark.parametrize("before, after, lines", LOOPS.values(), ids=LOOPS)
def test_an_endless_loop_is_told_with_its_line(
    exercise: Exercise, folder: Path, before: str, after: str, lines: tuple[str, ...]
) -> None:
    with Workshop(patience=2.0) as workshop:
        what, where, line = broken(exercise, folder, workshop, before + exercise.solution_files()[CODE] + after)
        assert what == "the code did not come to an end in 2 seconds: is there a loop without an end?"
        assert where.startswith("exercise.py, line ")
        assert line in lines


def test_a_dead_process_ends_nothing(exercise: Exercise, folder: Path, workshop: Workshop) -> None:
    what, _, _ = broken(exercise, folder, workshop, "import os\nos._exit(1)\n")
    assert what.startswith("the code ended the whole process")
    (folder / CODE).write_text(exercise.solution_files()[CODE])
    assert judge(exercise, folder, workshop).passed


def test_a_process_that_dies_between_two_saves_ends_nothing(
    exercise: Exercise, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / CODE).write_text(exercise.solution_files()[CODE])
    with Workshop() as workshop:
        workshop.warm_up()
        with monkeypatch.context() as unseen:  # it dies just after somebody has looked whether it lives
            unseen.setattr(workshop, "warm_up", lambda: None)
            process = workshop._process
            assert process is not None
            process.kill()
            process.wait(10)
            assert not judge(exercise, folder, workshop).passed
        assert judge(exercise, folder, workshop).passed


def test_one_save_leaves_nothing_behind_for_the_next(exercise: Exercise, folder: Path, workshop: Workshop) -> None:
    broken(exercise, folder, workshop, "import os, sys\nos.chdir('/')\nos.environ.clear()\nsys.path.clear()\n1 / 0\n")
    (folder / "here.txt").write_text("beside the file")
    look = "from pathlib import Path\nimport os\nprint(Path('here.txt').read_text(), 'PATH' in os.environ)\n"
    (folder / CODE).write_text(look + exercise.solution_files()[CODE])
    verdict = judge(exercise, folder, workshop)
    assert verdict.passed
    assert verdict.printed == "beside the file True\n"


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
    (folder / "keys.py").write_text('DAY = "pickup_dax"\n')
    assert not judge(exercise, folder, workshop).passed
    moment = (folder / "keys.py").stat()
    (folder / "keys.py").write_text('DAY = "pickup_day"\n')
    os.utime(folder / "keys.py", ns=(moment.st_atime_ns, moment.st_mtime_ns))  # within the same second
    assert judge(exercise, folder, workshop).passed


class _OverError(Exception):
    pass


def watched(
    exercise: Exercise, folder: Path, saves: list[str | None], file: str = CODE, patience: float = 2.0
) -> list[tuple[Verdict, float | None]]:
    """What a watch says while these texts are saved one after the other; None deletes the file."""
    said: list[tuple[Verdict, float | None]] = []

    def pause(_seconds: float) -> None:
        if len(said) <= len(seen):
            return
        seen.append(said[-1])
        if not saves:
            raise _OverError
        text = saves.pop(0)
        if text is None:
            (folder / file).unlink()
        else:
            (folder / file).write_text(text)

    seen: list[tuple[Verdict, float | None]] = []
    with Workshop(patience) as workshop, pytest.raises(_OverError):
        watch(exercise, folder, workshop, lambda verdict, since: said.append((verdict, since)), pause)
    return said


def test_watching_judges_each_save_and_survives_all_of_them(exercise: Exercise, folder: Path) -> None:
    solution = exercise.solution_files()[CODE]
    said = watched(exercise, folder, ["nonsense(", None, "while True: pass", solution])
    assert [verdict.passed for verdict, _ in said] == [False, False, False, False, True]
    whats = [verdict.broken.what if verdict.broken else "" for verdict, _ in said]
    for what, part in zip(whats, ["", "SyntaxError", "is gone", "did not come to an end", ""], strict=True):
        assert part in what
    assert said[0][1] is None, "nothing was saved before the first look"
    assert said[-1][1] is not None


def test_saving_what_is_not_python_is_a_save_too() -> None:
    cards = find("gift-cards")
    solution = cards.solution_files()["0002.sql"]
    said = watched(cards, workspace.start(cards).folder, ["nonsense;", solution], "0002.sql", patience=60)
    assert [verdict.passed for verdict, _ in said] == [False, False, True]
    assert said[1][0].report is not None
    assert 'syntax error at or near "nonsense"' in said[1][0].report.findings[0].what


def test_a_stack_that_is_nothing_like_the_start_is_told_in_words(exercise: Exercise, folder: Path) -> None:
    odd = """
import aws_cdk as cdk

class Exercise(cdk.Stack):
    def __init__(self, scope, id_, **kwargs):
        super().__init__(scope, id_, **kwargs)
        cdk.CfnResource(self, "Odd", type="AWS::DynamoDB::Table", properties={"GlobalSecondaryIndexes": "odd"})
"""
    [_, (verdict, _)] = watched(exercise, folder, [odd])
    assert verdict.report is not None
    findings = verdict.report.findings
    assert all("your stack has something else than the start had" in finding.what for finding in findings)
    assert "brewhaven diff" not in " ".join(finding.next for finding in findings)


def test_an_exercise_that_is_being_updated_does_not_end_the_watch(
    exercise: Exercise, folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / exercise.id
    shutil.copytree(exercise.folder, copy)
    (copy / "checks.py").write_text("<<<<<<< half an update")
    [(verdict, _)] = watched(dataclasses.replace(exercise, folder=copy), folder, [])
    assert verdict.broken is not None
    assert "the exercise itself cannot be used (SyntaxError" in verdict.broken.what


def test_ctrl_c_ends_a_watch_in_peace(exercise: Exercise, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("brewhaven.exercises.judge.watch", interrupted)
    result = run("watch", exercise.id)
    assert result.exit_code == 0
    assert "Error" not in result.output
    assert "Your work is in" in result.output


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
    assert [check["passed"] for check in passed["checks"]] == [True] * 4
    assert "one answer, one drawer" in " ".join(run("solution").output.split())
    assert (workspace.folder_of(exercise) / CODE).read_text() == exercise.solution_files()[CODE]


def test_the_solution_is_shown_to_who_insists(exercise: Exercise, folder: Path) -> None:
    shown = run("solution", exercise.id, "--show-anyway")
    assert shown.exit_code == 0
    assert 'index_name="PickupsByDay"' in shown.output
    assert (folder / CODE).read_text() == exercise.start_files()[CODE]


@pytest.mark.parametrize(
    ("id_", "files"),
    [
        ("pickups-by-day", ["exercise.py"]),
        ("gift-cards", ["0002.sql"]),
        ("points-once", ["exercise.py", "handler.py"]),
    ],
)
def test_who_begins_is_told_which_files_to_write(id_: str, files: list[str]) -> None:
    said = "".join(run("start", id_).output.split())
    assert "Youwrite" + "and".join(str(workspace.folder_of(find(id_)) / name) for name in files) in said


def test_what_several_checks_miss_is_told_once(exercise: Exercise, folder: Path) -> None:
    said = run("check", exercise.id).output
    assert said.count("the table has no index") == 1
    assert said.count("for the same reason") == 3


def test_who_passed_on_the_template_is_sent_to_the_local_cloud() -> None:
    grant = find("narrow-grant")
    folder = workspace.start(grant).folder
    (folder / CODE).write_text(grant.solution_files()[CODE])
    assert "brewhaven exercise check narrow-grant --on local" in run("check", grant.id).output


def test_pytest_runs_in_the_folder_as_the_task_says() -> None:
    drawer = find("receipt-drawer")
    folder = workspace.start(drawer).folder
    for name, text in drawer.solution_files().items():
        (folder / name).write_text(text)
    program = [str(Path(sys.executable).with_name("pytest")), "-q", "-p", "no:cacheprovider"]
    course = ["-c", str(REPOSITORY / "pyproject.toml")]  # found from workspace/, which lies in the repository
    done = subprocess.run([*program, *course, str(folder)], cwd=folder, capture_output=True, text=True, check=False)
    assert "4 passed" in done.stdout, done.stdout + done.stderr


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
