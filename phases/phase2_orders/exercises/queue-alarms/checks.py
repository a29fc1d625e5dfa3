"""Each alarm rings for its reason and for nothing else: it is played on good days and on bad ones."""

from typing import Any

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.template import Template

CHECKS = CheckList()
OF_QUEUES = (
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html"
)
OF_FUNCTIONS = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"
SILENCE = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html"
COMPARES = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
DAY_SECONDS = 24 * 60 * 60
Values = list[float | None]
"""What a metric says, one value for each period; None for a period without data."""

_wait = CHECKS.check(
    "orders-wait",
    lesson="2.7",
    objective="cloudwatch-monitoring",
    proves="OrdersWait rings when the oldest order has waited two minutes, three times in a row",
)
_aside = CHECKS.check(
    "orders-put-aside",
    lesson="2.7",
    objective="cloudwatch-monitoring",
    proves="OrdersPutAside rings as soon as one order lies in the dead-letter queue",
)
_missed = CHECKS.check(
    "closing-missed",
    lesson="2.7",
    objective="cloudwatch-monitoring",
    proves="ClosingMissed rings when the closing was not called for a day",
)
_told = CHECKS.check(
    "somebody-is-told", lesson="2.7", objective="cloudwatch-monitoring", proves="Each alarm tells whoever is on call"
)


def _alarm(template: Template, id_: str) -> dict[str, Any]:
    found = template.resources("AWS::CloudWatch::Alarm", of=id_)
    expect(
        found,
        f"there is no alarm with the id {id_}",
        where="your file",
        next_step="call create_alarm on a metric; `brewhaven exercise hint` shows how",
    )
    expect(
        "Metrics" not in found[0].properties,
        f"{id_} computes with metrics, and here one metric by itself says it",
        where="your file",
        next_step="call create_alarm on the metric itself, without a region or an account of its own",
    )
    return found[0].properties


def _looks_at(template: Template, alarm: dict[str, Any]) -> str:
    """The resource that the alarm's dimension names, by its id in the student's file."""
    values = [dimension["Value"] for dimension in alarm.get("Dimensions", [])]
    for id_ in ("Orders", "PutAside", "Closing"):
        for kind in ("AWS::SQS::Queue", "AWS::Lambda::Function"):
            if any(template.mentions(found.logical_id, values) for found in template.resources(kind, of=id_)):
                return id_
    return "nothing of this stack"


def _state(alarm: dict[str, Any], values: Values) -> str:
    """The alarm's state after the last of these periods. Before the first of them there was no data."""
    periods = int(alarm["EvaluationPeriods"])
    least = int(alarm.get("DatapointsToAlarm", periods))
    treated = alarm.get("TreatMissingData", "missing")
    beyond = COMPARES.get(alarm["ComparisonOperator"], lambda _value, _threshold: False)
    padded: Values = [*([None] * periods), *values]
    state = "INSUFFICIENT_DATA"
    for end in range(periods, len(padded) + 1):
        window = padded[end - periods : end]
        if all(value is None for value in window) and treated in ("missing", "ignore"):
            state = "INSUFFICIENT_DATA" if treated == "missing" else state
            continue
        bad = [treated == "breaching" if value is None else beyond(value, alarm["Threshold"]) for value in window]
        state = "ALARM" if sum(bad) >= least else "OK"
    return state


def _play(alarm: dict[str, Any], days: list[tuple[Values, bool, str]], where: str) -> None:
    """Play the alarm on series of values, each with whether it should ring at the end and what happened, in words."""
    says = {"ALARM": "rings", "OK": "stays silent", "INSUFFICIENT_DATA": "does not know what to say"}
    for values, should, words in days:
        state = _state(alarm, values)
        expect(
            state == ("ALARM" if should else "OK"),
            f"the alarm {says[state]} although {words} ({state}: {alarm['ComparisonOperator']} {alarm['Threshold']}, "
            f"{alarm.get('DatapointsToAlarm', alarm['EvaluationPeriods'])} of {alarm['EvaluationPeriods']} periods, "
            f"missing data: {alarm.get('TreatMissingData', 'missing')})",
            where=where,
            next_step="compare the threshold, the number of periods and the treatment of missing data with the task",
        )


def _metric(
    alarm: dict[str, Any], name: str, statistics: tuple[str, ...], period: int | None, instead: dict[str, str]
) -> str:
    """What is wrong with the metric; nothing if it is the right one."""
    is_called, statistic = alarm.get("MetricName"), alarm.get("Statistic") or alarm.get("ExtendedStatistic")
    if is_called != name:
        return instead.get(str(is_called), f"the metric is {is_called}, which does not tell it")
    if statistic not in statistics:
        return f"the alarm looks at the {statistic} of {name} in a period, and the {statistics[0]} is what counts here"
    if period is not None and alarm.get("Period") != period:
        return f"it looks every {alarm.get('Period')} s, and {period} s are wanted"
    return ""


