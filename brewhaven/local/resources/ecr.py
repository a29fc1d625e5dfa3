"""ECR: a registry token belongs to whoever asked for it, and every push and pull is authorized by IAM."""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import Any

from brewhaven.local.registry import correction, replace

TOKEN_SECONDS = 12 * 60 * 60
# What a request of the registry protocol counts as.
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
_ACTIONS = {
    ("blob_uploads", "POST"): "ecr:InitiateLayerUpload",
    ("blob_upload_session", "PATCH"): "ecr:UploadLayerPart",
    ("blob_upload_session", "PUT"): "ecr:CompleteLayerUpload",
    ("blob_upload_session", "GET"): "ecr:UploadLayerPart",
    ("blob_upload_session", "DELETE"): "ecr:UploadLayerPart",
    ("blob", "HEAD"): "ecr:BatchCheckLayerAvailability",
    ("blob", "GET"): "ecr:GetDownloadUrlForLayer",
    ("blob", "DELETE"): "ecr:BatchDeleteImage",
    ("manifest", "PUT"): "ecr:PutImage",
    ("manifest", "GET"): "ecr:BatchGetImage",
    ("manifest", "HEAD"): "ecr:BatchGetImage",
    ("manifest", "DELETE"): "ecr:BatchDeleteImage",
    ("tags_list", "GET"): "ecr:ListImages",
    ("catalog", "GET"): "ecr:DescribeRepositories",
}


class _Tokens:
    """Registry passwords and whom they stand for."""

    def __init__(self) -> None:
        self._holders: dict[str, tuple[str, float]] = {}

    def issue(self, principal_arn: str) -> tuple[str, float]:
        password, expires = secrets.token_urlsafe(48), time.time() + TOKEN_SECONDS
        self._holders = {p: holder for p, holder in self._holders.items() if holder[1] > time.time()}
        self._holders[password] = (principal_arn, expires)
        return password, expires

    def holder(self, authorization: str) -> str | None:
        try:
            kind, _, encoded = authorization.partition(" ")
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            return None
        principal, expires = self._holders.get(password, ("", 0.0))
        return principal if kind == "Basic" and user == "AWS" and expires > time.time() else None


@correction
def registry_tokens_stand_for_principals() -> None:
    """A token from GetAuthorizationToken opens to the registry what its principal may do, for 12 hours.

    The emulator hands everyone one password and never asks for it.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
    """
    from ministack.core import iam_evaluator, responses
    from ministack.services import ecr

    tokens = _Tokens()

    def issue(_original: Any) -> Any:
        def get_authorization_token(_data: dict[str, Any]) -> Any:
            password, expires = tokens.issue(iam_evaluator.caller_arn())
            registry = f"{responses.get_account_id()}.dkr.ecr.{responses.get_region()}.amazonaws.com"
            return responses.json_response(
                {
                    "authorizationData": [
                        {
                            "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
                            "expiresAt": int(expires),
                            "proxyEndpoint": f"https://{registry}",
                        }
                    ]
                }
            )

        return get_authorization_token

    def guard(original: Any) -> Any:
        async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
            refused = _refusal(tokens, method, path, headers)
            return refused or await original(method, path, headers, body, query)

        return handle

    replace(ecr, "_get_authorization_token", issue)
    replace(ecr, "handle_registry_request", guard)


def _refusal(tokens: _Tokens, method: str, path: str, headers: dict[str, str]) -> Any:
    from ministack.core import responses
    from ministack.services import ecr

    from brewhaven.local.engines.authorization import denial

    principal = tokens.holder(next((v for k, v in headers.items() if k.lower() == "authorization"), ""))
    if principal is None:
        status, answer, body = ecr._registry_error(401, "UNAUTHORIZED", "Not Authorized")
        return status, {**answer, "Www-Authenticate": 'Basic realm="https://ecr",service="ecr.amazonaws.com"'}, body
    parsed = ecr._parse_v2_path(path)
    if parsed is None or parsed[0] == "ping":
        return None
    verb, name, _ = parsed
    action = _ACTIONS.get((verb, method.upper()))
    if action is None:
        return None  # The registry itself answers that the method is not supported.
    ecr._select_registry_request_scope(name, {k.lower(): v for k, v in headers.items()}, {})
    region = responses.get_region()
    resource = ecr._repo_arn(name) if name else "*"
    words = denial(principal, action, resource, region)
    return ecr._registry_error(403, "DENIED", words) if words else None


@correction
def described_repositories_are_the_resource() -> None:
    """``DescribeRepositories`` is authorized on the repositories that it names, not on ``*``.

    The CDK's image-publishing role may describe its own repository only.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
    """
    from ministack.core import iam_actions

    def build(original: Any) -> Any:
        def resource_arn(service: str, method: str, path: str, *rest: Any, **options: Any) -> Any:
            arn = original(service, method, path, *rest, **options)
            if service != "ecr" or arn != "*":
                return arn
            named = _named_repositories([*rest, *options.values()])
            if len(named) != 1:
                return arn
            from ministack.services import ecr

            return ecr._repo_arn(named[0])

        return resource_arn

    replace(iam_actions, "extract_resource_arn", build)


def _named_repositories(arguments: list[Any]) -> list[str]:
    body = next((value for value in arguments if isinstance(value, bytes) and value.startswith(b"{")), b"{}")
    try:
        return list(json.loads(body).get("repositoryNames") or [])
    except ValueError:
        return []
