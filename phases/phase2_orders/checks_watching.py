"""Checks of lesson 2.7 (and 2.3): alarms, logs, metrics, and the dashboard that shows them."""

from __future__ import annotations

import json
import re
from typing import Any

from brewhaven.course.checks import CheckList, expect, statements
from brewhaven.course.cloud import Deployment
from brewhaven.course.template import Template
from phases.phase2_orders.probes import CONSTRUCTS, placed_order, worked_off

CHECKS = CheckList()

ALARM = "AWS::CloudWatch::Alarm"
LOG_GROUP = "AWS::Logs::LogGroup"
DASHBOARD = "AWS::CloudWatch::Dashboard"
ALARMS_CODE = f"{CONSTRUCTS}/staff_alarms.py"
DASHBOARD_CODE = f"{CONSTRUCTS}/order_dashboard.py"
LONGEST_DAYS = 90

# What AWS publishes by itself, of what the course watches, and by which dimension it is found.
PUBLISHED = {
    "AWS/RDS": ({"DatabaseConnections", "FreeStorageSpace", "CPUCreditBalance", "ReplicaLag"}, "DBInstanceIdentifier"),
    "AWS/SQS": ({"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"}, "QueueName"),
    "AWS/Lambda": ({"Errors", "Throttles", "Duration"}, "FunctionName"),
}

watch = CHECKS.check(
    "alarms-watch",
    lesson="2.7",
    objective="cloudwatch-monitoring",
    proves="Each alarm watches something that is there by a metric that is really published, and tells the staff",
)


@watch.on_template
def _(template: Template) -> str:
    topic = template.resources("AWS::SNS::Topic", of="StaffAlarms")[0]
    alarms = template.resources(ALARM)
    own = {
        (entry["MetricNamespace"], entry["MetricName"])
        for metric_filter in template.resources("AWS::Logs::MetricFilter")
        for entry in metric_filter.properties["MetricTransformations"]
    }
    for alarm in alarms:
        said = alarm.properties
        _tells_staff(
            alarm.logical_id,
            said.get("ActionsEnabled", True) and template.mentions(topic.logical_id, said.get("AlarmActions")),
        )
        dimensions = {entry["Name"]: json.dumps(entry["Value"]) for entry in said.get("Dimensions", [])}
        there = {
            name: any(f'"{known}"' in value for known in template.body["Resources"])
            for name, value in dimensions.items()
        }
        _is_published(alarm.logical_id, said["Namespace"], said["MetricName"], there, own)
    policy = template.resources("AWS::SNS::TopicPolicy", of="StaffAlarms")[0].properties["PolicyDocument"]
    _lets_alarms_in(policy, topic.logical_id)
    expect(
        len(alarms) >= 10,
        f"there are {len(alarms)} alarms: queues that grow old, dead letters and the database are not all watched",
        where=ALARMS_CODE,
        next_step="compare with the lesson's stack: brewhaven diff",
    )
    return f"{len(alarms)} alarms"


