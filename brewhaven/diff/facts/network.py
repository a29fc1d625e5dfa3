"""Who may reach what on which port, what has a public address, and what stands open to the internet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from brewhaven.diff.facts.side import Side
from brewhaven.diff.model import Fact, Key, Resource
from brewhaven.diff.names import is_helper, join_words, sentence
from brewhaven.diff.values import as_list, text

EVERYWHERE = {"0.0.0.0/0", "::/0"}
NOBODY = {"255.255.255.255/32", "127.0.0.1/32"}
_MEMBERS = (
    "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::ECS::Service", "AWS::EC2::Instance", "AWS::Lambda::Function",
    "AWS::RDS::DBInstance", "AWS::RDS::DBCluster", "AWS::RDS::DBProxy", "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::ServerlessCache", "AWS::EC2::VPCEndpoint", "AWS::OpenSearchService::Domain",
    "AWS::AutoScaling::AutoScalingGroup", "AWS::EFS::MountTarget", "AWS::ElastiCache::CacheCluster",
)  # fmt: skip
_GROUP_PROPERTIES = ("SecurityGroups", "SecurityGroupIds", "VpcSecurityGroupIds", "VPCSecurityGroups")


@dataclass(frozen=True)
class Rule:
    """One rule of a security group. `peer` is a group, or None when `where` is an address range.

    Attributes:
        raw: The other end as written, with logical ids.
        properties: The whole rule as written, in the stack of `about`.
        about: The resource in which it stands.
    """

    group: Resource
    ingress: bool
    ports: str
    where: str
    peer: Resource | None
    raw: str
    properties: dict[str, Any]
    about: Key


class Network:
    """The network of one side."""

    def __init__(self, side: Side) -> None:
        self.side = side

    @cached_property
    def members(self) -> dict[Key, list[Resource]]:
        """What is in each security group."""
        found: dict[Key, list[Resource]] = {}
        for resource in self.side.deployment.of_type(*_MEMBERS):
            for group in self._groups(resource):
                if resource not in found.setdefault(group.key, []):
                    found[group.key].append(resource)
        return found

    def _groups(self, resource: Resource) -> list[Resource]:
        properties = resource.properties
        network = (properties.get("NetworkConfiguration") or {}).get("AwsvpcConfiguration") or {}
        vpc = properties.get("VpcConfig") or properties.get("VPCOptions") or {}
        places: list[Any] = [holder.get(name) for holder in (properties, network, vpc) for name in _GROUP_PROPERTIES]
        for holder in (resource, *self.side.targets(resource.stack, properties.get("LaunchTemplate"))):
            data = holder.properties.get("LaunchTemplateData") or {}
            interfaces = as_list(holder.properties.get("NetworkInterfaces")) + as_list(data.get("NetworkInterfaces"))
            places += [data.get("SecurityGroupIds"), *(interface.get("GroupSet") for interface in interfaces)]
            places += [interface.get("Groups") for interface in interfaces]
        targets = self.side.targets(resource.stack, places)
        return [target for target in targets if target.type == "AWS::EC2::SecurityGroup"]

    def group_name(self, group: Resource) -> str:
        """What is in the group; the group itself when nothing is."""
        members = [self.side.name(member) for member in self.members.get(group.key, [])]
        return join_words(members) if members else f"the empty security group {self.side.names.bare(group)}"

    @cached_property
    def rules(self) -> list[Rule]:
        """Every rule, whether written in the group or beside it."""
        found: list[Rule] = []
        for group in self.side.deployment.of_type("AWS::EC2::SecurityGroup"):
            for name, ingress in (("SecurityGroupIngress", True), ("SecurityGroupEgress", False)):
                found += [
                    self._rule(group, rule, ingress, group) for rule in as_list(group.properties.get(name))
                ]  # fmt: skip
        for type_, ingress in (("AWS::EC2::SecurityGroupIngress", True), ("AWS::EC2::SecurityGroupEgress", False)):
            for resource in self.side.deployment.of_type(type_):
                owner = self.side.target(resource.stack, resource.properties.get("GroupId"))
                if owner:
                    found.append(self._rule(owner, resource.properties, ingress, resource))
        return found

    def _rule(self, group: Resource, rule: dict[str, Any], ingress: bool, holder: Resource) -> Rule:
        name = "SourceSecurityGroupId" if ingress else "DestinationSecurityGroupId"
        lists = ("SourcePrefixListId", "DestinationPrefixListId")
        peer = self.side.target(holder.stack, rule.get(name))
        value = next((rule[key] for key in ("CidrIp", "CidrIpv6", *lists, name) if rule.get(key) is not None), "")
        return Rule(
            group, ingress, ports_of(rule), self.side.say(holder.stack, value),
            peer if peer and peer.type == "AWS::EC2::SecurityGroup" else None, text(value), rule, holder.key,
        )  # fmt: skip

    def facts(self) -> Iterator[Fact]:
        """Openings and public addresses."""
        for rule in self.rules:
            fact = self._rule_fact(rule)
            if fact:
                yield fact
        for resource in self.side.deployment:
            yield from self._exposure(resource)

    def _rule_fact(self, rule: Rule) -> Fact | None:
        if rule.where in NOBODY and not rule.ingress:
            return None  # CDK's way to write 'no way out'
        inside = self.group_name(rule.group)
        port = f" on {rule.ports}" if rule.ports != "all traffic" else ""
        warning = None
        if rule.peer is not None:
            other = self.group_name(rule.peer)
            words = f"{other} may reach {inside}{port}" if rule.ingress else f"{inside} may reach {other}{port}"
        elif rule.ingress:
            words = f"{_who(rule.where)} may reach {inside}{port}"
            warning = "open to the whole internet" if rule.where in EVERYWHERE else None
        else:
            words = f"{inside} may reach {_where(rule.where)}{port}"
        return Fact(
            topic="network",
            key=("rule", rule.group.key, rule.ingress, rule.ports, rule.raw),
            subject=("rule", rule.group.key, rule.ingress, rule.ports),
            text=sentence(words),
            about=(rule.about, *(member.key for member in self.members.get(rule.group.key, []))),
            detail=f"{'in' if rule.ingress else 'out'}: {rule.ports} {'from' if rule.ingress else 'to'} {rule.where}",
            warning=warning,
            helper=is_helper(rule.group),
            value=f"{rule.ports} {'from' if rule.ingress else 'to'} {rule.where}",
        )

    def _exposure(self, resource: Resource) -> Iterator[Fact]:
        for what, words, warning in exposures(self.side, resource):
            yield Fact(
                topic="network",
                key=("exposure", resource.key, what),
                subject=("exposure", resource.key, what),
                text=sentence(words),
                about=(resource.key,),
                detail=f"{resource.type} {resource.path}",
                warning=warning,
                helper=is_helper(resource),
            )


def ports_of(rule: dict[str, Any]) -> str:
    """`TCP 8080`, `TCP 1024 to 2048`, `all traffic`."""
    protocol = str(rule.get("IpProtocol", "-1"))
    if protocol == "-1":
        return "all traffic"
    name = {"tcp": "TCP", "6": "TCP", "udp": "UDP", "17": "UDP", "icmp": "ICMP"}.get(protocol, protocol)
    low, high = rule.get("FromPort"), rule.get("ToPort")
    if name == "ICMP" or low is None:
        return name
    if (low, high) == (0, 65535):
        return f"every {name} port"
    return f"{name} {text(low)}" if low == high else f"{name} {text(low)} to {text(high)}"


def _who(where: str) -> str:
    if where in EVERYWHERE:
        return "anyone on the internet"
    if where in NOBODY:
        return f"nobody but this machine ({where}: on AWS that is nobody)"
    return f"the addresses {where}"


def _where(where: str) -> str:
    return "any address" if where in EVERYWHERE else f"the addresses {where}"


def exposures(side: Side, resource: Resource) -> Iterator[tuple[str, str, str | None]]:  # noqa: PLR0912, PLR0915
    """What faces the internet about one resource: what makes it the same on both sides, the words, a warning."""
    properties, name = resource.properties, side.name(resource)
    match resource.type:
        case "AWS::EC2::InternetGateway":
            yield "gateway", f"there is a way to the internet: {name}", None
        case "AWS::EC2::NatGateway":
            yield "nat", f"private subnets reach the internet through {name}", None
        case "AWS::EC2::Subnet":
            if properties.get("MapPublicIpOnLaunch") is True:
                yield "public", f"what starts in {name} gets a public address", None
        case "AWS::EC2::Route":
            where = text(properties.get("DestinationCidrBlock", properties.get("DestinationIpv6CidrBlock")))
            gateway = side.target(resource.stack, properties.get("GatewayId"))
            if where in EVERYWHERE and gateway and gateway.type == "AWS::EC2::InternetGateway":
                yield "route", f"{_subnet_of(side, resource)} has a route to the internet", None
        case "AWS::EC2::VPCEndpoint":
            service = side.say(resource.stack, properties.get("ServiceName")).rpartition(".")[2]
            known = {"s3": "S3", "dynamodb": "DynamoDB"}
            words = f"traffic to {known.get(service, service)} stays inside AWS, through {name}"
            yield "endpoint", words, None
        case "AWS::EC2::EIP":
            yield "address", f"{name} is a fixed public address", None
        case "AWS::ECS::Service":
            network = (properties.get("NetworkConfiguration") or {}).get("AwsvpcConfiguration") or {}
            if network.get("AssignPublicIp") == "ENABLED":
                yield "public", f"each task of {name} has a public address", None
        case "AWS::EC2::Instance" | "AWS::EC2::LaunchTemplate":
            data = properties.get("LaunchTemplateData") or properties
            if any(one.get("AssociatePublicIpAddress") is True for one in as_list(data.get("NetworkInterfaces"))):
                yield "public", f"{name} has a public address", None
        case "AWS::ElasticLoadBalancingV2::LoadBalancer":
            public = properties.get("Scheme") == "internet-facing"
            yield "scheme", f"{name} has {'public' if public else 'private'} addresses", None
        case "AWS::ElasticLoadBalancingV2::Listener":
            balancer = side.target(resource.stack, properties.get("LoadBalancerArn"))
            where = side.name(balancer) if balancer else name
            port = f"{text(properties.get('Protocol'))} {text(properties.get('Port'))}"
            plain = properties.get("Protocol") == "HTTP"
            yield port, f"{where} listens on {port}", "not encrypted" if plain else None
        case "AWS::RDS::DBInstance" if properties.get("PubliclyAccessible") is True:
            yield "public", f"{name} has a public address", "a database that the internet can see"
        case "AWS::S3::Bucket":
            block = properties.get("PublicAccessBlockConfiguration") or {}
            names = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
            open_ = [item for item in names if block and block.get(item) is not True]
            if open_:
                yield "open", f"{name} can be made public: {join_words(open_)} off", "public access is not blocked"
        case "AWS::Lambda::Url":
            free = properties.get("AuthType") == "NONE"
            warning = "anyone who knows the address may call it" if free else None
            yield "url", f"{name} gives a function an address on the internet", warning


def _subnet_of(side: Side, route: Resource) -> str:
    table = side.target(route.stack, route.properties.get("RouteTableId"))
    for association in side.deployment.of_type("AWS::EC2::SubnetRouteTableAssociation"):
        if table and table in side.targets(association.stack, association.properties.get("RouteTableId")):
            subnet = side.target(association.stack, association.properties.get("SubnetId"))
            if subnet:
                return side.name(subnet)
    return side.name(route)
