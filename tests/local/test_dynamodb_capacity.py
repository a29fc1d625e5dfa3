"""Reads cost by their size, and a provisioned table throttles: single writes, transactions and batches."""

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


@pytest.fixture
def exhausted(table: Any) -> Any:
    """The client, with nothing left of the table's write units."""
    with pytest.raises(ClientError):
        for _ in range(60):
            put(table, 20)
    return table


def writes(*names: str) -> list[dict[str, Any]]:
    return [{"Put": {"TableName": TABLE, "Item": {"pk": {"S": name}}}} for name in names]


def test_a_transaction_costs_twice_and_is_cancelled_as_a_whole(exhausted: Any) -> None:
    exhausted.update_table(TableName=TABLE, BillingMode="PAY_PER_REQUEST")
    answer = exhausted.transact_write_items(TransactItems=writes("a", "b"), ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"][0]["CapacityUnits"] == 4
    one_unit = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    exhausted.update_table(TableName=TABLE, BillingMode="PROVISIONED", ProvisionedThroughput=one_unit)
    with pytest.raises(exhausted.exceptions.TransactionCanceledException) as caught:
        for _ in range(200):
            exhausted.transact_write_items(TransactItems=writes("c", "d"))
    reasons = caught.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["ProvisionedThroughputExceeded"] * 2


def test_a_transaction_takes_from_the_units_of_the_table(table: Any) -> None:
    big = {"pk": {"S": "big"}, "text": {"S": "x" * 160_000}}
    assert "ConsumedCapacity" not in table.transact_write_items(
        TransactItems=[{"Put": {"TableName": TABLE, "Item": big}}]
    )
    with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
        put(table, 1)


def test_a_batch_that_is_throttled_is_refused_or_handed_back(exhausted: Any) -> None:
    batch = {TABLE: [{"PutRequest": {"Item": {"pk": {"S": "e"}}}}]}
    with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
        exhausted.batch_write_item(RequestItems=batch)
    other = f"{TABLE}-on-demand"
    exhausted.create_table(
        TableName=other,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    answer = exhausted.batch_write_item(RequestItems={**batch, other: batch[TABLE]})
    assert answer["UnprocessedItems"] == batch
    assert exhausted.get_item(TableName=other, Key={"pk": {"S": "e"}})["Item"]
    exhausted.delete_table(TableName=other)
