"""When the local cloud's state is saved (brewhaven/local/checkpoints.py)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ministack
import pytest
from ministack.core import persistence

from brewhaven.local.checkpoints import Checkpoints, State
from tests.plugins.loops import in_a_loop_of_its_own


def _saved(checkpoints: Checkpoints, now: float) -> None:
    checkpoints._saved_since_change += 1
    checkpoints._saved_at = now


def test_nothing_is_saved_before_anything_has_changed() -> None:
    assert not Checkpoints().is_due(10_000.0)


def test_a_change_is_saved_after_a_quiet_second_and_twice_more_for_what_it_began() -> None:
    checkpoints = Checkpoints()
    checkpoints._saved_at = 100.0
    checkpoints.note_change(100.0)
    assert not checkpoints.is_due(100.9)
    assert checkpoints.is_due(101.0)
    _saved(checkpoints, 101.0)
    assert not checkpoints.is_due(104.9)
    assert checkpoints.is_due(105.0)
    _saved(checkpoints, 105.0)
    assert checkpoints.is_due(115.0)
    _saved(checkpoints, 115.0)
    assert not checkpoints.is_due(10_000.0)


def test_steady_load_is_saved_every_fifteen_seconds() -> None:
    checkpoints = Checkpoints()
    checkpoints._saved_at = 100.0
    for second in range(100, 115):
        checkpoints.note_change(float(second))
        assert not checkpoints.is_due(second + 0.5)
    checkpoints.note_change(115.0)
    assert checkpoints.is_due(115.1)


def test_bytes_are_aside_until_the_state_is_written() -> None:
    package = bytes(range(256)) * 100
    state = State.of({"code": package, "again": package, "name": "Worker"})
    assert len(state.text) < 300
    assert list(state.contents.values()) == [package]
    assert State.of({"code": bytes(package), "again": package, "name": "Worker"}).text == state.text
    assert State.of({"code": package[1:], "again": package, "name": "Worker"}).text != state.text


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The state of a service that is saved to a folder of its own."""
    state: dict[str, Any] = {"code": b"\x00\xff", "text": "caf\u00e9", "numbers": [1, 2]}
    monkeypatch.setattr(persistence, "STATE_DIR", str(tmp_path))
    monkeypatch.setattr(persistence, "PERSIST_STATE", True)
    app = SimpleNamespace(_build_persistence_save_dict=lambda: {"tea": lambda: state})
    monkeypatch.setattr(ministack, "app", app, raising=False)  # the real one reads its environment while imported
    return state


def test_what_is_saved_is_what_the_emulator_loads(service: dict[str, Any]) -> None:
    in_a_loop_of_its_own(Checkpoints().save())
    assert persistence.load_state("tea") == service


def test_what_has_not_changed_is_not_written_again(service: dict[str, Any], tmp_path: Path) -> None:
    checkpoints, file = Checkpoints(), tmp_path / "tea.json"
    in_a_loop_of_its_own(checkpoints.save())
    first = file.stat().st_ino
    in_a_loop_of_its_own(checkpoints.save())
    assert file.stat().st_ino == first
    service["code"] += b"\x01"
    in_a_loop_of_its_own(checkpoints.save())
    assert file.stat().st_ino != first
    file.unlink()  # as a reset does
    in_a_loop_of_its_own(checkpoints.save())
    assert file.exists()
