"""Each check of phase 1 that looks at a deployment fails for the break that it is there to find, and for no other."""

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
ON_CLOUD = [check.id for check in CHECKS if check.cloud]
MELANGE = {"pk": {"S": "PRODUCT#melange"}, "sk": {"S": "PRODUCT"}}
ESPRESSO = {"pk": {"S": "PRODUCT#espresso"}, "sk": {"S": "PRODUCT"}}
OUTSIDE = "203.0.113.0/24"
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


@contextmanager
def way_out_of_isolation(cloud: Deployment) -> Iterator[None]:
    ec2 = cloud.client("ec2")
    table = next(
        entry.physical_id
        for entry in cloud.resources("AWS::EC2::RouteTable", of="ShopNetwork")
        if "Isolated" in entry.logical_id
    )
    gateway = cloud.resources("AWS::EC2::InternetGateway", of="ShopNetwork")[0].physical_id
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    yield
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")


def group_of(cloud: Deployment, construct: str) -> str:
    return cloud.resources("AWS::EC2::SecurityGroup", of=construct)[0].physical_id


@contextmanager
def door(cloud: Deployment, group: str, port: int, cidr: str, *, opened: bool) -> Iterator[None]:
    """Open or close a port of a security group for a while."""
    ec2 = cloud.client("ec2")
    rule = {
        "GroupId": group,
        "IpPermissions": [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}],
    }
    calls = [ec2.authorize_security_group_ingress, ec2.revoke_security_group_ingress]
    first, second = calls if opened else reversed(calls)
    first(**rule)
    yield
    second(**rule)


@contextmanager
def other_version(cloud: Deployment) -> Iterator[None]:
    """Run a copy of the task definition that no template knows."""
    ecs = cloud.client("ecs")
    place = {"cluster": cloud.outputs["StorefrontClusterName"], "service": cloud.outputs["StorefrontServiceName"]}
    arn = cloud.resources("AWS::ECS::TaskDefinition", of="Storefront")[0].physical_id
    known = ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    wanted = (
        "family",
        "taskRoleArn",
        "executionRoleArn",
        "networkMode",
        "containerDefinitions",
        "requiresCompatibilities",
        "cpu",
        "memory",
        "runtimePlatform",
    )
    copy = ecs.register_task_definition(**{name: known[name] for name in wanted if name in known})["taskDefinition"]
    ecs.update_service(**place, taskDefinition=copy["taskDefinitionArn"])
    _steady(ecs, place)
    yield
    ecs.update_service(**place, taskDefinition=arn)
    _steady(ecs, place)
    ecs.deregister_task_definition(taskDefinition=copy["taskDefinitionArn"])


def _steady(ecs: Any, place: dict[str, str]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        service = ecs.describe_services(cluster=place["cluster"], services=[place["service"]])["services"][0]
        if len(service["deployments"]) == 1 and service["runningCount"] == service["desiredCount"]:
            return
        time.sleep(0.5)
    raise AssertionError("the service did not become steady")


@contextmanager
def stranger_in_the_phone_book(cloud: Deployment) -> Iterator[None]:
    client = cloud.client("servicediscovery")
    service = cloud.resources("AWS::ServiceDiscovery::Service", of="Storefront")[0].physical_id
    entry = {"ServiceId": service, "InstanceId": "nobody"}
    client.register_instance(**entry, Attributes={"AWS_INSTANCE_IPV4": "10.20.9.9"}, CreatorRequestId="break")
    yield
    client.deregister_instance(**entry)


@contextmanager
def no_boundary(cloud: Deployment) -> Iterator[None]:
    iam, role = cloud.client("iam"), cloud.outputs["AuditorRoleArn"].rpartition("/")[2]
    iam.delete_role_permissions_boundary(RoleName=role)
    yield
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=cloud.outputs["StaffBoundaryArn"])


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
    "network-two-zones": way_out_of_isolation,
    "instance-closed": lambda cloud: door(cloud, group_of(cloud, "StorefrontInstance"), 22, OUTSIDE, opened=True),
    "instance-serves": lambda cloud: door(
        cloud, group_of(cloud, "StorefrontInstance"), 8080, "127.0.0.1/32", opened=False
    ),
    "service-keeps-tasks": other_version,
    "balancer-is-the-only-way": lambda cloud: door(
        cloud, group_of(cloud, "StorefrontSecurityGroup"), 8080, OUTSIDE, opened=True
    ),
    "shop-serves-menu": lambda cloud: door(
        cloud, group_of(cloud, "StorefrontLoadBalancer"), 80, "127.0.0.1/32", opened=False
    ),
    "found-by-name": stranger_in_the_phone_book,
    "staff-bounded": no_boundary,
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
