"""StaffRoles: who may do what, and the boundary that no policy can cross."""

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk.assertions import Template

from brew_constructs.asset_bucket import AssetBucket
from brew_constructs.catalog_table import BY_CATEGORY, OPEN_ORDERS, CatalogTable
from brew_constructs.staff_roles import StaffRoles

ROLES = ("Barista", "Manager", "Auditor")


@pytest.fixture(scope="module")
def limited(synthesize_alone: Callable[..., Template]) -> Template:
    def build(stack: Stack) -> None:
        catalog = CatalogTable(stack, "CatalogTable")
        catalog.add_index(BY_CATEGORY)
        catalog.add_index(OPEN_ORDERS)
        StaffRoles(stack, "StaffRoles", catalog=catalog, assets=AssetBucket(stack, "AssetBucket")).limit()

    return synthesize_alone(build)


@pytest.fixture(scope="module")
def unlimited(synthesize_alone: Callable[..., Template]) -> Template:
    def build(stack: Stack) -> None:
        catalog = CatalogTable(stack, "CatalogTable")
        StaffRoles(stack, "StaffRoles", catalog=catalog, assets=AssetBucket(stack, "AssetBucket"))

    return synthesize_alone(build)


def role(template: Template, name: str) -> dict[str, Any]:
    found = template.find_resources("AWS::IAM::Role")
    return next(resource["Properties"] for id_, resource in found.items() if id_.startswith(f"StaffRoles{name}"))


def policy(template: Template, name: str) -> list[dict[str, Any]]:
    found = template.find_resources("AWS::IAM::Policy")
    return next(
        resource["Properties"]["PolicyDocument"]["Statement"]
        for id_, resource in found.items()
        if id_.startswith(f"StaffRoles{name}")
    )


def boundary(template: Template) -> list[dict[str, Any]]:
    found = template.find_resources("AWS::IAM::ManagedPolicy").values()
    return next(iter(found))["Properties"]["PolicyDocument"]["Statement"]


def allows(statements: list[dict[str, Any]], action: str, on: str, key: str | None = None) -> bool:
    """Whether a request is allowed: an action on a resource (the end of its ARN), naming a partition key or none."""
    return any(
        statement["Effect"] == "Allow"
        and action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
        and _covers(statement["Resource"], on)
        and _admits_key(statement.get("Condition"), key)
        for statement in statements
    )


def _covers(resource: Any, on: str) -> bool:
    if isinstance(resource, list):
        return any(_covers(entry, on) for entry in resource)
    if "Fn::GetAtt" in resource:
        return on == ("table" if resource["Fn::GetAtt"][0].startswith("CatalogTable") else "bucket")
    start, end = resource["Fn::Join"][1]
    return fnmatchcase(on, ("table" if "CatalogTable" in json.dumps(start) else "bucket") + end)


