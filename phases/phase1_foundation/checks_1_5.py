"""Checks of lesson 1.5: the network, and the shop on EC2."""

from __future__ import annotations

from typing import Any

from brewhaven.course.checks import CheckList, expect, listed
from brewhaven.course.cloud import Deployment, ask
from brewhaven.course.template import Template

CHECKS = CheckList()

EVERYBODY = "0.0.0.0/0"
SHOP_PORT = 8080
NETWORK_CODE = "constructs/brew_constructs/shop_network.py, and VPC > Your VPCs > Resource map"
INSTANCE_CODE = "constructs/brew_constructs/storefront_instance.py, and EC2 > Instances > the shop's > Security"


ways_out = CHECKS.check(
    "network-ways-out",
    lesson="1.5",
    objective="network-foundations",
    proves="Each of two zones has a subnet with a way to the internet and one without, and nothing is paid for it",
)


@ways_out.on_template
def _(template: Template) -> str:
    subnets = template.resources("AWS::EC2::Subnet", of="ShopNetwork")
    routes = template.resources("AWS::EC2::Route", of="ShopNetwork")
    tables = {
        route.properties["RouteTableId"]["Ref"]
        for route in routes
        if route.properties.get("DestinationCidrBlock") == EVERYBODY and "GatewayId" in route.properties
    }
    public = {
        entry.properties["SubnetId"]["Ref"]
        for entry in template.resources("AWS::EC2::SubnetRouteTableAssociation", of="ShopNetwork")
        if entry.properties["RouteTableId"]["Ref"] in tables
    }
    zones: dict[str, list[bool]] = {}
    for subnet in subnets:
        zones.setdefault(str(subnet.properties["AvailabilityZone"]), []).append(subnet.logical_id in public)
    return _two_kinds_in_two_zones(zones, len(template.resources("AWS::EC2::NatGateway")))


@ways_out.on_cloud
def _(cloud: Deployment) -> str:
    ec2 = cloud.client("ec2")
    here = [{"Name": "vpc-id", "Values": [_vpc(cloud)]}]
    tables = ec2.describe_route_tables(Filters=here)["RouteTables"]
    public = {
        association["SubnetId"]
        for table in tables
        for association in table["Associations"]
        if "SubnetId" in association and any(_leads_out(route) for route in table["Routes"])
    }
    zones: dict[str, list[bool]] = {}
    for subnet in ec2.describe_subnets(Filters=here)["Subnets"]:
        zones.setdefault(subnet["AvailabilityZone"], []).append(subnet["SubnetId"] in public)
    gateways = ec2.describe_nat_gateways(Filter=[*here, {"Name": "state", "Values": ["pending", "available"]}])
    return _two_kinds_in_two_zones(zones, len(gateways["NatGateways"]))


def _leads_out(route: dict[str, Any]) -> bool:
    return route.get("DestinationCidrBlock") == EVERYBODY and str(route.get("GatewayId", "")).startswith("igw-")


def _two_kinds_in_two_zones(zones: dict[str, list[bool]], nat_gateways: int) -> str:
    expect(
        len(zones) >= 2,
        f"the network has subnets in {len(zones)} zone(s)",
        where=NETWORK_CODE,
        next_step="ask for two zones with max_azs=2, so that one may fail",
    )
    for zone, kinds in zones.items():
        expect(
            set(kinds) == {True, False},
            f"in zone {zone} {sum(kinds)} of {len(kinds)} subnets have a way to the internet",
            where=NETWORK_CODE,
            next_step="give each zone one PUBLIC and one PRIVATE_ISOLATED subnet; what faces nobody goes there",
        )
    expect(
        nat_gateways == 0,
        f"there are {nat_gateways} NAT gateways, at about 33 dollars a month each",
        where=NETWORK_CODE,
        next_step="set nat_gateways=0: S3 and DynamoDB have endpoints, and nothing else is asked from isolated subnets",
    )
    return f"{len(zones)} zones, each with a public and an isolated subnet, no NAT gateway"


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
    here = [{"Name": "vpc-id", "Values": [_vpc(cloud)]}]
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


door = CHECKS.check(
    "instance-one-door",
    lesson="1.5",
    objective="ec2-hosting",
    proves="The instance has one open port, the shop's, and not for everybody",
)


@door.on_template
def _(template: Template) -> str:
    [group] = template.resources("AWS::EC2::SecurityGroup", of="StorefrontInstance")
    rules = [(rule.get("FromPort"), rule.get("CidrIp")) for rule in group.properties.get("SecurityGroupIngress", [])]
    rules += [
        (rule.properties.get("FromPort"), rule.properties.get("CidrIp"))
        for rule in template.resources("AWS::EC2::SecurityGroupIngress")
        if template.mentions(group.logical_id, rule.properties["GroupId"])
    ]
    return _one_door(rules)


