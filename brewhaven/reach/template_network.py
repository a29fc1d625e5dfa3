"""The networks of synthesized templates, across all of their stacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from brewhaven.diff.facts.network import EVERYWHERE, Network
from brewhaven.diff.facts.network import Rule as RuleOfTemplate
from brewhaven.diff.facts.side import Side
from brewhaven.diff.model import Resource
from brewhaven.diff.values import as_list
from brewhaven.reach.services import service_named
from brewhaven.reach.topology import (
    ANYWHERE,
    Endpoint,
    Group,
    Nat,
    Range,
    Route,
    Rule,
    Subnet,
    Topology,
    Vpc,
    address_range,
    by_id,
    ports,
)

_NARROWED = "Custom::VpcRestrictDefaultSG"


def identity(resource: Resource) -> str:
    """What a resource is called in a topology of templates."""
    return "/".join(resource.key)


def read(side: Side, network: Network) -> Topology:
    """Every network of a side."""
    return _Reader(side, network).topology()


class _Reader:
    def __init__(self, side: Side, network: Network) -> None:
        self.side = side
        self.network = network

    def topology(self) -> Topology:
        deployment = self.side.deployment
        return Topology(
            vpcs=by_id(self._vpc(vpc) for vpc in deployment.of_type("AWS::EC2::VPC")),
            subnets=by_id(self._subnet(subnet) for subnet in deployment.of_type("AWS::EC2::Subnet")),
            groups=by_id(self._all_groups()),
            nats=by_id(self._nat(nat) for nat in deployment.of_type("AWS::EC2::NatGateway")),
            endpoints=tuple(self._endpoint(endpoint) for endpoint in deployment.of_type("AWS::EC2::VPCEndpoint")),
        )

    def _ids(self, stack: str, value: Any, type_: str) -> tuple[str, ...]:
        return tuple(identity(one) for one in self.side.targets(stack, value) if one.type == type_)

    def _id(self, stack: str, value: Any, type_: str) -> str:
        return next(iter(self._ids(stack, value, type_)), "")

    def _vpc(self, vpc: Resource) -> Vpc:
        attached = [
            gateway
            for attachment in self.side.deployment.of_type("AWS::EC2::VPCGatewayAttachment")
            if identity(vpc) in self._ids(attachment.stack, attachment.properties.get("VpcId"), "AWS::EC2::VPC")
            for gateway in self._ids(
                attachment.stack, attachment.properties.get("InternetGatewayId"), "AWS::EC2::InternetGateway"
            )
        ]
        support, names = (vpc.properties.get(name) for name in ("EnableDnsSupport", "EnableDnsHostnames"))
        return Vpc(
            identity(vpc),
            f"the VPC {self.side.names.bare(vpc)}",
            resolves=support is not False and names is True,
            gateways=frozenset(attached),
        )

    def _subnet(self, subnet: Resource) -> Subnet:
        table = ""
        for association in self.side.deployment.of_type("AWS::EC2::SubnetRouteTableAssociation"):
            properties = association.properties
            if identity(subnet) in self._ids(association.stack, properties.get("SubnetId"), subnet.type):
                table = self._id(association.stack, properties.get("RouteTableId"), "AWS::EC2::RouteTable")
        return Subnet(
            identity(subnet),
            self.side.name(subnet),
            vpc=self._id(subnet.stack, subnet.properties.get("VpcId"), "AWS::EC2::VPC"),
            range=self._range(subnet.stack, subnet.properties.get("CidrBlock")),
            table=table,
            outward=next(self._routes(table), None) if table else None,
        )

    def _routes(self, table: str) -> Iterator[Route]:
        """The routes of a table that lead to every address."""
        for route in self.side.deployment.of_type("AWS::EC2::Route"):
            properties = route.properties
            if properties.get("DestinationCidrBlock") not in EVERYWHERE:
                continue
            if self._id(route.stack, properties.get("RouteTableId"), "AWS::EC2::RouteTable") != table:
                continue
            for target in self.side.targets(route.stack, [properties.get("GatewayId"), properties.get("NatGatewayId")]):
                if target.type == "AWS::EC2::InternetGateway":
                    yield Route("internet gateway", identity(target), self.side.name(target))
                elif target.type == "AWS::EC2::NatGateway":
                    yield Route("NAT gateway", identity(target), self.side.name(target))
            yield Route("other", "", f"the route {self.side.names.bare(route)}, which is not followed further")

    def _nat(self, nat: Resource) -> Nat:
        subnet = self._id(nat.stack, nat.properties.get("SubnetId"), "AWS::EC2::Subnet")
        return Nat(
            identity(nat), self.side.name(nat), subnet, nat.properties.get("ConnectivityType", "public") == "public"
        )

    def _endpoint(self, endpoint: Resource) -> Endpoint:
        properties, stack = endpoint.properties, endpoint.stack
        kind = properties.get("VpcEndpointType", "Gateway")
        vpc = self._id(stack, properties.get("VpcId"), "AWS::EC2::VPC")
        groups = self._ids(stack, properties.get("SecurityGroupIds"), "AWS::EC2::SecurityGroup")
        service = service_named(self.side.say(stack, properties.get("ServiceName")))
        return Endpoint(
            identity(endpoint),
            f"the {'gateway' if kind == 'Gateway' else 'interface'} endpoint {self.side.names.bare(endpoint)}",
            kind="gateway" if kind == "Gateway" else "interface",
            service=service,
            vpc=vpc,
            tables=frozenset(self._ids(stack, properties.get("RouteTableIds"), "AWS::EC2::RouteTable")),
            subnets=self._ids(stack, properties.get("SubnetIds"), "AWS::EC2::Subnet"),
            groups=groups or (default_group(vpc),),
            private_dns=properties.get("PrivateDnsEnabled") is True,
        )

    # Security groups

    def _all_groups(self) -> Iterator[Group]:
        rules: dict[str, list[Rule]] = {}
        for rule in self.network.rules:
            rules.setdefault(identity(rule.group), []).extend(self._rule(rule))
        for group in self.side.deployment.of_type("AWS::EC2::SecurityGroup"):
            listed = rules.get(identity(group), [])
            if not as_list(group.properties.get("SecurityGroupEgress")):
                # A group of a template that says nothing about the way out has none closed.
                listed = [*listed, Rule(ingress=False, ports=(0, 65535), range=ANYWHERE)]
            yield Group(identity(group), f"the security group {self.side.names.bare(group)}", tuple(listed))
        for vpc in self.side.deployment.of_type("AWS::EC2::VPC"):
            yield self._default_group(vpc)

    def _default_group(self, vpc: Resource) -> Group:
        """What a VPC gives to everything that names no group: members reach each other, unless the CDK closed it."""
        name = f"the default security group of {self.side.names.bare(vpc)}"
        closed = any(
            vpc in self.side.targets(one.stack, one.properties.get("DefaultSecurityGroupId"))
            for one in self.side.deployment.of_type(_NARROWED)
        )
        if closed:
            return Group(default_group(identity(vpc)), name, ())
        own = default_group(identity(vpc))
        return Group(own, name, (Rule(True, (0, 65535), group=own), Rule(False, (0, 65535), range=ANYWHERE)))

    def _rule(self, rule: RuleOfTemplate) -> Iterator[Rule]:
        written = rule.properties
        found = ports(written.get("IpProtocol", "-1"), written.get("FromPort"), written.get("ToPort"))
        if found is None:
            return
        if rule.peer is not None:
            yield Rule(rule.ingress, found, group=identity(rule.peer))
            return
        ranges = [written[name] for name in ("CidrIp", "CidrIpv6") if written.get(name) is not None]
        for value in ranges or [None]:
            yield Rule(rule.ingress, found, range=self._range(rule.about[0], value))

    def _range(self, stack: str, value: Any) -> Range | None:
        """A CIDR block, also where it is the attribute of a VPC or a subnet."""
        if isinstance(value, str):
            return address_range(value)
        for target in self.side.targets(stack, value):
            if "CidrBlock" in target.properties:
                return self._range(target.stack, target.properties["CidrBlock"])
        return None


def default_group(vpc: str) -> str:
    """The id of a VPC's default security group."""
    return f"{vpc}/default"
