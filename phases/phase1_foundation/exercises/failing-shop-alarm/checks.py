"""The alarm rings when guests get errors, and only then."""

from typing import Any

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.template import Template

CHECKS = CheckList()
METRICS = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html"
ALARMS = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html"

_counts = CHECKS.check(
    "counts-failures",
    lesson="1.6",
    objective="load-balancing",
    proves="It adds up the failed answers of the shop's tasks, minute by minute",
)
_when = CHECKS.check(
    "rings-when-it-matters",
    lesson="1.6",
    objective="load-balancing",
    proves="It rings at 5 a minute, in 2 of 3 minutes",
)
_silence = CHECKS.check(
    "silence-is-good", lesson="1.6", objective="load-balancing", proves="A minute without failures is a good minute"
)
_told = CHECKS.check("somebody-is-told", lesson="1.6", objective="load-balancing", proves="Whoever is on call is told")


def _alarm(template: Template) -> dict[str, Any]:
    alarms = template.resources("AWS::CloudWatch::Alarm")
    expect(
        alarms,
        "there is no alarm in the stack",
        where="your file",
        next_step="make a cloudwatch.Metric and call its create_alarm; `brewhaven exercise hint` shows how",
    )
    return alarms[0].properties


def _full_names(template: Template) -> list[dict[str, Any]]:
    """How the template refers to what the metric knows a load balancer by."""
    balancers = template.resources("AWS::ElasticLoadBalancingV2::LoadBalancer")
    return [{"Fn::GetAtt": [balancer.logical_id, "LoadBalancerFullName"]} for balancer in balancers]


@_counts.on_template
def _(template: Template) -> str:
    alarm = _alarm(template)
    if "Metrics" in alarm:
        expect(
            False,
            "the alarm computes with metrics, and here one metric by itself says it",
            where=METRICS,
            next_step="call create_alarm on the metric; without a region or an account of its own",
        )
    name, statistic = alarm.get("MetricName"), alarm.get("Statistic") or alarm.get("ExtendedStatistic")
    if name == "HTTPCode_ELB_5XX_Count":
        what = "this metric counts what the load balancer itself answered, when it had nobody to ask"
    elif name != "HTTPCode_Target_5XX_Count" or alarm.get("Namespace") != "AWS/ApplicationELB":
        what = f"the metric is {alarm.get('Namespace')} {name}, which does not count the tasks' answers of 500 and more"
    elif statistic != "Sum":
        what = f"the alarm looks at the {statistic} of a count: every data point is 1, and only their Sum grows"
    elif alarm.get("Period") != 60:
        what = f"it adds up over {alarm.get('Period')} seconds, and minute by minute is wanted"
    elif [d["Name"] for d in alarm.get("Dimensions", [])] != ["LoadBalancer"]:
        what = "it does not say of which load balancer: the metric's only dimension here is LoadBalancer"
    elif alarm["Dimensions"][0]["Value"] not in _full_names(template):
        what = (
            "the dimension LoadBalancer has another value than the metric's own, the balancer's full name, so the "
            "alarm looks at a metric that nobody ever writes"
        )
    else:
        return "HTTPCode_Target_5XX_Count, Sum, 60 s"
    expect(False, what, where=METRICS, next_step="compare the metric's name, statistic and period with the task")
    return ""


@_when.on_template
def _(template: Template) -> str:
    alarm = _alarm(template)
    rings = (alarm.get("ComparisonOperator"), alarm.get("Threshold"))
    of = (alarm.get("DatapointsToAlarm", alarm.get("EvaluationPeriods")), alarm.get("EvaluationPeriods"))
    expect(
        rings in {("GreaterThanOrEqualToThreshold", 5), ("GreaterThanThreshold", 4)} and of == (2, 3),
        f"it rings when the count is {rings[0]} {rings[1]} in {of[0]} of {of[1]} minutes",
        where=ALARMS,
        next_step="5 or more, with evaluation_periods 3 and datapoints_to_alarm 2",
    )
    return "5 or more, 2 of 3"


@_silence.on_template
def _(template: Template) -> str:
    treated = _alarm(template).get("TreatMissingData", "missing")
    expect(
        treated == "notBreaching",
        f"missing data counts as {treated}, and a minute in which nothing fails has no answers to count",
        where="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html",
        next_step="say with treat_missing_data that missing data is not breaching",
    )
    return "missing data is not breaching"


@_told.on_template
def _(template: Template) -> str:
    topics = [topic.logical_id for topic in template.resources("AWS::SNS::Topic")]
    actions = _alarm(template).get("AlarmActions", [])
    expect(
        _alarm(template).get("ActionsEnabled", True),
        "the alarm has a topic, and its actions are switched off",
        where="actions_enabled in your file",
        next_step="leave it out: it is on by default",
    )
    expect(
        any(template.mentions(topic, actions) for topic in topics),
        "the alarm changes its colour and tells nobody",
        where="https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html",
        next_step="add the topic self.on_call as an action of the alarm",
    )
    return "the topic OnCall"