@_wait.on_template
def _(template: Template) -> str:
    alarm = _alarm(template, "OrdersWait")
    how_many = "how many orders there are says nothing about how long one of them has waited"
    wrong = _metric(
        alarm,
        "ApproximateAgeOfOldestMessage",
        ("Maximum", "p100"),
        60,
        {
            "ApproximateNumberOfMessagesVisible": how_many,
            "NumberOfMessagesSent": how_many,
            "ApproximateNumberOfMessagesNotVisible": how_many,
        },
    )
    looks_at = _looks_at(template, alarm)
    expect(
        not wrong and looks_at == "Orders",
        wrong or f"OrdersWait looks at {looks_at}, and Orders is where they wait",
        where=OF_QUEUES,
        next_step="the age of the oldest message of self.orders, its maximum, minute by minute",
    )
    _play(
        alarm,
        [
            ([30, 60, 119, 119, 119], False, "the oldest order has waited for less than two minutes"),
            ([10, 20, 600], False, "only a single minute was bad"),
            ([10, 120, 180], False, "only two minutes were bad"),
            ([300, 300, 300, None, None, None], False, "the queue has been emptied since, and is quiet"),
            ([None, None, None], False, "the queue is empty and quiet"),
            ([120, 120, 120], True, "the oldest order has waited for two minutes, three times in a row"),
            ([10, 130, 190, 250], True, "the oldest order has waited for more than two minutes, three times in a row"),
        ],
        SILENCE,
    )
    return "two minutes, three times in a row"


@_aside.on_template
def _(template: Template) -> str:
    alarm = _alarm(template, "OrdersPutAside")
    moved = (
        "orders that SQS itself moves to a dead-letter queue are not counted as sent: this metric would stay at zero"
    )
    wrong = _metric(
        alarm,
        "ApproximateNumberOfMessagesVisible",
        ("Maximum", "Sum", "Average", "Minimum"),
        60,
        {"NumberOfMessagesSent": moved},
    )
    looks_at = _looks_at(template, alarm)
    expect(
        not wrong and looks_at == "PutAside",
        wrong or f"OrdersPutAside looks at {looks_at}; what failed lies in PutAside",
        where=OF_QUEUES,
        next_step="the number of messages that lie in self.put_aside, minute by minute",
    )
    _play(
        alarm,
        [
            ([None, None, None], False, "nothing was ever put aside"),
            ([0, 0, 0], False, "nothing lies there"),
            ([2, 2, 0], False, "they have been sent back"),
            ([2, None, None], False, "they have been sent back, and the queue is quiet"),
            ([0, 0, 1], True, "an order was put aside this minute"),
            ([7, 7, 7], True, "seven orders were put aside"),
        ],
        SILENCE,
    )
    return "one is enough"


@_missed.on_template
def _(template: Template) -> str:
    alarm = _alarm(template, "ClosingMissed")
    wrong = _metric(
        alarm,
        "Invocations",
        ("Sum", "SampleCount"),
        None,
        {
            "Errors": "the alarm looks at Errors, and a function that is not called makes no errors",
            "Duration": "the alarm looks at Duration, and a function that is not called takes no time",
        },
    )
    looks_at = _looks_at(template, alarm)
    expect(
        not wrong and looks_at == "Closing",
        wrong or f"ClosingMissed looks at {looks_at}, and it is the function Closing that may not be called",
        where=OF_FUNCTIONS,
        next_step="the calls of self.closing, added up over a day",
    )
    parts = DAY_SECONDS // int(alarm["Period"])  # a day may be looked at as 24 hours of which all must be silent
    quiet: Values = [None] * (parts - 1)
    silent = "was not called, and a function that is not called writes no zero, it writes nothing"
    _play(
        alarm,
        [
            ([1, *quiet, 1, *quiet], False, "the closing was called yesterday"),
            ([None, *quiet, 2, *quiet], False, "the closing was called, even twice"),
            ([1, *quiet, None, *quiet], True, f"the closing {silent}"),
            ([1, *quiet, 0, *quiet], True, "the closing was called zero times"),
        ],
        SILENCE,
    )
    return "no call within a day"


@_told.on_template
def _(template: Template) -> str:
    topics = [topic.logical_id for topic in template.resources("AWS::SNS::Topic", of="OnCall")]
    alarms = {id_: _alarm(template, id_) for id_ in ("OrdersWait", "OrdersPutAside", "ClosingMissed")}
    off = [id_ for id_, alarm in alarms.items() if not alarm.get("ActionsEnabled", True)]
    expect(
        not off,
        f"the actions of {' and '.join(off)} are switched off",
        where="actions_enabled in your file",
        next_step="leave it out: it is on by default",
    )
    silent = [
        id_
        for id_, alarm in alarms.items()
        if not any(template.mentions(topic, alarm.get("AlarmActions", [])) for topic in topics)
    ]
    expect(
        not silent,
        f"{' and '.join(silent)} changes its color and tells nobody",
        where="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html",
        next_step="add the topic self.on_call as an action of each alarm",
    )
    return "the topic OnCall"
