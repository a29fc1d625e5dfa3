"""Policies read as sentences: who gained and lost what, on which, under which condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from brewhaven.diff.model import Comparison
from tests.unit.diff.sides import resource

Difference = Callable[[Any, Any], Comparison]
TABLE_ARN = {"Fn::GetAtt": ["Table", "Arn"]}
INDEXES = {"Fn::Join": ["", [TABLE_ARN, "/index/*"]]}
BUCKET_ARN = {"Fn::GetAtt": ["Bucket", "Arn"]}
LAMBDA_TRUST = {
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]
}


def world(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A function with a role, whose policy has these statements, and a table and a bucket to use."""
    return {
        "Table": resource("AWS::DynamoDB::Table", "CatalogTable/Table"),
        "Bucket": resource("AWS::S3::Bucket", "AssetBucket/Bucket"),
        "Role": resource("AWS::IAM::Role", "Menu/Function/ServiceRole", {"AssumeRolePolicyDocument": LAMBDA_TRUST}),
        "Function": resource("AWS::Lambda::Function", "Menu/Function", {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}),
        "Policy": resource(
            "AWS::IAM::Policy",
            "Menu/Function/ServiceRole/DefaultPolicy",
            {"PolicyDocument": {"Statement": list(statements)}, "Roles": [{"Ref": "Role"}]},
        ),
        **more,
    }


def allow(action: Any, on: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": on, **more}


def sentences(found: Comparison, *topics: Any) -> list[tuple[str, str]]:
    return [(change.kind, change.fact.text) for change in found.about(*(topics or ("access",)))]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            allow(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"], [TABLE_ARN, INDEXES]),
            "The Menu function may read, query and put items of CatalogTable and its indexes.",
        ),
        (
            allow("dynamodb:Query", {"Fn::Join": ["", [TABLE_ARN, "/index/OpenOrders"]]}),
            "The Menu function may query items of the index OpenOrders of CatalogTable.",
        ),
        (
            allow(["s3:GetObject*", "s3:List*"], [BUCKET_ARN, {"Fn::Join": ["", [BUCKET_ARN, "/media/*"]]}]),
            "The Menu function may read and list objects of AssetBucket under media/.",
        ),
        (
            allow("ssm:GetParameter", "arn:aws:ssm:us-east-1:111122223333:parameter/brew-haven/config"),
            "The Menu function may read the parameter /brew-haven/config.",
        ),
        (allow("*", "*"), "The Menu function may do anything with anything."),
        (allow("dynamodb:*", TABLE_ARN), "The Menu function may do anything with CatalogTable."),
        (
            allow(["dynamodb:UpdateItem", "dynamodb:DescribeTable"], {"Fn::Sub": "${Table.Arn}"}),
            "The Menu function may update items of CatalogTable, and look at its settings.",
        ),
        (
            allow("appconfig:GetLatestConfiguration", TABLE_ARN),
            "The Menu function may get latest configuration (appconfig) on CatalogTable.",
        ),
    ],
)
def test_a_new_permission_is_a_sentence(difference: Difference, statement: dict[str, Any], words: str) -> None:
    assert sentences(difference(world(), world(statement))) == [("added", words)]


def test_only_what_is_lost_is_said_to_be_lost(difference: Difference) -> None:
    before = allow(["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"], TABLE_ARN)
    found = difference(world(before), world(allow("dynamodb:GetItem", TABLE_ARN)))
    assert sentences(found) == [("removed", "The Menu function may put and delete items of CatalogTable.")]


def test_statements_that_are_only_arranged_otherwise_do_not_differ(difference: Difference) -> None:
    split = [allow("dynamodb:GetItem", TABLE_ARN), allow("dynamodb:Query", TABLE_ARN)]
    found = difference(world(*split), world(allow(["dynamodb:Query", "dynamodb:GetItem"], [TABLE_ARN])))
    assert sentences(found) == []
    assert [change.resource.logical_id for change in found.resources] == ["Policy"]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (
            {
                "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["ORDER#*"]},
                "Null": {"dynamodb:LeadingKeys": "false"},
            },
            "(only items whose partition key is ORDER#…)",
        ),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, "(only with a second factor)"),
        ({"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}, "(only not the region us-east-1)"),
        ({"NumericLessThan": {"s3:max-keys": "10"}}, "(only if s3:max-keys is below 10)"),
    ],
)
def test_a_condition_is_said(difference: Difference, condition: dict[str, Any], words: str) -> None:
    ((_, text),) = sentences(difference(world(), world(allow("dynamodb:GetItem", TABLE_ARN, Condition=condition))))
    assert text == f"The Menu function may read items of CatalogTable {words}."


def test_a_condition_that_is_dropped_is_a_loss_and_a_gain(difference: Difference) -> None:
    narrow = allow("dynamodb:GetItem", TABLE_ARN, Condition={"StringEquals": {"dynamodb:LeadingKeys": "MENU"}})
    found = sentences(difference(world(narrow), world(allow("dynamodb:GetItem", TABLE_ARN))))
    assert ("added", "The Menu function may read items of CatalogTable.") in found
    assert [kind for kind, _ in found] == ["added", "removed"]


