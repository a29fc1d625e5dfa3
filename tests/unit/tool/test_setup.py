"""scripts/setup.py: what is missing is said in one sentence with its remedy, by whatever Python runs it."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from brewhaven.local.settings import REPOSITORY


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"scripts_{name}", REPOSITORY / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setup() -> ModuleType:
    return _load("setup")


@pytest.fixture
def lock() -> ModuleType:
    return _load("lock")


def test_an_old_python_can_read_the_file() -> None:
    source = (REPOSITORY / "scripts" / "setup.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 4))
    assert not re.search(r"\bf[\"']", source), "f-strings came with 3.6"


def test_an_old_python_without_a_newer_one_is_told_what_to_install(
    setup: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer, and `python3` is 3\.9\. Install one"):
        setup.use_a_new_enough_python()


def test_an_old_python_goes_on_in_a_newer_one(setup: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken, working = tmp_path / "python3.13", tmp_path / "python3.12"
    broken.write_text("#!/bin/sh\nexit 127\n")
    working.write_text("#!/bin/sh\nexit 0\n")
    for program in (broken, working):
        program.chmod(0o755)
    monkeypatch.setattr(sys, "version_info", (3, 9, 18, "final", 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    executed: list[str] = []

    def execute(name: str, _arguments: list[str]) -> None:
        executed.append(name)
        raise SystemExit(0)

    monkeypatch.setattr(setup.os, "execvp", execute)
    with pytest.raises(SystemExit):
        setup.use_a_new_enough_python()
    assert executed == ["python3.12"], "a shim with no Python behind it is passed over"


@pytest.mark.parametrize("platform", ["cygwin", "msys"])
def test_native_windows_is_refused_with_wsl(setup: Any, monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(SystemExit, match="WSL2"):
        setup.refuse_windows()


def test_a_full_disk_is_said_before_anything_is_downloaded(
    setup: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(setup, "PYTHON", str(tmp_path / "none"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1_000_000_000))  # type: ignore[attr-defined]
    with pytest.raises(SystemExit, match=r"has 1\.0 GB free and setting up needs 2\.5 GB"):
        setup.refuse_full_disk()


def test_debians_missing_venv_is_named(setup: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit, match=r"sudo apt install python3\.\d+-venv"):
        setup.refuse_missing_venv_module()


def _run(setup: Any, tmp_path: Path, script: str) -> None:
    setup.LOG = str(tmp_path / "setup.log")
    setup.run(
        setup.Step(1, 1, "Step"), ["/bin/sh", "-c", script], "the packages could not be installed. " + setup.REACH
    )


def test_a_failed_download_shows_the_end_and_the_remedy(
    setup: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"could not be installed\. Check the connection"):
        _run(setup, tmp_path, "echo connection refused; exit 2")
    assert "connection refused" in capsys.readouterr().out
    assert "connection refused" in (tmp_path / "setup.log").read_text()


def test_a_disk_that_fills_up_meanwhile_is_named(setup: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="the disk is full"):
        _run(setup, tmp_path, "echo 'No space left on device (os error 28)' >&2; exit 1")


def test_nothing_to_do_does_nothing() -> None:
    """Every make target begins with it."""
    done = subprocess.run(
        [sys.executable, "scripts/setup.py"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout == "", "the environment that runs these tests is not the one that the locks ask for"


def test_any_changed_input_asks_for_a_new_setup(setup: Any, tmp_path: Path) -> None:
    for name in setup.INPUTS:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, target)
    setup.ROOT = str(tmp_path)
    before = setup.state_of_inputs()
    for name in setup.INPUTS:
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b"\n")
        after = setup.state_of_inputs()
        assert after != before, name
        before = after


def test_the_lock_agrees_with_the_pins(lock: Any) -> None:
    assert lock.disagreements() == []


def test_a_pin_that_the_lock_does_not_hold_is_named(lock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = tmp_path / "requirements.lock"
    stale.write_text(lock.LOCK.read_text().replace("boto3==", "boto3==0."))
    monkeypatch.setattr(lock, "LOCK", stale)
    problems = lock.disagreements()
    assert [problem.split()[0] for problem in problems] == ["boto3", "boto3"]
    assert "in the lock of the shop" in problems[1]


@pytest.mark.parametrize(("whose", "package"), [("shop", "fastapi"), ("functions", "pg8000")])
def test_a_deployed_lock_that_lags_behind_is_named(
    lock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: str, package: str
) -> None:
    for name in ("requirements.in", "requirements.txt"):
        text = (lock.DEPLOYED[whose] / name).read_text()
        (tmp_path / name).write_text(text.replace(f"{package}==", f"{package}==0.") if name.endswith("txt") else text)
    monkeypatch.setitem(lock.DEPLOYED, whose, tmp_path)
    problems = lock.disagreements()
    assert [problem.split()[0] for problem in problems] == [package, package]
    assert f"the lock of the {whose} has 0." in problems[0]


def test_every_requirement_is_pinned_exactly() -> None:
    for name in (
        "requirements.txt",
        "requirements-dev.txt",
        "storefront/requirements.in",
        "lambda_src/requirements.in",
    ):
        for line in (REPOSITORY / name).read_text().splitlines():
            text = line.split("#")[0].strip()
            assert not text or text.startswith("-") or "==" in text, f"{name}: {line}"


@pytest.mark.parametrize(("name", "least"), [("requirements.lock", 50), ("storefront/requirements.txt", 20)])
def test_a_lock_names_hashes_and_no_address(name: str, least: int) -> None:
    lines = (REPOSITORY / name).read_text().splitlines()
    packages = [number for number, line in enumerate(lines) if "==" in line and not line.startswith((" ", "#"))]
    assert len(packages) > least
    for number in packages:
        assert "--hash=sha256:" in lines[number + 1], lines[number]
    assert not [line for line in lines if "://" in line]


def test_the_bootstrap_pins_uv_by_the_lock(setup: Any) -> None:
    lines = setup.uv_requirement().splitlines()
    assert lines[0].startswith("uv==")
    assert len(lines) > 5
    assert all("--hash=sha256:" in line for line in lines[1:])
