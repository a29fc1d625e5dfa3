"""CloudWatch Logs: groups are named as CloudFormation names them, and a name that is taken is refused."""

from __future__ import annotations

import json
from typing import Any

from brewhaven.local.emulator import handler_error, wrap_handler
from brewhaven.local.registry import Created, Properties, correction

_TYPE = "AWS::Logs::LogGroup"


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
