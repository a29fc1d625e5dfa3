"""The parts of a network that decide who reaches what, without a word about where they were read."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Range = ipaddress.IPv4Network | ipaddress.IPv6Network

ANYWHERE = ipaddress.ip_network("0.0.0.0/0")
ALL_PORTS = (0, 65535)
_TCP = {"tcp", "6", "-1"}


@dataclass(frozen=True)
class Rule:
    """One rule of a security group over TCP.

    Attributes:
        ports: First and last.
        group: The group at the other end, if the rule names one.
        range: The addresses at the other end; None together with no group where they are only known at deployment:
            such a rule counts as admitting.
        services: It names a prefix list of AWS instead: the public addresses of its services.
    """

    ingress: bool
    ports: tuple[int, int]
    group: str | None = None
    range: Range | None = None
    services: bool = False

    @property
    def is_open_ended(self) -> bool:
        return self.group is None and self.range is None and not self.services


@dataclass(frozen=True)
class Group:
    """A security group; one whose rules are not known (`rules` is None) counts as admitting everything."""

    id: str
    name: str
    rules: tuple[Rule, ...] | None


@dataclass(frozen=True)
class Route:
    """Where a route table sends what goes to the internet.

    Attributes:
        target: Id of the gateway; empty for what is not followed further: an instance, a transit gateway.
    """

    kind: Literal["internet gateway", "NAT gateway", "other"]
    target: str
    name: str


@dataclass(frozen=True)
class Subnet:
    """A subnet with its route to the internet, if its table has one.

    Attributes:
        table: Id of its route table; empty for the main table of the VPC where that is not in the template.
        range: None where it is only known at deployment.
    """

    id: str
    name: str
    vpc: str
    range: Range | None
    table: str
    outward: Route | None


@dataclass(frozen=True)
class Endpoint:
    """A VPC endpoint.

    Attributes:
        service: What stands after the region in its service name: `s3`, `ecr.api`.
        tables: Route tables that a gateway endpoint is attached to.
    """

    id: str
    name: str
    kind: Literal["gateway", "interface"]
    service: str
    vpc: str
    tables: frozenset[str] = frozenset()
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    private_dns: bool = False


@dataclass(frozen=True)
class Nat:
    """A NAT gateway."""

    id: str
    name: str
    subnet: str
    public: bool = True


@dataclass(frozen=True)
class Vpc:
    """A VPC.

    Attributes:
        resolves: Whether its resolver answers with private names (enableDnsSupport and enableDnsHostnames).
        gateways: Internet gateways attached to it.
    """

    id: str
    name: str
    resolves: bool = True
    gateways: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Place:
    """Where a program runs: one network interface.

    Attributes:
        public: It has a public address, without which an internet gateway is no way out.
    """

    subnet: str
    groups: tuple[str, ...]
    public: bool = False


@dataclass(frozen=True)
class Destination:
    """What listens on a private address: a database, a cache.

    Attributes:
        subnets: Where it may be.
        public: It has a public address as well.
    """

    name: str
    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    port: int
    public: bool = False


@dataclass(frozen=True)
class Topology:
    """Every part of the networks of one account and region, by id."""

    vpcs: dict[str, Vpc] = field(default_factory=dict)
    subnets: dict[str, Subnet] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    nats: dict[str, Nat] = field(default_factory=dict)
    endpoints: tuple[Endpoint, ...] = ()


def ports(protocol: Any, first: Any, last: Any) -> tuple[int, int] | None:
    """The TCP ports of a rule; None for one over another protocol. What is only known at deployment is every port."""
    if str(protocol).lower() not in _TCP:
        return None
    if str(protocol) == "-1" or first in (None, -1) or not str(first).isdecimal():
        return ALL_PORTS
    return int(first), int(last) if str(last).isdecimal() else int(first)


def address_range(value: Any) -> Range | None:
    """A CIDR block, or None for what is none."""
    try:
        return ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        return None


def by_id(parts: Iterable[Any]) -> dict[str, Any]:
    """Parts of one kind by their id."""
    return {part.id: part for part in parts}
