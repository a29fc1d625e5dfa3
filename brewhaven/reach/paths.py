"""Is there a path: from a place in a network to an AWS service, or to a database.

https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html
https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html
https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from brewhaven.reach.topology import ANYWHERE, Destination, Endpoint, Group, Place, Range, Route, Subnet, Topology

HTTPS = 443
INTERNET = "the internet"
"""In place of a service: what is no service of AWS, such as a public registry of images."""

GATEWAY_SERVICES = ("s3", "dynamodb")
"""The services that have gateway endpoints."""


@dataclass(frozen=True)
class Way:
    """A path that leads there.

    Attributes:
        through: The last hop in words: `the internet gateway of ShopNetwork`.
        endpoint: The endpoint that it passes, whose policy has a say.
    """

    through: str
    endpoint: Endpoint | None = None


@dataclass(frozen=True)
class Gap:
    """The hop that is missing: `the subnet has no route to the internet`, and what would close it."""

    reason: str
    remedy: str


def to_service(network: Topology, place: Place, service: str) -> Way | Gap:
    """The path from a place to an AWS service of the same region.

    A private name wins over every route: where an interface endpoint with private DNS stands in the VPC, the service's
    name leads to it and nowhere else. A gateway endpoint is a route, and a narrower one than the route to the internet.

    Args:
        service: As in the names of endpoints: `secretsmanager`, `ecr.api`, `s3`; or `INTERNET`.
    """
    subnet = network.subnets[place.subnet]
    if service == INTERNET:
        if subnet.outward is None:
            return Gap("the subnet has no route to it", "give the subnet a route through a NAT gateway")
        return _outward(network, place, subnet, subnet.outward, "")
    named = [endpoint for endpoint in network.endpoints if (endpoint.vpc, endpoint.service) == (subnet.vpc, service)]
    interfaces = [endpoint for endpoint in named if endpoint.kind == "interface"]
    vpc = network.vpcs.get(subnet.vpc)
    for endpoint in interfaces:
        if endpoint.private_dns and (vpc is None or vpc.resolves):
            return _through_interface(network, place, endpoint)
    for endpoint in named:
        if endpoint.kind == "gateway" and subnet.table in endpoint.tables:
            return _egress_gap(network, place, f"{endpoint.name}") or Way(endpoint.name, endpoint)
    without = _without_endpoint(network, subnet, service, named)
    if subnet.outward is None:
        return Gap(f"the subnet has no route to the internet and {without}", _remedy(service))
    return _outward(network, place, subnet, subnet.outward, f"; besides, {without}")


def _remedy(service: str) -> str:
    if service in GATEWAY_SERVICES:
        return f"attach a gateway endpoint for {service} to the subnet's route table; it costs nothing"
    return (
        f"give the VPC an interface endpoint for {service} with private DNS, or run this outside of the VPC if it "
        "needs no private address"
    )


def _without_endpoint(network: Topology, subnet: Subnet, service: str, named: list[Endpoint]) -> str:
    """Why no endpoint helps, in words."""
    vpc = network.vpcs.get(subnet.vpc)
    for endpoint in named:
        if endpoint.kind == "gateway":
            return f"{endpoint.name} is not attached to the subnet's route table"
        if not endpoint.private_dns:
            return f"{endpoint.name} has private DNS switched off, so the service's name does not lead to it"
        if vpc is not None and not vpc.resolves:
            return f"{vpc.name} has no DNS names, so the service's name does not lead to {endpoint.name}"
    kind = "gateway" if service in GATEWAY_SERVICES else "interface"
    return f"the VPC has no {kind} endpoint for it"


def _through_interface(network: Topology, place: Place, endpoint: Endpoint) -> Way | Gap:
    """Through an endpoint's network interfaces, which security groups of both sides must admit."""
    target = Destination(endpoint.name, endpoint.subnets, endpoint.groups, HTTPS)
    return _admission_gap(network, place, target) or Way(endpoint.name, endpoint)


def _outward(network: Topology, place: Place, subnet: Subnet, route: Route, without: str) -> Way | Gap:
    """Along the route to the internet."""
    vpc = network.vpcs.get(subnet.vpc)
    if route.kind == "internet gateway":
        if vpc is not None and route.target not in vpc.gateways:
            return Gap(f"{route.name}, to which the subnet's route leads, is not attached to {vpc.name}",
                       "attach the internet gateway")  # fmt: skip
        if not place.public:
            return Gap(
                f"it has no public address, without which nothing comes back through {route.name}{without}",
                "give it a public address (a function in a VPC never has one), an endpoint or a NAT gateway",
            )
    elif route.kind == "NAT gateway":
        gap = _nat_gap(network, route)
        if gap:
            return gap
    return _egress_gap(network, place, "the internet") or Way(route.name)


