"""Alarms and dashboard of phase 2's stack: what rings, whom it tells, and what the staff looks at then."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.assertion.phase2 import LAST_PLACES, QUEUES, STACK, Read, as_text, of_type

ALARMS = {
    "DatabaseAlarmsConnections": ("AWS/RDS DatabaseConnections <OrderDatabaseInstance>", "Maximum", ">=", 60, 60, 3),
    "DatabaseAlarmsDisk": ("AWS/RDS FreeStorageSpace <OrderDatabaseInstance>", "Minimum", "<=", 4_000_000_000, 60, 1),
    "DatabaseAlarmsCredits": ("AWS/RDS CPUCreditBalance <OrderDatabaseInstance>", "Minimum", "<=", 20, 300, 1),
    "OrderPipelineWorkerFails": ("AWS/Lambda Errors <OrderPipelineWorkerFunction>", "Sum", ">=", 1, 60, 3),
    "OrderDashboardDatabaseRefuses": ("BrewHaven DatabaseRefusals ", "Sum", ">=", 1, 60, 1),
    **{
        f"{queue.removesuffix('Queue')}TooOld": (
            f"AWS/SQS ApproximateAgeOfOldestMessage <{queue}.QueueName>", "Maximum", ">=", 120, 60, 1,
        )
        for queue in QUEUES.values()
    },
    **{
        f"{queue}PutAside": (
            f"AWS/SQS ApproximateNumberOfMessagesVisible <{queue}.QueueName>", "Maximum", ">=", 1, 60, 1,
        )
        for queue in LAST_PLACES
    },
}  # fmt: skip
SIGNS = {"GreaterThanOrEqualToThreshold": ">=", "LessThanOrEqualToThreshold": "<="}


def test_there_is_an_alarm_for_everything_that_hurts(template: Read) -> None:
    assert of_type(template(STACK), "AWS::CloudWatch::Alarm").keys() == ALARMS.keys()


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_rings_when_something_is_wrong_and_tells_the_staff(template: Read, name: str) -> None:
    alarm = of_type(template(STACK), "AWS::CloudWatch::Alarm")[name]
    dimensions = " ".join(as_text(one["Value"]) for one in alarm.get("Dimensions", []))
    assert (
        f"{alarm['Namespace']} {alarm['MetricName']} {dimensions}",
        alarm["Statistic"],
        SIGNS[alarm["ComparisonOperator"]],
        alarm["Threshold"],
        alarm["Period"],
        alarm["EvaluationPeriods"],
    ) == ALARMS[name]
    assert alarm["TreatMissingData"] == "notBreaching", "no value means that nothing happens"
    assert [as_text(one) for one in alarm["AlarmActions"]] == ["<StaffAlarmsTopic>"]
    assert [as_text(one) for one in alarm["OKActions"]] == ["<StaffAlarmsTopic>"], "the staff hears that it is over"


def test_an_alarm_says_what_is_wrong_and_where_to_look(template: Read) -> None:
    """Whoever is woken by it has only this sentence."""
    for name, alarm in of_type(template(STACK), "AWS::CloudWatch::Alarm").items():
        assert len(alarm["AlarmDescription"].split()) > 8, name


def test_each_line_in_which_postgresql_refuses_somebody_counts_as_one(template: Read) -> None:
    (filter_,) = of_type(template(STACK), "AWS::Logs::MetricFilter").values()
    assert as_text(filter_["LogGroupName"]) == "<OrderDatabaseLogs>"
    assert filter_["FilterPattern"] == '"FATAL"'
    assert filter_["MetricTransformations"] == [
        {"MetricName": "DatabaseRefusals", "MetricNamespace": "BrewHaven", "MetricValue": "1", "Unit": "Count"}
    ]


WORKER, NOTIFICATION, PICTURES = (
    f"FunctionName <{name}Function>"
    for name in ("OrderPipelineWorker", "OrderSubscribersNotification", "ImagePipelineCheck")
)
DATABASE, CACHE = "DBInstanceIdentifier <OrderDatabaseInstance>", "CacheClusterId <ShopCacheValkey>-001"
GRAPHS = {
    "Do orders flow?": {
        f"BrewHaven Events{what} service order_worker: Sum" for what in ("Processed", "Repeated", "Failed")
    },
    "Seconds from the shop to the worker": {
        f"BrewHaven SecondsToProcess service order_worker: {which}" for which in ("p50", "p99")
    },
    "Seconds that the oldest message waits": {
        f"AWS/SQS ApproximateAgeOfOldestMessage QueueName <{queue}.QueueName>: Maximum" for queue in QUEUES.values()
    },
    "Put aside": {
        f"AWS/SQS ApproximateNumberOfMessagesVisible QueueName <{queue}.QueueName>: Maximum" for queue in LAST_PLACES
    },
    "Functions: errors, and how long they take": {
        f"AWS/Lambda {metric} {function}: {statistic}"
        for function in (WORKER, NOTIFICATION)
        for metric, statistic in (("Errors", "Sum"), ("Duration", "p99"))
    },
    "Database: connections of 80, refusals": {
        f"AWS/RDS DatabaseConnections {DATABASE}: Maximum",
        "BrewHaven DatabaseRefusals: Sum",
    },
    "Pictures": {f"BrewHaven Pictures{what} service picture_check: Sum" for what in ("Accepted", "Rejected")},
    "Pictures: errors, and how long they take": {
        f"AWS/Lambda Errors {PICTURES}: Sum",
        f"AWS/Lambda Duration {PICTURES}: p99",
    },
    "Database: processor, credits": {
        f"AWS/RDS CPUUtilization {DATABASE}: Average",
        f"AWS/RDS CPUCreditBalance {DATABASE}: Minimum",
    },
    "Cache: found, not found": {
        f"AWS/ElastiCache CacheHits {CACHE}: Sum",
        f"AWS/ElastiCache CacheMisses {CACHE}: Sum",
        f"AWS/ElastiCache DatabaseMemoryUsagePercentage {CACHE}: Maximum",
    },
}


def widgets(template: dict[str, Any]) -> list[dict[str, Any]]:
    (dashboard,) = of_type(template, "AWS::CloudWatch::Dashboard").values()
    return list(json.loads(as_text(dashboard["DashboardBody"]))["widgets"])


def shown(line: list[Any]) -> str:
    """A graph's line: namespace, metric, dimensions and statistic. CloudWatch takes the average where none is named."""
    *metric, how = line
    return f"{' '.join(metric)}: {how.get('stat', 'Average')}"


def test_the_dashboard_begins_with_every_alarm(template: Read) -> None:
    first, *others = widgets(template(STACK))
    assert first["type"] == "alarm"
    assert sorted(first["properties"]["alarms"]) == sorted(f"<{name}.Arn>" for name in ALARMS)
    assert {widget["properties"]["title"] for widget in others} == GRAPHS.keys()


@pytest.mark.parametrize("title", GRAPHS)
def test_a_graph_shows_what_its_title_says(template: Read, title: str) -> None:
    (graph,) = [one["properties"] for one in widgets(template(STACK)) if one["properties"]["title"] == title]
    assert {shown(line) for line in graph["metrics"]} == GRAPHS[title]
    assert graph["region"] == "<AWS::Region>"
