"""Custom resources: a provider that fails before it answers fails the deploy at once, with the reason."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction, replace

_RESPONSE_PATH = "/_ministack/cfn-response/"
_ANSWER_SECONDS = 2.0  # in which an answer that was sent before the function failed still arrives


@correction
def failing_providers_fail_the_deploy() -> None:
    """A function that cannot start or raises never answers CloudFormation.

    On AWS the stack then waits for ``ServiceTimeout``, an hour unless set. Here the deploy ends at once and says why:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-custom-resources.html
    """
    from ministack.services import lambda_svc

    def build(original: Any) -> Any:
        def execute(function: dict[str, Any], event: Any) -> Any:
            url = str(event.get("ResponseURL", "")) if isinstance(event, dict) else ""
            _, found, token = url.partition(_RESPONSE_PATH)
            try:
                result = original(function, event)
            except Exception as error:
                result = {"error": True, "body": {"errorType": type(error).__name__, "errorMessage": str(error)}}
                if not found:
                    raise
            if found and result.get("error"):
                _fail_unanswered(token, function, result)
            return result

        return execute

    replace(lambda_svc, "_execute_function_with_config_scope", build)


def _fail_unanswered(token: str, function: dict[str, Any], result: dict[str, Any]) -> None:
    from ministack.services.cloudformation import custom_resource

    entry = custom_resource._pending.get(token)
    if entry is None or entry["event"].wait(_ANSWER_SECONDS):
        return
    config = function.get("config") or function
    body = result.get("body")
    error = body if isinstance(body, dict) else {"errorType": "Error", "errorMessage": str(body)}
    reason = (
        f"The provider function {config.get('FunctionName')} failed and sent no answer: "
        f"{error.get('errorType')}: {error.get('errorMessage')}"
    )
    custom_resource.deliver_response(token, {"Status": "FAILED", "Reason": reason})
