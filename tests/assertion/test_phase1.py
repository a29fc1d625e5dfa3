"""Phase 1 as a stack: what a student sees of it, and what each context switch changes."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brewhaven.mutate.references import all_needed, needs

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
    (usual,) = _properties(template(STACK), "AWS::ApplicationAutoScaling::ScalableTarget")
    assert usual["MinCapacity"] == 1
    assert properties["AWS::DynamoDB::GlobalTable"]["BillingMode"] == "PROVISIONED"


def _properties(template: dict[str, Any], kind: str, part: str = "") -> list[dict[str, Any]]:
    """The properties of the resources of a type whose ids contain `part`."""
    found = template["Resources"].items()
    return [one["Properties"] for name, one in found if one["Type"] == kind and part in name]


def test_every_function_writes_to_a_log_group_of_the_stack(template: Callable[..., dict[str, Any]]) -> None:
    """A function without one makes its own, which outlives the stack."""
    resources = template(STACK)["Resources"]
    functions = {name: one for name, one in resources.items() if one["Type"] == "AWS::Lambda::Function"}
    assert len(functions) == 6
    for name, function in functions.items():
        group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        assert resources[group]["DeletionPolicy"] == "Delete", name
        assert resources[group]["Properties"]["RetentionInDays"] == 7, name
        assert group.startswith(_log_group_of(name))


def _log_group_of(function: str) -> str:
    ours = {"CatalogTableMenuSeeder": "CatalogTableMenuSeederLogs", "CustomCDKBucketDeployment": "AssetBucketPictures"}
    return next((group for name, group in ours.items() if function.startswith(name)), "CdkHelperLogs")


@pytest.mark.parametrize("policy", ["DeletionPolicy", "UpdateReplacePolicy"])
def test_nothing_is_kept_when_the_stack_goes_or_a_resource_is_replaced(
    template: Callable[..., dict[str, Any]], policy: str
) -> None:
    kept = [name for name, one in template(STACK)["Resources"].items() if one.get(policy, "Delete") != "Delete"]
    assert kept == []


WHO_BECOMES_WHOM = {
    "CatalogTableMenuSeederRole": {"Service": "lambda.amazonaws.com"},
    "StaffRolesBarista": {"AWS": "arn:aws:iam::111122223333:root"},
    "StaffRolesManager": {"AWS": "arn:aws:iam::111122223333:root"},
    "StaffRolesAuditor": {"AWS": "arn:aws:iam::111122223333:root"},
    "StorefrontInstanceRole": {"Service": "ec2.amazonaws.com"},
    "StorefrontTaskTaskRole": {"Service": "ecs-tasks.amazonaws.com"},
    "StorefrontTaskExecutionRole": {"Service": "ecs-tasks.amazonaws.com"},
}


@pytest.mark.parametrize("role", WHO_BECOMES_WHOM)
def test_a_role_is_assumed_by_the_one_that_works_with_it(template: Callable[..., dict[str, Any]], role: str) -> None:
    (found,) = _properties(template(STACK), "AWS::IAM::Role", role)
    assert found["AssumeRolePolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": WHO_BECOMES_WHOM[role]}
    ]


def test_every_policy_belongs_to_the_role_that_it_was_written_for(template: Callable[..., dict[str, Any]]) -> None:
    policies = {name: one for name, one in template(STACK)["Resources"].items() if one["Type"] == "AWS::IAM::Policy"}
    assert len(policies) >= 7
    for name, policy in policies.items():
        (role,) = [entry["Ref"] for entry in policy["Properties"]["Roles"]]
        owner, _, _ = name.partition("DefaultPolicy")
        expected = "BucketNotificationsHandler" if owner == name else owner
        assert role.startswith(expected), f"{name} is attached to {role}"


@pytest.mark.parametrize(
    ("later", "earlier", "why"),
    [
        ("CatalogTableMenuSeederFunction", "CatalogTableMenuSeederRoleDefaultPolicy", "it is called at once"),
        ("StorefrontInstance", "StorefrontInstanceRoleDefaultPolicy", "its first start fetches the code"),
        ("StorefrontInstance", "ShopNetworkVpcPublicSubnet1DefaultRoute", "and installs packages"),
        ("StorefrontInstance", "ShopNetworkVpcPublicSubnet1RouteTableAssociation", "by this way"),
        ("StorefrontService", "StorefrontTaskTaskRoleDefaultPolicy", "a task is not ready without its rights"),
        ("StorefrontService", "StorefrontLoadBalancerHttp", "ECS refuses a target group without a listener"),
        ("StorefrontLoadBalancer", "ShopNetworkVpcPublicSubnet1DefaultRoute", "one that faces the internet"),
        ("StorefrontLoadBalancer", "ShopNetworkVpcPublicSubnet2DefaultRoute", "needs a way there in both zones"),
        ("StorefrontLoadBalancer", "ShopNetworkVpcPublicSubnet1RouteTableAssociation", "of which this is a part"),
        ("StorefrontLoadBalancer", "ShopNetworkVpcPublicSubnet2RouteTableAssociation", "and this"),
        ("ShopNetworkVpcPublicSubnet1DefaultRoute", "ShopNetworkVpcVPCGW", "a gateway must be attached first"),
        ("ShopNetworkVpcPublicSubnet2DefaultRoute", "ShopNetworkVpcVPCGW", "a gateway must be attached first"),
        (
            "AssetBucketAutoDeleteObjectsCustomResource",
            "AssetBucketPolicy",
            "it is emptied before the right to do so goes",
        ),
        ("AssetBucketNotifications", "AssetBucketNotificationsHandlerPolicy", "it is called at once"),
        ("AssetBucketNotifications", "AssetBucketPolicy", "S3 refuses two changes of a bucket at a time"),
    ],
)
def test_nothing_is_made_before_what_it_needs_at_once(
    template: Callable[..., dict[str, Any]], later: str, earlier: str, why: str
) -> None:
    """CloudFormation makes resources at the same time unless one refers to the other or depends on it."""
    resources = template(STACK)["Resources"]
    (first,) = [name for name in resources if name[:-8] == later]  # an id ends with eight digits of a hash
    assert earlier in {name[:-8] for name in all_needed(resources, needs(resources[first]))}, why


def test_the_shop_reads_its_configuration_from_the_same_place_wherever_it_runs(
    template: Callable[..., dict[str, Any]],
) -> None:
    built = template(STACK)
    right = {
        "Effect": "Allow",
        "Action": "ssm:GetParameter",
        "Resource": "arn:aws:ssm:us-east-1:111122223333:parameter/brew-haven/storefront/config",
    }
    for role in ("StorefrontInstanceRole", "StorefrontTaskTaskRole"):
        (policy,) = _properties(built, "AWS::IAM::Policy", role)
        assert right in policy["PolicyDocument"]["Statement"]
    (task,) = _properties(built, "AWS::ECS::TaskDefinition")
    variables = {one["Name"]: one["Value"] for one in task["ContainerDefinitions"][0]["Environment"]}
    assert variables["SHOP_CONFIG_PARAMETER"] == "/brew-haven/storefront/config"
    (namespace,) = _properties(built, "AWS::ServiceDiscovery::PrivateDnsNamespace")
    assert namespace["Name"] == "brew-haven.internal"


def test_what_the_tasks_write_is_where_the_stack_says(template: Callable[..., dict[str, Any]]) -> None:
    built = template(STACK)
    group = built["Outputs"]["StorefrontLogGroupName"]["Value"]["Ref"]
    (task,) = _properties(built, "AWS::ECS::TaskDefinition")
    assert task["ContainerDefinitions"][0]["LogConfiguration"]["Options"]["awslogs-group"] == {"Ref": group}
    (policy,) = _properties(built, "AWS::IAM::Policy", "StorefrontTaskExecutionRole")
    writes = {"Fn::GetAtt": [group, "Arn"]}
    assert writes in [statement["Resource"] for statement in policy["PolicyDocument"]["Statement"]]


VALUES = {
    "CatalogTableName": ("CatalogTable", ""),
    "AssetBucketName": ("AssetBucket", ""),
    "BaristaRoleArn": ("StaffRolesBarista", ".Arn"),
    "ManagerRoleArn": ("StaffRolesManager", ".Arn"),
    "AuditorRoleArn": ("StaffRolesAuditor", ".Arn"),
    "InstanceId": ("StorefrontInstance", ""),
    "InstanceUrl": ("StorefrontInstance", ".PublicIp"),
    "ShopUrl": ("StorefrontLoadBalancer", ".DNSName"),
    "StorefrontClusterName": ("StorefrontCluster", ""),
    "StorefrontServiceName": ("StorefrontService", ".Name"),
    "StorefrontLogGroupName": ("StorefrontLogs", ""),
    "StaffBoundaryArn": ("StaffRolesBoundary", ""),
}


@pytest.mark.parametrize("name", VALUES)
def test_an_output_leads_where_its_name_says(template: Callable[..., dict[str, Any]], name: str) -> None:
    resource, attribute = VALUES[name]
    text = _as_text(template(STACK)["Outputs"][name]["Value"])
    around = {"InstanceUrl": ("http://", ":8080"), "ShopUrl": ("http://", "")}.get(name, ("", ""))
    assert re.fullmatch(rf"{around[0]}<{resource}[0-9A-F]{{8}}{re.escape(attribute)}>{around[1]}", text)


def _as_text(value: Any) -> str:
    """A value as one line, with a reference as `<resource>` or `<resource.attribute>`."""
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return f"<{value['Ref']}>"
    if "Fn::GetAtt" in value:
        return f"<{'.'.join(value['Fn::GetAtt'])}>"
    return "".join(_as_text(part) for part in value["Fn::Join"][1])


def test_the_account_and_the_region_are_explicit_and_nothing_was_looked_up(assembly: Callable[..., Path]) -> None:
    manifest = json.loads((assembly() / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["artifacts"][STACK]["environment"] == "aws://111122223333/us-east-1"
    assert "missing" not in manifest
