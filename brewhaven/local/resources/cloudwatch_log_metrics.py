"""Logs that become metrics: metric filters and the embedded metric format; filter patterns as CloudWatch Logs has them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

from brewhaven.local.emulator import Response
from brewhaven.local.engines.log_patterns import Found, PatternError, compiled, value_at
from brewhaven.local.engines.metric_points import publish
from brewhaven.local.registry import correction, replace

logger = logging.getLogger("brewhaven.local.cloudwatch")

Record = dict[str, Any]
_MOST_DIMENSIONS = 30


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def _looked_up(text: str, found: Found) -> Any:
    """The value that a transformation names: a number, ``$.field`` of JSON or ``$field`` between spaces, or None."""
    if text.startswith("$."):
        try:
            return value_at(found, text)
        except (KeyError, IndexError):
            return None
    return found.get(text[1:]) if text.startswith("$") else text


def _filter_events(group: str, events: list[Record]) -> None:
    """Let the metric filters of a log group count."""
    from ministack.services import cloudwatch_logs

    for (filtered, _name), metric_filter in list(cloudwatch_logs._metric_filters.items()):
        if filtered != group:
            continue
        matches = compiled(metric_filter["filterPattern"])
        found = [(event, fields) for event in events if (fields := matches(event.get("message", ""))) is not None]
        for transformation in metric_filter["metricTransformations"]:
            _transform(transformation, found)


def _transform(transformation: Record, found: list[tuple[Record, Found]]) -> None:
    namespace, name = transformation["metricNamespace"], transformation["metricName"]
    unit = transformation.get("unit", "None")
    if not found and transformation.get("defaultValue") is not None:
        publish(namespace, name, float(transformation["defaultValue"]), unit)
    for event, fields in found:
        value = _number(_looked_up(str(transformation["metricValue"]), fields))
        wanted = {key: _looked_up(text, fields) for key, text in (transformation.get("dimensions") or {}).items()}
        # An event that lacks a dimension is no data point of the metric.
        if value is not None and None not in wanted.values():
            dimensions = {key: str(text) for key, text in wanted.items()}
            publish(namespace, name, value, unit, dimensions, at=event["timestamp"] / 1000)


def _embedded(message: str) -> Iterator[Record]:
    """The metrics in a log line, as the arguments of :func:`publish`."""
    if '"_aws"' not in message:
        return
    try:
        document = json.loads(message)
        directives = document["_aws"]["CloudWatchMetrics"]
        stamp = document["_aws"].get("Timestamp")
    except (ValueError, KeyError, TypeError):
        return
    at = stamp / 1000 if isinstance(stamp, (int, float)) else None
    for directive in directives if isinstance(directives, list) else []:
        for names in directive.get("Dimensions") or [[]]:
            # A directive whose dimensions are not in the line is not valid.
            if len(names) > _MOST_DIMENSIONS or any(name not in document for name in names):
                continue
            dimensions = {name: str(document[name]) for name in names}
            for metric in directive.get("Metrics") or []:
                values = document.get(metric["Name"])
                for value in values if isinstance(values, list) else [values]:
                    number = _number(value)
                    if number is not None:
                        yield {
                            "namespace": directive["Namespace"],
                            "name": metric["Name"],
                            "value": number,
                            "unit": metric.get("Unit", "None"),
                            "dimensions": dimensions,
                            "at": at,
                        }


@correction
def logs_become_metrics() -> None:
    """A line that a metric filter matches, or that is in the embedded metric format, is a data point.

    The emulator keeps filters and lines, and publishes nothing.
    """
    from ministack.services import cloudwatch_logs

    def build(original: Any) -> Any:
        # Called with every batch of events that a log group takes in, whoever wrote them.
        def fan_out(group: str, stream: str, events: list[Record]) -> None:
            original(group, stream, events)
            try:
                _filter_events(group, events)
                for event in events:
                    for metric in _embedded(event.get("message", "")):
                        publish(**metric)
            except Exception:
                logger.exception("The metrics in the log group %s were not published", group)

        return fan_out

    replace(cloudwatch_logs, "_fanout_to_subscription_filters", build)


@correction
def patterns_are_those_of_cloudwatch_logs() -> None:
    """FilterLogEvents, metric filters and subscription filters know the whole pattern language and refuse mistakes.

    To the emulator a pattern for JSON matches everything, and terms match in any case.
    """
    from ministack.core.responses import error_response_json
    from ministack.services import cloudwatch_logs

    def compile_pattern(_original: Any) -> Any:
        def matcher(text: str) -> Any:
            pattern = compiled(text or "")
            return lambda message: pattern(message) is not None

        return matcher

    def matches(_original: Any) -> Any:
        return lambda text, message: compiled(text or "")(message or "") is not None

    def refuses(original: Any) -> Any:
        def handle(request: Record) -> Response:
            try:
                compiled(request.get("filterPattern") or "")
            except PatternError as error:
                return error_response_json("InvalidParameterException", str(error), 400)  # type: ignore[no-any-return]
            answer: Response = original(request)
            return answer

        return handle

    replace(cloudwatch_logs, "_compile_filter_pattern", compile_pattern)
    replace(cloudwatch_logs, "_subscription_pattern_matches", matches)
    for name in ("_put_metric_filter", "_put_subscription_filter", "_filter_log_events"):
        replace(cloudwatch_logs, name, refuses)
