"""Paths of API calls: what the emulator must tell us for them, and what endpoints refuse."""

from __future__ import annotations

import contextvars
from typing import Any

from brewhaven.local.engines.api_paths import passage
from brewhaven.local.engines.callers import CALLERS
from brewhaven.local.registry import correction, replace

_BECAUSE_IDENTITY = "because no identity-based policy allows the"
_BECAUSE_ENDPOINT = "because no VPC endpoint policy allows the"
_DENIED_BY_IDENTITY = "with an explicit deny in an identity-based policy"
_DENIED_BY_ENDPOINT = "with an explicit deny in a VPC endpoint policy"
# Whether the policy of an endpoint was in the way of this request's last decision.
_stopped: contextvars.ContextVar[bool] = contextvars.ContextVar("brewhaven_stopped_by_endpoint", default=False)


@correction
def sessions_belong_to_who_opens_them() -> None:
    """A role that a function assumes changes its rights, not its place in the network."""
    from ministack.services import sts

    def build(original: Any) -> Any:
        def register(access_key: str, session: dict[str, Any]) -> None:
            original(access_key, session)
            came = passage.get()
            # Only what is asked of STS itself: to invoke another function makes a session too, and not the caller's.
            if came is not None and came.service == "sts":
                CALLERS.add(came.caller, key=access_key)

        return register

    replace(sts, "register_session", build)


@correction
def endpoint_policies_decide() -> None:
    """What passes through an endpoint needs its policy's Allow as well.

    https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
    """
    from ministack.core import iam_actions, iam_evaluator
    from ministack.core.responses import get_account_id

    def enforce(original: Any) -> Any:
        def check(key: str, action: str, service: str, region: str, resource_arn: str = "*", **details: Any) -> Any:
            _stopped.set(False)
            denied = original(key, action, service, region, resource_arn, **details)
            came = passage.get()
            if denied or came is None or came.policy is None:
                return denied
            context = iam_evaluator.EvalContext(
                principal_arn=iam_evaluator.caller_arn(),
                principal_type="AssumedRole",
                principal_account=get_account_id(),
                action=action,
                resource_arn=resource_arn,
                region=region,
                service_context={key.lower(): value for key, value in (details.get("service_context") or {}).items()},
            )
            result = iam_evaluator.evaluate_resource_policy(came.policy, context)
            if result.decision == "Allow":
                return None
            _stopped.set(True)
            return iam_evaluator.EvalResult(result.decision, principal_arn=context.principal_arn)

        return check

    def sentence(original: Any) -> Any:
        def message(action: str, principal_arn: str, resource: str, explicit_deny: bool) -> str:
            text: str = original(action, principal_arn, resource, explicit_deny)
            if not _stopped.get():
                return text
            return text.replace(_BECAUSE_IDENTITY, _BECAUSE_ENDPOINT).replace(_DENIED_BY_IDENTITY, _DENIED_BY_ENDPOINT)

        return message

    def response(original: Any) -> Any:
        def respond(service: str, action: str, principal_arn: str, request_id: str, **details: Any) -> Any:
            if _stopped.get() and not details.get("message") and not details.get("error_code"):
                explicit, resource = bool(details.get("explicit_deny")), details.get("resource_arn", "*")
                details["message"] = iam_actions.identity_denial_message(action, principal_arn, resource, explicit)
            return original(service, action, principal_arn, request_id, **details)

        return respond

    replace(iam_evaluator, "enforce", enforce)
    replace(iam_actions, "identity_denial_message", sentence)
    replace(iam_actions, "access_denied_response", response)


@correction
def the_default_network_has_a_way_out() -> None:
    """The default VPC's main route table leads to its internet gateway; the emulator's knows the VPC alone.

    https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html
    """
    from ministack.services import ec2

    def lead_out() -> None:
        table = ec2._route_tables.get(ec2._DEFAULT_RTB_ID)
        if table and not any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in table["Routes"]):
            table["Routes"].append(
                {
                    "DestinationCidrBlock": "0.0.0.0/0",
                    "GatewayId": ec2._DEFAULT_IGW_ID,
                    "State": "active",
                    "Origin": "CreateRoute",
                }
            )

    def build(original: Any) -> Any:
        def initialize() -> None:
            is_new = ec2._DEFAULT_RTB_ID not in ec2._route_tables
            original()
            if is_new:
                lead_out()

        return initialize

    lead_out()  # the emulator made the first one while it was imported
    replace(ec2, "_init_defaults", build)
