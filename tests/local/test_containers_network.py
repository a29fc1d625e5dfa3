"""One task speaks to another: by name, and only where security groups admit it (engines/network.py)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.plugins.containers import Service, until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

FUNCTION = """
import urllib.request
def handler(url, context):
    try:
        return urllib.request.urlopen(url, timeout=5).read().decode()
    except OSError as error:
        return str(error)
"""


def function() -> dict[str, Any]:
    """A function in the network of a service, with a security group of its own."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    group = {"GroupDescription": "function", "VpcId": {"Ref": "Vpc"}}
    place = {"SubnetIds": [{"Ref": "SubnetA"}], "SecurityGroupIds": [{"Ref": "FunctionGroup"}]}
    return {
        "FunctionGroup": {"Type": "AWS::EC2::SecurityGroup", "Properties": group},
        "FunctionRole": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "asking-function",
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["FunctionRole", "Arn"]},
                "Code": {"ZipFile": FUNCTION},
                "Timeout": 20,
                "VpcConfig": place,
            },
        },
    }


@pytest.fixture(scope="module")
def services(cloud: Cloud, images: Callable[..., str]) -> Iterator[tuple[Service, Service]]:
    """Two services in stacks of their own, in networks that overlap in nothing."""
    asking, asked = Service(cloud, "asking", images()), Service(cloud, "asked", images())
    asking.resources = function()
    for service in (asking, asked):
        assert service.deploy() == "CREATE_COMPLETE", service.failures()
    yield asking, asked
    for service in (asked, asking):  # A rule of the one names the group of the other.
        service.delete()


def test_a_task_reaches_another_only_where_its_group_admits_it(services: tuple[Service, Service]) -> None:
    asking, asked = services
    address = asked.get("/environment")["BREWHAVEN_NETWORK_ADDRESS"]
    path = f"/fetch?http://{address}:8080/"
    refused = asking.get(path)["error"]
    assert "timed out" in refused
    assert asked.output("TaskGroup") in refused
    asked.cloud.client("ec2").authorize_security_group_ingress(
        GroupId=asked.output("TaskGroup"),
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 8080,
                "ToPort": 8080,
                "UserIdGroupPairs": [{"GroupId": asking.output("TaskGroup")}],
            }
        ],
    )
    assert "good morning" in until(lambda: asking.get(path).get("body"))


def test_a_function_is_in_its_network_as_a_task_is(services: tuple[Service, Service]) -> None:
    asking, asked = services
    address = asked.get("/environment")["BREWHAVEN_NETWORK_ADDRESS"]

    def ask() -> str:
        answer = asking.cloud.client("lambda").invoke(
            FunctionName="asking-function", Payload=json.dumps(f"http://{address}:8080/")
        )
        return str(json.loads(answer["Payload"].read()))

    refused = ask()
    assert "timed out" in refused
    assert asked.output("TaskGroup") in refused
    stack = asking.cloud.client("cloudformation").describe_stack_resource(
        StackName=asking.name, LogicalResourceId="FunctionGroup"
    )
    group = stack["StackResourceDetail"]["PhysicalResourceId"]
    rule = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": group}]}
    ec2 = asked.cloud.client("ec2")
    ec2.authorize_security_group_ingress(GroupId=asked.output("TaskGroup"), IpPermissions=[rule])
    try:
        assert "good morning" in ask()
    finally:
        ec2.revoke_security_group_ingress(GroupId=asked.output("TaskGroup"), IpPermissions=[rule])


def test_what_nothing_listens_on_refuses(services: tuple[Service, Service]) -> None:
    asking, asked = services
    asked.cloud.client("ec2").authorize_security_group_ingress(
        GroupId=asked.output("TaskGroup"), IpProtocol="tcp", FromPort=9, ToPort=9, CidrIp="10.7.0.0/16"
    )
    address = asked.get("/environment")["BREWHAVEN_NETWORK_ADDRESS"]
    assert "Connection refused" in asking.get(f"/fetch?http://{address}:9/")["error"]
