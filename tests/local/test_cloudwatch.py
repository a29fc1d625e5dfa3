"""Metrics, alarms and what logs become (resources/cloudwatch_*.py, service_metrics.py, engines/alarm_states.py)."""

from __future__ import annotations

import json
import textwrap
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.stacks import StackError, att, ref, role, stack, typed
from tests.plugins.caches import ENDPOINTS, NETWORK, client, replication_group
from tests.plugins.containers import until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


class Metrics:
    """A namespace of its own."""

    def __init__(self, cloud: Cloud) -> None:
        self.client = cloud.client("cloudwatch")
        self.namespace = f"Test/{uuid.uuid4().hex[:8]}"

    def put(self, name: str, value: float, ago: float = 0, **dimensions: str) -> None:
        self.client.put_metric_data(
            Namespace=self.namespace,
            MetricData=[
                {
                    "MetricName": name,
                    "Value": value,
                    "Timestamp": datetime.now(UTC) - timedelta(seconds=ago),
                    "Dimensions": dimensions_of(dimensions),
                }
            ],
        )

    def query(self, identity: str, name: str, stat: str = "Sum", **dimensions: str) -> dict[str, Any]:
        return query(identity, self.namespace, name, stat, **dimensions)

    def data(self, *queries: dict[str, Any], **arguments: Any) -> dict[str, list[float]]:
        """Values of the last five minutes, oldest first."""
        now = datetime.now(UTC)
        answer = self.client.get_metric_data(
            MetricDataQueries=list(queries),
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=1),
            **{"ScanBy": "TimestampAscending", **arguments},
        )
        return {result["Id"]: result["Values"] for result in answer["MetricDataResults"]}

    def alarm(self, name: str = "", **properties: Any) -> str:
        name = name or f"alarm-{uuid.uuid4().hex[:8]}"
        self.client.put_metric_alarm(
            AlarmName=name,
            **{"EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanOrEqualToThreshold"}
            | properties,
        )
        return name

    def on(self, name: str, **properties: Any) -> str:
        """An alarm on a metric of the namespace."""
        properties = {"Namespace": self.namespace, "MetricName": name, "Statistic": "Sum", "Period": 60} | properties
        return self.alarm(**properties)

    def state(self, alarm: str) -> str:
        [found] = self.client.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
        return str(found["StateValue"])


def dimensions_of(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


def query(identity: str, namespace: str, name: str, stat: str = "Sum", **dimensions: str) -> dict[str, Any]:
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions_of(dimensions)}
    return {"Id": identity, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}


@pytest.fixture
def metrics(cloud: Cloud) -> Iterator[Metrics]:
    made = Metrics(cloud)
    yield made
    alarms = made.client.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    for kind in ("CompositeAlarms", "MetricAlarms"):
        names = [alarm["AlarmName"] for alarm in alarms.get(kind, [])]
        if names:
            made.client.delete_alarms(AlarmNames=names)


def test_expressions_over_metrics(metrics: Metrics) -> None:
    for minute, (errors, calls) in enumerate([(1, 10), (4, 8)]):
        metrics.put("Errors", errors, ago=60 * (2 - minute))
        metrics.put("Calls", calls, ago=60 * (2 - minute))
    inputs = [{**metrics.query(i, n), "ReturnData": False} for i, n in (("errors", "Errors"), ("calls", "Calls"))]
    rate = {"Id": "rate", "Expression": "100 * errors / calls", "Label": "error rate"}
    assert metrics.data(*inputs, rate) == {"rate": [10, 50]}
    assert metrics.data(*inputs, rate, ScanBy="TimestampDescending") == {"rate": [50, 10]}
    with pytest.raises(ClientError, match="no id 'nothing'"):
        metrics.data({"Id": "wrong", "Expression": "nothing + 1"})
    with pytest.raises(ClientError, match="does not know the statistic"):
        metrics.data(metrics.query("a", "Errors", stat="IQM"))


