"""Each template check of lessons 1.5 to 1.7 fails, and it alone, when what it proves is taken out of the stack."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any

import pytest

from brewhaven.course import checks, template, verify
from brewhaven.course.catalogue import load
from brewhaven.course.checks import CheckList
from brewhaven.course.template import Template

Resources = dict[str, Any]
Break = Callable[[Resources], None]


@pytest.fixture(scope="module")
def stack() -> Template:
    os.environ["CDK_VALIDATION"] = "false"
    found = template.synthesize({"lesson": "1.7"}, account="111122223333", region="us-east-1")
    return found["BrewHaven-Phase1-Foundation"]


@pytest.fixture(scope="module")
def declared() -> CheckList:
    return checks.load(load().phase(1).folder)


def of_type(resources: Resources, type_: str, begins: str = "") -> list[dict[str, Any]]:
    """The properties of the resources of a type, to be changed in place."""
    return [body["Properties"] for name, body in resources.items() if body["Type"] == type_ and name.startswith(begins)]


def no_way_out(resources: Resources) -> None:
    of_type(resources, "AWS::EC2::Route", "ShopNetworkVpcPublicSubnet1")[0]["DestinationCidrBlock"] = "192.0.2.0/24"


def nat_gateway(resources: Resources) -> None:
    resources["Nat"] = {"Type": "AWS::EC2::NatGateway", "Properties": {}}


def endpoint_of_public_subnets_alone(resources: Resources) -> None:
    endpoint = of_type(resources, "AWS::EC2::VPCEndpoint", "ShopNetworkVpcDynamoDb")[0]
    endpoint["RouteTableIds"] = endpoint["RouteTableIds"][:2]


def ssh(resources: Resources) -> None:
    group = of_type(resources, "AWS::EC2::SecurityGroup", "StorefrontInstance")[0]
    group["SecurityGroupIngress"].append({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "10.0.0.0/8"})


def launch_data(resources: Resources) -> Any:
    return of_type(resources, "AWS::EC2::LaunchTemplate", "StorefrontInstance")[0]["LaunchTemplateData"]


def metadata_version_1(resources: Resources) -> None:
    launch_data(resources)["MetadataOptions"]["HttpTokens"] = "optional"


def deployment(resources: Resources) -> Any:
    return of_type(resources, "AWS::ECS::Service", "Storefront")[0]["DeploymentConfiguration"]


def no_rollback(resources: Resources) -> None:
    deployment(resources)["DeploymentCircuitBreaker"]["Rollback"] = False


def no_scaling_policy(resources: Resources) -> None:
    name = next(
        name for name, body in resources.items() if body["Type"] == "AWS::ApplicationAutoScaling::ScalingPolicy"
    )
    del resources[name]


def no_room(resources: Resources) -> None:
    of_type(resources, "AWS::ApplicationAutoScaling::ScalableTarget", "Storefront")[0]["MaxCapacity"] = 1


def around_the_load_balancer(resources: Resources) -> None:
    group = of_type(resources, "AWS::EC2::SecurityGroup", "StorefrontSecurityGroup")[0]
    group["SecurityGroupIngress"] = [{"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "CidrIp": "0.0.0.0/0"}]


def wrong_health_path(resources: Resources) -> None:
    of_type(resources, "AWS::ElasticLoadBalancingV2::TargetGroup", "Storefront")[0]["HealthCheckPath"] = "/healthz"


def no_name(resources: Resources) -> None:
    del of_type(resources, "AWS::ECS::Service", "Storefront")[0]["ServiceRegistries"]


def unbounded_barista(resources: Resources) -> None:
    del of_type(resources, "AWS::IAM::Role", "StaffRolesBarista")[0]["PermissionsBoundary"]


def gate_in_the_fence(resources: Resources) -> None:
    policy = of_type(resources, "AWS::IAM::ManagedPolicy", "StaffRolesBoundary")[0]["PolicyDocument"]
    policy["Statement"].append({"Effect": "Allow", "Action": "iam:*", "Resource": "*"})


def test_the_stack_as_it_is_passes(stack: Template, declared: CheckList) -> None:
    report = verify.run("1", list(declared), template=stack)
    assert [finding.what for finding in report.findings if not finding.passed] == []


@pytest.mark.parametrize(
    ("check", "break_it", "said"),
    [
        ("network-two-zones", no_way_out, "4 subnets and 1 ways"),
        ("network-two-zones", nat_gateway, "1 NAT gateway(s)"),
        ("network-endpoints", endpoint_of_public_subnets_alone, "2 of 4 route tables have no way to dynamodb"),
        ("instance-closed", ssh, "opens the ports [8080, 22]"),
        ("instance-closed", metadata_version_1, "answers without a token"),
        ("service-keeps-tasks", no_rollback, "does not roll back"),
        ("tasks-scale", no_scaling_policy, "nothing adds a task"),
        ("tasks-scale", no_room, "from 1 to 1"),
        ("balancer-is-the-only-way", around_the_load_balancer, "1 rule(s) for addresses"),
        ("targets-healthy", wrong_health_path, "asks for /healthz"),
        ("found-by-name", no_name, "in no Cloud Map service"),
        ("staff-bounded", unbounded_barista, "StaffRolesBarista"),
        ("staff-bounded", gate_in_the_fence, "iam:*"),
    ],
)
def test_a_broken_stack_fails_exactly_one_check(
    stack: Template, declared: CheckList, check: str, break_it: Break, said: str
) -> None:
    broken = copy.deepcopy(stack.body)
    break_it(broken["Resources"])
    report = verify.run("1", list(declared), template=Template(stack.stack, broken))
    failed = {finding.check: finding.what for finding in report.findings if not finding.passed}
    assert list(failed) == [check]
    assert said in failed[check]
