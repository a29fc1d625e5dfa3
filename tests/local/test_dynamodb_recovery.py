"""Point-in-time recovery (resources/dynamodb_recovery.py)."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


@pytest.fixture
def dynamodb(cloud: Cloud) -> Iterator[Any]:
    client = cloud.client("dynamodb")
    client.create_table(
        TableName="menu",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield client
    for name in ("menu", "restored"):
        if name in client.list_tables()["TableNames"]:
            client.delete_table(TableName=name)


def put(dynamodb: Any, key: str, price: str) -> None:
    dynamodb.put_item(TableName="menu", Item={"pk": {"S": key}, "price": {"N": price}})


def enable(dynamodb: Any) -> None:
    specification = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName="menu", PointInTimeRecoverySpecification=specification)


def test_a_table_is_restored_as_it_was(dynamodb: Any) -> None:
    put(dynamodb, "latte", "300")
    enable(dynamodb)
    put(dynamodb, "mocha", "400")
    time.sleep(1.1)
    before = datetime.datetime.now(datetime.UTC)  # sent as whole seconds
    put(dynamodb, "latte", "1")
    put(dynamodb, "tea", "1")
    dynamodb.delete_item(TableName="menu", Key={"pk": {"S": "mocha"}})
    change = {"Update": {"TableName": "menu", "Key": {"pk": {"S": "latte"}}, "UpdateExpression": "REMOVE price"}}
    dynamodb.transact_write_items(TransactItems=[change])
    dynamodb.restore_table_to_point_in_time(SourceTableName="menu", TargetTableName="restored", RestoreDateTime=before)
    found = {item["pk"]["S"]: item["price"]["N"] for item in dynamodb.scan(TableName="restored")["Items"]}
    assert found == {"latte": "300", "mocha": "400"}
    assert dynamodb.scan(TableName="menu", Select="COUNT")["Count"] == 2


def test_the_window_begins_when_recovery_is_enabled(dynamodb: Any) -> None:
    with pytest.raises(dynamodb.exceptions.PointInTimeRecoveryUnavailableException):
        dynamodb.restore_table_to_point_in_time(
            SourceTableName="menu", TargetTableName="restored", UseLatestRestorableTime=True
        )
    enable(dynamodb)
    found = dynamodb.describe_continuous_backups(TableName="menu")["ContinuousBackupsDescription"]
    window = found["PointInTimeRecoveryDescription"]
    assert window["EarliestRestorableDateTime"] <= window["LatestRestorableDateTime"]
    early = window["EarliestRestorableDateTime"] - datetime.timedelta(hours=1)
    with pytest.raises(dynamodb.exceptions.InvalidRestoreTimeException):
        dynamodb.restore_table_to_point_in_time(
            SourceTableName="menu", TargetTableName="restored", RestoreDateTime=early
        )