def _nat_gap(network: Topology, route: Route) -> Gap | None:
    nat = network.nats.get(route.target)
    if nat is None:
        return None  # not of these templates
    if not nat.public:
        return Gap(f"{nat.name} is a private NAT gateway, which does not reach the internet", "make it a public one")
    home = network.subnets.get(nat.subnet)
    if home is None:
        return None
    vpc = network.vpcs.get(home.vpc)
    outward = home.outward
    if outward is None or outward.kind != "internet gateway" or (vpc and outward.target not in vpc.gateways):
        return Gap(
            f"{nat.name} is in {home.name}, which has no route to an internet gateway", "put it into a public subnet"
        )
    return None


def _egress_gap(network: Topology, place: Place, where: str) -> Gap | None:
    """What the place's own groups do not let out to public addresses, which no rule can name one by one."""
    groups = _groups(network, place.groups)
    if admits(groups, HTTPS, ingress=False, ranges=(ANYWHERE,)):
        return None
    return Gap(f"no egress rule of {_names(groups)} admits {where} on port {HTTPS}", "add an egress rule for port 443")


def to_destination(network: Topology, place: Place | None, target: Destination) -> Way | Gap:
    """The path to what has a private address; a place of None is outside of any VPC."""
    if place is None:
        return _from_outside(network, target)
    homes = [network.subnets[id_] for id_ in target.subnets if id_ in network.subnets]
    here = network.subnets[place.subnet]
    if homes and all(home.vpc != here.vpc for home in homes):
        return Gap(
            f"{target.name} is in another VPC, and nothing that is followed here joins the two",
            "put both into one VPC",
        )
    return _admission_gap(network, place, target) or Way("addresses of its own VPC")


def _from_outside(network: Topology, target: Destination) -> Way | Gap:
    homes = [network.subnets[id_] for id_ in target.subnets if id_ in network.subnets]
    if not target.public:
        return Gap(f"it runs outside of any VPC, and {target.name} has private addresses alone",
                   f"give it the VPC of {target.name}, a subnet and a security group")  # fmt: skip
    if any(home.outward is None or home.outward.kind != "internet gateway" for home in homes):
        return Gap(f"{target.name} has a public address, but its subnets have no route to an internet gateway",
                   "reach it from inside its VPC instead")  # fmt: skip
    groups = _groups(network, target.groups)
    if not admits(groups, target.port, ingress=True, ranges=(ANYWHERE,)):
        return Gap(f"no ingress rule of {_names(groups)} admits the internet on port {target.port}",
                   "reach it from inside its VPC instead")  # fmt: skip
    return Way("the internet")


def _admission_gap(network: Topology, place: Place, target: Destination) -> Gap | None:
    """What security groups of either side do not admit between two private addresses."""
    mine, theirs = _groups(network, place.groups), _groups(network, target.groups)
    there = [network.subnets[id_].range for id_ in target.subnets if id_ in network.subnets]
    if not admits(mine, target.port, ingress=False, peers=target.groups, ranges=there):
        return Gap(
            f"no egress rule of {_names(mine)} admits {target.name} on port {target.port}",
            f"let the security group out to {target.name} on port {target.port}",
        )
    here = [network.subnets[place.subnet].range]
    if not admits(theirs, target.port, ingress=True, peers=place.groups, ranges=here):
        return Gap(
            f"no ingress rule of {_names(theirs)} admits {_names(mine)} on port {target.port}",
            f"let {target.name} be reached on port {target.port} from that security group",
        )
    return None


def _groups(network: Topology, ids: Iterable[str]) -> list[Group]:
    return [network.groups.get(id_) or Group(id_, id_, None) for id_ in ids]


def _names(groups: list[Group]) -> str:
    named = " or ".join(group.name for group in groups)
    return named or "its security groups, of which it has none,"


def admits(
    groups: list[Group], port: int, *, ingress: bool, peers: Iterable[str] = (), ranges: Iterable[Range | None]
) -> bool:
    """Whether any rule of any group admits a peer, known by its groups and by the ranges that it may be in."""
    others, known = frozenset(peers), [one for one in ranges if one is not None]
    is_public = known == [ANYWHERE]
    for group in groups:
        if group.rules is None:
            return True
        for rule in group.rules:
            if rule.ingress != ingress or not rule.ports[0] <= port <= rule.ports[1]:
                continue
            if rule.is_open_ended or rule.group in others or _covers(rule.range, known):
                return True
            if rule.services and is_public:
                return True
    return False


def _covers(wide: Range | None, ranges: list[Range]) -> bool:
    """Whether all ranges are inside a wide one; a peer whose range is not known is inside only of everything."""
    if wide is None:
        return False
    if wide == ANYWHERE:
        return True
    return bool(ranges) and all(one.version == wide.version and one.subnet_of(wide) for one in ranges)  # type: ignore[arg-type]
