"""Tables as CloudFormation makes and changes them (resources/dynamodb_global_table.py)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.stacks import Resources, Stack, StackError, allow, att, ref, stack, typed
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def keys(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def table(*indexes: str, replica: dict[str, Any] | None = None, **properties: Any) -> Resources:
    names = ["pk", "sk", *(f"{index}{part}" for index in indexes for part in ("pk", "sk"))]
    wanted: dict[str, Any] = {
        "KeySchema": keys("pk", "sk"),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "BillingMode": "PAY_PER_REQUEST",
        "Replicas": [{"Region": ref("AWS::Region"), **(replica or {})}],
        **properties,
    }
    if indexes:
        wanted["GlobalSecondaryIndexes"] = [
            {"IndexName": name, "KeySchema": keys(f"{name}pk", f"{name}sk"), "Projection": {"ProjectionType": "ALL"}}
            for name in indexes
        ]
    return {"Table": typed("AWS::DynamoDB::GlobalTable", **wanted)}


def describe(cloud: Cloud, name: str) -> dict[str, Any]:
    found: dict[str, Any] = cloud.client("dynamodb").describe_table(TableName=name)["Table"]
    return found


def test_a_global_table_gets_its_settings(cloud: Cloud) -> None:
    dynamodb = cloud.client("dynamodb")
    properties: dict[str, Any] = {
        "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
    }
    replica = {
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "Tags": [{"Key": "Project", "Value": "brew-haven"}],
    }
    with stack(cloud) as made:
        outputs = made.create(
            table(replica=replica, **properties),
            Arn=att("Table", "Arn"), Id=att("Table", "TableId"), Stream=att("Table", "StreamArn"),
        )  # fmt: skip
        name = made.physical_id("Table")
        found = describe(cloud, name)
        assert (outputs["Arn"], outputs["Id"], outputs["Stream"]) == (
            found["TableArn"], found["TableId"], found["LatestStreamArn"],
        )  # fmt: skip
        assert dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"] == {
            "TimeToLiveStatus": "ENABLED",
            "AttributeName": "expires_at",
        }
        recovery = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
        assert dynamodb.list_tags_of_resource(ResourceArn=outputs["Arn"])["Tags"] == replica["Tags"]

        made.update(table())
        assert dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"
        recovery = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
        assert describe(cloud, name).get("StreamSpecification", {}).get("StreamEnabled") is not True


def test_an_index_is_added_in_place_and_finds_what_was_there(cloud: Cloud) -> None:
    dynamodb = cloud.client("dynamodb")
    with stack(cloud) as made:
        made.create(table())
        name, identity = made.physical_id("Table"), describe(cloud, made.physical_id("Table"))["TableId"]
        item = {"pk": {"S": "a"}, "sk": {"S": "b"}, "onepk": {"S": "c"}, "onesk": {"S": "d"}}
        dynamodb.put_item(TableName=name, Item=item)
        made.update(table("one"))
        assert describe(cloud, name)["TableId"] == identity
        found = dynamodb.query(
            TableName=name, IndexName="one", KeyConditionExpression="onepk = :c",
            ExpressionAttributeValues={":c": {"S": "c"}},
        )["Items"]  # fmt: skip
        assert found == [item]
        made.update(table("one", "two"))
        made.update(table("two"))
        assert [index["IndexName"] for index in describe(cloud, name)["GlobalSecondaryIndexes"]] == ["two"]


@pytest.mark.parametrize("cfn_type", ["AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table"])
def test_two_indexes_at_once_are_refused_and_rolled_back(cloud: Cloud, cfn_type: str) -> None:
    def of_type(resources: Resources) -> Resources:
        resources["Table"]["Type"] = cfn_type
        if cfn_type.endswith(":Table"):
            del resources["Table"]["Properties"]["Replicas"]
        return resources

    with stack(cloud) as made:
        made.create(of_type(table()))
        name = made.physical_id("Table")
        with pytest.raises(StackError) as failure:
            made.update(of_type(table("one", "two")))
        assert failure.value.status == "UPDATE_ROLLBACK_COMPLETE"
        assert "Cannot perform more than one GSI creation or deletion in a single update" in str(failure.value)
        assert describe(cloud, name).get("GlobalSecondaryIndexes", []) == []
        made.update(of_type(table("one")))
        changed = of_type(table("one"))
        changed["Table"]["Properties"]["GlobalSecondaryIndexes"][0]["KeySchema"] = keys("onepk")
        changed["Table"]["Properties"]["AttributeDefinitions"].pop()
        with pytest.raises(StackError, match="Cannot update GSI's properties"):
            made.update(changed)


def test_a_protected_table_outlives_its_stack(cloud: Cloud) -> None:
    with stack(cloud) as made:
        made.create(table(replica={"DeletionProtectionEnabled": True}))
        with pytest.raises(StackError, match="protected against deletion"):
            made.delete()
        name = made.physical_id("Table")
        cloud.client("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)


def test_capacity_is_switched_and_registered_for_scaling(cloud: Cloud) -> None:
    scaling = cloud.client("application-autoscaling")

    def bounds(kind: str, least: int) -> dict[str, Any]:
        tracking = {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70}}
        return {f"{kind}CapacityAutoScalingSettings": {"MinCapacity": least, "MaxCapacity": 9, **tracking}}

    provisioned = table(
        replica={"ReadProvisionedThroughputSettings": bounds("Read", 2)},
        WriteProvisionedThroughputSettings=bounds("Write", 3), BillingMode="PROVISIONED",
    )  # fmt: skip
    with stack(cloud) as made:
        made.create(table())
        name = made.physical_id("Table")
        made.update(provisioned)
        throughput = describe(cloud, name)["ProvisionedThroughput"]
        assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) == (2, 3)
        where = {"ServiceNamespace": "dynamodb", "ResourceIds": [f"table/{name}"]}
        targets = scaling.describe_scalable_targets(**where)["ScalableTargets"]
        assert {target["ScalableDimension"]: target["MinCapacity"] for target in targets} == {
            "dynamodb:table:ReadCapacityUnits": 2,
            "dynamodb:table:WriteCapacityUnits": 3,
        }
        made.update(table())
        assert describe(cloud, name)["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert scaling.describe_scalable_targets(**where)["ScalableTargets"] == []


class Guest:
    """A user with one policy on a table, and the table."""

    def __init__(self, cloud: Cloud, made: Stack, policy: dict[str, Any]) -> None:
        resources = {
            **table("one"),
            "User": typed("AWS::IAM::User", Policies=[{"PolicyName": "p", "PolicyDocument": policy}]),
            "Key": typed("AWS::IAM::AccessKey", UserName=ref("User")),
        }
        outputs = made.create(resources, Key=ref("Key"), Secret=att("Key", "SecretAccessKey"))
        credentials = {"aws_access_key_id": outputs["Key"], "aws_secret_access_key": outputs["Secret"]}
        self.dynamodb, self.table = cloud.client("dynamodb", **credentials), made.physical_id("Table")

    def may(self, operation: str, **parameters: Any) -> bool:
        try:
            getattr(self.dynamodb, operation)(**parameters)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException", error
            return False
        return True


def key(partition: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": partition}, "sk": {"S": "a"}}


def test_an_index_is_a_resource_of_its_own(cloud: Cloud) -> None:
    with stack(cloud) as made:
        guest = Guest(cloud, made, allow("dynamodb:Query", on={"Fn::Sub": "${Table.Arn}/index/one"}))
        condition = {"KeyConditionExpression": "#k = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}}
        by_index = {"IndexName": "one", "ExpressionAttributeNames": {"#k": "onepk"}}
        assert guest.may("query", TableName=guest.table, **condition, **by_index)
        assert not guest.may("query", TableName=guest.table, **condition, ExpressionAttributeNames={"#k": "pk"})


def test_leading_keys_are_the_partition_keys_of_a_request(cloud: Cloud) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html"""
    only = {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["ORDER#*"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    with stack(cloud) as made:
        guest = Guest(cloud, made, allow("dynamodb:*", on=att("Table", "Arn"), **only))
        name = guest.table
        update = {"UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "b"}}}
        for partition, allowed in (("ORDER#1", True), ("CUSTOMER#1", False)):
            values = {":v": {"S": partition}}
            delete = {"Delete": {"TableName": name, "Key": key(partition)}}
            assert guest.may("get_item", TableName=name, Key=key(partition)) is allowed
            assert guest.may("put_item", TableName=name, Item=key(partition)) is allowed
            assert guest.may("update_item", TableName=name, Key=key(partition), **update) is allowed
            assert (
                guest.may("query", TableName=name, KeyConditionExpression="pk = :v", ExpressionAttributeValues=values)
                is allowed
            )
            assert guest.may("transact_write_items", TransactItems=[delete]) is allowed
            batch = [
                {"PutRequest": {"Item": key("ORDER#1")}},
                {"PutRequest": {"Item": {**key(partition), "sk": {"S": "b"}}}},
            ]
            assert guest.may("batch_write_item", RequestItems={name: batch}) is allowed
        assert not guest.may("scan", TableName=name)


def test_attributes_are_the_names_of_a_request(cloud: Cloud) -> None:
    only = {"ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "status"]}}
    with stack(cloud) as made:
        guest = Guest(cloud, made, allow("dynamodb:*", on=att("Table", "Arn"), **only))
        for attribute, allowed in (("status", True), ("total", False)):
            values = {":v": {"S": "x"}}
            assert guest.may("put_item", TableName=guest.table, Item={**key("a"), attribute: values[":v"]}) is allowed
            for expression, names in ((f"SET {attribute} = :v", None), ("SET #n = :v", {"#n": attribute})):
                update = {"UpdateExpression": expression, "ExpressionAttributeValues": values}
                named = {"ExpressionAttributeNames": names} if names else {}
                reserved = attribute == "status" and not names  # a reserved word must be a placeholder
                if not reserved:
                    assert guest.may("update_item", TableName=guest.table, Key=key("a"), **update, **named) is allowed


def test_a_tables_own_policy_admits_and_refuses(cloud: Cloud) -> None:
    with stack(cloud) as made:
        guest = Guest(cloud, made, allow("dynamodb:GetItem"))
        user = cloud.client("iam").get_user(UserName=made.physical_id("User"))["User"]["Arn"]
        where = {"Principal": {"AWS": user}, "Resource": describe(cloud, guest.table)["TableArn"]}
        assert guest.may("get_item", TableName=guest.table, Key=key("a"))
        assert not guest.may("put_item", TableName=guest.table, Item=key("a"))
        statements = [
            {"Effect": "Allow", "Action": "dynamodb:PutItem", **where},
            {"Effect": "Deny", "Action": "dynamodb:GetItem", **where},
        ]
        cloud.client("dynamodb").put_resource_policy(
            ResourceArn=where["Resource"], Policy=json.dumps({"Version": "2012-10-17", "Statement": statements})
        )
        assert not guest.may("get_item", TableName=guest.table, Key=key("a"))
        assert guest.may("put_item", TableName=guest.table, Item=key("a"))
