"""IAM: a call is authorized on the resources that it names, each of them, under the ARN that AWS gives them.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from brewhaven.local.registry import correction, replace
from brewhaven.local.resources.sqs_move_tasks import source_of

Request = dict[str, Any]
# What the emulator's front door believes to be the resource, and what is checked instead.
_named: ContextVar[tuple[str, list[str]]] = ContextVar("named_resources", default=("", []))


def _ecs(operation: str, request: Request, prefix: str) -> Iterator[str]:
    cluster = str(request.get("cluster") or "default").rpartition("/")[2]

    def within(kind: str, names: Any) -> Iterator[str]:
        for name in names if isinstance(names, list) else [names]:
            if name:
                yield name if str(name).startswith("arn:") else f"{prefix}{kind}/{cluster}/{name}"

    if operation == "DescribeClusters":
        for name in request.get("clusters") or ["default"]:
            yield name if name.startswith("arn:") else f"{prefix}cluster/{name}"
    elif operation == "DescribeServices":
        yield from within("service", request.get("services"))
    elif operation in ("CreateService", "UpdateService", "DeleteService"):
        yield from within("service", request.get("service") or request.get("serviceName"))
    elif operation in ("DescribeTasks", "StopTask"):
        yield from within("task", request.get("tasks") or request.get("task"))
    elif operation in ("RunTask", "StartTask"):
        name = str(request.get("taskDefinition", ""))
        yield name if name.startswith("arn:") else f"{prefix}task-definition/{name}"


def _ssm(operation: str, request: Request, prefix: str) -> Iterator[str]:
    names = {"GetParameters": "Names", "DeleteParameters": "Names", "GetParametersByPath": "Path"}.get(operation)
    found = request.get(names) if names else None
    for name in found if isinstance(found, list) else [found]:
        if name and str(name).startswith("arn:"):
            yield name
        elif name:
            yield f"{prefix}parameter/{str(name).strip('/').partition(':')[0]}"


def _logs(operation: str, request: Request, prefix: str) -> Iterator[str]:
    """All calls but those on tags are on a stream, or on ``log-stream:`` of the group: hence ``:*`` in its ARN.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """
    if operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        return
    names = request.get("logGroupNames") or [
        request.get("logGroupName") or request.get("logGroupIdentifier") or request.get("logGroupNamePrefix")
    ]
    if operation == "DescribeLogGroups" and names == [None]:
        names = [""]
    for name in names:
        if name is not None:
            group = name.removesuffix(":*") if name.startswith("arn:") else f"{prefix}log-group:{name}"
            yield f"{group}:log-stream:{request.get('logStreamName') or ''}"


def _dynamodb(_operation: str, request: Request, _prefix: str) -> Iterator[str]:
    if request.get("ResourceArn"):
        yield request["ResourceArn"]


def _sqs(operation: str, request: Request, _prefix: str) -> Iterator[str]:
    """Move tasks name the dead-letter queue by its ARN, where other calls have a queue's URL."""
    if operation in ("StartMessageMoveTask", "ListMessageMoveTasks"):
        yield str(request.get("SourceArn", ""))
    elif operation == "CancelMessageMoveTask":
        yield source_of(str(request.get("TaskHandle", "")))


def _sns(_operation: str, request: Request, _prefix: str) -> Iterator[str]:
    """What is no topic: applications and devices of mobile push. A subscription is authorized on its topic."""
    for name in ("PlatformApplicationArn", "EndpointArn"):
        if request.get(name):
            yield request[name]
    if request.get("SubscriptionArn"):
        yield str(request["SubscriptionArn"]).rpartition(":")[0]


_NAMES: dict[str, Callable[[str, Request, str], Iterator[str]]] = {
    "dynamodb": _dynamodb,
    "ecs": _ecs,
    "logs": _logs,
    "sns": _sns,
    "sqs": _sqs,
    "ssm": _ssm,
}


def _first_values(parameters: dict[str, Any]) -> Request:
    """The parameters of the Query protocol."""
    return {name: value[0] if isinstance(value, list) else value for name, value in parameters.items() if value}


@correction
def calls_are_authorized_on_what_they_name() -> None:
    """The emulator knows one resource a call, and for some calls a wider one than AWS or none."""
    from ministack.core import iam_actions, iam_evaluator

    def extract(original: Any) -> Any:
        def resource_arn(service: str, *call: Any) -> Any:
            _method, _path, headers, body, parameters, region, account = call
            arn = original(service, *call)
            _named.set(("", []))
            names = _NAMES.get(service)
            if names is None:
                return arn
            operation = str(headers.get("x-amz-target", "")).rpartition(".")[2]
            try:
                request = json.loads(body or b"{}") if operation else _first_values(parameters)
            except ValueError:
                return arn
            prefix = f"arn:aws:{service}:{region}:{account}:"
            found = list(names(operation, request, prefix)) if isinstance(request, dict) else []
            if not found:
                return arn
            # Tags of a log group are looked up by the ARN of the group, so the front door keeps it.
            shown = arn if service == "logs" else found[0]
            _named.set((shown, found))
            return shown

        return resource_arn

    def enforce(original: Any) -> Any:
        def check(key: str, action: str, service: str, region: str, resource_arn: str = "*", **more: Any) -> Any:
            shown, found = _named.get()
            if not found or resource_arn != shown:
                return original(key, action, service, region, resource_arn, **more)
            for arn in found:
                denied = original(key, action, service, region, arn, **more)
                if denied:
                    return denied
            return None

        return check

    replace(iam_actions, "extract_resource_arn", extract)
    replace(iam_evaluator, "enforce", enforce)
