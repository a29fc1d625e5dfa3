"""RDS Proxy as an address that leads to the database: nothing is pooled, PostgreSQL itself logs the client in.

What is real: the proxy's and the database's security groups, the role that must be allowed to read the secret, TLS (the
database's). On Linux the address is a loopback address of its own, with the database's port. macOS has only 127.0.0.1:
there the proxy has the database's address.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from typing import Any

from brewhaven.local.engines.authorization import RoleSession, denial
from brewhaven.local.engines.databases import DATABASES, Database
from brewhaven.local.engines.network import NETWORK, Interface, Published, UnreachableError
from brewhaven.local.engines.tcp_doors import TcpDoors
from brewhaven.local.settings import HOST
from brewhaven.local.tls import PROXY_ADDRESSES

logger = logging.getLogger("brewhaven.local.rds")

PERIOD_SECONDS = 0.3
RDS = "rds.amazonaws.com"
Record = dict[str, Any]
Key = tuple[str, str, str]


def choose_address() -> str:
    """A loopback address that no other proxy has, as long as this machine answers on it."""
    from ministack.services import rds

    taken = {proxy.get("Endpoint") for _key, proxy in rds._db_proxies.all_items()}
    for address in PROXY_ADDRESSES:
        if address not in taken:
            with socket.socket() as probe:
                try:
                    probe.bind((address, 0))
                except OSError:
                    return HOST
            return address
    return HOST


def refusal(proxy: Record, region: str) -> str | None:
    """Why the proxy's role may not read its secrets, or None: without them it could log nobody in."""
    session = RoleSession(proxy["RoleArn"], "rds-proxy", RDS)
    words = session.refusal()
    if words:
        return words
    for entry in proxy.get("Auth") or []:
        words = denial(session.principal_arn, "secretsmanager:GetSecretValue", entry.get("SecretArn", "*"), region)
        if words:
            return words
    return None


class Proxies:
    """Opens and closes doors so that they follow the proxies and their targets."""

    def __init__(self) -> None:
        self._doors = TcpDoors()
        self._lock = threading.Lock()
        self._open: dict[Key, tuple[str, int]] = {}
        self._interfaces: dict[Key, Interface] = {}

    def start(self) -> None:
        """Begin to follow; ends with the process."""
        self._doors.start()
        threading.Thread(target=self._run, daemon=True, name="rds-proxies").start()

    def _run(self) -> None:
        while not DATABASES.closed:
            try:
                self.follow()
            except Exception:
                logger.exception("Following RDS proxies failed")
            time.sleep(PERIOD_SECONDS)

    def follow(self) -> None:
        """Open what is missing and close what is gone."""
        from ministack.services import rds

        with self._lock:
            known: dict[Key, Record] = dict(rds._db_proxies.all_items())
            for key in set(self._interfaces) - set(known):
                self._close(key)
            for key, proxy in known.items():
                self._attach(key, proxy)
                database = _target(key, proxy)
                place = (str(proxy["Endpoint"]), database.server.port) if database else None
                if self._open.get(key) != place:
                    self._close_door(key)
                    if database is not None and key in self._interfaces:
                        self._open_door(key, proxy, database)

    def _attach(self, key: Key, proxy: Record) -> None:
        from ministack.core.responses import request_scope

        groups = tuple(proxy.get("VpcSecurityGroupIds") or ())
        interface = self._interfaces.get(key)
        if interface is not None and (not groups or interface.groups == groups):
            return
        self._close(key)
        with request_scope(key[0], key[1]):
            try:
                self._interfaces[key] = NETWORK.attach(
                    proxy["VpcSubnetIds"][0], list(groups), f"Network interface for DBProxy {key[2]}"
                )
            except UnreachableError:
                return  # Its subnet was deleted beneath it.

    def _open_door(self, key: Key, proxy: Record, database: Database) -> None:
        address, port = str(proxy["Endpoint"]), database.server.port
        interface = self._interfaces[key]
        self._open[key] = (address, port)
        if address == HOST:
            return  # The database's own address.

        def find() -> int:
            words = refusal(proxy, key[1])
            if words:
                logger.warning("proxy %s lets nobody in: %s", key[2], words)
                raise UnreachableError(words)
            NETWORK.enter(interface, HOST, port)
            return port

        try:
            self._doors.open(address, port, find)
        except OSError as error:
            logger.warning("proxy %s: %s:%d of this machine is taken: %s", key[2], address, port, error.strerror)
            return
        NETWORK.publish(address, port, Published(interface, (int(database.record["_port"]), port)))

    def _close_door(self, key: Key) -> None:
        place = self._open.pop(key, None)
        if place is not None and place[0] != HOST:
            self._doors.close(*place)
            NETWORK.unpublish(*place)

    def _close(self, key: Key) -> None:
        self._close_door(key)
        interface = self._interfaces.pop(key, None)
        if interface is not None:
            NETWORK.detach(interface)

    def forget(self, key: Key) -> None:
        """Close a deleted proxy's door at once: its security group may be deleted next."""
        with self._lock:
            self._close(key)

    def reset(self) -> None:
        """Close everything."""
        with self._lock:
            for key in list(self._interfaces):
                self._close(key)


def _target(key: Key, proxy: Record) -> Database | None:
    from ministack.services import rds

    for target in proxy.get("Targets") or []:
        record = rds._instances.get_scoped(key[0], key[1], target["RdsResourceId"])
        if target["Type"] == "RDS_INSTANCE" and record is not None:
            return DATABASES.of(record)
    return None


PROXIES = Proxies()
