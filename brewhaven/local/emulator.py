"""Small tools with which the extensions call the emulator's services in-process and answer as AWS does."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable, Iterable
from typing import Any
from xml.etree import ElementTree

from brewhaven.local.registry import replace

Response = tuple[int, dict[str, str], bytes | str]


class ResourceHandlerError(Exception):
    """A resource could not be created, changed or deleted; the text is what the stack event shows."""


def handler_error(
    message: str, service: str, status: int, code: str = "GeneralServiceException"
) -> ResourceHandlerError:
    """Word a service's refusal as CloudFormation's resource handlers do.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html
    """
    request = uuid.uuid4()
    return ResourceHandlerError(
        f'Resource handler returned message: "{message} (Service: {service}, Status Code: {status}, '
        f'Request ID: {request})" (RequestToken: {uuid.uuid4()}, HandlerErrorCode: {code})'
    )


def error_of(response: Response) -> tuple[str, str]:
    """Code and message of an error response, XML or JSON."""
    body = response[2]
    text = body.decode() if isinstance(body, bytes) else body
    if text.lstrip().startswith("{"):
        document = json.loads(text)
        code = str(document.get("__type") or document.get("code") or "").rsplit("#", 1)[-1]
        return code, str(document.get("message") or document.get("Message") or text)
    found = {"Code": "", "Message": text}
    for element in ElementTree.fromstring(text).iter():  # noqa: S314 - the emulator's own answer
        name = element.tag.rsplit("}", 1)[-1]
        if name in found and element.text:
            found[name] = element.text
    return found["Code"], found["Message"]


def succeed(service: str, response: Response, *, ignore: Iterable[str] = ()) -> str:
    """Return the body of a response; raise what the service said if it refused.

    Args:
        service: The name the AWS SDK shows for the service, for example ``Ec2``.
        response: The emulator's ``(status, headers, body)``.
        ignore: Error codes that count as success, such as the one for "not there any more" on delete.
    """
    status, _, body = response
    if status >= 400:
        code, message = error_of(response)
        if code not in ignore:
            handler_code = "NotFound" if "NotFound" in code or code == "NoSuchEntity" else "GeneralServiceException"
            raise handler_error(message, service, status, handler_code)
    return body.decode() if isinstance(body, bytes) else body


def query(**parameters: Any) -> dict[str, list[str]]:
    """Flatten values into the parameters of the AWS Query protocol: ``Tag=[{"Key": "a"}]`` is ``Tag.1.Key=a``."""
    flat: dict[str, list[str]] = {}

    def put(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                put(f"{name}.{key}", item)
        elif isinstance(value, list):
            for position, item in enumerate(value, start=1):
                put(f"{name}.{position}", item)
        elif isinstance(value, bool):
            flat[name] = [str(value).lower()]
        elif value is not None:
            flat[name] = [str(value)]

    for name, value in parameters.items():
        put(name, value)
    return flat


def new_id(prefix: str) -> str:
    """An EC2-style identifier: prefix and 17 hexadecimal digits."""
    return f"{prefix}-0{secrets.token_hex(8)}"


def truth(value: Any) -> bool:
    """A template's boolean, which may arrive as the strings ``true`` and ``false``."""
    return value is True or str(value).lower() == "true"


def wrap_action(module: Any, table: str, action: str, build: Callable[[Any], Any]) -> None:
    """Replace the function behind an API action in a service's dispatch table and under its own name."""
    actions = getattr(module, table)
    original = actions[action]
    changed = build(original)
    actions[action] = changed
    name = str(getattr(original, "__name__", ""))
    if getattr(module, name, None) is original:
        replace(module, name, lambda _: changed)


def wrap_handler(cfn_type: str, operation: str, build: Callable[[Any], Any]) -> None:
    """Replace one operation (``create``, ``update`` or ``delete``) of a type that the emulator has."""
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS.get(cfn_type)
    if handlers is None or operation not in handlers:
        raise RuntimeError(
            f"The pinned emulator has no {operation} handler for {cfn_type}: a correction of the local cloud relies "
            "on it. Adapt brewhaven/local/resources/ to the emulator's new version, or pin the old one."
        )
    handlers[operation] = build(handlers[operation])


def add_attributes(cfn_type: str, attributes: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
    """Give a type ``Fn::GetAtt`` attributes that the emulator lacks.

    Args:
        cfn_type: For example ``AWS::EC2::VPC``.
        attributes: Called with physical id and properties after each create and update.
    """

    def after_create(original: Any) -> Any:
        def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
            physical_id, found = original(logical_id, properties, stack_name)
            return physical_id, {**found, **attributes(physical_id, properties)}

        return create

    def after_update(original: Any) -> Any:
        def update(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any) -> Any:
            new_id_, found = original(physical_id, old, new, *rest)
            return new_id_, {**found, **attributes(new_id_, new)}

        return update

    from ministack.services.cloudformation import provisioners

    wrap_handler(cfn_type, "create", after_create)
    if "update" in provisioners._RESOURCE_HANDLERS[cfn_type]:
        wrap_handler(cfn_type, "update", after_update)
