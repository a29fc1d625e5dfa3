"""Each cloud check of lessons 1.5 to 1.7 fails, and it alone, when what it proves is broken in the deployed shop."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from brewhaven import target
from brewhaven.course import checks, verify
from brewhaven.course.catalogue import load
from brewhaven.course.cloud import Deployment
from tests.plugins.local_cloud import DeployedShop

pytestmark = pytest.mark.local

STACK = "BrewHaven-Phase1-Foundation"
DENY_TABLE = '{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}]}'


class Broken:
    """The deployed stack with what is needed to break it and to mend it again."""

    def __init__(self, shop: DeployedShop) -> None:
        self.shop = shop
        self.client = shop.cloud.client
        self.outputs = shop.outputs

    def id_of(self, type_: str, begins: str) -> str:
        found = self.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        return next(
            str(entry["PhysicalResourceId"])
            for entry in found
            if entry["ResourceType"] == type_ and entry["LogicalResourceId"].startswith(begins)
        )

    @property
    def service(self) -> dict[str, str]:
        return {"cluster": self.outputs["StorefrontClusterName"], "service": self.outputs["StorefrontServiceName"]}


@contextmanager
def no_way_out(broken: Broken) -> Iterator[None]:
    ec2 = broken.client("ec2")
    table = broken.id_of("AWS::EC2::RouteTable", "ShopNetworkVpcPublicSubnet2")
    gateway = broken.id_of("AWS::EC2::InternetGateway", "ShopNetwork")
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    yield
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)


@contextmanager
def no_way_to_dynamodb(broken: Broken) -> Iterator[None]:
    ec2 = broken.client("ec2")
    endpoint = broken.id_of("AWS::EC2::VPCEndpoint", "ShopNetworkVpcDynamoDb")
    table = broken.id_of("AWS::EC2::RouteTable", "ShopNetworkVpcIsolatedSubnet1")
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, RemoveRouteTableIds=[table])
    yield
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[table])


@contextmanager
def ssh(broken: Broken) -> Iterator[None]:
    group = broken.id_of("AWS::EC2::SecurityGroup", "StorefrontInstance")
    rule = {"GroupId": group, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "127.0.0.1/32"}
    broken.client("ec2").authorize_security_group_ingress(**rule)
    yield
    broken.client("ec2").revoke_security_group_ingress(**rule)


@contextmanager
def instance_reads_no_table(broken: Broken) -> Iterator[None]:
    role = broken.id_of("AWS::IAM::Role", "StorefrontInstanceRole")
    broken.client("iam").put_role_policy(RoleName=role, PolicyName="broken", PolicyDocument=DENY_TABLE)
    yield
    broken.client("iam").delete_role_policy(RoleName=role, PolicyName="broken")


@contextmanager
def no_scaling(broken: Broken) -> Iterator[None]:
    scaling = broken.client("application-autoscaling")
    resource = f"service/{broken.service['cluster']}/{broken.service['service']}"
    whose = {"ServiceNamespace": "ecs", "ResourceId": resource}
    policy = scaling.describe_scaling_policies(**whose)["ScalingPolicies"][0]
    named = {**whose, "PolicyName": policy["PolicyName"], "ScalableDimension": policy["ScalableDimension"]}
    scaling.delete_scaling_policy(**named)
    yield
    scaling.put_scaling_policy(
        **named,
        PolicyType=policy["PolicyType"],
        TargetTrackingScalingPolicyConfiguration=policy["TargetTrackingScalingPolicyConfiguration"],
    )


@contextmanager
def tasks_read_no_table(broken: Broken) -> Iterator[None]:
    role = broken.id_of("AWS::IAM::Role", "StorefrontTaskTaskRole")
    broken.client("iam").put_role_policy(RoleName=role, PolicyName="broken", PolicyDocument=DENY_TABLE)
    yield
    broken.client("iam").delete_role_policy(RoleName=role, PolicyName="broken")


@contextmanager
def around_the_load_balancer(broken: Broken) -> Iterator[None]:
    group = broken.id_of("AWS::EC2::SecurityGroup", "StorefrontSecurityGroup")
    rule = {"GroupId": group, "IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "CidrIp": "0.0.0.0/0"}
    broken.client("ec2").authorize_security_group_ingress(**rule)
    yield
    broken.client("ec2").revoke_security_group_ingress(**rule)


@contextmanager
def a_name_that_leads_nowhere(broken: Broken) -> Iterator[None]:
    names, registry = broken.client("servicediscovery"), broken.id_of("AWS::ServiceDiscovery::Service", "Storefront")
    attributes = {"AWS_INSTANCE_IPV4": "10.20.0.250"}
    names.register_instance(ServiceId=registry, InstanceId="stranger", Attributes=attributes)
    yield
    names.deregister_instance(ServiceId=registry, InstanceId="stranger")


@contextmanager
def unbounded_auditor(broken: Broken) -> Iterator[None]:
    iam, role = broken.client("iam"), broken.outputs["AuditorRoleArn"].rpartition("/")[2]
    iam.delete_role_permissions_boundary(RoleName=role)
    yield
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=broken.outputs["StaffBoundaryArn"])


@contextmanager
def boundary_with_a_gap(broken: Broken) -> Iterator[None]:
    iam, arn = broken.client("iam"), broken.outputs["StaffBoundaryArn"]
    before = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=before)["PolicyVersion"]["Document"]
    gap = {"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": document["Statement"][0]["Resource"]}
    wider = json.dumps({**document, "Statement": [*document["Statement"], gap]})
    made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=wider, SetAsDefault=True)["PolicyVersion"]
    yield
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)
    for version in (before, made["VersionId"]):
        iam.delete_policy_version(PolicyArn=arn, VersionId=version)


@contextmanager
def version_of_somebody_else(broken: Broken) -> Iterator[None]:
    """The service runs a revision that works and that the stack knows nothing of."""
    ecs, cluster, name = broken.client("ecs"), broken.service["cluster"], broken.service["service"]
    good = ecs.describe_services(cluster=cluster, services=[name])["services"][0]["taskDefinition"]
    definition = ecs.describe_task_definition(taskDefinition=good)["taskDefinition"]
    kept = ("family", "taskRoleArn", "executionRoleArn", "networkMode", "containerDefinitions", "cpu", "memory",
            "requiresCompatibilities")  # fmt: skip
    other = ecs.register_task_definition(**{item: definition[item] for item in kept})["taskDefinition"]

    def deploy(revision: str) -> None:
        ecs.update_service(**broken.service, taskDefinition=revision)
        waiter = ecs.get_waiter("services_stable")
        waiter.wait(cluster=cluster, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    deploy(other["taskDefinitionArn"])
    yield
    deploy(good)


def failures(shop: DeployedShop) -> dict[str, str]:
    """Every check that fails now, with what it says."""
    found = checks.load(load().phase(1).folder)
    deployment = Deployment(target.local(shop.cloud.settings), [STACK])
    report = verify.run("1", list(found), deployment=deployment)
    return {finding.check: finding.what for finding in report.findings if not finding.passed}


def test_the_deployed_shop_passes(shop: DeployedShop) -> None:
    assert failures(shop) == {}


@pytest.mark.parametrize(
    ("check", "break_it", "said"),
    [
        ("network-two-zones", no_way_out, "subnet"),
        ("network-endpoints", no_way_to_dynamodb, "1 of 4 route tables have no way to dynamodb"),
        ("instance-closed", ssh, "22-22"),
        ("instance-serves", instance_reads_no_table, "not ready"),
        ("service-keeps-tasks", version_of_somebody_else, "and the stack says"),
        ("tasks-scale", no_scaling, "nothing adds a task"),
        ("balancer-is-the-only-way", around_the_load_balancer, "0.0.0.0/0"),
        ("shop-serves-menu", tasks_read_no_table, "not ready"),
        ("found-by-name", a_name_that_leads_nowhere, "10.20.0.250"),
        ("staff-bounded", unbounded_auditor, "Auditor"),
        ("boundary-holds", boundary_with_a_gap, "reading the whole table"),
    ],
)
def test_a_broken_shop_fails_exactly_one_check(
    shop: DeployedShop, check: str, break_it: Callable[[Broken], AbstractContextManager[None]], said: str
) -> None:
    with break_it(Broken(shop)):
        failed = failures(shop)
    assert list(failed) == [check]
    assert said in failed[check]
