"""Replication groups that run: their nodes, the endpoints of this machine that lead to them, and what a failure does.

A node is a Valkey server with a network interface in the VPC. The primary and the reader endpoint, and each node's own,
are addresses of 127.0.0.1 with a port each; a group of one node has one for all three.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from brewhaven.local.doors import is_free
from brewhaven.local.engines.network import NETWORK, Interface, Published
from brewhaven.local.engines.reservations import RESERVATIONS
from brewhaven.local.engines.tls_door import TlsDoors
from brewhaven.local.engines.valkey_server import ValkeyError, ValkeyServer
from brewhaven.local.settings import HOST

logger = logging.getLogger("brewhaven.local.elasticache")

FIRST_PORT = 16379
LAST_PORT = 16478
# ElastiCache replaces a failed node within minutes.
REPLACE_SECONDS = 3.0

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Wanted:
    """How a replication group shall run.

    Attributes:
        members: Ids of its nodes.
        ports: Endpoint -> port of this machine: ``primary``, ``reader`` and each member.
        port: The port that the template named, 6379 if none.
        subnets: Where its nodes are, in turn.
        groups: Its security groups.
        mode: Encryption in transit: ``required``, ``preferred`` or ``disabled``.
        settings: Parameters of its servers.
        users: Its access control list.
        fails_over: A replica takes the place of a primary that fails.
    """

    members: tuple[str, ...]
    ports: dict[str, int]
    port: int
    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    mode: str
    settings: dict[str, str]
    users: tuple[str, ...]
    fails_over: bool


@dataclass
class Node:
    """One node: its server and its network interface."""

    server: ValkeyServer
    interface: Interface


@dataclass
class Group:
    """One replication group that runs."""

    key: Key
    wanted: Wanted
    primary: str
    nodes: dict[str, Node] = field(default_factory=dict)
    doors: dict[int, tuple[int, str]] = field(default_factory=dict)


class ValkeyGroups:
    """All replication groups of one local cloud; safe to use from any thread.

    Args:
        folder: Each group gets a folder below it.
        doors: Opens the endpoints.
        on_failover: Called with a group whose primary is another node now.
    """

    def __init__(self, folder: Path, doors: TlsDoors, on_failover: Callable[[Group], None]) -> None:
        self.folder = folder
        self._doors = doors
        self._on_failover = on_failover
        self._lock = threading.RLock()
        self._groups: dict[Key, Group] = {}

    def get(self, key: Key) -> Group | None:
        return self._groups.get(key)

    @property
    def running(self) -> list[Group]:
        return list(self._groups.values())

    def start(self, key: Key, wanted: Wanted, primary: str | None = None) -> None:
        """Start a group; its nodes read what they held when the local cloud went down.

        Raises:
            ValkeyError, DoorError, UnreachableError: It cannot start; nothing of it is left running.
        """
        with self._lock:
            group = self._groups[key] = Group(key, wanted, primary or wanted.members[0])
            try:
                self._add_nodes(group)
                self._open_doors(group)
            except Exception:
                self.remove(key)
                raise

    def change(self, key: Key, wanted: Wanted) -> None:
        """Let a running group follow its record: nodes, security groups, encryption, users and parameters.

        Raises:
            ValkeyError: A user or a parameter is impossible; what came before it has been changed.
        """
        with self._lock:
            group = self._groups.get(key)
            if group is None:
                return
            before = group.wanted
            for member in [m for m in group.nodes if m not in wanted.members]:
                self._remove_node(group, member)
            changed = {n: v for n, v in wanted.settings.items() if before.settings.get(n) != v}
            for member, node in group.nodes.items():
                if wanted.users != before.users:
                    node.server.set_users(wanted.users)
                node.server.configure(changed)
                if wanted.groups != before.groups:
                    node.interface = self._moved(member, node.interface, wanted.groups)
            # Not before: a node that is started again must not be given what Valkey refused.
            group.wanted = wanted
            self._add_nodes(group)
            self._open_doors(group)

    @staticmethod
    def _moved(member: str, interface: Interface, groups: tuple[str, ...]) -> Interface:
        from ministack.core.responses import request_scope

        NETWORK.detach(interface)
        with request_scope(interface.account, interface.region):
            return NETWORK.attach(interface.subnet, list(groups), f"ElastiCache {member}", ip=interface.ip)

    def _add_nodes(self, group: Group) -> None:
        from ministack.core.responses import request_scope

        account, region, identity = group.key
        # The primary first, so that the others have something to copy.
        for position, member in enumerate(sorted(group.wanted.members, key=lambda m: m != group.primary)):
            if member in group.nodes:
                continue
            subnet = group.wanted.subnets[position % len(group.wanted.subnets)]
            on_death = functools.partial(self._died, group, member)
            server = ValkeyServer(self.folder / region / identity / member, on_death)
            with request_scope(account, region):
                interface = NETWORK.attach(subnet, list(group.wanted.groups), f"ElastiCache {member}")
            group.nodes[member] = Node(server, interface)
            self._start_node(group, member)

    @staticmethod
    def _start_node(group: Group, member: str) -> None:
        primary = group.nodes[group.primary].server if member != group.primary else None
        group.nodes[member].server.start(group.wanted.settings, group.wanted.users, primary)

    @staticmethod
    def _remove_node(group: Group, member: str) -> None:
        node = group.nodes.pop(member)
        node.server.remove()
        NETWORK.detach(node.interface)

    def _targets(self, group: Group) -> dict[int, str]:
        """Port -> the node to which it leads now."""
        replicas = [member for member in group.wanted.members if member != group.primary]
        leads = {"primary": group.primary, "reader": replicas[0] if replicas else group.primary}
        return {port: leads.get(name, name) for name, port in group.wanted.ports.items()}

    def _open_doors(self, group: Group) -> None:
        """Open, change and close doors so that they lead where they should; one that leads there already stays."""
        targets = self._targets(group)
        for port in set(group.doors) - set(targets):
            self._close_door(group, port)
        for port, member in targets.items():
            node = group.nodes[member]
            leads = (node.server.port, group.wanted.mode)
            if group.doors.get(port) != leads:
                self._doors.open(port, *leads)
                group.doors[port] = leads
            NETWORK.publish(HOST, port, Published(node.interface, (group.wanted.port, port)))

    def _close_door(self, group: Group, port: int) -> None:
        self._doors.close(port)
        NETWORK.unpublish(HOST, port)
        del group.doors[port]

    def fail_over(self, key: Key) -> None:
        """Make a replica the primary; the old one comes back as its replica. Connections to both end."""
        with self._lock:
            group = self._groups[key]
            old, new = group.primary, next(m for m in group.wanted.members if m != group.primary)
            group.nodes[new].server.follow(None)
            group.primary = new
            for member, node in group.nodes.items():
                if member not in (old, new):
                    node.server.follow(group.nodes[new].server)
            group.nodes[old].server.stop(keep=False)
            self._start_node(group, old)
            self._open_doors(group)
        self._on_failover(group)

    def reboot(self, key: Key, member: str) -> None:
        """Start a node again: what it held is gone, as on ElastiCache; a replica copies its primary."""
        with self._lock:
            group = self._groups[key]
            group.nodes[member].server.stop(keep=False)
            self._start_node(group, member)
            for other, node in group.nodes.items():
                if member == group.primary and other != member:
                    node.server.follow(group.nodes[member].server)
            self._open_doors(group)

    def _died(self, group: Group, member: str) -> None:
        """A node ended by itself: another takes over, or a new one replaces it and begins empty."""
        if member == group.primary and group.wanted.fails_over and len(group.nodes) > 1:
            if self._groups.get(group.key) is group:
                self.fail_over(group.key)
            return
        time.sleep(REPLACE_SECONDS)
        with self._lock:
            if self._groups.get(group.key) is not group or member not in group.nodes:
                return
            if group.nodes[member].server.is_running:
                return
            try:
                self.reboot(group.key, member)
            except ValkeyError:
                logger.exception("%s could not be replaced", member)

    def remove(self, key: Key) -> None:
        """End a group and forget what it held; one that does not run is no error."""
        with self._lock:
            group = self._groups.pop(key, None)
            if group is None:
                return
            for port in list(group.doors):
                self._close_door(group, port)
            for member in list(group.nodes):
                self._remove_node(group, member)

    def close(self) -> None:
        """End everything; each node writes down what it holds."""
        with self._lock:
            for group in self._groups.values():
                for node in group.nodes.values():
                    node.server.stop(keep=True)
            self._groups.clear()
            self._doors.stop()


def choose_port(kept: set[int]) -> int:
    """A port for an endpoint that no other one keeps for itself.

    Raises:
        ValkeyError: There is none left.
    """
    for port in range(FIRST_PORT, LAST_PORT + 1):
        if port not in kept and is_free(port) and RESERVATIONS.hold(HOST, port):
            return port
    raise ValkeyError(f"no free port from {FIRST_PORT} to {LAST_PORT} on {HOST} for another endpoint")
