"""Tests of phase 1 that leave something open: the cookie key is generated, and nobody says how long it is."""

from collections.abc import Callable
from typing import Any


def secret(template: Callable[..., dict[str, Any]]) -> Any:
    resources = template("BrewHaven-Phase1-Foundation")["Resources"].values()
    (found,) = [one["Properties"] for one in resources if one["Type"] == "AWS::SecretsManager::Secret"]
    return found


def test_the_key_is_generated(template: Callable[..., dict[str, Any]]) -> None:
    assert "GenerateSecretString" in secret(template)
