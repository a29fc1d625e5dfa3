"""When the local cloud's state is saved (brewhaven/local/checkpoints.py)."""

from __future__ import annotations

from brewhaven.local.checkpoints import Checkpoints


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
