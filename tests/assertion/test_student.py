"""A class shares an account: what one student deploys never has the name of what another does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

INSIDE_ANOTHER = {"AWS::IAM::Policy", "AWS::ServiceDiscovery::Service"}
"""Types whose names live inside another resource, a role or a namespace."""


def names_of(template: dict[str, Any]) -> set[str]:
    """The names that resources have in the account, as far as the template chooses them."""
    return {
        value
        for resource in template["Resources"].values()
        if resource["Type"].startswith("AWS::") and resource["Type"] not in INSIDE_ANOTHER
        for key, value in resource.get("Properties", {}).items()
        if (key in {"Name", "Family"} or key.endswith("Name")) and isinstance(value, str)
    }


def test_two_students_share_no_name(template: Callable[..., dict[str, Any]]) -> None:
    first = names_of(template("s01-BrewHaven-Phase1-Foundation", student="s01"))
    second = names_of(template("s02-BrewHaven-Phase1-Foundation", student="s02"))
    assert len(first) >= 3, f"something is named, or this test tests nothing: {first}"
    assert first & second == set()


def test_a_student_has_parameters_and_a_namespace_of_their_own(template: Callable[..., dict[str, Any]]) -> None:
    text = json.dumps(template("s01-BrewHaven-Phase1-Foundation", student="s01"))
    assert "parameter/brew-haven/s01/storefront/config" in text
    assert "parameter/brew-haven/storefront/config" not in text
    assert '"s01-brew-haven.internal"' in text


def test_a_student_gets_the_same_resources(template: Callable[..., dict[str, Any]]) -> None:
    def kinds(stack: str, **switches: str) -> list[str]:
        return sorted(resource["Type"] for resource in template(stack, **switches)["Resources"].values())

    plain = kinds("BrewHaven-Phase1-Foundation")
    assert kinds("s01-BrewHaven-Phase1-Foundation", student="s01") == plain


def test_the_student_is_a_tag_of_the_stack(assembly: Callable[..., Path]) -> None:
    manifest = json.loads((assembly(student="s01") / "manifest.json").read_text(encoding="utf-8"))
    stack = manifest["artifacts"]["s01-BrewHaven-Phase1-Foundation"]["properties"]
    assert stack["tags"] == {"Project": "brew-haven", "Phase": "1", "Student": "s01"}


def test_nothing_is_exported_under_a_name(template: Callable[..., dict[str, Any]]) -> None:
    assert all("Export" not in output for output in template("BrewHaven-Phase1-Foundation")["Outputs"].values())
