"""S3: a browser's form upload carries its signature in the form, which the emulator's front door does not look at."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from brewhaven.local.registry import correction, replace

_signed_form: ContextVar[bool] = ContextVar("signed_form", default=False)
_refusal: ContextVar[Any] = ContextVar("refusal_of_the_form", default=None)


@correction
def form_uploads_are_signed_in_the_form() -> None:
    """Let S3 itself check a form that names an access key; everything else stays the front door's business.

    The front door asks who is calling by the headers and the query, finds nobody and refuses. S3 behind it verifies the
    form's policy, its signature and that the signer may put the object, so nothing goes unchecked. A form without an
    access key is still refused. A refusal names the signer, the object and the kind of policy that decided.

    https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
    """
    from ministack.core import iam_actions, iam_evaluator
    from ministack.services import s3

    def remember_the_form(original: Any) -> Any:
        def extract(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> Any:
            kind = headers.get("content-type", "")
            _signed_form.set(
                service == "s3"
                and method == "POST"
                and path.strip("/").count("/") == 0
                and kind.startswith("multipart/form-data")
                and bool(s3._post_form_access_key_id(s3._parse_multipart_form(kind, body)))
            )
            return original(service, method, path, headers, body, *rest)

        return extract

    def leave_the_form_to_s3(original: Any) -> Any:
        def enforce(access_key_id: str, iam_action: str, service: str, *rest: Any, **more: Any) -> Any:
            if _signed_form.get() and not access_key_id and iam_action == "s3:PutObject":
                return None
            answer = original(access_key_id, iam_action, service, *rest, **more)
            if _signed_form.get() and isinstance(answer, iam_evaluator.EvalResult):
                _refusal.set(_in_words(iam_action, answer, more.get("resource_arn", "*")))
            return answer

        return enforce

    def say_who_may_not_and_why(original: Any) -> Any:
        def post(*arguments: Any) -> Any:
            _refusal.set(None)
            answer = original(*arguments)
            # S3 throws the words away in which IAM refused the signer.
            return _refusal.get() if answer[0] == 403 and _refusal.get() else answer

        return post

    replace(iam_actions, "extract_iam_action", remember_the_form)
    replace(iam_evaluator, "enforce", leave_the_form_to_s3)
    replace(s3, "_post_object", say_who_may_not_and_why)


def _in_words(action: str, denied: Any, resource: str) -> Any:
    """The answer for a denial: who may not do what, and which kind of policy says so."""
    from ministack.core import iam_actions
    from ministack.core.responses import new_uuid

    return iam_actions.access_denied_response(
        "s3",
        action,
        denied.principal_arn,
        new_uuid(),
        resource_arn=resource,
        explicit_deny=denied.decision == "Deny",
        resource_policy_arn=denied.resource_policy_arn,
    )
