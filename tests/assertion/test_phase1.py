"""Phase 1 as a stack: what a student sees of it, and what each context switch changes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

STACK = "BrewHaven-Phase1-Foundation"

OUTPUTS = {
    "1.1": {"CatalogTableName"},
    "1.3": {"AssetBucketName"},
    "1.4": {"BaristaRoleArn", "ManagerRoleArn", "AuditorRoleArn"},
    "1.5": {"InstanceId", "InstanceUrl"},
    "1.6": {"ShopUrl", "StorefrontClusterName", "StorefrontServiceName", "StorefrontLogGroupName"},
    "1.7": {"StaffBoundaryArn"},
}


def kinds(template: dict[str, Any]) -> set[str]:
    return {resource["Type"] for resource in template["Resources"].values()}


@pytest.mark.parametrize("lesson", ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7"])
def test_each_lesson_publishes_what_it_made(template: Callable[..., dict[str, Any]], lesson: str) -> None:
    expected = set().union(*(names for since, names in OUTPUTS.items() if since <= lesson))
    assert template(STACK, lesson=lesson)["Outputs"].keys() == expected


def test_without_an_image_builder_the_shop_is_on_ec2_alone(template: Callable[..., dict[str, Any]]) -> None:
    built = template(STACK, storefront="ec2")
    assert built["Description"] == f"{template(STACK)['Description']} (storefront=ec2)", "the checks read it there"
    found = kinds(built)
    assert "AWS::EC2::Instance" in found
    assert not {kind for kind in found if kind.startswith(("AWS::ECS", "AWS::ElasticLoadBalancing"))}


def test_without_an_image_builder_there_is_no_image(assembly: Callable[..., Path]) -> None:
    manifest = json.loads((assembly(storefront="ec2") / f"{STACK}.assets.json").read_text(encoding="utf-8"))
    assert not manifest.get("dockerImages")


def test_by_default_nobody_but_this_machine_is_admitted(template: Callable[..., dict[str, Any]]) -> None:
    assert _admitted(template(STACK)) == {"127.0.0.1/32"}
    assert _admitted(template(STACK, allowed_cidr="203.0.113.0/24")) == {"203.0.113.0/24"}


def _admitted(template: dict[str, Any]) -> set[str]:
    groups = [one for one in template["Resources"].values() if one["Type"] == "AWS::EC2::SecurityGroup"]
    return {rule["CidrIp"] for group in groups for rule in group["Properties"].get("SecurityGroupIngress", [])}


def test_opening_the_shop_to_everybody_is_warned_about(assembly: Callable[..., Path]) -> None:
    assert "opens the shop to the whole internet" in _messages(assembly(allowed_cidr="0.0.0.0/0"))
    assert "opens the shop to the whole internet" not in _messages(assembly())


def _messages(directory: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in directory.glob("*metadata.json")) + (
        directory / "manifest.json"
    ).read_text(encoding="utf-8")


def test_the_number_of_tasks_and_the_capacity_are_switches(template: Callable[..., dict[str, Any]]) -> None:
    resources = template(STACK, storefront_tasks="3", catalog_capacity="provisioned")["Resources"].values()
    properties = {resource["Type"]: resource.get("Properties", {}) for resource in resources}
    assert properties["AWS::ApplicationAutoScaling::ScalableTarget"]["MinCapacity"] == 3
    assert properties["AWS::DynamoDB::GlobalTable"]["BillingMode"] == "PROVISIONED"


def test_every_function_writes_to_a_log_group_of_the_stack(template: Callable[..., dict[str, Any]]) -> None:
    """A function without one makes its own, which outlives the stack."""
    resources = template(STACK)["Resources"]
    functions = {name: one for name, one in resources.items() if one["Type"] == "AWS::Lambda::Function"}
    assert len(functions) == 6
    for name, function in functions.items():
        group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        assert resources[group]["DeletionPolicy"] == "Delete", name
        assert resources[group]["Properties"]["RetentionInDays"] == 7, name


def test_nothing_is_kept_when_the_stack_goes(template: Callable[..., dict[str, Any]]) -> None:
    kept = [
        name for name, one in template(STACK)["Resources"].items() if one.get("DeletionPolicy", "Delete") != "Delete"
    ]
    assert kept == []


def test_the_account_and_the_region_are_explicit_and_nothing_was_looked_up(assembly: Callable[..., Path]) -> None:
    manifest = json.loads((assembly() / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["artifacts"][STACK]["environment"] == "aws://111122223333/us-east-1"
    assert "missing" not in manifest
