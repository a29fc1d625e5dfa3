"""`brewhaven diff A B` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from brewhaven.cli import app
from tests.unit.diff.sides import resource


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two templates that differ in one queue."""
    monkeypatch.setenv("BREWHAVEN_HOME", str(tmp_path / "home"))
    paths = []
    for name, seconds in (("a", 30), ("b", 60)):
        path = tmp_path / f"{name}.json"
        queue = resource("AWS::SQS::Queue", "Tickets/Queue", {"VisibilityTimeout": seconds})
        path.write_text(json.dumps({"Resources": {"Queue": queue}}))
        paths.append(str(path))
    return paths[0], paths[1]


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["diff", *words])


def test_it_says_what_changed(templates: tuple[str, str]) -> None:
    result = run(*templates)
    assert result.exit_code == 0
    assert "~ VisibilityTimeout: 30 -> 60" in result.stdout


@pytest.mark.parametrize(("same", "flag", "code"), [(True, True, 0), (False, True, 1), (False, False, 0)])
def test_the_exit_code_tells_a_program(templates: tuple[str, str], same: bool, flag: bool, code: int) -> None:
    before, after = templates
    result = run(before, before if same else after, *(["--exit-code"] if flag else []))
    assert result.exit_code == code


def test_an_error_is_two_lines_and_exit_code_2(templates: tuple[str, str]) -> None:
    result = run(templates[0], "no such thing", "--exit-code")
    assert result.exit_code == 2
    assert "'no such thing' is nothing that can be compared" in result.stderr
    assert "Traceback" not in result.output


def test_json_is_all_that_is_printed(templates: tuple[str, str]) -> None:
    document = json.loads(run(*templates, "--format", "json").stdout)
    (change,) = document["resources"]
    assert change["properties"] == [
        {
            "path": "Properties.VisibilityTimeout",
            "change": "changed",
            "before": 30,
            "after": 60,
            "replacement": "no",
        }
    ]


def test_markdown_is_printed(templates: tuple[str, str]) -> None:
    assert run(*templates, "-f", "markdown").stdout.startswith("# ")


@pytest.mark.parametrize("words", [["-f", "html"], ["--present"]])
def test_a_page_is_written_and_its_path_printed(templates: tuple[str, str], words: list[str]) -> None:
    path = Path(run(*templates, *words).stdout.strip())
    assert path.read_text().startswith("<!doctype html>")
    path.unlink()
    path.parent.rmdir()


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_every_form_goes_into_a_file(templates: tuple[str, str], tmp_path: Path, form: str) -> None:
    target = tmp_path / "out"
    result = run(*templates, "-f", form, "-o", str(target))
    assert result.stdout.strip() == str(target)
    assert "VisibilityTimeout" in target.read_text()


def test_a_file_that_cannot_be_written_is_named(templates: tuple[str, str], tmp_path: Path) -> None:
    result = run(*templates, "-f", "json", "-o", str(tmp_path / "no" / "where"))
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
