"""A workspace of their own for all tests of exercises."""

from __future__ import annotations

from pathlib import Path

import pytest

from brewhaven.exercises import workspace


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the student's work nor the student's progress is touched."""
    monkeypatch.setenv(workspace.FOLDER, str(tmp_path / "workspace"))
    monkeypatch.setenv("BREWHAVEN_HOME", str(tmp_path / "home"))
