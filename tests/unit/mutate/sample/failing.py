"""A test that is wrong about phase 1."""

from collections.abc import Callable
from typing import Any

from tests.unit.mutate.sample.unguarded import secret


def test_the_key_is_short(template: Callable[..., dict[str, Any]]) -> None:
    assert secret(template)["GenerateSecretString"]["PasswordLength"] == 8
