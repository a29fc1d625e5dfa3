"""API calls from inside a VPC need a path to the service; one without is cut off, as a connection that fails.

On AWS such a call waits until it times out, because no packet arrives anywhere. Here the connection ends at once, and
the caller's log says which hop is missing. Where the path goes through an endpoint, the endpoint's policy decides too.
"""

from __future__ import annotations

import contextvars
import logging
from dataclasses import dataclass
from typing import Any

from brewhaven.local.doors import Application, Receive, Scope, Send
from brewhaven.local.engines import live_network
from brewhaven.local.engines.callers import CALLERS, Caller
from brewhaven.local.http_server import connection
from brewhaven.reach import paths
from brewhaven.reach.paths import Gap, Way
from brewhaven.reach.services import service_signed_for
from brewhaven.reach.topology import Place

logger = logging.getLogger("brewhaven.local.network")


@dataclass(frozen=True)
class Passage:
    """A request on its way: who sends it, and the policy of the endpoint that it passes."""

    caller: Caller
    service: str
    policy: Any = None


passage: contextvars.ContextVar[Passage | None] = contextvars.ContextVar("brewhaven_passage", default=None)
"""How the current request came; None for what comes from outside of any VPC."""


def with_paths(application: Application) -> Application:
    """Wrap the emulator so that each call of a caller in a VPC is followed through its network first."""

    async def followed(scope: Scope, receive: Receive, send: Send) -> None:
        signature = _signature(scope) if scope["type"] == "http" else None
        caller = CALLERS.of(signature[0]) if signature else None
        if signature is None or caller is None:
            await application(scope, receive, send)
            return
        _key, region, signed_for = signature
        service = service_signed_for(signed_for)
        if region != caller.interface.region:
            service = f"{service} of {region}"  # endpoints lead to their own region only
        way = way_of(caller.place, caller.interface.account, caller.interface.region, service)
        if isinstance(way, Gap):
            _cut_off(caller, service, way)
            while (await receive())["type"] != "http.disconnect":
                pass  # until the server knows as well that nobody waits for an answer
            return
        policy = None
        if way is not None and way.endpoint is not None:
            policy = live_network.policy_of(way.endpoint.id, caller.interface.account, caller.interface.region)
        token = passage.set(Passage(caller, service, policy))
        try:
            await application(scope, receive, send)
        finally:
            passage.reset(token)

    return followed


def way_of(place: Place, account: str, region: str, service: str) -> Way | Gap | None:
    """The way from a place to a service; None where the place's subnet is no more, and nothing can be said."""
    for fresh in (False, True):
        network = live_network.topology(account, region, fresh=fresh)
        way = paths.to_service(network, place, service) if place.subnet in network.subnets else None
        if isinstance(way, Way):
            return way
    return way


def _signature(scope: Scope) -> tuple[str, str, str] | None:
    """Access key, region and service of a signed request; None where the headers carry no signature."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            _, found, rest = value.partition(b"Credential=")
            parts = rest.split(b"/", 4)
            if not found or len(parts) < 5:
                return None
            return parts[0].decode("latin-1"), parts[2].decode("latin-1"), parts[3].decode("latin-1")
    return None


def _cut_off(caller: Caller, service: str, gap: Gap) -> None:
    """End the connection without an answer, and say why where the caller's author looks."""
    network = live_network.topology(caller.interface.account, caller.interface.region)
    text = (
        f"No path from {caller.name} to {service}: {gap.reason} ({network.subnets[caller.interface.subnet].name}). "
        f"On AWS the call waits until it times out; here the connection is closed. To open a path, {gap.remedy}."
    )
    caller.say_once(service, text)
    logger.warning("%s", text)
    transport = connection.get()
    if transport is not None:
        transport.abort()