def test_a_metric_is_its_dimensions(metrics: Metrics) -> None:
    metrics.put("Orders", 1, Shop="a")
    metrics.put("Orders", 2, Shop="b")
    metrics.put("Orders", 4)
    values = metrics.data(metrics.query("a", "Orders", Shop="a"), metrics.query("none", "Orders"))
    assert values == {"a": [1], "none": [4]}
    assert metrics.state(metrics.on("Orders", Dimensions=dimensions_of({"Shop": "a"}), Threshold=2.0)) == "OK"
    assert metrics.state(metrics.on("Orders", Dimensions=dimensions_of({"Shop": "b"}), Threshold=2.0)) == "ALARM"


@pytest.mark.parametrize(
    ("values", "properties", "state"),
    [
        ([5, 5, 5], {"EvaluationPeriods": 3}, "ALARM"),
        ([5, 0, 5], {"EvaluationPeriods": 3}, "OK"),
        ([5, 0, 5], {"EvaluationPeriods": 3, "DatapointsToAlarm": 2}, "ALARM"),
        ([None, None, None], {"EvaluationPeriods": 3}, "INSUFFICIENT_DATA"),
        ([None, None, None], {"EvaluationPeriods": 3, "TreatMissingData": "notBreaching"}, "OK"),
        ([None, None, None], {"EvaluationPeriods": 3, "TreatMissingData": "breaching"}, "ALARM"),
        ([None, None, 5], {"EvaluationPeriods": 3}, "ALARM"),
        ([None, None, 5], {"EvaluationPeriods": 3, "TreatMissingData": "notBreaching"}, "OK"),
        ([None, None, 5], {"EvaluationPeriods": 3, "TreatMissingData": "ignore"}, "INSUFFICIENT_DATA"),
    ],
)
def test_periods_and_missing_data(
    metrics: Metrics, values: list[float | None], properties: dict[str, Any], state: str
) -> None:
    """Values are the oldest first, a minute each."""
    for position, value in enumerate(values):
        if value is not None:
            metrics.put("Age", value, ago=60 * (len(values) - position) - 30)
    assert metrics.state(metrics.on("Age", **properties)) == state


def test_an_alarm_on_an_expression_tells_a_topic(cloud: Cloud, metrics: Metrics) -> None:
    queue, topic = subscribed(cloud)
    both = [{**metrics.query(i, n), "ReturnData": False} for i, n in (("e", "Errors"), ("c", "Calls"))]
    rate = {"Id": "rate", "Expression": "100 * e / c", "Label": "rate", "ReturnData": True}
    name = metrics.alarm(Metrics=[*both, rate], Threshold=20.0, AlarmActions=[topic], OKActions=[topic])
    metrics.put("Calls", 10)
    metrics.put("Errors", 1)
    until(lambda: metrics.state(name) == "OK")
    metrics.put("Errors", 4)
    until(lambda: metrics.state(name) == "ALARM")
    told = [json.loads(message)["NewStateValue"] for message in received(cloud, queue, 2)]
    assert sorted(told) == ["ALARM", "OK"]
    [found] = metrics.client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert found["Metrics"][2]["Expression"] == "100 * e / c"
    assert "MetricName" not in found


def test_an_alarm_moves_by_itself_when_its_data_grows_old(metrics: Metrics) -> None:
    metrics.put("Depth", 3)
    name = metrics.on("Depth", Period=10, TreatMissingData="notBreaching")
    assert metrics.state(name) == "ALARM"
    until(lambda: metrics.state(name) == "OK", 40)


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "no anomaly detection"),
        ({"Metrics": [{"Id": "a", "Expression": "nothing"}]}, "no id 'nothing'"),
        ({"Metrics": [{"Id": "a", "Expression": "1"}, {"Id": "b", "Expression": "2"}]}, "Exactly one element"),
    ],
)
def test_alarms_that_are_refused(metrics: Metrics, properties: dict[str, Any], words: str) -> None:
    given = properties if "Metrics" in properties else {"Namespace": "a", "MetricName": "b", "Period": 60} | properties
    with pytest.raises(ClientError, match=words):
        metrics.alarm("refused", **{"Statistic": "Sum"} | given if "Metrics" not in properties else given)
    assert metrics.client.describe_alarms(AlarmNames=["refused"])["MetricAlarms"] == []


def subscribed(cloud: Cloud) -> tuple[str, str]:
    """A queue that receives what a new topic is told; message bodies raw."""
    name = f"alarms-{uuid.uuid4().hex[:8]}"
    sqs, sns = cloud.client("sqs"), cloud.client("sns")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return str(queue), str(topic)


