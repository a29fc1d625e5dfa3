"""The same with the assertion that was missing."""

from collections.abc import Callable
from typing import Any

from tests.unit.mutate.sample.unguarded import secret


def test_the_key_is_long(template: Callable[..., dict[str, Any]]) -> None:
    assert secret(template)["GenerateSecretString"]["PasswordLength"] == 64
