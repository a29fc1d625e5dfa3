"""A test that is wrong, with any template."""

from collections.abc import Callable
from typing import Any


def test_the_key_is_short(template: Callable[..., dict[str, Any]]) -> None:
    assert not callable(template)
