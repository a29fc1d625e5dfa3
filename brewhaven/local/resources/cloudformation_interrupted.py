"""Stacks whose operation was cut short when the local cloud stopped: nobody waits for them, and they can be deployed.

On AWS CloudFormation never stops. Here a stack would stay ``UPDATE_IN_PROGRESS`` for ever, and the CDK with it.
"""

from __future__ import annotations

import json
from typing import Any

from brewhaven.local.registry import REGISTRY

Record = dict[str, Any]
REASON = "The local cloud stopped while this operation was running. Deploy or delete the stack again."
# A stack that was never whole can only be deleted, which the CDK does before it creates it again.
_ENDS = {
    "CREATE_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "ROLLBACK_IN_PROGRESS": "ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS": "DELETE_FAILED",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "UPDATE_COMPLETE",
}
_NOT_RUNNING = ("REVIEW_IN_PROGRESS",)


def end_interrupted_operations() -> None:
    """Give every stack that is still in progress the state from which its owner can go on."""
    from ministack.core.responses import request_scope
    from ministack.services import cloudformation
    from ministack.services.cloudformation.stacks import _add_event

    for (account, region, name), stack in list(cloudformation._stacks.all_items()):
        status = str(stack.get("StackStatus", ""))
        if not status.endswith("_IN_PROGRESS") or status in _NOT_RUNNING:
            continue
        stack["StackStatus"] = _ENDS.get(status, "UPDATE_ROLLBACK_COMPLETE")
        stack["StackStatusReason"] = REASON
        if stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE":
            _forget_template(stack)
        with request_scope(account, region):
            identity, kind = stack["StackId"], "AWS::CloudFormation::Stack"
            _add_event(identity, name, name, kind, stack["StackStatus"], REASON, identity)


def _forget_template(stack: Record) -> None:
    """Leave of the template what exists, without properties, so that the next deploy compares every resource.

    What was updated already is compared by its own record and not touched again.
    """
    resources = stack.get("_resources", {})
    known = (stack.get("_template") or {}).get("Resources", {})
    kept = {
        name: {key: value for key, value in known.get(name, {}).items() if key != "Properties"}
        | {"Type": resource["ResourceType"]}
        for name, resource in resources.items()
    }
    stack["_template"] = {"Resources": kept}
    stack["_template_body"] = json.dumps(stack["_template"])


REGISTRY.on_start.append(end_interrupted_operations)
