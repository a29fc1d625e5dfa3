"""Elastic Load Balancing: an address that a browser reaches, health that is measured, errors as AWS words them."""

from __future__ import annotations

import errno
import random
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from brewhaven.local.emulator import wrap_action, wrap_handler
from brewhaven.local.engines.balancer_doors import BALANCER_DOORS, name
from brewhaven.local.engines.http_proxy import Pool, TargetError
from brewhaven.local.engines.in_flight import IN_FLIGHT
from brewhaven.local.engines.network import NETWORK, UnreachableError
from brewhaven.local.engines.target_health import TARGETS, address_of, balancer_peer
from brewhaven.local.registry import REGISTRY, correction, replace

POOL = Pool()


@correction
def a_load_balancer_has_an_address() -> None:
    """``DNSName`` is a name under which the load balancer answers: here an address and port of this machine.

    It is chosen once and kept with the load balancer, over updates and restarts.
    """
    from ministack.services import alb

    def through_api(original: Any) -> Any:
        def create(params: dict[str, Any]) -> Any:
            before = set(alb._lbs)
            status, headers, body = original(params)
            for arn in set(alb._lbs) - before:
                old = alb._lbs[arn]["DNSName"]
                body = (body.encode() if isinstance(body, str) else body).replace(
                    old.encode(), name(alb._lbs[arn]).encode()
                )
            return status, headers, body

        return create

    def through_stack(original: Any) -> Any:
        def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
            arn, attributes = original(logical_id, properties, stack_name)
            return arn, {**attributes, "DNSName": name(alb._lbs[arn])}

        return create

    wrap_action(alb, "_ACTION_MAP", "CreateLoadBalancer", through_api)
    wrap_handler("AWS::ElasticLoadBalancingV2::LoadBalancer", "create", through_stack)


@correction
def a_deleted_load_balancer_leaves_no_interface() -> None:
    """Its network interfaces go with it, so that its security group and subnets can be deleted."""
    from ministack.services import alb

    def release(balancer: dict[str, Any] | None) -> None:
        interface = NETWORK.at((balancer or {}).get("_ip", ""))
        if interface is not None:
            NETWORK.detach(interface)

    def through_api(original: Any) -> Any:
        def delete(params: dict[str, Any]) -> Any:
            balancer = alb._lbs.get(alb._p(params, "LoadBalancerArn"))
            answer = original(params)
            release(balancer)
            return answer

        return delete

    def through_stack(original: Any) -> Any:
        def delete(physical_id: str, properties: dict[str, Any]) -> None:
            balancer = alb._lbs.get(physical_id)
            original(physical_id, properties)
            release(balancer)

        return delete

    wrap_action(alb, "_ACTION_MAP", "DeleteLoadBalancer", through_api)
    wrap_handler("AWS::ElasticLoadBalancingV2::LoadBalancer", "delete", through_stack)


@correction
def target_health_is_measured() -> None:
    """DescribeTargetHealth tells what the health checks found; the emulator calls every target healthy.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
    """
    from ministack.services import alb

    def build(_original: Any) -> Any:
        def describe(params: dict[str, Any]) -> Any:
            arn = alb._p(params, "TargetGroupArn")
            if arn not in alb._tgs:
                return alb._error("TargetGroupNotFound", f"Target group '{arn}' not found.")
            wanted = {target["Id"] for target in alb._parse_targets_param(params)}
            members = "".join(
                f"<member><Target><Id>{identity}</Id><Port>{port}</Port></Target>"
                f"<HealthCheckPort>{port}</HealthCheckPort><TargetHealth><State>{target.state}</State>"
                + (f"<Reason>{target.reason}</Reason>" if target.reason else "")
                + (f"<Description>{escape(target.description)}</Description>" if target.description else "")
                + "</TargetHealth></member>"
                for identity, port, target in TARGETS.of_group(arn)
                if not wanted or identity in wanted
            )
            return alb._xml(
                200, "DescribeTargetHealth", f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
            )

        return describe

    wrap_action(alb, "_ACTION_MAP", "DescribeTargetHealth", build)


@correction
def requests_go_to_healthy_targets() -> None:
    """A request goes to a healthy target; if all are unhealthy, to any; errors have the pages of AWS.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
    """
    from ministack.services import alb

    def choose(original: Any) -> Any:
        async def forward(arn: str, *request_parts: Any) -> Any:
            group = alb._tgs.get(arn)
            if group is None or group.get("TargetType") == "lambda":
                return await original(arn, *request_parts)
            registered = list(alb._targets.get(arn) or [])
            if not registered:
                return error_page(503)
            by_state: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for target in registered:
                by_state[TARGETS.state(arn, str(target["Id"]))].append(target)
            eligible = by_state["healthy"] or by_state["unhealthy"]
            if not eligible:
                return error_page(503)
            target = random.choice(eligible)  # noqa: S311  (spreading requests is no secret)
            method, path, headers, body, _query, raw_query, raw_path = (*request_parts, None, None)[:7]
            request = _Request(
                method, (raw_path or path) + (f"?{raw_query}" if raw_query else ""), headers, body or b""
            )
            return await _forward(target, group, request)

        return forward

    replace(alb, "_forward_to_tg", choose)

    def whole(original: Any) -> Any:
        def host_header(host: str, port: int) -> str:
            # The door's port belongs to the name of the load balancer here; AWS cuts off only a port that does not.
            ours = any(balancer.get("DNSName") == host for _key, balancer in alb._lbs.all_items())
            return host if ours else str(original(host, port))

        return host_header

    replace(alb, "_target_host_header", whole)


@dataclass(frozen=True)
class _Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


async def _forward(target: dict[str, Any], group: dict[str, Any], request: _Request) -> Any:
    from ministack.core.responses import StreamingResponse

    peer, address, lasting = balancer_peer(group), address_of(target), ExitStack()
    if peer is None:
        return error_page(503)
    lasting.enter_context(IN_FLIGHT.request(address))
    try:
        port = NETWORK.route(peer, address, int(target.get("Port") or group.get("Port") or 80))
        answer = await POOL.request(port, request.method, request.target, request.headers, request.body)
    except BaseException as error:
        lasting.close()
        if isinstance(error, UnreachableError):
            return error_page(504 if error.errno == errno.ETIMEDOUT else 502)
        if isinstance(error, TargetError):
            return error_page(error.status)
        raise

    async def run(send: Any, _receive: Any) -> None:
        with lasting:
            async for chunk in answer.body():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return answer.status, answer.headers, StreamingResponse(run)


def error_page(status: int) -> tuple[int, dict[str, str], bytes]:
    """What a load balancer itself answers."""
    title = f"{status} {HTTPStatus(status).phrase.replace('Gateway Timeout', 'Gateway Time-out')}"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        title = "503 Service Temporarily Unavailable"
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    return status, {"Server": "awselb/2.0", "Content-Type": "text/html"}, page.encode()


def _start() -> None:
    TARGETS.start()
    BALANCER_DOORS.start()


REGISTRY.on_start.append(_start)