@watch.on_cloud
def _(cloud: Deployment) -> str:
    client, topic = cloud.client("cloudwatch"), cloud.outputs["AlarmTopicArn"]
    names = [entry.physical_id for entry in cloud.resources(ALARM)]
    alarms = [alarm for name in names for alarm in client.describe_alarms(AlarmNames=[name])["MetricAlarms"]]
    gone = set(names) - {alarm["AlarmName"] for alarm in alarms}
    expect(
        names and not gone,
        f"the stack's alarm {', '.join(sorted(gone)) or 'of any kind'} is not there any more",
        where="CloudWatch console: Alarms",
        next_step="delete the stack's change, or deploy the stack with the alarm taken out and put in again",
    )
    own = {
        (entry["metricNamespace"], entry["metricName"])
        for page in cloud.client("logs").get_paginator("describe_metric_filters").paginate()
        for found in page["metricFilters"]
        for entry in found["metricTransformations"]
    }
    existing = {entry.rpartition("/")[2] for entry in cloud.physical_ids}
    for alarm in alarms:
        _tells_staff(alarm["AlarmName"], alarm["ActionsEnabled"] and topic in alarm["AlarmActions"])
        there = {entry["Name"]: entry["Value"] in existing for entry in alarm["Dimensions"]}
        _is_published(alarm["AlarmName"], alarm["Namespace"], alarm["MetricName"], there, own)
    _lets_alarms_in(json.loads(cloud.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]), topic)
    ringing = [alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"]
    return f"{len(alarms)} alarms, {len(ringing)} of them ringing"


def _tells_staff(alarm: str, tells: object) -> None:
    expect(
        tells,
        f"the alarm {alarm} tells nobody",
        where=f"{ALARMS_CODE}, and CloudWatch console: Alarms, Actions",
        next_step="let it tell the staff's topic, and switch its actions on: `aws cloudwatch enable-alarm-actions`",
    )


def _is_published(alarm: str, namespace: str, metric: str, there: dict[str, bool], own: set[tuple[str, str]]) -> None:
    """Whether an alarm's metric is one that somebody publishes, for something that the stack has."""
    if namespace in PUBLISHED:
        names, dimension = PUBLISHED[namespace]
        known, found = metric in names, dimension in there and all(there.values())
    else:
        known, found = (namespace, metric) in own, not there
    expect(
        known,
        f"the alarm {alarm} waits for {namespace} {metric}, which nobody publishes, so it will never ring",
        where="CloudWatch console: Metrics, All metrics",
        next_step="copy namespace and name from a metric that is there",
    )
    expect(
        found,
        f"the alarm {alarm} watches {', '.join(there) or 'nothing in particular'}, and what it names is not in this "
        "stack: its metric has no values, so it will never ring",
        where="CloudWatch console: the alarm, Details, its dimensions",
        next_step="name the queue, function or database of this stack",
    )


def _lets_alarms_in(policy: Any, topic: str) -> None:
    admitted = [
        statement
        for statement in statements(policy)
        if statement["Effect"] == "Allow" and "cloudwatch.amazonaws.com" in json.dumps(statement["Principal"])
    ]
    expect(
        admitted,
        f"the topic {topic} does not let CloudWatch publish, so an alarm that rings is not heard",
        where=f"add_to_resource_policy in {ALARMS_CODE}, and SNS console: the topic, Access policy",
        next_step="allow cloudwatch.amazonaws.com to publish, for alarms of this account (aws:SourceAccount)",
    )


expire = CHECKS.check(
    "logs-expire",
    lesson="2.7",
    objective="cloudwatch-monitoring",
    proves="Every function and the database writes into a log group that forgets",
)


@expire.on_template
def _(template: Template) -> str:
    groups = template.resources(LOG_GROUP)
    _forgets({group.logical_id: group.properties.get("RetentionInDays") for group in groups})
    own = [
        function.logical_id
        for function in template.resources("AWS::Lambda::Function")
        if not any(template.mentions(group.logical_id, function.properties.get("LoggingConfig")) for group in groups)
    ]
    expect(
        not own,
        f"{', '.join(own)} makes a log group of its own, which keeps everything for ever and outlives the stack",
        where=f"log_group in {CONSTRUCTS}/python_function.py",
        next_step="give the function a log group of the stack",
    )
    return f"{len(groups)} groups"


@expire.on_cloud
def _(cloud: Deployment) -> str:
    client, days = cloud.client("logs"), {}
    for entry in cloud.resources(LOG_GROUP):
        found = client.describe_log_groups(logGroupNamePrefix=entry.physical_id)["logGroups"]
        days[entry.physical_id] = next(
            (group.get("retentionInDays") for group in found if group["logGroupName"] == entry.physical_id), None
        )
    _forgets(days)
    groups = {
        name: cloud.client("lambda").get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"]
        for name in (entry.physical_id for entry in cloud.resources("AWS::Lambda::Function"))
    }
    own = [name for name, group in groups.items() if group not in days]
    expect(
        not own,
        f"{', '.join(own)} writes into a log group that is not the stack's",
        where="Lambda console: the function, Configuration, Monitoring",
        next_step="deploy the stack's setting again",
    )
    return f"{len(days)} groups, at most {max(days.values())} days"


def _forgets(days: dict[str, Any]) -> None:
    endless = [name for name, kept in days.items() if not kept or int(kept) > LONGEST_DAYS]
    expect(
        days and not endless,
        f"the log group {', '.join(endless) or 'of nobody'} keeps its lines for ever, and is billed for ever",
        where=f"retention in {CONSTRUCTS}, and CloudWatch console: Log groups, Retention",
        next_step="`aws logs put-retention-policy --retention-in-days 7 --log-group-name <name>`",
    )


arrive = CHECKS.check(
    "metrics-arrive",
    lesson="2.7",
    objective="cloudwatch-monitoring",
    proves="What the functions count has the name under which the dashboard shows it, beside every alarm",
)


@arrive.on_template
def _(template: Template) -> str:
    board = json.dumps(template.resources(DASHBOARD, of="OrderDashboard")[0].properties["DashboardBody"])
    unseen = [alarm.logical_id for alarm in template.resources(ALARM) if f'"{alarm.logical_id}"' not in board]
    expect(
        not unseen,
        f"the dashboard does not show the alarm {', '.join(unseen)}",
        where=DASHBOARD_CODE,
        next_step="show every alarm of the stack in the dashboard's first row",
    )
    text = board.replace("\\", "")
    spaces = {
        str(function.properties["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"])
        for function in template.resources("AWS::Lambda::Function")
        if "POWERTOOLS_METRICS_NAMESPACE" in json.dumps(function.properties.get("Environment", {}))
    }
    missing = [space for space in spaces if f'["{space}","EventsProcessed","service","order_worker"' not in text]
    expect(
        spaces and not missing,
        f"the functions count under {', '.join(spaces)}, and the dashboard shows another name",
        where=f"metrics_namespace in {DASHBOARD_CODE} and stacks/phase2_orders.py",
        next_step="give functions and dashboard the same namespace",
    )
    return f"counted and shown under {', '.join(spaces)}"


@arrive.on_cloud
def _(cloud: Deployment) -> str:
    cloud.shared(worked_off)
    order = cloud.shared(placed_order)
    events = cloud.client("logs").filter_log_events(
        logGroupName=cloud.outputs["WorkerLogGroupName"],
        filterPattern='"EventsProcessed"',
        startTime=int((order.began - 60) * 1000),
    )["events"]
    counted = set()
    for event in events:
        line = json.loads(event["message"])
        for entry in line.get("_aws", {}).get("CloudWatchMetrics", []):
            for names in entry["Dimensions"]:
                counted.add((entry["Namespace"], "EventsProcessed", *(x for name in names for x in (name, line[name]))))
    name = cloud.resources(DASHBOARD, of="OrderDashboard")[0].physical_id
    body = json.loads(cloud.client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
    shown = {
        tuple(part for part in metric if isinstance(part, str))
        for widget in body["widgets"]
        for metric in widget["properties"].get("metrics", [])
    }
    mine = {metric for metric in shown if "EventsProcessed" in metric}
    expect(
        counted and counted & mine,
        f"the worker counts {_said(counted)}, and the dashboard {name} shows {_said(mine)}",
        where=f"{DASHBOARD_CODE}, POWERTOOLS_METRICS_NAMESPACE of the worker, and its log",
        next_step="write and show a metric under the same namespace, name and dimensions",
    )
    alarms = {arn for widget in body["widgets"] for arn in widget["properties"].get("alarms", [])}
    unseen = [
        entry.physical_id
        for entry in cloud.resources(ALARM)
        if not any(re.search(rf":{re.escape(entry.physical_id)}$", arn) for arn in alarms)
    ]
    expect(
        not unseen,
        f"the dashboard {name} does not show the alarm {', '.join(unseen)}",
        where=DASHBOARD_CODE,
        next_step="show every alarm of the stack",
    )
    return f"{_said(counted & mine)}; {len(alarms)} alarms shown"


def _said(metrics: set[tuple[str, ...]]) -> str:
    return ", ".join(" ".join(metric) for metric in sorted(metrics)) or "nothing"
