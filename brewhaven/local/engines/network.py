"""The network of the VPCs: private addresses, which of them listens on which port of this machine, and who may connect.

A task or instance has a network interface with a private address of its subnet, as on AWS. The programs themselves
listen on ports of the loopback interface; ``network_shim`` in their processes translates.

docs/decisions/0010-local-network.md says why.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import random
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brewhaven.local.engines.callers import CALLERS
from brewhaven.local.engines.security_groups import Peer, verdict

logger = logging.getLogger("brewhaven.local.network")

_OUTSIDE = "203.0.113.1"  # An address of the documentation's: stands for the internet.
_RESERVED = 4  # AWS keeps the first four addresses of a subnet and the last.


@dataclass(frozen=True)
class Interface:
    """An elastic network interface.

    Attributes:
        eni: ``eni-...``.
        ip: Private address.
        groups: Security groups.
        public: It has a public address, by which an internet gateway lets it out.
        table: Folder in which the shim writes the port of this machine for each port that is listened on.
        token: Secret by which a process proves that it speaks from this interface.
    """

    eni: str
    ip: str
    subnet: str
    mac: str
    groups: tuple[str, ...]
    account: str
    region: str
    public: bool = False
    table: Path | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def peer(self) -> Peer:
        """This interface as one end of a connection."""
        return Peer(self.ip, self.groups)


@dataclass(frozen=True)
class Published:
    """Something in a VPC that has an address of this machine as well, so that any program can connect to it.

    Attributes:
        interface: Its network interface, whose security groups decide who gets through.
        ports: The ports under which a rule may mean it: that of the template, and that of this machine.
        is_public: It may be reached from outside the VPC.
    """

    interface: Interface
    ports: tuple[int, ...]
    is_public: bool = False


class UnreachableError(OSError):
    """Nothing answers at an address, or a security group stands between."""


class Network:
    """All network interfaces that something runs behind; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_ip: dict[str, Interface] = {}
        self._by_token: dict[str, Interface] = {}
        self._published: dict[tuple[str, int], Published] = {}

    def attach(
        self,
        subnet: str,
        groups: list[str],
        description: str,
        table: Path | None = None,
        ip: str | None = None,
        *,
        public: bool = False,
    ) -> Interface:
        """Make a network interface in a subnet of the current account and region; with a given address or a free one.

        Raises:
            UnreachableError: The subnet does not exist, or has no free address.
        """
        from ministack.core.responses import get_account_id, get_region
        from ministack.services import ec2

        with self._lock:
            record = ec2._subnets.get(subnet)
            if record is None:
                raise UnreachableError(errno.EINVAL, f"The subnet ID '{subnet}' does not exist")
            interface = Interface(
                eni="eni-0" + secrets.token_hex(8),
                ip=ip or self._free_address(record["CidrBlock"]),
                subnet=subnet,
                mac=":".join(["0a", *(f"{random.randrange(256):02x}" for _ in range(5))]),  # noqa: S311
                groups=tuple(groups) or (ec2._DEFAULT_SG_ID,),
                account=get_account_id(),
                region=get_region(),
                public=public,
                table=table,
            )
            self._by_ip[interface.ip] = self._by_token[interface.token] = interface
        if table is not None:
            table.mkdir(parents=True, exist_ok=True)
        ec2._network_interfaces[interface.eni] = {
            "NetworkInterfaceId": interface.eni,
            "SubnetId": subnet,
            "VpcId": record["VpcId"],
            "AvailabilityZone": record["AvailabilityZone"],
            "Description": description,
            "OwnerId": interface.account,
            "Status": "in-use",
            "PrivateIpAddress": interface.ip,
            "InterfaceType": "interface",
            "SourceDestCheck": True,
            "MacAddress": interface.mac,
            "Groups": [
                {"GroupId": g, "GroupName": (ec2._security_groups.get(g) or {}).get("GroupName", g)}
                for g in interface.groups
            ],
            "Attachment": None,
            "_managed": True,
        }
        return interface

    def _free_address(self, cidr: str) -> str:
        network = ipaddress.ip_network(cidr)
        taken = set(self._by_ip)
        for _ in range(1000):
            # Not the first free one: an address in use a moment ago is not given to another at once.
            address = str(network[random.randrange(_RESERVED, network.num_addresses - 1)])  # noqa: S311
            if address not in taken:
                return address
        raise UnreachableError(errno.EADDRNOTAVAIL, f"The subnet {cidr} has no free address")

    def detach(self, interface: Interface) -> None:
        """Remove a network interface; one that is gone already is no error."""
        from ministack.services import ec2

        CALLERS.remove(interface)
        with self._lock:
            self._by_ip.pop(interface.ip, None)
            self._by_token.pop(interface.token, None)
        ec2._network_interfaces._data.pop((interface.account, interface.region, interface.eni), None)

    def at(self, ip: str) -> Interface | None:
        """The interface that has an address."""
        return self._by_ip.get(ip)

    def speaker(self, token: str) -> Interface | None:
        """The interface from which a process with this token speaks."""
        return self._by_token.get(token)

    def port_of(self, ip: str, port: int) -> int | None:
        """The loopback port on which something listens for (address, port), or None."""
        interface = self._by_ip.get(ip)
        if interface is None or interface.table is None:
            return None
        try:
            return int((interface.table / str(port)).read_text())
        except (OSError, ValueError):
            return None

    def route(self, source: Peer, ip: str, port: int) -> int:
        """The loopback port that a connection reaches.

        Raises:
            UnreachableError: ETIMEDOUT where AWS drops the packets (no such address, a security group), ECONNREFUSED
                where nothing listens. AWS lets a dropped connection wait; here it fails at once.
        """
        target = self._by_ip.get(ip)
        if target is None:
            raise UnreachableError(errno.ETIMEDOUT, f"Connection timed out (no network interface has the address {ip})")
        decision = verdict(source, target.peer, port)
        if not decision.admitted:
            logger.warning("%s -> %s:%d dropped: %s", source.ip, ip, port, decision.reason)
            raise UnreachableError(errno.ETIMEDOUT, f"Connection timed out ({decision.reason})")
        inner = self.port_of(ip, port)
        if inner is None:
            raise UnreachableError(errno.ECONNREFUSED, f"Connection refused (nothing listens on {ip} port {port})")
        return inner

    def outside(self, account: str, region: str, table: Path) -> Interface:
        """An end of connections outside of every VPC, to which nobody connects; :meth:`detach` forgets it."""
        interface = Interface("", _OUTSIDE, "", "", (), account, region, public=True, table=table)
        with self._lock:
            self._by_token[interface.token] = interface
        return interface

    def publish(self, host: str, port: int, published: Published) -> None:
        """Make known what listens on an address of this machine: its security groups count from now on."""
        with self._lock:
            self._published[host, port] = published

    def unpublish(self, host: str, port: int) -> None:
        """Forget it again; one that is not known is no error."""
        with self._lock:
            self._published.pop((host, port), None)

    def enter(self, source: Interface, host: str, port: int) -> bool:
        """Whether an address of this machine is a published one, to which ``source`` may connect.

        Raises:
            UnreachableError: It is one, and AWS would drop the packets.
        """
        published = self._published.get((host, port))
        if published is None:
            return False
        target = published.interface
        if not source.subnet and not published.is_public:
            reason = f"{target.ip} is a private address of a VPC, and this comes from outside of it"
        else:
            decisions = [verdict(source.peer, target.peer, number) for number in published.ports]
            if any(decision.admitted for decision in decisions):
                return True
            reason = decisions[0].reason
        logger.warning("%s -> %s:%d dropped: %s", source.ip, target.ip, published.ports[0], reason)
        raise UnreachableError(errno.ETIMEDOUT, f"Connection timed out ({reason})")

    def forget_all(self) -> None:
        """Drop every interface; also those of an earlier run that the emulator restored."""
        from ministack.services import ec2

        CALLERS.clear()
        with self._lock:
            self._published.clear()
            self._by_ip.clear()
            self._by_token.clear()
        for key, record in list(ec2._network_interfaces._data.items()):
            if record.get("_managed"):
                ec2._network_interfaces._data.pop(key, None)


