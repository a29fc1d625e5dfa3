"""A function behind a queue: partial batches, concurrency, visibility, redrive, layers (resources/lambda_*.py)."""

from __future__ import annotations

import io
import json
import textwrap
import time
import zipfile
from typing import Any

import pytest

from tests.local.stacks import Resources, Stack, StackError, allow, att, ref, role, stack, typed
from tests.plugins.containers import until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def consumer(code: str, *, tries: int = 3, visibility: int = 5, **mapping: Any) -> Resources:
    """A queue with a dead-letter queue, a function that takes from it, and a queue to which it can tell."""
    document = allow(
        "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage",
        on=[att("Queue", "Arn"), att("Told", "Arn")],
    )  # fmt: skip
    return {
        "Dead": typed("AWS::SQS::Queue"),
        "Told": typed("AWS::SQS::Queue"),
        "Queue": typed(
            "AWS::SQS::Queue", VisibilityTimeout=visibility,
            RedrivePolicy={"deadLetterTargetArn": att("Dead", "Arn"), "maxReceiveCount": tries},
        ),
        "Role": role(Policies=[{"PolicyName": "it", "PolicyDocument": document}]),
        "Function": typed(
            "AWS::Lambda::Function", Runtime="python3.13", Handler="index.handler", Role=att("Role", "Arn"), Timeout=5,
            Code={"ZipFile": textwrap.dedent(code)}, Environment={"Variables": {"TOLD": ref("Told")}},
        ),
        "Mapping": typed(
            "AWS::Lambda::EventSourceMapping", FunctionName=ref("Function"), EventSourceArn=att("Queue", "Arn"),
            BatchSize=10, **mapping,
        ),
    }  # fmt: skip


def send(cloud: Cloud, made: Stack, *bodies: str) -> None:
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    cloud.client("sqs").send_message_batch(QueueUrl=made.physical_id("Queue"), Entries=entries)


def counts(cloud: Cloud, made: Stack, queue: str = "Queue") -> tuple[int, int]:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = cloud.client("sqs").get_queue_attributes(QueueUrl=made.physical_id(queue), AttributeNames=names)
    return int(answer["Attributes"][names[0]]), int(answer["Attributes"][names[1]])


def bodies(cloud: Cloud, made: Stack, queue: str) -> list[str]:
    found: list[str] = []
    sqs = cloud.client("sqs")
    while batch := sqs.receive_message(QueueUrl=made.physical_id(queue), MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in batch]
    return sorted(found)


REPORTS = """
    import json
    def handler(event, context):
        failed = [record["messageId"] for record in event["Records"] if "poison" in record["body"]]
        print(json.dumps([record["body"] for record in event["Records"]]))
        return {"batchItemFailures": [{"itemIdentifier": identity} for identity in failed]}
"""


def handled(cloud: Cloud, made: Stack) -> list[str]:
    """Every body that the function was given, in the order of its log."""
    logs = cloud.client("logs").filter_log_events(
        logGroupName=f"/aws/lambda/{made.physical_id('Function')}", filterPattern='"["'
    )
    return [
        body for event in logs["events"] if event["message"].startswith("[") for body in json.loads(event["message"])
    ]


def test_only_what_failed_comes_again_and_goes_to_the_dead_letter_queue_in_the_end(cloud: Cloud) -> None:
    with stack(cloud) as made:
        made.create(consumer(REPORTS, FunctionResponseTypes=["ReportBatchItemFailures"]))
        send(cloud, made, "good 1", "poison", "good 2")
        until(lambda: counts(cloud, made) == (0, 0) and counts(cloud, made, "Dead")[0] == 1, 40)
        assert bodies(cloud, made, "Dead") == ["poison"]
        seen = handled(cloud, made)
        assert sorted(body for body in seen if body != "poison") == ["good 1", "good 2"]
        assert seen.count("poison") == 3


WITHOUT_REPORT = """
    import json
    def handler(event, context):
        print(json.dumps([record["body"] for record in event["Records"]]))
        if any("poison" in record["body"] for record in event["Records"]):
            raise ValueError("poison")
"""


def test_without_reports_the_whole_batch_comes_again(cloud: Cloud) -> None:
    with stack(cloud) as made:
        made.create(consumer(WITHOUT_REPORT, tries=1))
        send(cloud, made, "good", "poison")
        until(lambda: counts(cloud, made, "Dead")[0] >= 1 and counts(cloud, made) == (0, 0), 40)
        assert "poison" in bodies(cloud, made, "Dead")


@pytest.mark.parametrize(
    "answer",
    [
        '{"batchItemFailures": [{"itemIdentifier": ""}]}',
        '{"batchItemFailures": [{"itemIdentifier": null}]}',
        '{"batchItemFailures": [{"id": 1}]}',
        '"no JSON object"',
    ],
)
def test_a_report_that_makes_no_sense_fails_the_whole_batch(cloud: Cloud, answer: str) -> None:
    code = f"import json\ndef handler(event, context): return json.loads('{answer}')"
    with stack(cloud) as made:
        made.create(consumer(code, tries=1, FunctionResponseTypes=["ReportBatchItemFailures"]))
        send(cloud, made, "a", "b")
        until(lambda: counts(cloud, made, "Dead")[0] == 2, 40)


@pytest.mark.parametrize("answer", ["{'batchItemFailures': []}", "{}", "None", "{'batchItemFailures': None}"])
def test_a_report_without_failures_is_a_success(cloud: Cloud, answer: str) -> None:
    with stack(cloud) as made:
        made.create(
            consumer(f"def handler(event, context): return {answer}", FunctionResponseTypes=["ReportBatchItemFailures"])
        )
        send(cloud, made, "a", "b")
        until(lambda: counts(cloud, made) == (0, 0))
        assert counts(cloud, made, "Dead") == (0, 0)


