"""One warm process that judges exercises, for all tests of a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from brewhaven.exercises.workshop import Workshop


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    """Nothing of the student's is touched: what it judges is given to it."""
    with Workshop(patience=8) as shop:
        shop.warm_up()
        yield shop