def received(cloud: Cloud, queue: str, count: int) -> list[str]:
    found: list[str] = []

    def take() -> bool:
        messages = cloud.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        found.extend(message["Body"] for message in messages)
        return len(found) >= count

    until(take)
    return found


def test_alarms_of_a_template(cloud: Cloud, metrics: Metrics) -> None:
    """An alarm on a dead-letter queue's depth, one on an expression, one over both, and a dashboard."""
    queue, topic = subscribed(cloud)
    depth = {"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible"}
    age = {
        "Id": "age",
        "ReturnData": False,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": att("Dead", "QueueName")}],
            },
            "Period": 60,
            "Stat": "Maximum",
        },
    }
    common = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"}
    resources = {
        "Dead": typed("AWS::SQS::Queue"),
        "Depth": typed(
            "AWS::CloudWatch::Alarm", **depth, **common, Statistic="Maximum", Period=60, Threshold=0,
            Dimensions=[{"Name": "QueueName", "Value": att("Dead", "QueueName")}],
        ),
        "Age": typed(
            "AWS::CloudWatch::Alarm", **common, Threshold=2,
            Metrics=[age, {"Id": "seconds", "Expression": "age / 1", "ReturnData": True}],
        ),
        "Both": typed(
            "AWS::CloudWatch::CompositeAlarm",
            AlarmRule={"Fn::Sub": 'ALARM("${Depth}") AND ALARM("${Age}")'}, AlarmActions=[topic],
        ),
        "Dashboard": typed("AWS::CloudWatch::Dashboard", DashboardBody='{"widgets": []}'),
    }  # fmt: skip
    with stack(cloud) as made:
        made.create(resources, Arn=att("Both", "Arn"))

        def states() -> list[str]:
            names = [made.physical_id(name) for name in ("Depth", "Age", "Both")]
            answer = metrics.client.describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
            found = {a["AlarmName"]: a["StateValue"] for a in [*answer["MetricAlarms"], *answer["CompositeAlarms"]]}
            return [found[name] for name in names]

        until(lambda: states() == ["OK", "OK", "OK"])
        cloud.client("sqs").send_message(QueueUrl=made.physical_id("Dead"), MessageBody="poison")
        until(lambda: states() == ["ALARM", "ALARM", "ALARM"], 40)
        [message] = received(cloud, queue, 1)
        assert json.loads(message)["AlarmName"] == made.physical_id("Both")
        body = metrics.client.get_dashboard(DashboardName=made.physical_id("Dashboard"))["DashboardBody"]
        assert json.loads(body) == {"widgets": []}
        resources["Depth"]["Properties"]["Threshold"] = 5
        made.update(resources)
        until(lambda: states()[0] == "OK")
        made.delete()
        assert metrics.client.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"] == []


def test_a_template_with_anomaly_detection_is_refused(cloud: Cloud) -> None:
    band = {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m, 2)", "ReturnData": True}
    alarm = typed(
        "AWS::CloudWatch::Alarm", EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold", Threshold=1,
        Metrics=[{**query("m", "a", "b"), "ReturnData": False}, band],
    )  # fmt: skip
    with stack(cloud) as made, pytest.raises(StackError, match="ANOMALY_DETECTION_BAND"):
        made.create({"Alarm": alarm})