def bucket_policy(*statements: dict[str, Any]) -> dict[str, Any]:
    properties = {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Statement": list(statements)}}
    return world(BucketPolicy=resource("AWS::S3::BucketPolicy", "AssetBucket/Bucket/Policy", properties))


def test_a_bucket_policy_that_refuses_plain_http(difference: Difference) -> None:
    statement = {
        "Effect": "Deny",
        "Action": "s3:*",
        "Principal": {"AWS": "*"},
        "Resource": [BUCKET_ARN, {"Fn::Join": ["", [BUCKET_ARN, "/*"]]}],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    found = sentences(difference(world(), bucket_policy(statement)))
    assert found == [("added", "Nobody may do anything with AssetBucket over plain HTTP.")]


def test_a_public_bucket_is_a_warning(difference: Difference) -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Principal": "*", "Resource": BUCKET_ARN}
    (change,) = difference(world(), bucket_policy(statement)).about("access")
    assert change.fact.text == "Anyone may read objects of AssetBucket."
    assert change.fact.warning == "everybody, with or without an AWS account"


def test_administrator_access_is_a_warning(difference: Difference) -> None:
    arn = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::aws:policy/AdministratorAccess"]]}
    role = resource(
        "AWS::IAM::Role",
        "Menu/Function/ServiceRole",
        {"AssumeRolePolicyDocument": LAMBDA_TRUST, "ManagedPolicyArns": [arn]},
    )
    (change,) = difference(world(), world(Role=role)).about("access")
    assert change.fact.text.startswith("The Menu function may do anything in the account")
    assert change.fact.warning == "everything in the account"


def test_who_may_take_a_role_and_who_no_longer_may(difference: Difference) -> None:
    def barista(principal: dict[str, Any]) -> dict[str, Any]:
        trust = {"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}}
        return {"R": resource("AWS::IAM::Role", "StaffRoles/Barista", {"AssumeRolePolicyDocument": trust})}

    before, after = barista({"AWS": "arn:aws:iam::111122223333:root"}), barista({"Service": "ec2.amazonaws.com"})
    assert sentences(difference(before, after), "trust") == [
        ("added", "EC2 servers may take the role StaffRoles/Barista."),
        (
            "removed",
            "Whoever in account 111122223333 has a policy that allows it may take the role StaffRoles/Barista.",
        ),
    ]


def test_a_boundary_says_what_it_lets_through_and_whom_it_limits(difference: Difference) -> None:
    document = {"Statement": [allow("dynamodb:GetItem", TABLE_ARN)]}
    limited = resource(
        "AWS::IAM::Role",
        "Menu/Function/ServiceRole",
        {"AssumeRolePolicyDocument": LAMBDA_TRUST, "PermissionsBoundary": {"Ref": "Limit"}},
    )
    limit = resource("AWS::IAM::ManagedPolicy", "Limit", {"PolicyDocument": document})
    found = sentences(difference(world(), world(Role=limited, Limit=limit)))
    assert ("added", "The boundary Limit lets through at most: read items of CatalogTable.") in found
    assert any("may do nothing that the boundary Limit does not let through" in text for _, text in found)


def test_a_managed_policy_of_the_template_is_read_for_its_roles(difference: Difference) -> None:
    document = {"Statement": [allow("dynamodb:Scan", TABLE_ARN)]}
    managed = resource("AWS::IAM::ManagedPolicy", "Extra", {"PolicyDocument": document, "Roles": [{"Ref": "Role"}]})
    found = sentences(difference(world(), world(Extra=managed)))
    assert found == [("added", "The Menu function may scan items of CatalogTable.")]


def test_who_may_invoke_a_function(difference: Difference) -> None:
    permission = resource(
        "AWS::Lambda::Permission",
        "Menu/Permission",
        {
            "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]},
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            "SourceArn": BUCKET_ARN,
        },
    )
    found = sentences(difference(world(), world(Permission=permission)))
    assert found == [("added", "S3 may invoke the Menu function (only requests made for <AssetBucket>).")]


def test_another_resource_of_the_same_name_changes_no_sentence(difference: Difference) -> None:
    """Names that become ambiguous are written in full; that alone is no gain and no loss."""
    before = world(allow("dynamodb:GetItem", TABLE_ARN))
    twin = resource("AWS::DynamoDB::Table", "CatalogTable")
    after = world(allow("dynamodb:GetItem", TABLE_ARN), Twin=twin)
    assert sentences(difference(before, after)) == []


def test_what_is_allowed_follows_a_renamed_table(difference: Difference) -> None:
    before = world(allow("dynamodb:GetItem", TABLE_ARN))
    after = {name: value for name, value in before.items() if name not in {"Table", "Policy"}}
    after["Menu"] = resource("AWS::DynamoDB::Table", "MenuTable/Table")
    after["Policy"] = world(allow("dynamodb:GetItem", {"Fn::GetAtt": ["Menu", "Arn"]}))["Policy"]
    assert sentences(difference(before, after)) == [("renamed", "The Menu function may read items of MenuTable.")]
