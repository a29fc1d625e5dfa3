"""Reads cost by their size, and a provisioned table throttles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

TABLE = "capacity-test"


@pytest.fixture
def table(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client that never tries again, and a provisioned table of one unit each."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    client = cloud.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    yield client
    client.delete_table(TableName=TABLE)


def put(client: Any, kilobytes: int = 9) -> float:
    item = {"pk": {"S": "big"}, "text": {"S": "x" * (kilobytes * 1024 - 20)}}
    answer = client.put_item(TableName=TABLE, Item=item, ReturnConsumedCapacity="TOTAL")
    return float(answer["ConsumedCapacity"]["CapacityUnits"])


def test_units_follow_the_size(table: Any) -> None:
    assert put(table) == 9
    key = {"pk": {"S": "big"}}
    for consistent, units in ((False, 1.5), (True, 3)):
        answer = table.get_item(TableName=TABLE, Key=key, ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL")
        assert answer["ConsumedCapacity"]["CapacityUnits"] == units


def test_a_filter_saves_nothing(table: Any) -> None:
    put(table)
    answer = table.scan(
        TableName=TABLE,
        FilterExpression="attribute_exists(nothing)",
        ReturnConsumedCapacity="TOTAL",
    )
    assert (answer["Count"], answer["ScannedCount"], answer["ConsumedCapacity"]["CapacityUnits"]) == (0, 1, 1.5)


def test_consumption_is_told_only_to_those_who_ask(table: Any) -> None:
    put(table)
    assert "ConsumedCapacity" not in table.get_item(TableName=TABLE, Key={"pk": {"S": "big"}})


def test_a_table_that_is_asked_for_too_much_throttles_until_it_is_on_demand(table: Any) -> None:
    with pytest.raises(ClientError) as caught:
        for _ in range(60):
            put(table, 20)
    assert caught.value.response["Error"]["Code"] == "ProvisionedThroughputExceededException"
    table.update_table(TableName=TABLE, BillingMode="PAY_PER_REQUEST")
    assert [put(table, 20) for _ in range(5)] == [20] * 5
