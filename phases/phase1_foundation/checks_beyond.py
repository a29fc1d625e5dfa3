"""Checks of lessons 1.5 to 1.7 that look further: ways within AWS, room to grow, and a boundary put to the test."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.cloud import Deployment
from brewhaven.course.template import Template
from phases.phase1_foundation.probes import WITHOUT_FARGATE

CHECKS = CheckList()

NETWORK_CODE = "constructs/brew_constructs/shop_network.py"
STOREFRONT_CODE = "constructs/brew_constructs/storefront.py"
BOUNDARY_CODE = "`limit` in constructs/brew_constructs/staff_roles.py"
# On AWS it takes some seconds until a new role and its policy are known everywhere.
PATIENCE_SECONDS = 40


endpoints = CHECKS.check(
    "network-endpoints",
    lesson="1.5",
    objective="network-foundations",
    proves="Every subnet reaches S3 and DynamoDB without leaving AWS",
)


@endpoints.on_template
def _(template: Template) -> str:
    tables = {table.logical_id for table in template.resources("AWS::EC2::RouteTable", of="ShopNetwork")}
    served = {
        str(entry.properties["ServiceName"]["Fn::Join"][1][-1]).lstrip("."): {
            table["Ref"] for table in entry.properties["RouteTableIds"]
        }
        for entry in template.resources("AWS::EC2::VPCEndpoint", of="ShopNetwork")
    }
    return _all_served(served, tables)


@endpoints.on_cloud
def _(cloud: Deployment) -> str:
    ec2 = cloud.client("ec2")
    here = [{"Name": "vpc-id", "Values": [cloud.resources("AWS::EC2::VPC", of="ShopNetwork")[0].physical_id]}]
    tables = {
        table["RouteTableId"]
        for table in ec2.describe_route_tables(Filters=here)["RouteTables"]
        if any("SubnetId" in association for association in table["Associations"])
    }
    served = {
        entry["ServiceName"].rpartition(".")[2]: set(entry["RouteTableIds"])
        for entry in ec2.describe_vpc_endpoints(Filters=here)["VpcEndpoints"]
        if entry["VpcEndpointType"] == "Gateway"
    }
    return _all_served(served, tables)


def _all_served(served: dict[str, set[str]], tables: set[str]) -> str:
    for service in ("s3", "dynamodb"):
        missing = tables - served.get(service, set())
        expect(
            tables and not missing,
            f"{len(missing)} of {len(tables)} route tables have no way to {service}",
            where=NETWORK_CODE + ", and VPC > Endpoints",
            next_step=f"add a gateway endpoint for {service} to the network: it is free",
        )
    return f"gateway endpoints for S3 and DynamoDB in {len(tables)} route tables"


scaling = CHECKS.check(
    "tasks-scale",
    lesson="1.6",
    objective="fargate-hosting",
    proves="The number of tasks follows the use of their processors, within limits",
    left_out_by=WITHOUT_FARGATE,
)


@scaling.on_template
def _(template: Template) -> str:
    targets = template.resources("AWS::ApplicationAutoScaling::ScalableTarget", of="Storefront")
    policies = template.resources("AWS::ApplicationAutoScaling::ScalingPolicy", of="Storefront")
    return _scales(
        [(target.properties["MinCapacity"], target.properties["MaxCapacity"]) for target in targets],
        [policy.properties["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for policy in policies],
    )


@scaling.on_cloud
def _(cloud: Deployment) -> str:
    client = cloud.client("application-autoscaling")
    resource = f"service/{cloud.outputs['StorefrontClusterName']}/{cloud.outputs['StorefrontServiceName']}"
    targets = client.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])["ScalableTargets"]
    policies = client.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=resource)["ScalingPolicies"]
    return _scales(
        [(target["MinCapacity"], target["MaxCapacity"]) for target in targets],
        [policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for policy in policies],
    )


def _scales(limits: list[tuple[Any, Any]], values: list[Any]) -> str:
    expect(
        limits and values,
        "nothing adds a task when the queue grows",
        where=f"`scaling` in {STOREFRONT_CODE}, and ECS > the service > Service auto scaling",
        next_step="call auto_scale_task_count and scale_on_cpu_utilization on the service",
    )
    least, most = limits[0]
    expect(
        1 <= int(least) < int(most),
        f"the number of tasks may go from {least} to {most}",
        where=f"`auto_scale_task_count` in {STOREFRONT_CODE}",
        next_step="give it at least one task and room to grow",
    )
    return f"{least} to {most} tasks, at {float(values[0]):.0f} percent"


healthy = CHECKS.check(
    "targets-healthy",
    lesson="1.6",
    objective="load-balancing",
    proves="The load balancer asks the tasks for their health at an address that they answer",
    left_out_by=WITHOUT_FARGATE,
)


@healthy.on_template
def _(template: Template) -> str:
    path = template.resources("AWS::ElasticLoadBalancingV2::TargetGroup", of="Storefront")[0].properties.get(
        "HealthCheckPath", "/"
    )
    container = template.resources("AWS::ECS::TaskDefinition", of="Storefront")[0].properties["ContainerDefinitions"][0]
    own = " ".join(container.get("HealthCheck", {}).get("Command", []))
    expect(
        f":8080{path}'" in own,
        f"the load balancer asks for {path}, and the container's own check for something else: one of them is wrong",
        where=f"HEALTH_PATH in {STOREFRONT_CODE}",
        next_step="let both ask for /health, which the shop answers as long as its process lives",
    )
    return f"both ask for {path}"


@healthy.on_cloud
def _(cloud: Deployment) -> str:
    group = cloud.resources("AWS::ElasticLoadBalancingV2::TargetGroup", of="Storefront")[0].physical_id
    listing = cloud.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    states = [entry["TargetHealth"] for entry in listing if entry["TargetHealth"]["State"] != "draining"]
    ill = [
        f"{state['State']} ({state.get('Description', 'no reason')})" for state in states if state["State"] != "healthy"
    ]
    expect(
        states and not ill,
        f"of {len(states)} targets {len(ill)} are not healthy: {', '.join(ill) or 'there is none'}",
        where="EC2 console: Target groups, the shop's, Targets and Health checks",
        next_step="ask a task what the health check asks: path, port and code must be what the shop answers",
    )
    return f"{len(states)} of {len(states)} targets"


holds = CHECKS.check(
    "boundary-holds",
    lesson="1.7",
    objective="iam-boundaries",
    proves="A role with every right inside the boundary reads a product, but no customer and not the whole table",
    alone=True,
)


@holds.on_cloud
def _(cloud: Deployment) -> str:
    table = cloud.outputs["CatalogTableName"]
    with _almighty(cloud) as dynamodb:
        attempts: dict[str, Callable[[], Any]] = {
            "reading a product": lambda: _get(dynamodb, table, "PRODUCT#no-such-product", "PRODUCT"),
            "reading a customer": lambda: _get(dynamodb, table, "CUSTOMER#no-such-customer", "PROFILE"),
            "reading the whole table": lambda: dynamodb.scan(TableName=table, Limit=1),
        }
        # The first one also waits until the new role is known.
        allowed = [name for name, attempt in attempts.items() if _is_allowed(attempt, wait=name == "reading a product")]
    expect(
        "reading a product" in allowed,
        "with the boundary not even a product can be read, so the counter cannot work",
        where=BOUNDARY_CODE,
        next_step="allow the staff's everyday work in the boundary; compare it with the policies of lesson 1.4",
    )
    beyond = [name for name in allowed if name != "reading a product"]
    expect(
        not beyond,
        f"the boundary lets through {' and '.join(beyond)}",
        where=BOUNDARY_CODE,
        next_step="name the leading keys that staff may touch, and let `Null` ask for a key, as `_only_keys` does",
    )
    return "inside: a product; outside: a customer, a scan"


@contextmanager
def _almighty(cloud: Deployment) -> Iterator[Any]:
    """DynamoDB with the keys of a role that has every right and the boundary; the role is removed afterwards."""
    iam = cloud.client("iam")
    account = cloud.outputs["StaffBoundaryArn"].split(":")[4]
    name = f"{cloud.stacks[0]}-verify"[:64]
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": account}}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    _remove(iam, name)
    role = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        PermissionsBoundary=cloud.outputs["StaffBoundaryArn"],
        Description="Made and removed by `brewhaven verify`",
    )["Role"]
    try:
        document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
        iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=document)
        yield _as(cloud, role["Arn"])
    finally:
        _remove(iam, name)


def _remove(iam: Any, name: str) -> None:
    with suppress(iam.exceptions.NoSuchEntityException):
        iam.delete_role_policy(RoleName=name, PolicyName="everything")
    with suppress(iam.exceptions.NoSuchEntityException):
        iam.delete_role(RoleName=name)


def _as(cloud: Deployment, role_arn: str) -> Any:
    """A DynamoDB client with an hour's keys of a role."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return cloud.assume(role_arn).client("dynamodb")
        except ClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _get(dynamodb: Any, table: str, partition: str, sort: str) -> Any:
    return dynamodb.get_item(TableName=table, Key={"pk": {"S": partition}, "sk": {"S": sort}})


def _is_allowed(attempt: Callable[[], Any], *, wait: bool = False) -> bool:
    """Whether IAM lets a call through; any other error of the call means that it did."""
    deadline = time.monotonic() + (PATIENCE_SECONDS if wait else 0)
    while True:
        try:
            attempt()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("AccessDeniedException", "AccessDenied"):
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(1)
        else:
            return True
