"""Application Auto Scaling: targets, policies and scheduled actions are kept and answered; nothing scales by itself.

https://docs.aws.amazon.com/autoscaling/application/APIReference/Welcome.html
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from brewhaven.local.emulator import handler_error
from brewhaven.local.registry import Created, Properties, correction, resource
from brewhaven.local.services import Operation, ServiceError, register_json_service

Record = dict[str, Any]
_RECORDED = "kept and answered by the API; no policy or schedule changes a capacity by itself here"
_KEY = ("ServiceNamespace", "ResourceId", "ScalableDimension")
_STORES: dict[str, Any] = {}


def _key(request: Record) -> str:
    missing = [name for name in _KEY if not request.get(name)]
    if missing:
        raise ServiceError("ValidationException", f"1 validation error detected: {missing[0]} must not be null")
    return "|".join(request[name] for name in _KEY)


def _arn(kind: str, identifier: str) -> str:
    from ministack.core.responses import get_account_id, get_region

    return f"arn:aws:application-autoscaling:{get_region()}:{get_account_id()}:{kind}/{identifier}"


def _target(request: Record) -> Record:
    target: Record | None = _STORES["targets"].get(_key(request))
    if target is None:
        raise ServiceError(
            "ObjectNotFoundException",
            f"No scalable target registered for service namespace: {request['ServiceNamespace']}, resource ID: "
            f"{request['ResourceId']}, scalable dimension: {request['ScalableDimension']}",
        )
    return target


def register_scalable_target(request: Record) -> Record:
    """Register a target, or change the values given of one that is registered."""
    key = _key(request)
    known = _STORES["targets"].get(key)
    if known is None and ("MinCapacity" not in request or "MaxCapacity" not in request):
        raise ServiceError("ValidationException", "MinCapacity and MaxCapacity are required for a new scalable target")
    target = dict(
        known or {"ScalableTargetARN": _arn("scalable-target", uuid.uuid4().hex), "CreationTime": time.time()}
    )
    target.update({name: request[name] for name in _KEY})
    for name in ("MinCapacity", "MaxCapacity"):
        if name in request:
            target[name] = int(request[name])
    if target["MaxCapacity"] < target["MinCapacity"]:
        raise ServiceError("ValidationException", "Maximum capacity cannot be less than minimum capacity")
    target["RoleARN"] = request.get("RoleARN") or target.get("RoleARN") or _service_role(request["ServiceNamespace"])
    target["SuspendedState"] = request.get("SuspendedState") or {
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }
    _STORES["targets"][key] = target
    if request.get("Tags"):
        _STORES["tags"][target["ScalableTargetARN"]] = dict(request["Tags"])
    return {"ScalableTargetARN": target["ScalableTargetARN"]}


def _service_role(namespace: str) -> str:
    from ministack.core.responses import get_account_id

    service = {"ecs": "ECSService", "dynamodb": "DynamoDBTable"}.get(namespace, namespace.title())
    return (
        f"arn:aws:iam::{get_account_id()}:role/aws-service-role/{namespace}.application-autoscaling.amazonaws.com/"
        f"AWSServiceRoleForApplicationAutoScaling_{service}"
    )


def deregister_scalable_target(request: Record) -> Record:
    """Remove a target with its policies and scheduled actions."""
    target = _target(request)
    del _STORES["targets"][_key(request)]
    for store in ("policies", "actions"):
        for name in [n for n, item in _STORES[store].items() if _key(item) == _key(request)]:
            del _STORES[store][name]
    _STORES["tags"].pop(target["ScalableTargetARN"], None)
    return {}


def put_scaling_policy(request: Record) -> Record:
    """Create a policy of a registered target, or change it."""
    target = _target(request)
    key = f"{_key(request)}|{request['PolicyName']}"
    known = _STORES["policies"].get(key, {})
    identifier = target["ScalableTargetARN"].rpartition("/")[2]
    policy = {
        "PolicyARN": f"arn:aws:autoscaling:{target['ScalableTargetARN'].split(':')[3]}:"
        f"{target['ScalableTargetARN'].split(':')[4]}:scalingPolicy:{identifier}:resource/"
        f"{request['ServiceNamespace']}/{request['ResourceId']}:policyName/{request['PolicyName']}",
        "PolicyType": "StepScaling",
        "CreationTime": time.time(),
        **known,
        **{name: value for name, value in request.items() if value is not None},
        "Alarms": [],
    }
    _STORES["policies"][key] = policy
    return {"PolicyARN": policy["PolicyARN"], "Alarms": []}


def _delete(store: str, name: str, noun: str) -> Operation:
    def delete(request: Record) -> Record:
        key = f"{_key(request)}|{request[name]}"
        if _STORES[store].pop(key, None) is None:
            raise ServiceError("ObjectNotFoundException", f"No {noun} found with name {request[name]!r}")
        return {}

    return delete


def put_scheduled_action(request: Record) -> Record:
    """Create or change a scheduled action of a registered target."""
    target = _target(request)
    key = f"{_key(request)}|{request['ScheduledActionName']}"
    action = {
        "ScheduledActionARN": target["ScalableTargetARN"].replace("scalable-target", "scheduledAction")
        + f":scheduledActionName/{request['ScheduledActionName']}",
        "CreationTime": time.time(),
        **_STORES["actions"].get(key, {}),
        **request,
    }
    _STORES["actions"][key] = action
    return {}


def _describe(store: str, answer: str, names: str, name: str) -> Operation:
    def describe(request: Record) -> Record:
        found = [
            item
            for item in _STORES[store].values()
            if item["ServiceNamespace"] == request.get("ServiceNamespace")
            and request.get("ResourceId", item["ResourceId"]) == item["ResourceId"]
            and request.get("ScalableDimension", item["ScalableDimension"]) == item["ScalableDimension"]
            and (not request.get(names) or item[name] in request[names])
        ]
        return {answer: found}

    return describe


def _tag(request: Record) -> Record:
    _STORES["tags"].setdefault(request["ResourceARN"], {}).update(request["Tags"])
    return {}


def _untag(request: Record) -> Record:
    for name in request["TagKeys"]:
        _STORES["tags"].get(request["ResourceARN"], {}).pop(name, None)
    return {}


_OPERATIONS: dict[str, Operation] = {
    "RegisterScalableTarget": register_scalable_target,
    "DeregisterScalableTarget": deregister_scalable_target,
    "DescribeScalableTargets": _describe("targets", "ScalableTargets", "ResourceIds", "ResourceId"),
    "PutScalingPolicy": put_scaling_policy,
    "DeleteScalingPolicy": _delete("policies", "PolicyName", "scaling policy"),
    "DescribeScalingPolicies": _describe("policies", "ScalingPolicies", "PolicyNames", "PolicyName"),
    "PutScheduledAction": put_scheduled_action,
    "DeleteScheduledAction": _delete("actions", "ScheduledActionName", "scheduled action"),
    "DescribeScheduledActions": _describe("actions", "ScheduledActions", "ScheduledActionNames", "ScheduledActionName"),
    "DescribeScalingActivities": lambda _request: {"ScalingActivities": []},
    "TagResource": _tag,
    "UntagResource": _untag,
    "ListTagsForResource": lambda request: {"Tags": _STORES["tags"].get(request["ResourceARN"], {})},
}


@correction
def serve_application_auto_scaling() -> None:
    """Clients reach Application Auto Scaling like any other service; the emulator has none."""
    from ministack.core.responses import AccountRegionScopedDict

    _STORES.update({name: AccountRegionScopedDict() for name in ("targets", "policies", "actions", "tags")})
    register_json_service(
        "application-autoscaling",
        target_prefix="AnyScaleFrontendService",
        iam_namespace="application-autoscaling",
        operations=_OPERATIONS,
        stores=_STORES,
    )


def _call(operation: Operation, request: Record) -> Record:
    try:
        return operation(request)
    except ServiceError as error:
        code = "NotFound" if error.code == "ObjectNotFoundException" else "InvalidRequest"
        raise handler_error(error.message, "ApplicationAutoScaling", 400, code) from error


@resource("AWS::ApplicationAutoScaling::ScalableTarget", recorded=_RECORDED, replaced_by=_KEY)
class ScalableTarget:
    """``Ref`` is resource, dimension and namespace joined by bars.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-applicationautoscaling-scalabletarget.html
    """

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        return self._apply({}, properties)

    def _apply(self, old: Properties, new: Properties) -> Created:
        _call(register_scalable_target, {name: value for name, value in new.items() if name != "ScheduledActions"})
        actions = {item["ScheduledActionName"]: item for item in new.get("ScheduledActions", [])}
        where = {name: new[name] for name in _KEY}
        for item in old.get("ScheduledActions", []):
            if item["ScheduledActionName"] not in actions:
                _call(_OPERATIONS["DeleteScheduledAction"], {**where, **item})
        for item in actions.values():
            _call(put_scheduled_action, {**where, **item})
        name = f"{new['ResourceId']}|{new['ScalableDimension']}|{new['ServiceNamespace']}"
        return name, {"Id": name}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        return self._apply(old, new)

    def delete(self, physical_id: str, properties: Properties) -> None:
        if _key(properties) in _STORES["targets"]:
            deregister_scalable_target(properties)


@resource(
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    recorded=_RECORDED,
    replaced_by=("PolicyName", "ResourceId", "ScalableDimension", "ScalingTargetId", "ServiceNamespace"),
)
class ScalingPolicy:
    """``Ref`` is the policy's ARN.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-applicationautoscaling-scalingpolicy.html
    """

    def _request(self, properties: Properties) -> Record:
        request = {name: value for name, value in properties.items() if name != "ScalingTargetId"}
        if properties.get("ScalingTargetId"):
            resource_id, dimension, namespace = properties["ScalingTargetId"].split("|")
            request |= {"ResourceId": resource_id, "ScalableDimension": dimension, "ServiceNamespace": namespace}
        return request

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        arn = _call(put_scaling_policy, self._request(properties))["PolicyARN"]
        return arn, {"Arn": arn}

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        return self.create("", new, stack_name)

    def delete(self, physical_id: str, properties: Properties) -> None:
        request = self._request(properties)
        if f"{_key(request)}|{request['PolicyName']}" in _STORES["policies"]:
            _OPERATIONS["DeleteScalingPolicy"](request)
