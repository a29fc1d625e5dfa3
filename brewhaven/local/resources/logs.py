"""CloudWatch Logs: groups are named as CloudFormation names them, and what a query cannot ask here is refused."""

from __future__ import annotations

import json
from typing import Any

from brewhaven.local.emulator import Response, handler_error, wrap_handler
from brewhaven.local.registry import Created, Properties, correction, replace

_TYPE = "AWS::Logs::LogGroup"
_COMMANDS = ("fields", "filter", "sort", "limit")
"""What Logs Insights understands here."""


@correction
def log_groups_are_named_after_stack_and_resource() -> None:
    """Without ``LogGroupName`` a group is called ``stack-LogicalId-SUFFIX``, and keeps the name over updates.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-logs-loggroup.html
    """
    from ministack.services import cloudwatch_logs
    from ministack.services.cloudformation import provisioners

    def create(original: Any) -> Any:
        def handler(logical_id: str, properties: Properties, stack_name: str) -> Created:
            wanted = properties.get("LogGroupName")
            name = wanted or provisioners._physical_name(stack_name, logical_id, max_len=512)
            if name in cloudwatch_logs._log_groups:
                identifier = json.dumps({"/properties/LogGroupName": name})
                sentence = f"Resource of type '{_TYPE}' with identifier '{identifier}' already exists."
                raise handler_error(sentence, "CloudWatchLogs", 400, "AlreadyExists")
            made: Created = original(logical_id, {**properties, "LogGroupName": name}, stack_name)
            return made

        return handler

    def update(original: Any) -> Any:
        def handler(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Created:
            name = new.get("LogGroupName") or physical_id
            changed: Created = original(physical_id, old, {**new, "LogGroupName": name}, *rest)
            return changed

        return handler

    wrap_handler(_TYPE, "create", create)
    wrap_handler(_TYPE, "update", update)


@correction
def queries_are_not_answered_in_part() -> None:
    """A query with a command that is not emulated is refused by its name; the emulator leaves the command out.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
    """
    from ministack.core.responses import error_response_json
    from ministack.services import cloudwatch_logs

    def build(original: Any) -> Any:
        def start(request: dict[str, Any]) -> Response:
            stages = cloudwatch_logs._split_insights_pipes(request.get("queryString", ""))
            commands = [stage.split()[0].lower() for stage in stages if stage.strip()]
            unknown = next((command for command in commands if command not in _COMMANDS), None)
            if unknown is not None:
                said = f"The local cloud's Logs Insights knows {', '.join(_COMMANDS)}, and not {unknown}"
                return error_response_json("MalformedQueryException", said, 400)  # type: ignore[no-any-return]
            answer: Response = original(request)
            return answer

        return start

    replace(cloudwatch_logs, "_start_query", build)
