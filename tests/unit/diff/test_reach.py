"""What a comparison says about paths through the network (facts/reach.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brewhaven.diff.facts.reach import UNREACHED
from brewhaven.diff.model import Comparison, FactChange
from brewhaven.diff.story import tell
from tests.unit.reach.networks import DOOR, function, interface_endpoint, network, role, tasks

READER = role((["secretsmanager:GetSecretValue"], "*"))


def about_reach(comparison: Comparison) -> list[FactChange]:
    found = comparison.about("network")
    return [change for change in found if change.fact.subject[0] in {"reach", "no path"}]


def test_one_sentence_says_what_something_reaches_and_how(difference: Callable[..., Comparison]) -> None:
    after = {**network(), "Role": READER, **tasks("Public", public=True)}
    [change] = about_reach(difference(network(), after))
    assert change.kind == "added"
    assert change.fact.text == (
        "Each task of the Shop service reaches ecr.api, ecr.dkr, s3, logs and secretsmanager through the Igw internet "
        "gateway."
    )


def test_a_new_way_is_one_change(difference: Callable[..., Comparison]) -> None:
    before = {**network(), "Role": READER, **tasks("Public", public=True)}
    endpoint: dict[str, Any] = {"Door": DOOR, "Endpoint": interface_endpoint("secretsmanager")}
    [change] = about_reach(difference(before, {**before, **endpoint}))
    assert change.kind == "changed"
    assert change.fact.value.endswith("; secretsmanager through the interface endpoint secretsmanagerEndpoint")


def test_a_path_that_is_missing_is_looked_at_twice(difference: Callable[..., Comparison]) -> None:
    after = {**network(), "Role": READER, "Worker": function("Isolated")}
    comparison = difference(network(), after)
    [change] = about_reach(comparison)
    assert change.fact.warning == UNREACHED
    assert "the VPC has no interface endpoint for it" in change.fact.text
    assert change.fact.text in [item.text for item in tell(comparison).care]
    [gone] = about_reach(difference(after, {**after, "Worker": function()}))
    assert gone.kind == "removed"
