"""CatalogTable: the table, its indexes, what the shop may do with it, and how the menu gets in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Match, Template

from brew_constructs.catalog_table import BY_CATEGORY, OPEN_ORDERS, CatalogTable

TABLE = "AWS::DynamoDB::GlobalTable"


@pytest.fixture(scope="module")
def default(synthesize_alone: Callable[..., Template]) -> Template:
    return synthesize_alone(lambda stack: CatalogTable(stack, "CatalogTable"))


@pytest.fixture(scope="module")
def complete(synthesize_alone: Callable[..., Template]) -> Template:
    """Both indexes, provisioned capacity, and a role of the shop."""

    def build(stack: Stack) -> None:
        catalog = CatalogTable(stack, "CatalogTable", capacity="provisioned")
        catalog.add_index(BY_CATEGORY)
        catalog.add_index(OPEN_ORDERS)
        catalog.grant_shop_access(iam.Role(stack, "Shop", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com")))

    return synthesize_alone(build)


def test_by_default_it_is_one_key_on_demand_with_expiry_recovery_and_a_stream(default: Template) -> None:
    default.has_resource_properties(
        TABLE,
        {
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            "BillingMode": "PAY_PER_REQUEST",
            "GlobalSecondaryIndexes": Match.absent(),
            "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
            "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
            "Replicas": [
                Match.object_like({"PointInTimeRecoverySpecification": Match.object_like({"RecoveryPeriodInDays": 7})})
            ],
            "TableName": Match.absent(),
        },
    )


def test_it_goes_with_its_stack(default: Template) -> None:
    default.has_resource(TABLE, {"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"})


def test_indexes_hold_whole_items_under_their_own_keys(complete: Template) -> None:
    def index(name: str, partition_key: str, sort_key: str) -> Any:
        return Match.object_like(
            {
                "IndexName": name,
                "KeySchema": [
                    {"AttributeName": partition_key, "KeyType": "HASH"},
                    {"AttributeName": sort_key, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        )

    complete.has_resource_properties(
        TABLE,
        {"GlobalSecondaryIndexes": [index("ByCategory", "gsi1pk", "gsi1sk"), index("OpenOrders", "gsi2pk", "gsi2sk")]},
    )


def test_every_key_is_declared_once_and_is_text(complete: Template) -> None:
    (table,) = complete.find_resources(TABLE).values()
    declared = {entry["AttributeName"]: entry["AttributeType"] for entry in table["Properties"]["AttributeDefinitions"]}
    assert declared == dict.fromkeys(("pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"), "S")


def test_there_is_one_replica_and_it_has_every_index(complete: Template) -> None:
    """A `GlobalTable` lists its own region as a replica too."""
    (table,) = complete.find_resources(TABLE).values()
    (replica,) = table["Properties"]["Replicas"]
    assert replica["Region"] == "us-east-1"
    assert [index["IndexName"] for index in replica["GlobalSecondaryIndexes"]] == ["ByCategory", "OpenOrders"]


def test_provisioned_capacity_scales_the_table_and_its_indexes(complete: Template) -> None:
    scaling = {
        "MinCapacity": 5,
        "MaxCapacity": 20,
        "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70},
    }
    properties = next(iter(complete.find_resources(TABLE).values()))["Properties"]
    assert properties["BillingMode"] == "PROVISIONED"
    assert properties["WriteProvisionedThroughputSettings"] == {"WriteCapacityAutoScalingSettings": scaling}
    replica = properties["Replicas"][0]
    assert replica["ReadProvisionedThroughputSettings"] == {"ReadCapacityAutoScalingSettings": scaling}
    for index in properties["GlobalSecondaryIndexes"]:
        assert index["WriteProvisionedThroughputSettings"] == {"WriteCapacityAutoScalingSettings": scaling}
    for index in replica["GlobalSecondaryIndexes"]:
        assert index["ReadProvisionedThroughputSettings"] == {"ReadCapacityAutoScalingSettings": scaling}


def test_the_shop_may_use_every_key_and_index_but_never_scan(complete: Template) -> None:
    complete.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "Roles": [{"Ref": Match.string_like_regexp("^Shop")}],
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": [
                            "dynamodb:BatchGetItem",
                            "dynamodb:ConditionCheckItem",
                            "dynamodb:DeleteItem",
                            "dynamodb:DescribeTable",
                            "dynamodb:GetItem",
                            "dynamodb:PutItem",
                            "dynamodb:Query",
                            "dynamodb:UpdateItem",
                        ],
                        "Resource": [
                            {"Fn::GetAtt": [Match.string_like_regexp("^CatalogTable"), "Arn"]},
                            {"Fn::Join": ["", [Match.any_value(), "/index/*"]]},
                        ],
                    }
                ],
            },
        },
    )


def test_the_seeder_may_put_items_and_write_its_log_and_nothing_else(default: Template) -> None:
    default.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                        "Resource": {"Fn::GetAtt": [Match.string_like_regexp("MenuSeederLogs"), "Arn"]},
                    },
                    {
                        "Effect": "Allow",
                        "Action": "dynamodb:PutItem",
                        "Resource": {"Fn::GetAtt": [Match.string_like_regexp("^CatalogTable"), "Arn"]},
                    },
                ],
            }
        },
    )


def test_the_seeder_is_an_arm_function_with_a_log_group_that_goes_with_the_stack(default: Template) -> None:
    default.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Handler": "menu_seeder.handler.lambda_handler",
            "Runtime": "python3.13",
            "Architectures": ["arm64"],
            "MemorySize": 256,
            "Timeout": 120,
            "LoggingConfig": {
                "LogFormat": "JSON",
                "LogGroup": {"Ref": Match.string_like_regexp("MenuSeederLogs")},
            },
            "Environment": {"Variables": {"CATALOG_TABLE": {"Ref": Match.string_like_regexp("^CatalogTable")}}},
        },
    )
    default.has_resource("AWS::Logs::LogGroup", {"DeletionPolicy": "Delete", "Properties": {"RetentionInDays": 7}})


def version_of(template: Template) -> str:
    return next(iter(template.find_resources("AWS::Lambda::Version")))


def test_a_changed_menu_is_a_new_version_and_so_runs_the_seeder_again(
    synthesize_alone: Callable[..., Template], default: Template, tmp_path: Path
) -> None:
    changed = tmp_path / "menu.json"
    changed.write_text('{"version": 1, "currency": "EUR", "products": [{"id": "mocha"}]}', encoding="utf-8")
    other = synthesize_alone(lambda stack: CatalogTable(stack, "CatalogTable", menu_file=changed))
    assert version_of(other) != version_of(default)
    default.has_resource_properties(
        "Custom::Trigger", {"HandlerArn": {"Ref": version_of(default)}, "ExecuteOnHandlerChange": True}
    )


def test_a_deployment_waits_for_the_seeder_as_long_as_it_may_run_and_fails_with_it(default: Template) -> None:
    default.has_resource_properties("Custom::Trigger", {"InvocationType": "RequestResponse", "Timeout": "120000"})


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        (None, "the menu file cannot be read: .*menu.json: No such file"),
        ('{"products": [', "the menu file is not valid JSON: .*menu.json: .*line 1"),
        ("[]", "the menu file has no products: .*menu.json"),
        ('{"products": []}', "the menu file has no products: .*menu.json"),
    ],
)
def test_a_broken_menu_stops_the_synth(
    synthesize_alone: Callable[..., Template], tmp_path: Path, contents: str | None, sentence: str
) -> None:
    menu = tmp_path / "menu.json"
    if contents is not None:
        menu.write_text(contents, encoding="utf-8")
    with pytest.raises(ValueError, match=sentence):
        synthesize_alone(lambda stack: CatalogTable(stack, "CatalogTable", menu_file=menu))
