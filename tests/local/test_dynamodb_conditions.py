"""A policy that names partition keys admits those items and no others (resources/dynamodb_conditions.py)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

TABLE = "leading-keys"
ORDER, CUSTOMER = {"pk": {"S": "ORDER#1"}}, {"pk": {"S": "CUSTOMER#1"}}


@pytest.fixture(scope="module")
def barista(cloud: Cloud) -> Any:
    """A client whose role may touch items of orders only, and must say which."""
    operator, iam = cloud.client("dynamodb"), cloud.client("iam")
    operator.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}}
    role = iam.create_role(
        RoleName="leading-keys-barista",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )["Role"]
    rights = {
        "Effect": "Allow",
        "Action": "dynamodb:*",
        "Resource": "*",
        "Condition": {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["ORDER#*"]},
            "Null": {"dynamodb:LeadingKeys": "false"},
        },
    }
    iam.put_role_policy(
        RoleName="leading-keys-barista",
        PolicyName="orders",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [rights]}),
    )
    session = cloud.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="barista")["Credentials"]
    return cloud.client(
        "dynamodb",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )


Request = Callable[[Any, dict[str, Any]], Any]


def _query(client: Any, key: dict[str, Any]) -> Any:
    return client.query(
        TableName=TABLE,
        KeyConditionExpression="#p = :p",
        ExpressionAttributeNames={"#p": "pk"},
        ExpressionAttributeValues={":p": key["pk"]},
    )


REQUESTS: list[Request] = [
    lambda client, key: client.get_item(TableName=TABLE, Key=key),
    lambda client, key: client.put_item(TableName=TABLE, Item=key),
    lambda client, key: client.delete_item(TableName=TABLE, Key=key),
    lambda client, key: client.batch_get_item(RequestItems={TABLE: {"Keys": [key]}}),
    lambda client, key: client.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": key}}]}),
    lambda client, key: client.transact_write_items(TransactItems=[{"Put": {"TableName": TABLE, "Item": key}}]),
    _query,
]
NAMES = ["get", "put", "delete", "batch get", "batch write", "transact", "query"]


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_the_items_it_names_are_admitted(barista: Any, request_: Request) -> None:
    assert request_(barista, ORDER)["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_other_items_are_refused(barista: Any, request_: Request) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        request_(barista, CUSTOMER)


def test_one_foreign_item_spoils_a_batch(barista: Any) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        barista.batch_get_item(RequestItems={TABLE: {"Keys": [ORDER, CUSTOMER]}})


def test_a_request_that_names_no_key_is_refused(barista: Any) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        barista.scan(TableName=TABLE)
