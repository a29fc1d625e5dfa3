"""Which load balancer listens where on this machine, and for whom.

A listener's door is open exactly while the listener exists and its load balancer's security groups admit this machine,
127.0.0.1. AWS lets a connection that they do not admit wait until it times out; here the port is closed.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from brewhaven.local.doors import DOORS, FIRST_DOOR, LAST_DOOR, is_free
from brewhaven.local.engines.listener_door import ListenerDoor
from brewhaven.local.engines.network import NETWORK, UnreachableError
from brewhaven.local.engines.reservations import RESERVATIONS
from brewhaven.local.engines.security_groups import Peer, verdict
from brewhaven.local.settings import HOST

logger = logging.getLogger("brewhaven.local.elb")

PERIOD_SECONDS = 0.3
Record = dict[str, Any]


def choose_port(extra: bool = False) -> int:
    """A port for a load balancer's door that no other load balancer keeps for itself."""
    from ministack.services import alb

    kept = {port for _key, balancer in alb._lbs.all_items() for port in balancer.get("_doors", {}).values()}
    for port in range(FIRST_DOOR + extra, LAST_DOOR + 1):
        if port not in kept and is_free(port) and RESERVATIONS.hold(HOST, port):
            return port
    raise RuntimeError(f"No free port from {FIRST_DOOR} to {LAST_DOOR} for another load balancer.")


def name(balancer: Record) -> str:
    """Give a load balancer the port of its first listener, and with it the DNS name under which it answers."""
    port = balancer["_first_door"] = choose_port()
    balancer["_doors"] = {}
    balancer["DNSName"] = f"{HOST}:{port}"
    return str(balancer["DNSName"])


class BalancerDoors:
    """Opens and closes doors so that they follow the load balancers, whoever changed those."""

    def __init__(self) -> None:
        self._open: dict[int, str] = {}
        self._said: dict[str, str] = {}

    def start(self) -> None:
        """Begin to follow; ends with the process."""
        threading.Thread(target=self._run, daemon=True, name="balancer-doors").start()

    def _run(self) -> None:
        while True:
            try:
                self._follow()
            except Exception:
                logger.exception("Opening doors of load balancers failed")
            time.sleep(PERIOD_SECONDS)

    def _follow(self) -> None:
        from ministack.services import alb

        balancers = dict(alb._lbs.all_items())
        wanted: dict[int, str] = {}
        for (account, region, arn), listener in alb._listeners.all_items():
            balancer = balancers.get((account, region, listener["LoadBalancerArn"]))
            if balancer is None:
                continue
            if "_first_door" not in balancer:
                name(balancer)  # It came about in a way that names it as on AWS.
            self._give_address(account, region, balancer)
            port = self._door_of(balancer, listener)
            if port is None or not self._admits(balancer, listener, port):
                continue
            wanted[port] = arn
            if self._open.get(port) == arn:
                continue
            if port in self._open:
                DOORS.close(port)
                del self._open[port]
            elif is_free(port):
                DOORS.open(port, ListenerDoor(account, region, balancer, int(listener["Port"])))
                self._open[port] = arn
                self._say(arn, f"{balancer['LoadBalancerName']} is reached at http://{HOST}:{port}")
            else:
                self._say(arn, f"port {port} of {balancer['LoadBalancerName']} is taken by another program: stop it")
        for port in set(self._open) - set(wanted):
            DOORS.close(port)
            del self._open[port]

    @staticmethod
    def _give_address(account: str, region: str, balancer: Record) -> None:
        """Give the load balancer a network interface in its first subnet, from which it speaks to targets."""
        from ministack.core.responses import request_scope

        if NETWORK.at(balancer.get("_ip", "")) is not None or not balancer.get("Subnets"):
            return
        with request_scope(account, region):
            try:
                description = "ELB " + balancer["LoadBalancerArn"].split("loadbalancer/", 1)[-1]
                interface = NETWORK.attach(balancer["Subnets"][0], balancer.get("SecurityGroups") or [], description)
            except UnreachableError:
                return  # The subnet was deleted beneath it.
            balancer["_ip"] = interface.ip

    def _door_of(self, balancer: Record, listener: Record) -> int | None:
        if listener.get("Protocol") != "HTTP":
            self._say(listener["ListenerArn"], f"{listener.get('Protocol')} listeners are only recorded: no door")
            return None
        # Keys are words: the emulator keeps its state as JSON, which has no other keys.
        doors: dict[str, int] = balancer.setdefault("_doors", {})
        number = str(listener["Port"])
        if number not in doors:
            first = balancer.get("_first_door")
            doors[number] = first if first and first not in doors.values() else choose_port(extra=True)
        return doors[number]

    def _admits(self, balancer: Record, listener: Record, port: int) -> bool:
        target = Peer(balancer.get("_ip", "0.0.0.0"), tuple(balancer.get("SecurityGroups") or ()))  # noqa: S104
        decision = verdict(Peer(HOST), target, int(listener["Port"]))
        if not decision.admitted:
            self._say(listener["ListenerArn"], f"{balancer['LoadBalancerName']}: {decision.reason}; port {port} closed")
        return decision.admitted

    def _say(self, about: str, text: str) -> None:
        if self._said.get(about) != text:
            self._said[about] = text
            logger.info(text)


BALANCER_DOORS = BalancerDoors()