def test_a_functions_own_metrics_and_those_in_its_log(cloud: Cloud, metrics: Metrics) -> None:
    """Invocations and errors by Lambda, an embedded metric as Powertools writes it, and a metric filter."""
    code = """
        import json, time
        def handler(event, context):
            directive = {"Namespace": "Shop", "Dimensions": [["service"]], "Metrics": [{"Name": "Orders"}]}
            print(json.dumps({"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
                              "service": event["service"], "Orders": [2.0, 3.0]}))
            print(json.dumps({"level": "ERROR", "cents": 450, "size": event["service"]}))
            if event.get("fail"):
                raise ValueError("as asked")
    """
    service = f"s-{uuid.uuid4().hex[:8]}"
    resources = {
        "Role": role(),
        "Logs": typed("AWS::Logs::LogGroup"),
        "Function": typed(
            "AWS::Lambda::Function", Runtime="python3.13", Handler="index.handler", Role=att("Role", "Arn"),
            Code={"ZipFile": textwrap.dedent(code)}, LoggingConfig={"LogGroup": ref("Logs")},
        ),
        "Filter": typed(
            "AWS::Logs::MetricFilter", LogGroupName=ref("Logs"), FilterPattern='{ $.level = "ERROR" && $.cents > 400 }',
            MetricTransformations=[
                {"MetricNamespace": metrics.namespace, "MetricName": "Cents", "MetricValue": "$.cents",
                 "Dimensions": [{"Key": "size", "Value": "$.size"}]},
                {"MetricNamespace": metrics.namespace, "MetricName": "Failures", "MetricValue": "1", "DefaultValue": 0},
            ],
        ),
        "Other": typed(
            "AWS::Logs::MetricFilter", LogGroupName=ref("Logs"), FilterPattern='{ $.level = "WARN" }',
            MetricTransformations=[
                {"MetricNamespace": metrics.namespace, "MetricName": "Warnings", "MetricValue": "1", "DefaultValue": 0}
            ],
        ),
    }  # fmt: skip
    with stack(cloud) as made:
        made.create(resources)
        name = made.physical_id("Function")
        for event in ({"service": service}, {"service": service, "fail": True}):
            cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        assert totals(metrics, query("a", "Shop", "Orders", service=service)) == 10
        assert totals(metrics, metrics.query("a", "Cents", size=service)) == 900
        assert totals(metrics, metrics.query("a", "Failures")) == 2
        assert totals(metrics, metrics.query("a", "Warnings")) == 0
        for metric, expected in (("Invocations", 2), ("Errors", 1), ("Throttles", 0)):
            assert totals(metrics, query("a", "AWS/Lambda", metric, FunctionName=name)) == expected
        [longest] = metrics.data(query("a", "AWS/Lambda", "Duration", "p99", FunctionName=name))["a"]
        assert longest > 0


def totals(metrics: Metrics, wanted: dict[str, Any]) -> float:
    values = metrics.data(wanted)[wanted["Id"]]
    assert values, f"no data for {wanted}"
    return sum(values)


def test_patterns_of_filters(cloud: Cloud) -> None:
    logs = cloud.client("logs")
    group = f"/patterns/{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    lines = ['{"level": "ERROR", "order": "a"}', '{"level": "INFO", "order": "b"}', "an error in words"]
    events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)

    def found(pattern: str) -> list[str]:
        answer = logs.filter_log_events(logGroupName=group, filterPattern=pattern)
        return [event["message"] for event in answer["events"]]

    assert found('{ $.level = "ERROR" }') == lines[:1]
    assert found("ERROR") == lines[:1]
    assert found("?INFO ?words") == lines[1:]
    with pytest.raises(ClientError, match="Invalid filter pattern"):
        found("{ $.level = ")
    transformation = {"metricName": "a", "metricNamespace": "b", "metricValue": "1"}
    with pytest.raises(ClientError, match="Invalid filter pattern"):
        logs.put_metric_filter(
            logGroupName=group, filterName="f", filterPattern="{ level }", metricTransformations=[transformation]
        )
    logs.delete_log_group(logGroupName=group)


def test_a_cache_publishes_its_metrics(cloud: Cloud, metrics: Metrics) -> None:
    with stack(cloud) as made:
        outputs = made.create({**NETWORK, "Cache": replication_group()}, **ENDPOINTS)
        valkey = client(cloud, outputs)
        valkey.get("nothing")
        valkey.set("ends", "soon", ex=600)
        valkey.set("stays", "for ever")
        node = f"{made.physical_id('Cache')}-001"

        def misses() -> list[float]:
            return metrics.data(query("a", "AWS/ElastiCache", "CacheMisses", CacheClusterId=node))["a"]

        until(lambda: sum(misses()) >= 1, 90)
        keys = [
            metrics.data(query("a", "AWS/ElastiCache", name, CacheClusterId=node))["a"][-1]
            for name in ("CurrItems", "CurrVolatileItems")
        ]
        assert keys == [2, 1], "all keys, and those with an end"
