"""Do security groups admit a connection?

https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

from brewhaven.local.engines.live_network import rules
from brewhaven.reach.paths import admits
from brewhaven.reach.topology import Group


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
    if source.groups and not _admits(source.groups, target, port, ingress=False):
        return Verdict(False, f"no egress rule of {_names(source.groups)} admits {target.ip} port {port}")
    if target.groups and not _admits(target.groups, source, port, ingress=True):
        return Verdict(False, f"no ingress rule of {_names(target.groups)} admits {source.ip} on port {port}")
    return Verdict(True)


def _names(groups: tuple[str, ...]) -> str:
    return "security group " + ", ".join(groups)


def _admits(groups: tuple[str, ...], peer: Peer, port: int, *, ingress: bool) -> bool:
    address = ipaddress.ip_network(peer.ip)
    known = [Group(id_, id_, tuple(rules(_record(id_)))) for id_ in groups]
    return admits(known, port, ingress=ingress, peers=peer.groups, ranges=(address,))


def _record(group: str) -> dict[str, Any]:
    """A group as it is now; one that is gone has no rules."""
    from ministack.services import ec2

    for (_account, _region, group_id), record in ec2._security_groups.all_items():
        if group_id == group:
            return dict(record)
    return {}
