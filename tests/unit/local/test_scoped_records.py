"""The emulator's records can be read while others are written (resources/scoped_records.py)."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from ministack.core import responses

from brewhaven.local.resources.scoped_records import records_are_read_while_others_write

KINDS = [responses.AccountScopedDict, responses.AccountRegionScopedDict]
RECORDS = 2_000


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def store(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Records into which something is written whenever the garbage collector runs, as another thread does."""
    found, numbers = request.param(), count(RECORDS)
    for number in range(RECORDS):
        found[str(number)] = {"number": number}

    def write(phase: str, _info: Any) -> None:
        if phase == "start":
            found[str(next(numbers))] = {}

    before = gc.get_threshold()
    gc.callbacks.append(write)
    gc.set_threshold(5)
    try:
        yield found
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(write)


def test_records_that_are_written_meanwhile_disturb_no_reader(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        for name in ("items", "values"):
            monkeypatch.setattr(kind, name, getattr(kind, name))  # as it was, afterwards
    with pytest.raises(RuntimeError, match="changed size"):
        store.items()
    records_are_read_while_others_write()
    assert len(store.items()) >= RECORDS
    assert len(store.values()) >= RECORDS