SLOW = """
    import boto3, os, time, json
    sqs = boto3.client("sqs")
    def handler(event, context):
        begun = time.time()
        time.sleep(1)
        sqs.send_message(QueueUrl=os.environ["TOLD"], MessageBody=json.dumps([begun, time.time()]))
"""


def test_no_more_run_at_once_than_the_event_source_admits(cloud: Cloud) -> None:
    with stack(cloud) as made:
        resources = consumer(SLOW, visibility=60, ScalingConfig={"MaximumConcurrency": 2})
        resources["Mapping"]["Properties"]["BatchSize"] = 1
        made.create(resources)
        identity = made.physical_id("Mapping")
        mapping = cloud.client("lambda").get_event_source_mapping(UUID=identity)
        assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
        send(cloud, made, *(str(number) for number in range(8)))
        until(lambda: counts(cloud, made) == (0, 0), 60)
        spans = [json.loads(body) for body in bodies(cloud, made, "Told")]
        assert len(spans) == 8
        at_once = [sum(a <= begun < b for a, b in spans) for begun, _ in spans]
        assert max(at_once) == 2


def test_a_message_that_is_worked_on_is_invisible_to_others(cloud: Cloud) -> None:
    with stack(cloud) as made:
        made.create(consumer(SLOW, visibility=30))
        send(cloud, made, "once")
        until(lambda: counts(cloud, made) == (0, 1))
        assert bodies(cloud, made, "Queue") == []
        until(lambda: counts(cloud, made) == (0, 0))
        assert len(bodies(cloud, made, "Told")) == 1


def without(resources: Resources, action: str) -> Resources:
    """The resources, with one action taken from the function's role."""
    changed: Resources = json.loads(json.dumps(resources))
    changed["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]["Action"].remove(action)
    return changed


@pytest.mark.parametrize("action", ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"])
def test_a_mapping_needs_the_roles_permissions(cloud: Cloud, action: str) -> None:
    with stack(cloud) as made, pytest.raises(StackError, match=f"does not have permissions to call {action} on SQS"):
        made.create(without(consumer(REPORTS), f"sqs:{action}"))


def test_a_mapping_needs_time_enough(cloud: Cloud) -> None:
    sentence = "Queue visibility timeout: 2 seconds is less than Function timeout: 5 seconds"
    with stack(cloud) as made, pytest.raises(StackError, match=sentence):
        made.create(consumer(REPORTS, visibility=2))


def test_nothing_is_received_while_the_role_may_not(cloud: Cloud) -> None:
    resources = consumer(REPORTS)
    with stack(cloud) as made:
        made.create(resources)
        made.update(without(resources, "sqs:ReceiveMessage"))
        mapping = {"UUID": made.physical_id("Mapping")}
        client = cloud.client("lambda")
        until(
            lambda: "may not call ReceiveMessage" in client.get_event_source_mapping(**mapping)["LastProcessingResult"]
        )
        send(cloud, made, "wait")
        time.sleep(2)
        assert counts(cloud, made) == (1, 0)
        made.update(resources)
        until(lambda: counts(cloud, made) == (0, 0))
        assert handled(cloud, made) == ["wait"]


def test_layers_are_imported(cloud: Cloud) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made_zip:
        made_zip.writestr("python/beans.py", "ORIGIN = 'Huila'")
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="layer-code")
    s3.put_object(Bucket="layer-code", Key="layer.zip", Body=archive.getvalue())
    code = """
        import beans
        def handler(event, context): return beans.ORIGIN
    """
    resources = {
        "Role": role(),
        "Layer": typed("AWS::Lambda::LayerVersion", Content={"S3Bucket": "layer-code", "S3Key": "layer.zip"}),
        "Function": typed(
            "AWS::Lambda::Function", Runtime="python3.13", Handler="index.handler", Role=att("Role", "Arn"),
            Code={"ZipFile": textwrap.dedent(code)}, Layers=[ref("Layer")],
        ),
    }  # fmt: skip
    with stack(cloud) as made:
        made.create(resources)
        answer = cloud.client("lambda").invoke(FunctionName=made.physical_id("Function"))
        assert json.loads(answer["Payload"].read()) == "Huila"
    s3.delete_object(Bucket="layer-code", Key="layer.zip")
    s3.delete_bucket(Bucket="layer-code")


def test_the_network_is_in_the_configuration(cloud: Cloud) -> None:
    resources = {
        "Vpc": typed("AWS::EC2::VPC", CidrBlock="10.12.0.0/16"),
        "Subnet": typed("AWS::EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.12.1.0/24"),
        "Group": typed("AWS::EC2::SecurityGroup", GroupDescription="function", VpcId=ref("Vpc")),
        "Role": role(),
        "Function": typed(
            "AWS::Lambda::Function", Runtime="python3.13", Handler="index.handler", Role=att("Role", "Arn"),
            Code={"ZipFile": "def handler(event, context): pass"},
            VpcConfig={"SubnetIds": [ref("Subnet")], "SecurityGroupIds": [att("Group", "GroupId")]},
        ),
    }  # fmt: skip
    with stack(cloud) as made:
        made.create(resources)
        found = cloud.client("lambda").get_function_configuration(FunctionName=made.physical_id("Function"))
        assert found["VpcConfig"] == {
            "SubnetIds": [made.physical_id("Subnet")],
            "SecurityGroupIds": [made.physical_id("Group")],
            "VpcId": made.physical_id("Vpc"),
        }
