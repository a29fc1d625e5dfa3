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


def tables(template: Template, kind: str) -> list[str]:
    """The route table of each subnet of a kind."""
    found = template.find_resources("AWS::EC2::SubnetRouteTableAssociation").values()
    of_subnet = {one["Properties"]["SubnetId"]["Ref"]: one["Properties"]["RouteTableId"]["Ref"] for one in found}
    return [of_subnet[subnet] for subnet in subnets(template, kind)]


def ways(template: Template, table: str) -> list[tuple[str, Any]]:
    """The routes of a table: where to, and by which gateway."""
    routes = [route["Properties"] for route in template.find_resources("AWS::EC2::Route").values()]
    return [
        (route["DestinationCidrBlock"], route["GatewayId"])
        for route in routes
        if route["RouteTableId"] == {"Ref": table}
    ]


def test_each_kind_of_subnet_is_in_two_zones_that_cloudformation_chooses(default: Template) -> None:
    for kind in ("Public", "Isolated"):
        zones = [subnet["AvailabilityZone"] for subnet in subnets(default, kind).values()]
        assert zones == [{"Fn::Select": [index, {"Fn::GetAZs": ""}]} for index in (0, 1)]


def test_each_subnet_has_its_own_part_of_the_addresses(default: Template) -> None:
    blocks = [subnet["CidrBlock"] for kind in ("Public", "Isolated") for subnet in subnets(default, kind).values()]
    assert blocks == ["10.20.0.0/24", "10.20.1.0/24", "10.20.2.0/24", "10.20.3.0/24"]


def test_public_subnets_reach_the_internet_and_isolated_ones_reach_nothing(default: Template) -> None:
    (gateway,) = default.find_resources("AWS::EC2::InternetGateway")
    assert [ways(default, table) for table in tables(default, "Public")] == [[("0.0.0.0/0", {"Ref": gateway})]] * 2
    assert [ways(default, table) for table in tables(default, "Isolated")] == [[], []]
    (vpc,) = default.find_resources("AWS::EC2::VPC")
    default.has_resource_properties(
        "AWS::EC2::VPCGatewayAttachment", {"InternetGatewayId": {"Ref": gateway}, "VpcId": {"Ref": vpc}}
    )


def test_each_subnet_has_a_route_table_of_its_own_so_that_one_zone_can_be_sent_another_way(default: Template) -> None:
    assert len({*tables(default, "Public"), *tables(default, "Isolated")}) == 4


def test_what_starts_in_a_public_subnet_gets_a_public_address_and_elsewhere_none(default: Template) -> None:
    for kind, gets_one in (("Public", True), ("Isolated", False)):
        given = [subnet.get("MapPublicIpOnLaunch", False) for subnet in subnets(default, kind).values()]
        assert given == [gets_one, gets_one], kind


def test_it_resolves_names_which_a_private_namespace_needs(default: Template) -> None:
    """https://docs.aws.amazon.com/cloud-map/latest/dg/creating-namespaces.html"""
    (vpc,) = default.find_resources("AWS::EC2::VPC").values()
    assert vpc["Properties"]["EnableDnsHostnames"] is True
    assert vpc["Properties"].get("EnableDnsSupport", True) is True


def test_nothing_in_it_is_alone_on_its_hardware_which_would_be_billed(default: Template) -> None:
    (vpc,) = default.find_resources("AWS::EC2::VPC").values()
    assert vpc["Properties"].get("InstanceTenancy", "default") == "default"


def test_there_is_no_nat_gateway(default: Template) -> None:
    default.resource_count_is("AWS::EC2::NatGateway", 0)
    default.resource_count_is("AWS::EC2::EIP", 0)


def test_s3_and_dynamodb_are_reached_through_gateways_from_every_subnet(default: Template) -> None:
    endpoints = default.find_resources("AWS::EC2::VPCEndpoint").values()
    assert {endpoint["Properties"]["VpcEndpointType"] for endpoint in endpoints} == {"Gateway"}
    names = [endpoint["Properties"]["ServiceName"]["Fn::Join"][1] for endpoint in endpoints]
    assert names == [["com.amazonaws.", {"Ref": "AWS::Region"}, service] for service in (".s3", ".dynamodb")]
    assert all(len(endpoint["Properties"]["RouteTableIds"]) == 4 for endpoint in endpoints)


def test_the_default_security_group_admits_nobody(default: Template) -> None:
    (vpc,) = default.find_resources("AWS::EC2::VPC")
    default.has_resource_properties(
        "Custom::VpcRestrictDefaultSG",
        {"DefaultSecurityGroupId": {"Fn::GetAtt": [vpc, "DefaultSecurityGroup"]}, "Account": "111122223333"},
    )


def test_the_addresses_can_be_chosen(default: Template, synthesize_alone: Callable[..., Template]) -> None:
    default.has_resource_properties("AWS::EC2::VPC", {"CidrBlock": "10.20.0.0/16"})
    other = synthesize_alone(lambda stack: ShopNetwork(stack, "ShopNetwork", cidr="10.99.0.0/16"))
    other.has_resource_properties("AWS::EC2::VPC", {"CidrBlock": "10.99.0.0/16"})
