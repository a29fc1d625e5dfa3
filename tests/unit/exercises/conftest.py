"""One warm process for all tests of exercises, and a workspace of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from brewhaven.exercises import workspace
from brewhaven.exercises.workshop import Workshop


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    with Workshop(patience=8) as shop:
        shop.warm_up()
        yield shop


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the student's work nor the student's progress is touched."""
    monkeypatch.setenv(workspace.FOLDER, str(tmp_path / "workspace"))
    monkeypatch.setenv("BREWHAVEN_HOME", str(tmp_path / "home"))
