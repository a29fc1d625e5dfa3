"""Do security groups admit a connection?

https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

_ALL_PROTOCOLS = "-1"
_TCP = ("tcp", "6", _ALL_PROTOCOLS)


@dataclass(frozen=True)
class Peer:
    """One end of a connection: an address, and the security groups of its network interface if it has one."""

    ip: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Whether a connection is admitted, and if not, which side's groups stop it."""

    admitted: bool
    reason: str = field(default="")


def verdict(source: Peer, target: Peer, port: int) -> Verdict:
    """Decide over a TCP connection from ``source`` to ``port`` of ``target``.

    A side without security groups (the student's own machine, the internet) has no rules on its side. Groups are read
    when asked, so that a rule added or revoked counts for the next connection.
    """
    if source.groups and not _admits(source.groups, "IpPermissionsEgress", target, port):
        return Verdict(False, f"no egress rule of {_names(source.groups)} admits {target.ip} port {port}")
    if target.groups and not _admits(target.groups, "IpPermissions", source, port):
        return Verdict(False, f"no ingress rule of {_names(target.groups)} admits {source.ip} on port {port}")
    return Verdict(True)


def _names(groups: tuple[str, ...]) -> str:
    return "security group " + ", ".join(groups)


def _admits(groups: tuple[str, ...], direction: str, peer: Peer, port: int) -> bool:
    return any(_matches(rule, peer, port) for group in groups for rule in _rules(group, direction))


def _rules(group: str, direction: str) -> list[dict[str, Any]]:
    from ministack.services import ec2

    for (_account, _region, group_id), record in ec2._security_groups.all_items():
        if group_id == group:
            return list(record.get(direction) or [])
    return []


def _matches(rule: dict[str, Any], peer: Peer, port: int) -> bool:
    protocol = str(rule.get("IpProtocol", _ALL_PROTOCOLS)).lower()
    if protocol not in _TCP:
        return False
    first, last = int(rule.get("FromPort", -1) or 0), int(rule.get("ToPort", -1) or 0)
    if protocol != _ALL_PROTOCOLS and -1 not in (first, last) and not first <= port <= last:
        return False
    if any(pair.get("GroupId") in peer.groups for pair in rule.get("UserIdGroupPairs") or []):
        return True
    address = ipaddress.ip_address(peer.ip)
    ranges = [r.get("CidrIp") for r in rule.get("IpRanges") or []]
    ranges += [r.get("CidrIpv6") for r in rule.get("Ipv6Ranges") or []]
    return any(address in ipaddress.ip_network(cidr, strict=False) for cidr in ranges if cidr)
