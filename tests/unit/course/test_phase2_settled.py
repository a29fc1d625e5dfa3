"""The cache's checks wait as long as the shop itself does before it reads what it keeps in the cache."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from phases.phase2_orders import probes
from shop.adapters.valkey_store import SETTLED


def written(ago: timedelta) -> Any:
    """A deployment whose parameter was written so long ago."""
    answer = {"Parameter": {"LastModifiedDate": datetime.now(UTC) - ago}}
    client = SimpleNamespace(get_parameter=lambda Name: answer)  # noqa: N803
    return SimpleNamespace(outputs={"ShopConfigParameter": "/shop"}, client=lambda service: client)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(probes.time, "sleep", found.append)
    return found


def test_a_parameter_that_was_just_written_is_waited_for(slept: list[float]) -> None:
    probes.until_settled(written(timedelta(seconds=6)))
    assert sum(slept) + 6 > SETTLED.total_seconds()
    assert sum(slept) == pytest.approx(probes.SETTLED_SECONDS - 6, abs=0.5)


def test_an_old_one_is_not(slept: list[float]) -> None:
    probes.until_settled(written(SETTLED * 2))
    assert sum(slept) == 0