NETWORK = Network()


def addresses_of(name: str, account: str, region: str) -> list[str] | None:
    """Private addresses that Cloud Map has for a DNS name; None if the name is in none of its namespaces."""
    from ministack.core.responses import request_scope
    from ministack.services import servicediscovery

    service_name, _, namespace_name = name.rstrip(".").partition(".")
    with request_scope(account, region):
        namespace = next((n for n in servicediscovery._namespaces.values() if n.get("Name") == namespace_name), None)
        if namespace is None or namespace.get("Type") == "HTTP":
            return None
        for service in servicediscovery._services.values():
            if service.get("Name") == service_name and service.get("NamespaceId") == namespace["Id"]:
                instances = servicediscovery._instances.get(service["Id"], {}).values()
                found = [i.get("Attributes", {}).get("AWS_INSTANCE_IPV4") for i in instances]
                return [ip for ip in found if ip]
    return []


def answer(interface: Interface, question: str, query: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Answer a question of ``network_shim``: status and body."""
    if question == "connect":
        try:
            ip, port = query["ip"], int(query["port"])
            if ipaddress.ip_address(ip).is_loopback:
                return (200, {"port": port}) if NETWORK.enter(interface, ip, port) else (404, {})
            return 200, {"port": NETWORK.route(interface.peer, ip, port)}
        except UnreachableError as error:
            return 409, {"errno": errno.errorcode[error.errno or errno.EIO], "reason": error.strerror}
    if question == "resolve":
        found = addresses_of(query["name"], interface.account, interface.region)
        return (404, {}) if found is None else (200, {"addresses": found})
    return 404, {}
