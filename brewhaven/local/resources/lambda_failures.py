"""Where Lambda sends an event that failed for good: a dead-letter queue gets the event itself, if the role may send it.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
"""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

from brewhaven.local.engines.authorization import RoleSession, denial
from brewhaven.local.engines.metric_points import publish
from brewhaven.local.registry import correction, replace

logger = logging.getLogger("brewhaven.local.lambda")

Record = dict[str, Any]
_SENDS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}


def _refusal(config: Record, target: str) -> str | None:
    """Why the function's role may not send to a queue or topic; None if it may, or the target is neither."""
    action = _SENDS.get(target.split(":")[2])
    if action is None:
        return None
    session = RoleSession(config["Role"], config["FunctionName"], "lambda.amazonaws.com")
    return denial(session.principal_arn, action, target, target.split(":")[3])


def _send(target: str, event: Any, result: Record) -> None:
    from ministack.services import sns, sqs

    body = result.get("body") if isinstance(result.get("body"), dict) else {}
    message = str((body or {}).get("errorMessage", ""))[:1024]
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": str((body or {}).get("requestId") or uuid.uuid4())},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        **({"ErrorMessage": {"DataType": "String", "StringValue": message}} if message else {}),
    }
    if target.split(":")[2] == "sns":
        sns._fanout(target, str(uuid.uuid4()), json.dumps(event), "", "", attributes)
        return
    queue = sqs._queue_by_arn(target)
    if queue is None:
        raise sqs._Err("QueueDoesNotExist", f"The queue {target} does not exist.")
    sqs._act_send_message({"MessageBody": json.dumps(event), "MessageAttributes": attributes}, queue["url"])


@correction
def a_dead_letter_queue_gets_the_event() -> None:
    """The emulator sends it what an OnFailure destination would get, and asks no permission."""
    from ministack.services import lambda_svc

    def build(original: Any) -> Any:
        def route(target: str, name: str, event: Any, result: Record) -> None:
            config = lambda_svc._functions[name]["config"]
            try:
                refused = _refusal(config, target)
                if refused is not None:
                    raise PermissionError(refused)
                if target == (config.get("DeadLetterConfig") or {}).get("TargetArn"):
                    _send(target, event, result)
                else:
                    original(target, name, event, result)
            except Exception as error:
                publish("AWS/Lambda", "DeadLetterErrors", 1, "Count", {"FunctionName": name})
                logger.warning("%s could not hand over what failed: %s", name, error)

        return route

    replace(lambda_svc, "_route_async_failure", build)
