"""SNS mobile push: applications and devices are kept, and what a device would show is written down.

https://docs.aws.amazon.com/sns/latest/dg/sns-mobile-application-as-subscriber.html
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from brewhaven.local.emulator import Response
from brewhaven.local.registry import correction, replace
from brewhaven.local.resources.sns_written import forget, write_down

Record = dict[str, Any]
_LIST = "ListEndpointsByPlatformApplication"
_PAGE = 100
_NO_ENDPOINT = "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified"


def push(endpoint_arn: str, message: str, identity: str, *, structured: bool) -> str | None:
    """Write down what a device would be sent; return why it cannot be sent to.

    Args:
        structured: The message is JSON with a text for each platform.
    """
    from ministack.services import sns

    endpoint = sns._platform_endpoints.get(endpoint_arn)
    if endpoint is None:
        return "the endpoint does not exist"
    application = sns._platform_applications[endpoint["application_arn"]]
    if str(endpoint["attributes"].get("Enabled")).lower() != "true":
        return "Endpoint is disabled"
    if str(application["attributes"].get("Enabled")).lower() != "true":
        return "Platform application is disabled"
    text = _for_platform(message, application["platform"]) if structured else message
    if text is None:
        return "the message has no text for the platform and no default"
    name = application["arn"].split(":", 5)[5]
    write_down(
        name, identity, endpoint_arn, text,
        token=endpoint["attributes"]["Token"], customUserData=endpoint["attributes"].get("CustomUserData"),
    )  # fmt: skip
    return None


def _for_platform(message: str, platform: str) -> str | None:
    try:
        texts = json.loads(message)
    except ValueError:
        return None
    found = texts.get(platform, texts.get("default")) if isinstance(texts, dict) else None
    return None if found is None else str(found)


@correction
def devices_are_published_to() -> None:
    """Publish to a device is written down; one that is disabled refuses. The emulator only answers a message id.

    A device's ARN begins with ``endpoint/``, so that a policy can tell it from its application.

    https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    from ministack.core.responses import new_uuid
    from ministack.services import sns

    def publish(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            target = sns._p(parameters, "TargetArn")
            if target not in sns._platform_endpoints:
                if ":endpoint/" in target:
                    return sns._error("InvalidParameter", _NO_ENDPOINT, 400)  # type: ignore[no-any-return]
                answer: Response = original(parameters)
                return answer
            identity, structure = new_uuid(), sns._p(parameters, "MessageStructure")
            problem = push(target, sns._p(parameters, "Message"), identity, structured=structure == "json")
            if problem is not None:
                disabled = {"Endpoint is disabled": "EndpointDisabled"}
                disabled["Platform application is disabled"] = "PlatformApplicationDisabled"
                code = disabled.get(problem, "InvalidParameter")
                return sns._error(code, problem, 400)  # type: ignore[no-any-return]
            inner = f"<PublishResult><MessageId>{identity}</MessageId></PublishResult>"
            return sns._xml(200, "PublishResponse", inner)  # type: ignore[no-any-return]

        return handle

    def delete(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            forget(sns._p(parameters, "PlatformApplicationArn").split(":", 5)[-1])
            answer: Response = original(parameters)
            return answer

        return handle

    def create(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            status, headers, body = original(parameters)
            for arn in [arn for arn in sns._platform_endpoints if ":app/" in arn]:
                endpoint = sns._platform_endpoints.pop(arn)
                endpoint["arn"] = arn.replace(":app/", ":endpoint/", 1)
                sns._platform_endpoints[endpoint["arn"]] = endpoint
                body = body.replace(arn.encode(), endpoint["arn"].encode())
            return status, headers, body

        return handle

    replace(sns, "_publish", publish)
    replace(sns, "_create_platform_endpoint", create)
    replace(sns, "_delete_platform_application", delete)


@correction
def devices_are_listed() -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_ListEndpointsByPlatformApplication.html"""
    from ministack.services import sns

    def list_endpoints(parameters: Record) -> Response:
        application = sns._p(parameters, "PlatformApplicationArn")
        if application not in sns._platform_applications:
            return sns._error("NotFound", f"PlatformApplication does not exist: {application}", 404)  # type: ignore[no-any-return]
        found = [e for e in sns._platform_endpoints.values() if e["application_arn"] == application]
        begin = int(sns._p(parameters, "NextToken") or 0)
        members = "".join(
            f"<member><EndpointArn>{endpoint['arn']}</EndpointArn><Attributes>"
            + "".join(
                f"<entry><key>{sns._xml_escape(key)}</key><value>{sns._xml_escape(value)}</value></entry>"
                for key, value in endpoint["attributes"].items()
            )
            + "</Attributes></member>"
            for endpoint in found[begin : begin + _PAGE]
        )
        token = f"<NextToken>{begin + _PAGE}</NextToken>" if begin + _PAGE < len(found) else ""
        inner = f"<{_LIST}Result><Endpoints>{members}</Endpoints>{token}</{_LIST}Result>"
        return sns._xml(200, f"{_LIST}Response", inner)  # type: ignore[no-any-return]

    def build(original: Any) -> Any:
        async def handle(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
            parameters = {**query_params, **(parse_qs(body.decode(errors="replace")) if body else {})}
            if sns._p(parameters, "Action") == _LIST:
                return list_endpoints(parameters)
            return await original(method, path, headers, body, query_params)

        return handle

    replace(sns, "handle_request", build)
