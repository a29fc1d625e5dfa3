"""Queues as event sources of functions: what AWS checks beforehand, the role's permission, and reports of failures.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

from __future__ import annotations

import json
import time
from contextvars import ContextVar
from typing import Any

from brewhaven.local.emulator import Response, handler_error, wrap_handler
from brewhaven.local.engines.authorization import RoleSession, denial
from brewhaven.local.registry import REGISTRY, Created, Properties, correction, replace

Record = dict[str, Any]
_NEEDED = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
_REPORTS = "ReportBatchItemFailures"
# How long an answer of IAM is believed; a permission taken away counts after that.
_BELIEVED_SECONDS = 3.0
_believed: dict[str, tuple[float, str | None]] = {}
_reporting: ContextVar[bool] = ContextVar("reports_batch_item_failures", default=False)


def _missing_permission(config: Record, queue_arn: str) -> str | None:
    """The action on the queue that the function's role may not do; None if it may do all that is needed."""
    session = RoleSession(config["Role"], config["FunctionName"], "lambda.amazonaws.com")
    region = queue_arn.split(":")[3]
    return next((n for n in _NEEDED if denial(session.principal_arn, f"sqs:{n}", queue_arn, region)), None)


def _refusal(function_ref: str, source_arn: str) -> str | None:
    """Why AWS would not make the mapping; None if it would, or the source is no queue."""
    from ministack.services import lambda_svc, sqs

    if ":sqs:" not in source_arn:
        return None
    function, config, _name = lambda_svc._get_func_record_for_ref(function_ref)
    queue = sqs._queue_by_arn(source_arn)
    if not function or not config:
        return None  # The emulator refuses that in the words of AWS.
    if queue is None:
        return (
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error "
            "Message: The specified queue does not exist."
        )
    missing = _missing_permission(config, source_arn)
    if missing is not None:
        return f"The function execution role does not have permissions to call {missing} on SQS"
    visible, timeout = int(queue["attributes"]["VisibilityTimeout"]), int(config.get("Timeout") or 3)
    if visible < timeout:
        return f"Queue visibility timeout: {visible} seconds is less than Function timeout: {timeout} seconds"
    return None


def _reported(result: Record) -> Record:
    """A function's answer as Lambda reads it: without failures a success, and one that makes no sense a failure."""
    body = result.get("body")
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return _senseless(result, body)
    failures = body.get("batchItemFailures") if isinstance(body, dict) else body
    if failures in (None, [], ""):
        return {**result, "body": {}}
    if not isinstance(failures, list):
        return _senseless(result, body)
    named = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in failures]
    return result if all(isinstance(name, str) and name for name in named) else _senseless(result, body)


def _senseless(result: Record, body: Any) -> Record:
    said = f"The function's answer is no report of batch item failures: {json.dumps(body)[:200]}"
    return {**result, "error": True, "body": {"errorType": "InvalidBatchResponse", "errorMessage": said}}


@correction
def mappings_are_checked_before() -> None:
    """The role's permissions and the queue's visibility timeout are looked at when a mapping is made.

    https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    """
    from ministack.core.responses import error_response_json
    from ministack.services import lambda_svc

    def through_api(original: Any) -> Any:
        def create(request: Record) -> Response:
            refused = _refusal(str(request.get("FunctionName", "")), str(request.get("EventSourceArn", "")))
            if refused is not None:
                return error_response_json("InvalidParameterValueException", refused, 400)  # type: ignore[no-any-return]
            answer: Response = original(request)
            return answer

        return create

    def through_stack(original: Any) -> Any:
        def create(logical_id: str, properties: Properties, stack_name: str) -> Created:
            refused = _refusal(str(properties["FunctionName"]), str(properties.get("EventSourceArn", "")))
            if refused is not None:
                raise handler_error(refused, "Lambda", 400, "InvalidRequest")
            made: Created = original(logical_id, properties, stack_name)
            return made

        return create

    replace(lambda_svc, "_create_esm", through_api)
    wrap_handler("AWS::Lambda::EventSourceMapping", "create", through_stack)


@correction
def queues_are_read_with_the_role() -> None:
    """Lambda receives with the function's role: without the permission nothing is taken from the queue."""
    from ministack.services import lambda_svc

    def build(original: Any) -> Any:
        def concurrency(mapping: Record, function: Record, config: Record, queue: Record | None = None) -> int:
            at, missing = _believed.get(mapping["UUID"], (0.0, None))
            if time.monotonic() - at > _BELIEVED_SECONDS:
                missing = _missing_permission(config, mapping["EventSourceArn"])
                _believed[mapping["UUID"]] = (time.monotonic(), missing)
            if missing is not None:
                mapping["LastProcessingResult"] = f"PROBLEM: The role may not call {missing} on SQS"
                return 0
            return int(original(mapping, function, config, queue))

        return concurrency

    replace(lambda_svc, "_sqs_esm_concurrency", build)


@correction
def reports_are_read_strictly() -> None:
    """An answer that makes no sense fails the whole batch; the emulator takes it for a success and loses the batch."""
    from ministack.services import lambda_svc

    def batch(original: Any) -> Any:
        def run(mapping: Record, *arguments: Any) -> Any:
            token = _reporting.set(_REPORTS in (mapping.get("FunctionResponseTypes") or []))
            try:
                return original(mapping, *arguments)
            finally:
                _reporting.reset(token)

        return run

    def execute(original: Any) -> Any:
        def run(function: Record, event: Any, *arguments: Any, **options: Any) -> Record:
            result: Record = original(function, event, *arguments, **options)
            return _reported(result) if _reporting.get() and not result.get("error") else result

        return run

    replace(lambda_svc, "_run_sqs_batch", batch)
    replace(lambda_svc, "_execute_function", execute)


REGISTRY.recorded |= {
    "AWS::Lambda::EventSourceMapping": "batches of a queue are taken at once, at most ten messages each: the batching "
    "window is recorded only",
    "AWS::Lambda::LayerVersion": "python/ and nodejs/ of a layer are imported; its other files are not under /opt",
}
REGISTRY.on_reset.append(_believed.clear)
