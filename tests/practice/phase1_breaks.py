"""One break for each cloud check of phase 1: what is changed in the deployed shop, and what puts it back.

They are plans, as the faults of the course are, so the same code makes them and takes them back. A break makes one
check fail and no other; a fault is felt, and so often fails several.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from brewhaven.course.cloud import Deployment
from brewhaven.course.faults import Answer, Plan, call, calls
from phases.phase1_foundation.probes import service_of

Break = Callable[[Deployment], Plan]

BREAKS: dict[str, tuple[Break, str]] = {}
"""Id of a check -> the break that it must find, and what it says then."""

MELANGE = {"pk": {"S": "PRODUCT#melange"}, "sk": {"S": "PRODUCT"}}
ESPRESSO = {"pk": {"S": "PRODUCT#espresso"}, "sk": {"S": "PRODUCT"}}


def breaks(check: str, says: str) -> Callable[[Break], Break]:
    """Declare the break of a check."""

    def declare(function: Break) -> Break:
        BREAKS[check] = function, says
        return function

    return declare


@contextmanager
def broken(deployment: Deployment, check: str) -> Iterator[None]:
    """The deployed shop with the break of a check in it; afterwards it is as it was."""
    plan = BREAKS[check][0](deployment)
    answers: list[Mapping[str, Any]] = []
    moves_tasks = any(item.operation == "update_service" for item in plan.do)
    try:
        answers = calls.run(plan.do, deployment.client)
        if moves_tasks:
            wait_until_stable(deployment)
        yield
    finally:
        calls.run([*plan.undo, *plan.tidy], deployment.client, answers)
        if moves_tasks:
            wait_until_stable(deployment)


def wait_until_stable(deployment: Deployment) -> None:
    """Wait until the shop's service runs what it is told to run."""
    waiter = deployment.client("ecs").get_waiter("services_stable")
    waiter.wait(
        cluster=deployment.outputs["StorefrontClusterName"],
        services=[deployment.outputs["StorefrontServiceName"]],
        WaiterConfig={"Delay": 1, "MaxAttempts": 60},
    )


def policy(action: str, resource: str = "*", effect: str = "Deny", **condition: Any) -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource, **condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def inline(role: str, document: str, name: str = "broken") -> Plan:
    """A role with one policy more."""
    which = {"RoleName": role, "PolicyName": name}
    return Plan(
        do=[call("iam", "put_role_policy", **which, PolicyDocument=document)],
        undo=[call("iam", "delete_role_policy", **which)],
    )


def denied(action: str, resource: str = "*", **condition: Any) -> Plan:
    """The one who verifies is denied an action."""
    mine = {"UserName": "student", "PolicyName": "broken"}
    return Plan(
        do=[call("iam", "put_user_policy", **mine, PolicyDocument=policy(action, resource, **condition))],
        undo=[call("iam", "delete_user_policy", **mine)],
    )


def only(cloud: Deployment, type_: str, of: str) -> str:
    """The physical id of the first resource of a type that a construct made."""
    return cloud.resources(type_, of=of)[0].physical_id


# 1.1 to 1.4: table, bucket, roles


@breaks("stack-in-sync", "behind CloudFormation's back")
def _(cloud: Deployment) -> Plan:
    group = {"logGroupName": only(cloud, "AWS::Logs::LogGroup", "CatalogTable")}
    return Plan(
        do=[call("logs", "put_retention_policy", **group, retentionInDays=1)],
        undo=[call("logs", "put_retention_policy", **group, retentionInDays=7)],
    )


@breaks("menu-seeded", "has no item PRODUCT#espresso")
def _(cloud: Deployment) -> Plan:
    table = {"TableName": cloud.outputs["CatalogTableName"]}
    item = cloud.client("dynamodb").get_item(**table, Key=ESPRESSO)["Item"]
    return Plan(
        do=[call("dynamodb", "delete_item", **table, Key=ESPRESSO)],
        undo=[call("dynamodb", "put_item", **table, Item=item)],
    )