@door.on_cloud
def _(cloud: Deployment) -> str:
    identity = _instance(cloud)["SecurityGroups"][0]["GroupId"]
    [group] = cloud.client("ec2").describe_security_groups(GroupIds=[identity])["SecurityGroups"]
    return _one_door(
        [
            (rule.get("FromPort"), source.get("CidrIp"))
            for rule in group["IpPermissions"]
            for source in rule.get("IpRanges") or [{}]
        ]
    )


def _one_door(rules: list[tuple[Any, Any]]) -> str:
    others = sorted({str(port if port is not None else "all ports") for port, _ in rules if port != SHOP_PORT})
    expect(
        not others,
        f"the instance can also be reached on: {', '.join(others)}",
        where=INSTANCE_CODE,
        next_step="take those rules away; for a shell there is Session Manager, which needs none",
    )
    expect(
        rules,
        "no rule lets anybody reach the shop on the instance",
        where=INSTANCE_CODE,
        next_step=f"admit your own address on port {SHOP_PORT} with -c allowed_cidr=...",
    )
    open_to_all = [source for _, source in rules if source == EVERYBODY]
    expect(
        not open_to_all,
        f"port {SHOP_PORT} is open to the whole internet, over plain HTTP",
        where=INSTANCE_CODE,
        next_step="deploy again with -c allowed_cidr=<your address>/32",
    )
    return f"port {SHOP_PORT} for {', '.join(sorted({str(source) for _, source in rules}))}"


credentials = CHECKS.check(
    "instance-credentials",
    lesson="1.5",
    objective="ec2-hosting",
    proves="The instance has a role, hands its keys to version 2 requests only, and knows no key pair",
)


@credentials.on_template
def _(template: Template) -> str:
    [launch] = template.resources("AWS::EC2::LaunchTemplate", of="StorefrontInstance")
    data = launch.properties["LaunchTemplateData"]
    options = data.get("MetadataOptions", {})
    return _safe_credentials("IamInstanceProfile" in data, options, data.get("KeyName"))


@credentials.on_cloud
def _(cloud: Deployment) -> str:
    found = _instance(cloud)
    return _safe_credentials("IamInstanceProfile" in found, found["MetadataOptions"], found.get("KeyName"))


def _safe_credentials(has_role: bool, options: dict[str, Any], key: str | None) -> str:
    expect(
        has_role,
        "the instance has no role, so the shop on it has no credentials",
        where=INSTANCE_CODE,
        next_step="give the launch template the role again; never copy keys onto an instance",
    )
    expect(
        options.get("HttpTokens") == "required" and int(options.get("HttpPutResponseHopLimit", 1)) == 1,
        f"the metadata service answers to HttpTokens={options.get('HttpTokens')} over "
        f"{options.get('HttpPutResponseHopLimit')} hop(s)",
        where=INSTANCE_CODE,
        next_step="set require_imdsv2=True and http_put_response_hop_limit=1, so that no tricked page reads the keys",
    )
    expect(
        not key,
        f"whoever has the file of the key pair {key} can log in",
        where=INSTANCE_CODE,
        next_step="take the key pair out of the launch template, and use Session Manager",
    )
    return "a role, metadata version 2 within one hop, no key pair"


shop_open = CHECKS.check(
    "instance-shop-open",
    lesson="1.5",
    objective="ec2-hosting",
    proves="The shop on EC2 serves the menu that is in the table",
)


@shop_open.on_cloud
def _(cloud: Deployment) -> str:
    return serves_the_menu(cloud.outputs["InstanceUrl"], "EC2 > Instances > the shop's > Get system log")


def serves_the_menu(url: str, where: str) -> str:
    """Ask a shop whether it is ready, and for its menu."""
    ready = ask(f"{url}/ready")
    expect(
        ready.status == 200,
        f"{url}/ready answers {ready.status}: {ready.text[:200]}",
        where=where,
        next_step="see what the answer names: the shop lives, and something that it needs does not answer",
    )
    products = ask(f"{url}/api/menu").json()["products"]
    expect(
        products,
        f"{url} has an empty menu",
        where="the items of the table (lesson 1.1), read over its index (lesson 1.2)",
        next_step="deploy lesson 1.1 again: its seeder puts in what is missing",
    )
    return f"{len(products)} products at {url}"


def _instance(cloud: Deployment) -> dict[str, Any]:
    found = cloud.client("ec2").describe_instances(InstanceIds=listed(cloud.outputs["InstanceId"]))
    instance: dict[str, Any] = found["Reservations"][0]["Instances"][0]
    return instance


def _vpc(cloud: Deployment) -> str:
    return cloud.resources("AWS::EC2::VPC", of="ShopNetwork")[0].physical_id