def _admits_key(condition: Any, key: str | None) -> bool:
    if condition is None:
        return True
    assert set(condition) == {"ForAllValues:StringLike", "Null"}
    if key is None or condition["Null"]["dynamodb:LeadingKeys"] == "true":
        return key is None and condition["Null"]["dynamodb:LeadingKeys"] == "true"
    return any(fnmatchcase(key, allowed) for allowed in condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"])


REQUESTS = [
    # action, on, key, who
    ("dynamodb:Query", "table/index/ByCategory", None, "Barista Manager Auditor"),
    ("dynamodb:GetItem", "table", "PRODUCT#espresso", "Barista Manager"),
    ("dynamodb:GetItem", "table", "MENU", "Barista Manager"),
    ("dynamodb:Query", "table/index/OpenOrders", None, "Barista Manager"),
    ("dynamodb:GetItem", "table", "ORDER#1", "Barista Manager"),
    ("dynamodb:UpdateItem", "table", "ORDER#1", "Barista Manager"),
    ("dynamodb:UpdateItem", "table", "PRODUCT#espresso", "Manager"),
    ("dynamodb:PutItem", "table", "PRODUCT#mocha", "Manager"),
    ("dynamodb:PutItem", "table", "MENU", "Manager"),
    ("dynamodb:PutItem", "table", "ORDER#1", ""),
    ("dynamodb:DeleteItem", "table", "PRODUCT#espresso", ""),
    ("dynamodb:GetItem", "table", "CUSTOMER#1", ""),
    ("dynamodb:GetItem", "table", "SESSION#1", ""),
    ("dynamodb:GetItem", "table", "EMAIL#a@example.com", ""),
    ("dynamodb:GetItem", "table", None, ""),
    ("dynamodb:Query", "table", "CUSTOMER#1", ""),
    ("dynamodb:Scan", "table", None, ""),
    ("dynamodb:DescribeTable", "table", None, "Auditor"),
    ("dynamodb:DescribeContinuousBackups", "table", None, "Auditor"),
    ("dynamodb:DescribeTimeToLive", "table", None, "Auditor"),
    ("dynamodb:ListTagsOfResource", "table", None, "Auditor"),
    ("dynamodb:DeleteTable", "table", None, ""),
    ("s3:GetObject", "bucket/media/menu/espresso.webp", None, "Barista Manager"),
    ("s3:PutObject", "bucket/media/menu/espresso.webp", None, "Manager"),
    ("s3:PutObject", "bucket/media/uploads/new.webp", None, "Manager"),
    ("s3:PutObject", "bucket/reports/sales.csv", None, ""),
    ("s3:GetObject", "bucket/reports/sales.csv", None, ""),
    ("s3:GetBucketPolicy", "bucket", None, "Auditor"),
    ("s3:GetBucketPublicAccessBlock", "bucket", None, "Auditor"),
    ("s3:GetBucketVersioning", "bucket", None, "Auditor"),
    ("s3:GetEncryptionConfiguration", "bucket", None, "Auditor"),
    ("s3:GetLifecycleConfiguration", "bucket", None, "Auditor"),
    ("s3:ListBucket", "bucket", None, "Auditor"),
    ("s3:PutBucketPolicy", "bucket", None, ""),
]


@pytest.mark.parametrize(("action", "on", "key", "who"), REQUESTS)
def test_each_role_may_do_its_work_and_no_more(
    limited: Template, action: str, on: str, key: str | None, who: str
) -> None:
    allowed = [name for name in ROLES if allows(policy(limited, name), action, on, key)]
    assert allowed == who.split()


@pytest.mark.parametrize(("action", "on", "key", "who"), REQUESTS)
def test_the_boundary_admits_what_some_role_needs(
    limited: Template, action: str, on: str, key: str | None, who: str
) -> None:
    if who:
        assert allows(boundary(limited), action, on, key)


@pytest.mark.parametrize(
    ("action", "on", "key"),
    [
        ("dynamodb:DeleteTable", "table", None),
        ("dynamodb:Scan", "table", None),
        ("dynamodb:DeleteItem", "table", "PRODUCT#espresso"),
        ("dynamodb:GetItem", "table", "CUSTOMER#1"),
        ("dynamodb:GetItem", "table", None),
        ("s3:PutBucketPolicy", "bucket", None),
        ("s3:GetObject", "bucket/reports/sales.csv", None),
    ],
)
def test_the_boundary_stops_what_no_role_should_ever_do(
    limited: Template, action: str, on: str, key: str | None
) -> None:
    assert not allows(boundary(limited), action, on, key)


@pytest.mark.parametrize("name", ROLES)
def test_the_boundary_is_put_around_every_role_by_limit_alone(
    limited: Template, unlimited: Template, name: str
) -> None:
    assert role(limited, name)["PermissionsBoundary"]["Ref"].startswith("StaffRolesBoundary")
    assert "PermissionsBoundary" not in role(unlimited, name)
    unlimited.resource_count_is("AWS::IAM::ManagedPolicy", 0)


@pytest.mark.parametrize("name", ROLES)
def test_a_role_is_assumed_from_its_own_account_for_an_hour(limited: Template, name: str) -> None:
    properties = role(limited, name)
    assert properties["MaxSessionDuration"] == 3600
    assert properties["AssumeRolePolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}
    ]


def test_there_are_no_users_and_no_keys(limited: Template) -> None:
    limited.resource_count_is("AWS::IAM::User", 0)
    limited.resource_count_is("AWS::IAM::AccessKey", 0)
