"""Each cloud check of lessons 1.1 to 1.4 fails, and it alone, when what it proves is broken in the deployed shop."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from brewhaven import target
from brewhaven.course import checks, load, verify
from brewhaven.course.cloud import Deployment
from tests.plugins.local_cloud import DeployedShop

pytestmark = [pytest.mark.local, pytest.mark.timeout(300)]

STACK = "BrewHaven-Phase1-Foundation"
CHECKS = list(checks.load(load().phase(1).folder))
LAST = (1, 4)
ON_CLOUD = [check.id for check in CHECKS if check.cloud and check.number <= LAST]
MELANGE = {"pk": {"S": "PRODUCT#melange"}, "sk": {"S": "PRODUCT"}}
ESPRESSO = {"pk": {"S": "PRODUCT#espresso"}, "sk": {"S": "PRODUCT"}}
Break = Callable[[Deployment], Any]


@pytest.fixture(scope="module")
def deployment(shop: DeployedShop) -> Deployment:
    return Deployment(target.local(shop.cloud.settings), [STACK])


def failed(deployment: Deployment) -> list[str]:
    report = verify.run("1", CHECKS, deployment=deployment)
    for finding in report.findings:
        assert finding.passed or (finding.what and finding.where and finding.next)
    return [f"{finding.check}" for finding in report.findings if not finding.passed]


def policy(action: str, resource: str, effect: str = "Deny", **condition: Any) -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource, **condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@contextmanager
def denied(cloud: Deployment, action: str, resource: str = "*", **condition: Any) -> Iterator[None]:
    """Deny the one who verifies an action."""
    iam = cloud.client("iam")
    iam.put_user_policy(UserName="student", PolicyName="break", PolicyDocument=policy(action, resource, **condition))
    try:
        yield
    finally:
        iam.delete_user_policy(UserName="student", PolicyName="break")


@contextmanager
def drift(cloud: Deployment) -> Iterator[None]:
    group = cloud.resources("AWS::Logs::LogGroup", of="CatalogTable")[0].physical_id
    logs = cloud.client("logs")
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    yield
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)


@contextmanager
def lost_item(cloud: Deployment) -> Iterator[None]:
    client, table = cloud.client("dynamodb"), cloud.outputs["CatalogTableName"]
    item = client.delete_item(TableName=table, Key=ESPRESSO, ReturnValues="ALL_OLD")["Attributes"]
    yield
    client.put_item(TableName=table, Item=item)


def no_deleting(cloud: Deployment) -> Any:
    only_mine = {"ForAnyValue:StringEquals": {"dynamodb:LeadingKeys": ["PRODUCT#check-crud"]}}
    return denied(cloud, "dynamodb:DeleteItem", Condition=only_mine)


@contextmanager
def no_backups(cloud: Deployment) -> Iterator[None]:
    client, table = cloud.client("dynamodb"), cloud.outputs["CatalogTableName"]
    for enabled in (False, True):
        client.update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
        )
        if not enabled:
            yield


@contextmanager
def off_the_menu(cloud: Deployment) -> Iterator[None]:
    client, table = cloud.client("dynamodb"), cloud.outputs["CatalogTableName"]
    place = {"TableName": table, "Key": MELANGE}
    old = client.update_item(**place, UpdateExpression="REMOVE gsi1pk", ReturnValues="UPDATED_OLD")["Attributes"]
    yield
    client.update_item(
        **place, UpdateExpression="SET gsi1pk = :menu", ExpressionAttributeValues={":menu": old["gsi1pk"]}
    )


@contextmanager
def fixed_capacity(cloud: Deployment) -> Iterator[None]:
    client, table = cloud.client("dynamodb"), cloud.outputs["CatalogTableName"]
    units = {"ReadCapacityUnits": 50, "WriteCapacityUnits": 50}
    indexes = [{"Update": {"IndexName": i, "ProvisionedThroughput": units}} for i in ("ByCategory", "OpenOrders")]
    client.update_table(
        TableName=table,
        BillingMode="PROVISIONED",
        ProvisionedThroughput=units,
        GlobalSecondaryIndexUpdates=indexes,
    )
    yield
    client.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")


@contextmanager
def bucket_statement(cloud: Deployment, statement: dict[str, Any]) -> Iterator[None]:
    s3, bucket = cloud.client("s3"), cloud.outputs["AssetBucketName"]
    before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    after = json.loads(before)
    after["Statement"].append(statement)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(after))
    yield
    s3.put_bucket_policy(Bucket=bucket, Policy=before)


@contextmanager
def open_bucket(cloud: Deployment) -> Iterator[None]:
    s3, bucket = cloud.client("s3"), cloud.outputs["AssetBucketName"]
    settings = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    everybody = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    s3.delete_public_access_block(Bucket=bucket)
    with bucket_statement(cloud, everybody):
        yield
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=settings)


@contextmanager
def lost_picture(cloud: Deployment) -> Iterator[None]:
    where = {"Bucket": cloud.outputs["AssetBucketName"], "Key": "media/menu/espresso.webp"}
    marker = cloud.client("s3").delete_object(**where)["VersionId"]
    yield
    cloud.client("s3").delete_object(**where, VersionId=marker)


def no_uploads(cloud: Deployment) -> Any:
    bucket = cloud.outputs["AssetBucketName"]
    return bucket_statement(
        cloud,
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/media/uploads/check*",
        },
    )


def no_board(cloud: Deployment) -> Any:
    return denied(cloud, "dynamodb:Query", "arn:aws:dynamodb:*:*:table/*/index/OpenOrders")


def barista(cloud: Deployment) -> str:
    return cloud.outputs["BaristaRoleArn"].rpartition("/")[2]


@contextmanager
def barista_without_rights(cloud: Deployment) -> Iterator[None]:
    iam, role = cloud.client("iam"), barista(cloud)
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    yield
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


@contextmanager
def barista_with_too_many(cloud: Deployment) -> Iterator[None]:
    iam, role = cloud.client("iam"), barista(cloud)
    document = policy("dynamodb:UpdateItem", "*", "Allow")
    iam.put_role_policy(RoleName=role, PolicyName="in-a-hurry", PolicyDocument=document)
    yield
    iam.delete_role_policy(RoleName=role, PolicyName="in-a-hurry")


BREAKS: dict[str, Break] = {
    "stack-in-sync": drift,
    "menu-seeded": lost_item,
    "catalog-crud": no_deleting,
    "catalog-recoverable": no_backups,
    "menu-by-category": off_the_menu,
    "catalog-capacity": fixed_capacity,
    "assets-private": open_bucket,
    "pictures-there": lost_picture,
    "uploads-bounded": no_uploads,
    "open-orders-sparse": no_board,
    "barista-can-work": barista_without_rights,
    "barista-is-limited": barista_with_too_many,
}


def test_every_check_of_a_deployment_has_a_break() -> None:
    assert sorted(BREAKS) == sorted(ON_CLOUD)


def test_the_phase_as_it_is_passes_in_under_ten_seconds(deployment: Deployment) -> None:
    start = time.monotonic()
    assert failed(deployment) == []
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("check", BREAKS)
def test_a_broken_deployment_fails_exactly_the_check_for_it(deployment: Deployment, check: str) -> None:
    with BREAKS[check](deployment):
        found = failed(deployment)
    assert found == [check]
    assert failed(deployment) == [], "the break was not undone"
