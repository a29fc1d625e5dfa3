"""Reading what the CDK command line prints: progress while it works, and the reason when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from brewhaven import cdk, toolchain

EVENT = (
    "BrewHaven-Phase1-Foundation |  3/54 | 8:45:00 AM | CREATE_COMPLETE      | AWS::DynamoDB::Table | "
    "CatalogTable/Table (CatalogTable6B92FEBE) "
)
FAILED = (
    "BrewHaven-Phase1-Foundation | 11/54 | 8:45:09 AM | CREATE_FAILED        | AWS::S3::Bucket | "
    "AssetBucket (AssetBucket1D025086) \x1b[31mbucket name is taken\x1b[0m"
)
CANCELLED = FAILED.replace("bucket name is taken", "Resource creation cancelled")
TRACEBACK = """jsii.errors.JavaScriptError:
  @jsii/kernel.RuntimeError: CannotFindFile: Cannot find file at storefront/Dockerfile
      at Kernel.invoke (program.js:1:55858)
Traceback (most recent call last):
  File "app.py", line 24, in <module>
    build(course)
RuntimeError: CannotFindFile: Cannot find file at storefront/Dockerfile
python3 app.py: Subprocess exited with error 1"""
SETTINGS = """These settings cannot be used:
  - student must be 1 to 12 lower-case letters, got 'S_01'
python3 app.py: Subprocess exited with error 1"""


def _read(text: str) -> tuple[cdk.Reader, list[str]]:
    notes: list[str] = []
    reader = cdk.Reader(notes.append)
    for line in text.splitlines():
        reader.read(line)
    return reader, notes


def test_an_event_becomes_a_note() -> None:
    assert _read(EVENT)[1] == ["3/54  AWS::DynamoDB::Table  CatalogTable/Table"]


def test_more_done_than_was_expected_is_not_out_of_anything() -> None:
    assert _read(EVENT.replace("3/54", "76/54"))[1] == ["76  AWS::DynamoDB::Table  CatalogTable/Table"]


def test_the_reason_is_what_cloudformation_said() -> None:
    reader, _ = _read("\n".join([EVENT, FAILED, CANCELLED, "❌  BrewHaven-Phase1-Foundation failed: rolled back"]))
    assert reader.reasons() == ["AWS::S3::Bucket AssetBucket (AssetBucket1D025086) bucket name is taken"]


def test_the_reason_is_the_last_exception_of_the_app() -> None:
    assert _read(TRACEBACK)[0].reasons() == ["RuntimeError: CannotFindFile: Cannot find file at storefront/Dockerfile"]


def test_the_reason_is_all_that_the_app_complains_about() -> None:
    assert _read(SETTINGS)[0].reasons() == SETTINGS.splitlines()[:2]


def test_without_a_known_reason_the_end_is_shown() -> None:
    assert _read("one\ntwo")[0].reasons() == ["one", "two"]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that stands for the CDK command line."""
    path = tmp_path / "cdk"
    monkeypatch.setattr(toolchain, "CDK", path)
    return path


def _run(program: Path, script: str, log: Path) -> list[str]:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return cdk.run(
        ["deploy", "--all"], environment={"ONLY": "this"}, log=log, doing="Deploying phase 1",
        on_note=lambda _: None, cwd=program.parent,
    )  # fmt: skip


def test_the_child_gets_exactly_the_environment_given(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the machine")
    lines = _run(program, 'echo "args: $*"; echo "only: $ONLY"; echo "leak: $AWS_SECRET_ACCESS_KEY"', tmp_path / "log")
    assert lines == ["args: deploy --all", "only: this", "leak:"]


def test_a_failure_carries_the_reason_and_names_the_log(program: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(cdk.CdkError, match="Deploying phase 1 failed:\n  the milk is off") as error:
        _run(program, "echo the milk is off >&2; exit 1", log)
    assert str(log) in (error.value.remedy or "")
    assert "the milk is off" in log.read_text()


def test_a_missing_command_line_says_make_setup(program: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="make setup"):
        cdk.run([], environment={}, log=tmp_path / "log", doing="x", on_note=lambda _: None)


def test_logs_do_not_pile_up(tmp_path: Path) -> None:
    for _ in range(cdk.KEPT_LOGS + 5):
        cdk.new_log(tmp_path, "deploy").touch()
    assert len(list(tmp_path.glob("logs/*.log"))) <= cdk.KEPT_LOGS + 1
