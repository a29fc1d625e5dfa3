"""Which state a metric alarm has: its periods, the data points that breach, and what missing ones mean.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html

CloudWatch looks at whole minutes when they are over. Here an alarm looks back from this moment, so that it moves within
seconds of what it watches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brewhaven.local.engines.metric_queries import Queries, read, rolling

Record = dict[str, Any]
ALARM, OK, INSUFFICIENT = "ALARM", "OK", "INSUFFICIENT_DATA"
# CloudWatch looks at a few periods more than it needs, for data points that are late.
_FURTHER_BACK = 2
_COMPARISONS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "GreaterThanOrEqualToThreshold": ("greater than or equal to", lambda a, b: a >= b),
    "GreaterThanThreshold": ("greater than", lambda a, b: a > b),
    "LessThanThreshold": ("less than", lambda a, b: a < b),
    "LessThanOrEqualToThreshold": ("less than or equal to", lambda a, b: a <= b),
}


def understands(comparison: str) -> bool:
    """Whether a comparison operator is one of the four of static thresholds."""
    return comparison in _COMPARISONS


def newest_values(alarm: Record, now: float) -> list[float | None]:
    """The alarm's value in each period it looks at, the newest first; None where there is no data point.

    Raises:
        ExpressionError: Its expression is not understood.
    """
    count = int(alarm["EvaluationPeriods"]) + _FURTHER_BACK
    if alarm.get("Metrics"):
        queries = Queries(alarm["Metrics"], lambda period: rolling(now, period, count))
        watched = next(query for query in alarm["Metrics"] if query.get("ReturnData", True))
        period = queries.period_of(watched)
        series = queries.series(watched["Id"])
    else:
        period = int(alarm["Period"])
        dimensions = {d["Name"]: d["Value"] for d in alarm.get("Dimensions") or []}
        statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
        series = read(alarm["Namespace"], alarm["MetricName"], dimensions, statistic, rolling(now, period, count))
    return [series.get(time) for time in reversed(rolling(now, period, count).times)]


def state_of(alarm: Record, now: float) -> tuple[str, str]:
    """State and reason at a moment; the state that it has where CloudWatch would leave it.

    Raises:
        ExpressionError: Its expression is not understood.
    """
    needed = int(alarm["EvaluationPeriods"])
    to_alarm = int(alarm.get("DatapointsToAlarm") or needed)
    treat = alarm.get("TreatMissingData") or "missing"
    words, breaches = _COMPARISONS[alarm["ComparisonOperator"]]
    threshold = float(alarm["Threshold"])
    present = [value for value in newest_values(alarm, now) if value is not None][:needed]
    breaching = [value for value in present if breaches(value, threshold)]
    missing = needed - len(present)
    if treat == "breaching":
        state = ALARM if len(breaching) + missing >= to_alarm else OK
    elif treat == "notBreaching" or not missing:
        state = ALARM if len(breaching) >= to_alarm else OK
    elif treat == "ignore":
        state = alarm["StateValue"]
    elif not present:
        return INSUFFICIENT, f"Insufficient Data: {needed} datapoints were unknown."
    else:
        state = ALARM if len(breaching) >= min(to_alarm, len(present)) else OK
    shown = ", ".join(f"{value:g}" for value in (breaching if state == ALARM else present)[:3])
    verb = "was" if state == ALARM else "was not"
    if not shown:
        reason = f"Threshold Crossed: no datapoints were received for {needed} periods and missing ones are {treat}."
    else:
        counted = len(breaching if state == ALARM else present)
        reason = f"Threshold Crossed: {counted} datapoints [{shown}] {verb} {words} the threshold ({threshold:g})."
    return state, reason
