"""A class shares an account: what one student deploys never has the name of what another does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stacks.phase_stack import PhaseStack
from tests.phases import PHASES, name_of

INSIDE_ANOTHER = {"AWS::IAM::Policy", "AWS::ServiceDiscovery::Service"}
"""Types whose names live inside another resource, a role or a namespace."""
NAMES = {"Name", "Family", "DBInstanceIdentifier", "UserId", "UserGroupId"}
NO_NAMES = {
    ("AWS::RDS::DBInstance", "DBName"),  # a database inside the instance
    ("AWS::ElastiCache::User", "UserName"),  # known to one cache alone
    ("AWS::EC2::VPCEndpoint", "ServiceName"),  # a service of AWS
    ("AWS::SNS::Topic", "DisplayName"),  # what a mail's sender is called
    ("AWS::CloudWatch::Alarm", "MetricName"),
    ("AWS::RDS::DBParameterGroup", "Family"),
}


def names_of(template: dict[str, Any]) -> set[str]:
    """The names that resources have in the account, as far as the template chooses them."""
    return {
        value
        for resource in template["Resources"].values()
        if resource["Type"].startswith("AWS::") and resource["Type"] not in INSIDE_ANOTHER
        for key, value in resource.get("Properties", {}).items()
        if (key in NAMES or key.endswith("Name")) and isinstance(value, str) and (resource["Type"], key) not in NO_NAMES
    }


@pytest.mark.parametrize("phase", PHASES, ids=name_of)
def test_two_students_share_no_name(template: Callable[..., dict[str, Any]], phase: type[PhaseStack]) -> None:
    first, second = (
        names_of(template(name_of(phase, student), phase=str(phase.phase), student=student))
        for student in ("s01", "s02")
    )
    assert len(first) >= 3, f"something is named, or this test tests nothing: {first}"
    assert first & second == set()


def test_a_student_has_parameters_and_a_namespace_of_their_own(template: Callable[..., dict[str, Any]]) -> None:
    text = json.dumps(template("s01-BrewHaven-Phase1-Foundation", student="s01"))
    assert "parameter/brew-haven/s01/storefront/config" in text
    assert "parameter/brew-haven/storefront/config" not in text
    assert '"s01-brew-haven.internal"' in text


@pytest.mark.parametrize("phase", PHASES, ids=name_of)
def test_a_student_gets_the_same_resources(template: Callable[..., dict[str, Any]], phase: type[PhaseStack]) -> None:
    def kinds(stack: str, **switches: str) -> list[str]:
        resources = template(stack, phase=str(phase.phase), **switches)["Resources"]
        return sorted(resource["Type"] for resource in resources.values())

    assert kinds(name_of(phase, "s01"), student="s01") == kinds(name_of(phase))


def test_the_student_is_a_tag_of_the_stack(assembly: Callable[..., Path]) -> None:
    manifest = json.loads((assembly(student="s01") / "manifest.json").read_text(encoding="utf-8"))
    stack = manifest["artifacts"]["s01-BrewHaven-Phase1-Foundation"]["properties"]
    assert stack["tags"] == {"Project": "brew-haven", "Phase": "1", "Student": "s01"}


def test_nothing_is_exported_under_a_name(template: Callable[..., dict[str, Any]]) -> None:
    assert all("Export" not in output for output in template("BrewHaven-Phase1-Foundation")["Outputs"].values())