@breaks("catalog-crud", "could not be created, changed and deleted")
def _(cloud: Deployment) -> Plan:
    only_mine = {"ForAnyValue:StringEquals": {"dynamodb:LeadingKeys": ["PRODUCT#check-crud"]}}
    return denied("dynamodb:DeleteItem", Condition=only_mine)


@breaks("catalog-recoverable", "DISABLED")
def _(cloud: Deployment) -> Plan:
    def switched(enabled: bool) -> Any:
        return call(
            "dynamodb",
            "update_continuous_backups",
            TableName=cloud.outputs["CatalogTableName"],
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled},
        )

    return Plan(do=[switched(False)], undo=[switched(True)])


@breaks("menu-by-category", "melange is in the table and not in the index")
def _(cloud: Deployment) -> Plan:
    place = {"TableName": cloud.outputs["CatalogTableName"], "Key": MELANGE}
    menu = {":menu": {"S": "MENU"}}
    return Plan(
        do=[call("dynamodb", "update_item", **place, UpdateExpression="REMOVE gsi1pk")],
        undo=[
            call(
                "dynamodb",
                "update_item",
                **place,
                UpdateExpression="SET gsi1pk = :menu",
                ExpressionAttributeValues=menu,
            )
        ],
    )


@breaks("catalog-capacity", "provisioned with 50 write units")
def _(cloud: Deployment) -> Plan:
    table, units = cloud.outputs["CatalogTableName"], {"ReadCapacityUnits": 50, "WriteCapacityUnits": 50}
    indexes = [{"Update": {"IndexName": i, "ProvisionedThroughput": units}} for i in ("ByCategory", "OpenOrders")]
    return Plan(
        do=[
            call(
                "dynamodb",
                "update_table",
                TableName=table,
                BillingMode="PROVISIONED",
                ProvisionedThroughput=units,
                GlobalSecondaryIndexUpdates=indexes,
            )
        ],
        undo=[call("dynamodb", "update_table", TableName=table, BillingMode="PAY_PER_REQUEST")],
    )


def with_statement(cloud: Deployment, statement: dict[str, Any]) -> Plan:
    """The bucket with one statement more in its policy."""
    bucket = {"Bucket": cloud.outputs["AssetBucketName"]}
    before = cloud.client("s3").get_bucket_policy(**bucket)["Policy"]
    after = json.loads(before)
    after["Statement"].append({"Principal": "*", **statement})
    return Plan(
        do=[call("s3", "put_bucket_policy", **bucket, Policy=json.dumps(after))],
        undo=[call("s3", "put_bucket_policy", **bucket, Policy=before)],
    )


