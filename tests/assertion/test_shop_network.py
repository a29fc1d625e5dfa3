"""ShopNetwork: two zones, a way out for what faces the internet, and none for what must not."""

from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk.assertions import Template

from brew_constructs.shop_network import ShopNetwork


@pytest.fixture(scope="module")
def default(synthesize_alone: Callable[..., Template]) -> Template:
    return synthesize_alone(lambda stack: ShopNetwork(stack, "ShopNetwork"))


def subnets(template: Template, kind: str) -> dict[str, Any]:
    found = template.find_resources("AWS::EC2::Subnet")
    return {name: resource["Properties"] for name, resource in found.items() if kind in name}


def routes_to(template: Template, kind: str) -> list[Any]:
    tables = {name for name in template.find_resources("AWS::EC2::RouteTable") if kind in name}
    routes = template.find_resources("AWS::EC2::Route").values()
    return [route for route in routes if route["Properties"]["RouteTableId"]["Ref"] in tables]


def test_each_kind_of_subnet_is_in_two_zones_that_cloudformation_chooses(default: Template) -> None:
    for kind in ("Public", "Isolated"):
        zones = [subnet["AvailabilityZone"] for subnet in subnets(default, kind).values()]
        assert zones == [{"Fn::Select": [index, {"Fn::GetAZs": ""}]} for index in (0, 1)]


def test_public_subnets_reach_the_internet_and_isolated_ones_reach_nothing(default: Template) -> None:
    assert len(routes_to(default, "Public")) == 2
    assert routes_to(default, "Isolated") == []


def test_there_is_no_nat_gateway(default: Template) -> None:
    default.resource_count_is("AWS::EC2::NatGateway", 0)
    default.resource_count_is("AWS::EC2::EIP", 0)


def test_s3_and_dynamodb_are_reached_through_gateways_from_every_subnet(default: Template) -> None:
    endpoints = default.find_resources("AWS::EC2::VPCEndpoint").values()
    assert {endpoint["Properties"]["VpcEndpointType"] for endpoint in endpoints} == {"Gateway"}
    assert len(endpoints) == 2
    assert all(len(endpoint["Properties"]["RouteTableIds"]) == 4 for endpoint in endpoints)


def test_the_default_security_group_admits_nobody(default: Template) -> None:
    default.resource_count_is("Custom::VpcRestrictDefaultSG", 1)


def test_the_addresses_can_be_chosen(default: Template, synthesize_alone: Callable[..., Template]) -> None:
    default.has_resource_properties("AWS::EC2::VPC", {"CidrBlock": "10.20.0.0/16"})
    other = synthesize_alone(lambda stack: ShopNetwork(stack, "ShopNetwork", cidr="10.99.0.0/16"))
    other.has_resource_properties("AWS::EC2::VPC", {"CidrBlock": "10.99.0.0/16"})
