"""Openings, data paths, environment, outputs and cost: what a template means beside its permissions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from brewhaven.diff.model import Comparison
from brewhaven.diff.prices import HOURS, PRICES
from tests.unit.diff.sides import resource, side

Difference = Callable[[Any, Any], Comparison]


def said(found: Comparison, *topics: Any) -> list[tuple[str, str]]:
    return [(change.kind, change.fact.text) for change in found.about(*topics)]


def balanced(cidr: str = "203.0.113.7/32", *, open_port: int = 80) -> dict[str, Any]:
    """A load balancer in front of a Fargate service that uses a table."""
    balancer_group = {"Fn::GetAtt": ["BalancerGroup", "GroupId"]}
    service_group = {"Fn::GetAtt": ["ServiceGroup", "GroupId"]}
    return {
        "BalancerGroup": resource(
            "AWS::EC2::SecurityGroup",
            "Storefront/LoadBalancer/SecurityGroup",
            {
                "SecurityGroupIngress": [
                    {"IpProtocol": "tcp", "FromPort": open_port, "ToPort": open_port, "CidrIp": cidr}
                ],
                "SecurityGroupEgress": [{"IpProtocol": "-1", "CidrIp": "255.255.255.255/32"}],
            },
        ),
        "Balancer": resource(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "Storefront/LoadBalancer",
            {"Scheme": "internet-facing", "SecurityGroups": [balancer_group], "Subnets": ["a", "b"]},
        ),
        "ServiceGroup": resource("AWS::EC2::SecurityGroup", "Shop/SecurityGroup"),
        "In": resource(
            "AWS::EC2::SecurityGroupIngress",
            "Shop/SecurityGroup/from",
            {
                "GroupId": service_group,
                "SourceSecurityGroupId": balancer_group,
                "IpProtocol": "tcp",
                "FromPort": 8080,
                "ToPort": 8080,
            },
        ),
        "Table": resource("AWS::DynamoDB::Table", "CatalogTable/Table", {"BillingMode": "PAY_PER_REQUEST"}),
        "Role": resource("AWS::IAM::Role", "Shop/Task/TaskRole"),
        "Policy": resource(
            "AWS::IAM::Policy",
            "Shop/Task/TaskRole/DefaultPolicy",
            {
                "PolicyDocument": {
                    "Statement": [
                        {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": {"Fn::GetAtt": ["Table", "Arn"]}}
                    ]
                },
                "Roles": [{"Ref": "Role"}],
            },
        ),
        "Task": resource(
            "AWS::ECS::TaskDefinition",
            "Shop/Task",
            {
                "Cpu": "256",
                "Memory": "512",
                "RuntimePlatform": {"CpuArchitecture": "ARM64"},
                "TaskRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                "ContainerDefinitions": [{"Environment": [{"Name": "CATALOG_TABLE", "Value": {"Ref": "Table"}}]}],
            },
        ),
        "Service": resource(
            "AWS::ECS::Service",
            "Shop/Service",
            {
                "LaunchType": "FARGATE",
                "DesiredCount": 2,
                "TaskDefinition": {"Ref": "Task"},
                "NetworkConfiguration": {
                    "AwsvpcConfiguration": {"AssignPublicIp": "ENABLED", "SecurityGroups": [service_group]}
                },
            },
        ),
    }


# Openings


def test_who_may_reach_what_on_which_port(difference: Difference) -> None:
    found = said(difference({}, balanced()), "network")
    assert ("added", "The addresses 203.0.113.7/32 may reach the Storefront load balancer on TCP 80.") in found
    assert ("added", "The Storefront load balancer may reach the Shop service on TCP 8080.") in found
    assert ("added", "Each task of the Shop service has a public address.") in found
    assert ("added", "The Storefront load balancer has public addresses.") in found
    assert not any("255.255.255.255" in text for _, text in found), "CDK's word for 'no way out' is no opening"


def test_the_whole_internet_is_a_warning_and_an_opening_that_grows_is_a_change(difference: Difference) -> None:
    found = difference(balanced(), balanced("0.0.0.0/0")).about("network")
    (change,) = found
    assert change.kind == "changed"
    assert change.fact.text == "Anyone on the internet may reach the Storefront load balancer on TCP 80."
    assert change.fact.warning == "open to the whole internet"
    assert change.before is not None
    assert change.before.value == "TCP 80 from 203.0.113.7/32"


def test_nobody_is_said_to_be_nobody(difference: Difference) -> None:
    found = said(difference({}, balanced("127.0.0.1/32")), "network")
    assert any(text.startswith("Nobody but this machine") for _, text in found)


def test_a_closed_port_is_lost(difference: Difference) -> None:
    found = said(difference(balanced(), balanced(open_port=443)), "network")
    assert [kind for kind, _ in found] == ["added", "removed"]
    assert found[1][1].endswith("on TCP 80.")


@pytest.mark.parametrize(
    ("type_", "properties", "words"),
    [
        ("AWS::EC2::InternetGateway", {}, "There is a way to the internet: the Thing internet gateway."),
        ("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": True}, "What starts in the Thing subnet gets a public address."),
        ("AWS::RDS::DBInstance", {"PubliclyAccessible": True}, "The Thing database has a public address."),
        (
            "AWS::EC2::VPCEndpoint",
            {"ServiceName": "com.amazonaws.us-east-1.s3"},
            "Traffic to S3 stays inside AWS, through the Thing endpoint.",
        ),
        (
            "AWS::S3::Bucket",
            {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}},
            "Thing can be made public: BlockPublicPolicy, IgnorePublicAcls and RestrictPublicBuckets off.",
        ),
    ],
)
def test_what_faces_the_internet(difference: Difference, type_: str, properties: dict[str, Any], words: str) -> None:
    assert ("added", words) in said(difference({}, {"X": resource(type_, "Thing", properties)}), "network")


# Data paths


def test_which_component_talks_to_which_and_how(difference: Difference) -> None:
    edges = {(edge.source, edge.target): edge.ways for edge in difference({}, balanced()).edges_after}
    assert edges["Shop", "CatalogTable"] == ("may read items", "knows it as CATALOG_TABLE")
    assert edges["Storefront", "Shop"] == ("reaches it on TCP 8080",)
    assert edges["the internet", "Storefront"] == ("may reach it on TCP 80, only from 203.0.113.7/32",)


def test_a_path_that_can_do_more_is_a_change(difference: Difference) -> None:
    after = balanced()
    statement = after["Policy"]["Properties"]["PolicyDocument"]["Statement"][0]
    after["Policy"] = {**after["Policy"], "Properties": {**after["Policy"]["Properties"]}}
    more = {"Statement": [{**statement, "Action": ["dynamodb:GetItem", "dynamodb:PutItem"]}]}
    after["Policy"]["Properties"]["PolicyDocument"] = more
    (change,) = difference(balanced(), after).about("data path")
    assert change.kind == "changed"
    assert "may read and put items" in change.fact.text


@pytest.mark.parametrize(
    ("type_", "properties", "way"),
    [
        (
            "AWS::Lambda::EventSourceMapping",
            {"EventSourceArn": {"Fn::GetAtt": ["Q", "Arn"]}, "FunctionName": {"Ref": "F"}},
            "feeds its records",
        ),
        (
            "AWS::SNS::Subscription",
            {"TopicArn": {"Ref": "Q"}, "Endpoint": {"Fn::GetAtt": ["F", "Arn"]}},
            "delivers its messages",
        ),
        (
            "AWS::Lambda::Permission",
            {"SourceArn": {"Fn::GetAtt": ["Q", "Arn"]}, "FunctionName": {"Fn::GetAtt": ["F", "Arn"]}},
            "invokes it",
        ),
    ],
)
def test_events_are_paths(difference: Difference, type_: str, properties: dict[str, Any], way: str) -> None:
    ends = {"Q": resource("AWS::SQS::Queue", "Tickets"), "F": resource("AWS::Lambda::Function", "Kitchen")}
    found = difference(ends, {**ends, "Link": resource(type_, "Kitchen/Link", properties)})
    assert said(found, "data path") == [("added", f"Tickets talks to Kitchen: {way}.")]


def test_a_rule_sends_to_what_it_names(difference: Difference) -> None:
    target = {"F": resource("AWS::Lambda::Function", "Kitchen")}
    rule = resource("AWS::Events::Rule", "Events/Rule", {"Targets": [{"Arn": {"Fn::GetAtt": ["F", "Arn"]}}]})
    found = difference(target, {**target, "Rule": rule})
    assert said(found, "data path") == [("added", "Events talks to Kitchen: sends events.")]


def test_a_reference_through_another_stack_is_followed(difference: Difference) -> None:
    table = side(
        {"Table": resource("AWS::DynamoDB::Table", "CatalogTable/Table")},
        name="One",
        Outputs={"TableName": {"Value": {"Ref": "Table"}}},
    )
    function = resource(
        "AWS::Lambda::Function",
        "Kitchen",
        {"Environment": {"Variables": {"T": {"Fn::GetStackOutput": {"StackName": "One", "OutputName": "TableName"}}}}},
    )
    user = side({"F": function}, name="Two")
    both = table.with_stacks({**table.stacks, **user.stacks})
    assert said(difference(table, both), "data path") == [("added", "Kitchen talks to CatalogTable: knows it as T.")]


# Environment and outputs


def test_a_variable_that_changes_says_what_it_was(difference: Difference) -> None:
    def function(level: str) -> dict[str, Any]:
        return {"F": resource("AWS::Lambda::Function", "Fn", {"Environment": {"Variables": {"LEVEL": level}}})}

    (change,) = difference(function("info"), function("debug")).about("environment")
    assert (change.kind, change.fact.text) == ("changed", "The Fn function: LEVEL is debug.")
    assert change.before is not None
    assert change.before.value == "info"


def test_what_a_start_script_writes_down_is_environment_too(difference: Difference) -> None:
    table = {"Table": resource("AWS::DynamoDB::Table", "CatalogTable/Table")}
    lines = ["#!/bin/bash\ncat > /etc/shop.env <<'END'\nCATALOG_TABLE=", {"Ref": "Table"}, "\nEND\n"]
    data = {"UserData": {"Fn::Base64": {"Fn::Join": ["", lines]}}}
    found = difference(table, {**table, "S": resource("AWS::EC2::Instance", "Server", data)})
    assert ("added", "Server: CATALOG_TABLE is <CatalogTable>.") in said(found, "environment")
    assert said(found, "data path") == [("added", "Server talks to CatalogTable: knows it by its start script.")]


def test_outputs_come_go_and_change(difference: Difference) -> None:
    def published(**values: str) -> Any:
        return side({}, Outputs={name: {"Value": value} for name, value in values.items()})

    found = difference(published(Url="http://a", Old="x"), published(Url="http://b", New="y"))
    assert said(found, "output") == [
        ("changed", "Url publishes http://b."),
        ("added", "New publishes y."),
        ("removed", "Old publishes x."),
    ]


# Cost


def test_what_bills_by_the_hour(difference: Difference) -> None:
    found = {change.fact.about[0][1]: change.fact for change in difference({}, balanced()).about("cost")}
    assert set(found) == {"Balancer", "Service"}, "an on-demand table costs nothing while nobody uses it"
    balancer = PRICES["alb"].hourly + 2 * PRICES["ipv4"].hourly
    assert found["Balancer"].amount == pytest.approx(balancer)
    task = 0.25 * PRICES["fargate-arm-vcpu"].hourly + 0.5 * PRICES["fargate-arm-gb"].hourly + PRICES["ipv4"].hourly
    assert found["Service"].amount == pytest.approx(2 * task)
    assert f"${2 * task * HOURS:.2f} a month" in found["Service"].text


def test_a_size_without_a_figure_is_said_and_not_guessed(difference: Difference) -> None:
    server = resource("AWS::EC2::Instance", "Big", {"InstanceType": "u-24tb1.metal"})
    (change,) = difference({}, {"X": server}).about("cost")
    assert "a size without a figure here" in change.fact.text
    assert change.fact.amount == 0


@pytest.mark.parametrize(
    ("type_", "properties", "hourly"),
    [
        ("AWS::EC2::NatGateway", {}, 0.045),
        ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface", "SubnetIds": ["a", "b"]}, 0.02),
        ("AWS::RDS::DBInstance", {"DBInstanceClass": "db.t4g.micro"}, 0.016),
        ("AWS::RDS::DBInstance", {"DBInstanceClass": "db.t4g.micro", "MultiAZ": True}, 0.032),
        ("AWS::Kinesis::Stream", {"ShardCount": 2}, 0.03),
        ("AWS::SecretsManager::Secret", {}, 0.4 / HOURS),
        (
            "AWS::DynamoDB::Table",
            {
                "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
                "GlobalSecondaryIndexes": [{"IndexName": "A"}],
            },
            10 * 0.00013 + 10 * 0.00065,
        ),
        ("AWS::ElastiCache::ReplicationGroup", {"CacheNodeType": "cache.t4g.micro", "Engine": "valkey"}, 0.0128),
    ],
)
def test_the_price_of_one(difference: Difference, type_: str, properties: dict[str, Any], hourly: float) -> None:
    (change,) = difference({}, {"X": resource(type_, "Thing", properties)}).about("cost")
    assert change.fact.amount == pytest.approx(hourly)


@pytest.mark.parametrize(
    ("type_", "properties"),
    [
        ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Gateway"}),
        ("AWS::DynamoDB::Table", {"BillingMode": "PAY_PER_REQUEST"}),
        ("AWS::S3::Bucket", {}),
        ("AWS::Lambda::Function", {}),
    ],
)
def test_what_costs_nothing_unused_is_not_listed(
    difference: Difference, type_: str, properties: dict[str, Any]
) -> None:
    assert difference({}, {"X": resource(type_, "Thing", properties)}).about("cost") == []