@breaks("assets-private", "without a signature")
def _(cloud: Deployment) -> Plan:
    bucket = {"Bucket": cloud.outputs["AssetBucketName"]}
    settings = cloud.client("s3").get_public_access_block(**bucket)["PublicAccessBlockConfiguration"]
    opened = with_statement(
        cloud, {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket['Bucket']}/*"}
    )
    return Plan(
        do=[call("s3", "delete_public_access_block", **bucket), *opened.do],
        undo=[
            *opened.undo,
            call("s3", "put_public_access_block", **bucket, PublicAccessBlockConfiguration=settings),
        ],
    )


@breaks("pictures-there", "lacks espresso.webp")
def _(cloud: Deployment) -> Plan:
    where = {"Bucket": cloud.outputs["AssetBucketName"], "Key": "media/menu/espresso.webp"}
    newest = cloud.client("s3").head_object(**where)["VersionId"]
    source = {"Bucket": where["Bucket"], "Key": where["Key"], "VersionId": newest}
    return Plan(
        do=[call("s3", "delete_object", **where)],
        undo=[call("s3", "copy_object", **where, CopySource=source, MetadataDirective="COPY")],
    )


@breaks("uploads-bounded", "a signed upload of 100 bytes")
def _(cloud: Deployment) -> Plan:
    uploads = f"arn:aws:s3:::{cloud.outputs['AssetBucketName']}/media/uploads/check*"
    return with_statement(cloud, {"Effect": "Deny", "Action": "s3:PutObject", "Resource": uploads})


@breaks("open-orders-sparse", "the board could not be asked")
def _(cloud: Deployment) -> Plan:
    return denied("dynamodb:Query", "arn:aws:dynamodb:*:*:table/*/index/OpenOrders")


@breaks("barista-can-work", "the barista cannot work")
def _(cloud: Deployment) -> Plan:
    role = {"RoleName": cloud.outputs["BaristaRoleArn"].rpartition("/")[2]}
    iam = cloud.client("iam")
    (name,) = iam.list_role_policies(**role)["PolicyNames"]
    document = json.dumps(iam.get_role_policy(**role, PolicyName=name)["PolicyDocument"])
    return Plan(
        do=[call("iam", "delete_role_policy", **role, PolicyName=name)],
        undo=[call("iam", "put_role_policy", **role, PolicyName=name, PolicyDocument=document)],
    )


@breaks("barista-is-limited", "the barista may change a product")
def _(cloud: Deployment) -> Plan:
    role = cloud.outputs["BaristaRoleArn"].rpartition("/")[2]
    return inline(role, policy("dynamodb:UpdateItem", effect="Allow"), "in-a-hurry")


# 1.5 to 1.7: network, hosting, boundary


@breaks("network-two-zones", "subnet")
def _(cloud: Deployment) -> Plan:
    table = only(cloud, "AWS::EC2::RouteTable", "ShopNetworkVpcPublicSubnet2")
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}
    gateway = only(cloud, "AWS::EC2::InternetGateway", "ShopNetwork")
    return Plan(
        do=[call("ec2", "delete_route", **route)], undo=[call("ec2", "create_route", **route, GatewayId=gateway)]
    )


@breaks("network-endpoints", "1 of 4 route tables have no way to dynamodb")
def _(cloud: Deployment) -> Plan:
    endpoint = {"VpcEndpointId": only(cloud, "AWS::EC2::VPCEndpoint", "ShopNetworkVpcDynamoDb")}
    tables = [only(cloud, "AWS::EC2::RouteTable", "ShopNetworkVpcIsolatedSubnet1")]
    return Plan(
        do=[call("ec2", "modify_vpc_endpoint", **endpoint, RemoveRouteTableIds=tables)],
        undo=[call("ec2", "modify_vpc_endpoint", **endpoint, AddRouteTableIds=tables)],
    )


def open_port(cloud: Deployment, of: str, port: int, cidr: str) -> Plan:
    """A security group with one door more."""
    group = only(cloud, "AWS::EC2::SecurityGroup", of)
    rule = {"GroupId": group, "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": cidr}
    return Plan(
        do=[call("ec2", "authorize_security_group_ingress", **rule)],
        undo=[call("ec2", "revoke_security_group_ingress", **rule)],
    )


@breaks("instance-closed", "22-22")
def _(cloud: Deployment) -> Plan:
    return open_port(cloud, "StorefrontInstance", 22, "127.0.0.1/32")


@breaks("balancer-is-the-only-way", "0.0.0.0/0")
def _(cloud: Deployment) -> Plan:
    return open_port(cloud, "StorefrontSecurityGroup", 8080, "0.0.0.0/0")


@breaks("instance-serves", "not ready")
def _(cloud: Deployment) -> Plan:
    return inline(only(cloud, "AWS::IAM::Role", "StorefrontInstanceRole"), policy("dynamodb:*"))


@breaks("shop-serves-menu", "not ready")
def _(cloud: Deployment) -> Plan:
    return inline(only(cloud, "AWS::IAM::Role", "StorefrontTaskTaskRole"), policy("dynamodb:*"))


