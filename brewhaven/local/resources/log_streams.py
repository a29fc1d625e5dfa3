"""CloudWatch Logs searches the streams that a request names, by prefix too."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction, replace


@correction
def events_are_filtered_by_stream_prefix() -> None:
    """``logStreamNamePrefix`` of FilterLogEvents leaves out the streams of other names.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
    """
    from ministack.core.responses import error_response_json
    from ministack.services import cloudwatch_logs as logs

    def build(original: Any) -> Any:
        def filter_log_events(request: dict[str, Any]) -> Any:
            prefix = request.get("logStreamNamePrefix")
            if not prefix:
                return original(request)
            if request.get("logStreamNames"):
                reason = "LogStreamNamePrefix and LogStreamNames are mutually exclusive parameters."
                return error_response_json("InvalidParameterException", reason, 400)
            group = logs._log_groups.get(logs._resolve_log_group_name(request)) or {"streams": {}}
            names = [name for name in group["streams"] if name.startswith(prefix)]
            # The emulator takes an empty list for all streams; no stream has an empty name.
            return original({**request, "logStreamNames": names or [""]})

        return filter_log_events

    replace(logs, "_filter_log_events", build)
