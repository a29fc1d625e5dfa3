"""StorefrontSwitch: one parameter, made last and taken away first, and nothing of the earlier stack changed."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from brew_constructs.order_database import OrderDatabase
from brew_constructs.shop_cache import ShopCache
from brew_constructs.shop_network import ShopNetwork
from brew_constructs.storefront_switch import Shop, StorefrontSwitch

NAME = "/brew-haven/s01/storefront/config"


def build(stack: Stack, *, cache: bool = True, queue: bool = True, proxy: bool = False) -> None:
    vpc = ShopNetwork(stack, "ShopNetwork").vpc
    shops = [
        Shop(
            name,
            iam.Role(stack, f"{name}Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com")),
            ec2.SecurityGroup(stack, f"{name}Group", vpc=vpc),
        )
        for name in ("OnEc2", "OnFargate")
    ]
    table = dynamodb.TableV2(
        stack, "Catalog", partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING)
    )
    switch = StorefrontSwitch(stack, "StorefrontSwitch", parameter_name=NAME, shops=shops)
    database = OrderDatabase(stack, "OrderDatabase", vpc=vpc, name="orders", proxy=proxy)
    tables = sqs.Queue(stack, "StandsForTheTables")
    switch.orders(database, before=table, after=[tables])
    if cache:
        switch.sessions(ShopCache(stack, "ShopCache", vpc=vpc, name="brew-haven"))
    if queue:
        switch.events(sqs.Queue(stack, "Orders"))


@pytest.fixture(scope="module")
def everything(synthesize_alone: Callable[..., Template]) -> Template:
    return synthesize_alone(build)


@pytest.fixture(scope="module")
def orders_alone(synthesize_alone: Callable[..., Template]) -> Template:
    return synthesize_alone(lambda stack: build(stack, cache=False, queue=False))


def parameter(template: Template) -> dict[str, Any]:
    (found,) = template.find_resources("AWS::SSM::Parameter").values()
    return dict(found)


def said(template: Template) -> tuple[dict[str, Any], list[Any]]:
    """The parameter as the shop reads it, with 0, 1 ... where CloudFormation puts a value in; and those values."""
    parts = parameter(template)["Properties"]["Value"]["Fn::Join"][1]
    tokens = [part for part in parts if not isinstance(part, str)]
    numbers = iter(range(len(tokens)))
    return json.loads("".join(part if isinstance(part, str) else str(next(numbers)) for part in parts)), tokens


def only(template: Template, kind: str, beginning: str) -> str:
    (name,) = [name for name in template.find_resources(kind) if name.startswith(beginning)]
    return name


def test_the_shop_is_told_where_everything_is(everything: Template) -> None:
    switches, tokens = said(everything)
    assert set(switches) == {"orders", "sessions", "menu_cache", "postgresql", "valkey", "order_queue_url"}
    assert (switches["orders"], switches["sessions"], switches["menu_cache"]) == ("postgresql", "valkey", "valkey")

    def value(number: Any) -> Any:
        return tokens[int(number)]

    instance = only(everything, "AWS::RDS::DBInstance", "OrderDatabase")
    database = switches["postgresql"]
    assert value(database["host"]) == {"Fn::GetAtt": [instance, "Endpoint.Address"]}
    assert value(database["port"]) == {"Fn::GetAtt": [instance, "Endpoint.Port"]}
    assert isinstance(database["port"], int), "a number, not a text"
    assert database["database"] == "brewhaven"
    assert value(database["secret_arn"])["Ref"].startswith("OrderDatabaseInstanceSecretAttachment")
    cache = only(everything, "AWS::ElastiCache::ReplicationGroup", "ShopCache")
    assert value(switches["valkey"]["host"]) == {"Fn::GetAtt": [cache, "PrimaryEndPoint.Address"]}
    assert value(switches["valkey"]["port"]) == {"Fn::GetAtt": [cache, "PrimaryEndPoint.Port"]}
    assert isinstance(switches["valkey"]["port"], int)
    assert value(switches["order_queue_url"])["Ref"].startswith("Orders")


def test_the_parameter_has_the_name_that_the_shop_was_told(everything: Template) -> None:
    assert parameter(everything)["Properties"]["Name"] == NAME
    assert parameter(everything)["Properties"]["Type"] == "String"


def test_one_thing_moves_without_the_others(orders_alone: Template) -> None:
    switches, _ = said(orders_alone)
    assert set(switches) == {"orders", "postgresql"}


def test_with_a_proxy_the_shop_connects_to_it(synthesize_alone: Callable[..., Template]) -> None:
    template = synthesize_alone(lambda stack: build(stack, cache=False, queue=False, proxy=True))
    switches, tokens = said(template)
    proxy = only(template, "AWS::RDS::DBProxy", "OrderDatabase")
    assert tokens[int(switches["postgresql"]["host"])] == {"Fn::GetAtt": [proxy, "Endpoint"]}


def test_it_is_made_after_everything_that_the_shop_needs_and_so_taken_away_before(everything: Template) -> None:
    waits = set(parameter(everything)["DependsOn"])
    needed = {
        only(everything, "AWS::IAM::Policy", "StorefrontSwitchShopMay"),
        only(everything, "AWS::SQS::Queue", "StandsForTheTables"),
        only(everything, "AWS::SQS::Queue", "Orders"),
        only(everything, "AWS::ElastiCache::ReplicationGroup", "ShopCache"),
        *everything.find_resources("AWS::EC2::SecurityGroupIngress"),
    }
    assert len(needed) == 8
    assert needed <= waits


def test_the_shops_roles_get_a_policy_of_this_stack(everything: Template) -> None:
    policy = everything.find_resources("AWS::IAM::Policy")[only(everything, "AWS::IAM::Policy", "StorefrontSwitch")]
    assert [role["Ref"].rstrip("0123456789ABCDEF") for role in policy["Properties"]["Roles"]] == [
        "OnEc2Role",
        "OnFargateRole",
    ]
    may = {}
    for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
        actions = statement["Action"]
        may[tuple([actions] if isinstance(actions, str) else actions)] = statement["Resource"]
    secrets = may["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    assert [resource["Ref"][:9] for resource in secrets] == ["OrderData", "ShopCache"]
    assert may["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"] == {
        "Fn::GetAtt": [only(everything, "AWS::SQS::Queue", "Orders"), "Arn"]
    }
    assert may[("dynamodb:Scan",)] == {"Fn::GetAtt": [only(everything, "AWS::DynamoDB::GlobalTable", "Catalog"), "Arn"]}
    assert len(may) == 3


def test_before_the_cache_and_the_queue_the_shop_may_less(orders_alone: Template) -> None:
    (policy,) = orders_alone.find_resources("AWS::IAM::Policy").values()
    text = json.dumps(policy["Properties"]["PolicyDocument"])
    assert "sqs:SendMessage" not in text
    assert "ShopCache" not in text


def test_database_and_cache_admit_the_shop_and_nothing_of_its_groups_changes(everything: Template) -> None:
    rules = everything.find_resources("AWS::EC2::SecurityGroupIngress").values()
    ports = sorted(
        (rule["Properties"]["FromPort"], rule["Properties"]["SourceSecurityGroupId"]["Fn::GetAtt"][0][:6])
        for rule in rules
    )
    assert ports == [(5432, "OnEc2G"), (5432, "OnFarg"), (6379, "OnEc2G"), (6379, "OnFarg")]
    for name, group in everything.find_resources("AWS::EC2::SecurityGroup").items():
        if name.startswith("On"):
            assert "SecurityGroupIngress" not in group["Properties"]
