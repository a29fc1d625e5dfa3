"""IAM says which kind of policy was missing, and knows the boundary that a request is about."""

from __future__ import annotations

import contextvars
from typing import Any

from brewhaven.local.registry import correction, replace

_BECAUSE_IDENTITY = "because no identity-based policy allows the"
_BECAUSE_BOUNDARY = "because no permissions boundary allows the"
# Whether a boundary alone was in the way of this request's last decision.
_bounded: contextvars.ContextVar[bool] = contextvars.ContextVar("brewhaven_bounded", default=False)


class _Boundary(list[Any]):
    """The statements of a permissions boundary, told apart from those of a session policy."""


@correction
def denials_name_the_resource_and_the_boundary() -> None:
    """A denial names the resource, and the boundary where the role's policies alone would have allowed the call.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    from ministack.core import iam_actions, iam_evaluator

    def boundary(original: Any) -> Any:
        return lambda *args: [_Boundary(limit) for limit in original(*args)]

    def evaluate(original: Any) -> Any:
        def decide(context: Any, policies: Any, *limits: Any) -> Any:
            result = original(context, policies, *limits)
            others = [limit for limit in limits if not isinstance(limit, _Boundary)]
            if result.decision == "ImplicitDeny" and len(others) < len(limits):
                _bounded.set(original(context, policies, *others).decision == "Allow")
            return result

        return decide

    def enforce(original: Any) -> Any:
        def check(*args: Any, **details: Any) -> Any:
            _bounded.set(False)
            return original(*args, **details)

        return check

    def sentence(original: Any) -> Any:
        def message(action: str, principal_arn: str, resource: str, explicit_deny: bool) -> str:
            text: str = original(action, principal_arn, resource, explicit_deny)
            return text.replace(_BECAUSE_IDENTITY, _BECAUSE_BOUNDARY) if _bounded.get() else text

        return message

    def response(original: Any) -> Any:
        def respond(service: str, action: str, principal_arn: str, request_id: str, **details: Any) -> Any:
            resource = details.get("resource_arn", "*")
            denied = bool(details.get("explicit_deny"))
            plain = not any(details.get(name) for name in ("error_code", "message"))
            # A denial in the resource's own policy has its own words.
            if plain and resource != "*" and not (denied and details.get("resource_policy_arn")):
                message = iam_actions.identity_denial_message(action, principal_arn, resource, denied)
                # STS keeps to itself why a role may not be assumed.
                details["message"] = message.partition(" because ")[0] if service == "sts" else message
            return original(service, action, principal_arn, request_id, **details)

        return respond

    replace(iam_evaluator, "_permissions_boundary", boundary)
    replace(iam_evaluator, "evaluate", evaluate)
    replace(iam_evaluator, "enforce", enforce)
    replace(iam_actions, "identity_denial_message", sentence)
    replace(iam_actions, "access_denied_response", response)


_SETS_A_BOUNDARY = ("CreateRole", "CreateUser", "PutRolePermissionsBoundary", "PutUserPermissionsBoundary")
_HAS_A_BOUNDARY = ("Attach", "Detach", "Put", "Delete")


@correction
def requests_name_the_boundary() -> None:
    """``iam:PermissionsBoundary`` is the boundary that a request sets, or that of the role or user it changes.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
    """
    from ministack.core import iam_actions

    def build(original: Any) -> Any:
        def context(service: str, iam_action: str, body: bytes, parameters: Any) -> dict[str, Any]:
            found: dict[str, Any] = original(service, iam_action, body, parameters)
            arn = _boundary_of(iam_action.removeprefix("iam:"), parameters) if service == "iam" else None
            return {**found, "iam:PermissionsBoundary": arn} if arn else found

        return context

    replace(iam_actions, "request_tag_context", build)


def _boundary_of(operation: str, parameters: Any) -> str | None:
    from ministack.services import iam

    def given(name: str) -> str | None:
        value = parameters.get(name)
        return (value[0] if isinstance(value, list) and value else value) or None

    if operation in _SETS_A_BOUNDARY:
        return given("PermissionsBoundary")
    if operation.startswith(_HAS_A_BOUNDARY):
        for store, name in ((iam._roles, given("RoleName")), (iam._users, given("UserName"))):
            if name and name in store:
                arn: str | None = store[name].get("PermissionsBoundary") or None
                return arn
    return None