@breaks("service-keeps-tasks", "and the stack says")
def _(cloud: Deployment) -> Plan:
    """The service runs a revision that works and that the stack knows nothing of."""
    service = service_of(cloud)
    definition = cloud.client("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])
    kept = ("taskRoleArn", "executionRoleArn", "networkMode", "containerDefinitions", "cpu", "memory",
            "requiresCompatibilities")  # fmt: skip
    family = f"somebody-elses-{secrets.token_hex(3)}"
    whose = {"cluster": cloud.outputs["StorefrontClusterName"], "service": cloud.outputs["StorefrontServiceName"]}
    whole = {name: definition["taskDefinition"][name] for name in kept}
    return Plan(
        do=[
            call("ecs", "register_task_definition", family=family, **whole),
            call("ecs", "update_service", **whose, taskDefinition=f"{family}:1"),
        ],
        undo=[call("ecs", "update_service", **whose, taskDefinition=service["taskDefinition"])],
        tidy=[call("ecs", "deregister_task_definition", taskDefinition=f"{family}:1")],
    )


@breaks("targets-healthy", "of 2 targets 1 are not healthy")
def _(cloud: Deployment) -> Plan:
    group = only(cloud, "AWS::ElasticLoadBalancingV2::TargetGroup", "Storefront")
    stranger = {"TargetGroupArn": group, "Targets": [{"Id": "10.20.0.251", "Port": 8080}]}
    return Plan(
        do=[call("elbv2", "register_targets", **stranger)], undo=[call("elbv2", "deregister_targets", **stranger)]
    )


@breaks("tasks-scale", "nothing adds a task")
def _(cloud: Deployment) -> Plan:
    service = f"service/{cloud.outputs['StorefrontClusterName']}/{cloud.outputs['StorefrontServiceName']}"
    whose = {"ServiceNamespace": "ecs", "ResourceId": service}
    kept = cloud.client("application-autoscaling").describe_scaling_policies(**whose)["ScalingPolicies"][0]
    named = {**whose, "PolicyName": kept["PolicyName"], "ScalableDimension": kept["ScalableDimension"]}
    what = {name: kept[name] for name in ("PolicyType", "TargetTrackingScalingPolicyConfiguration")}
    return Plan(
        do=[call("application-autoscaling", "delete_scaling_policy", **named)],
        undo=[call("application-autoscaling", "put_scaling_policy", **named, **what)],
    )


@breaks("found-by-name", "10.20.0.250")
def _(cloud: Deployment) -> Plan:
    registry = {"ServiceId": only(cloud, "AWS::ServiceDiscovery::Service", "Storefront"), "InstanceId": "stranger"}
    address = {"AWS_INSTANCE_IPV4": "10.20.0.250"}
    return Plan(
        do=[call("servicediscovery", "register_instance", **registry, Attributes=address)],
        undo=[call("servicediscovery", "deregister_instance", **registry)],
    )


@breaks("staff-bounded", "Auditor")
def _(cloud: Deployment) -> Plan:
    role = {"RoleName": cloud.outputs["AuditorRoleArn"].rpartition("/")[2]}
    boundary = cloud.outputs["StaffBoundaryArn"]
    return Plan(
        do=[call("iam", "delete_role_permissions_boundary", **role)],
        undo=[call("iam", "put_role_permissions_boundary", **role, PermissionsBoundary=boundary)],
    )


@breaks("boundary-holds", "reading the whole table")
def _(cloud: Deployment) -> Plan:
    iam, which = cloud.client("iam"), {"PolicyArn": cloud.outputs["StaffBoundaryArn"]}
    before = {**which, "VersionId": iam.get_policy(**which)["Policy"]["DefaultVersionId"]}
    document = iam.get_policy_version(**before)["PolicyVersion"]["Document"]
    gap = {"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": document["Statement"][0]["Resource"]}
    wider = json.dumps({**document, "Statement": [*document["Statement"], gap]})
    return Plan(
        do=[call("iam", "create_policy_version", **which, PolicyDocument=wider, SetAsDefault=True)],
        undo=[call("iam", "set_default_policy_version", **before)],
        tidy=[call("iam", "delete_policy_version", **which, VersionId=Answer(0, "PolicyVersion.VersionId"))],
    )
