"""Lambda functions as processes and as resources (resources/lambda_*.py, custom_resources.py)."""

from __future__ import annotations

import base64
import io
import json
import ssl
import textwrap
import time
import urllib.error
import urllib.request
import zipfile
from typing import Any

import pytest

from brewhaven.local.engines.environments import native_packages
from brewhaven.local.resources.lambda_environments import AT_ONCE
from tests.local.stacks import Resources, Stack, StackError, allow, att, ref, role, stack, typed
from tests.plugins.containers import until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

ANSWER = """
    import json, urllib.request
    def answer(event, status, **more):
        body = {"Status": status, "PhysicalResourceId": "made", "StackId": event["StackId"], "Reason": "as asked",
                "RequestId": event["RequestId"], "LogicalResourceId": event["LogicalResourceId"], **more}
        request = urllib.request.Request(event["ResponseURL"], json.dumps(body).encode(), method="PUT")
        urllib.request.urlopen(request).close()
"""


def function(code: str, runtime: str = "python3.13", **properties: Any) -> Resources:
    return {
        "Role": role(),
        "Function": typed(
            "AWS::Lambda::Function", Runtime=runtime, Handler="index.handler", Role=att("Role", "Arn"), Timeout=20,
            Code={"ZipFile": textwrap.dedent(code)}, **properties,
        ),
    }  # fmt: skip


def invoke(cloud: Cloud, made: Stack, event: Any = None) -> tuple[Any, str | None]:
    answer = cloud.client("lambda").invoke(FunctionName=made.physical_id("Function"), Payload=json.dumps(event))
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def test_a_function_sees_aws_and_nothing_of_the_tool(cloud: Cloud) -> None:
    code = """
        import os, sys, importlib.util
        def handler(event, context):
            return {"environment": dict(os.environ), "log_group": context.log_group_name,
                    "found": [name for name in event if importlib.util.find_spec(name)]}
    """
    modules = ["boto3", "botocore", "urllib3", "ministack", "brewhaven", "aws_cdk", "pytest", "yaml"]
    with stack(cloud) as made:
        properties = {"Environment": {"Variables": {"TABLE": "cups"}}, "LoggingConfig": {"LogGroup": "/shop/logs"}}
        made.create(function(code, **properties))
        answer, error = invoke(cloud, made, modules)
        assert error is None
        assert answer["found"] == ["boto3", "botocore", "urllib3"]
        assert answer["log_group"] == "/shop/logs"
        environment = answer["environment"]
        assert environment["TABLE"] == "cups"
        assert environment["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
        assert environment["_HANDLER"] == "index.handler"
        assert environment["PATH"] == "/usr/local/bin:/usr/bin:/bin:/opt/bin"
        assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
        ours = ("MINISTACK", "BREWHAVEN", "GATEWAY", "STATE", "S3_", "AUTH", "USE_SSL", "DOCKER", "HOME", "PYTHON")
        assert [name for name in environment if name.startswith(ours)] == []


def test_the_error_type_is_the_exceptions_class(cloud: Cloud) -> None:
    code = """
        class CoffeeIsOut(Exception): pass
        def handler(event, context):
            raise CoffeeIsOut("no more beans")
    """
    with stack(cloud) as made:
        made.create(function(code))
        answer, error = invoke(cloud, made)
        assert error == "Unhandled"
        assert (answer["errorType"], answer["errorMessage"]) == ("CoffeeIsOut", "no more beans")
        assert any("index.py" in line for line in answer["stackTrace"])
        assert answer["requestId"]


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        ("import fastapi\ndef handler(event, context): pass", "Runtime.ImportModuleError"),
        ("def other(event, context): pass", "Runtime.HandlerNotFound"),
    ],
)
def test_a_function_that_cannot_start_says_why(cloud: Cloud, code: str, error_type: str) -> None:
    with stack(cloud) as made:
        made.create(function(code))
        assert invoke(cloud, made)[0]["errorType"] == error_type


def test_node_functions_have_the_sdk_and_the_class_of_their_errors(cloud: Cloud) -> None:
    code = """
        const { S3Client, ListBucketsCommand } = require("@aws-sdk/client-s3");
        exports.handler = async (event) => {
          if (event) throw new RangeError(process.env.MINISTACK_ACCOUNT_ID || "clean");
          return (await new S3Client({}).send(new ListBucketsCommand({}))).Buckets.length;
        };
    """
    resources = function(code, "nodejs22.x")
    resources["Role"]["Properties"]["Policies"] = [
        {"PolicyName": "list", "PolicyDocument": allow("s3:ListAllMyBuckets")}
    ]
    with stack(cloud) as made:
        made.create(resources)
        assert isinstance(invoke(cloud, made)[0], int)
        answer, _ = invoke(cloud, made, "fail")
        assert (answer["errorType"], answer["errorMessage"]) == ("RangeError", "clean")
        logs = cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{made.physical_id('Function')}")
        assert not [event for event in logs["events"] if "Deprecat" in event["message"]]


def test_node_modules_import_the_sdk(cloud: Cloud) -> None:
    """ESM, the form in which AWS's examples are written: its code comes as a zip, for inline code is CommonJS."""
    code = """
        import { S3Client } from "@aws-sdk/client-s3";
        export const handler = async () => new S3Client({}).constructor.name;
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("index.mjs", textwrap.dedent(code))
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="node-code")
    s3.put_object(Bucket="node-code", Key="code.zip", Body=archive.getvalue())
    resources = function("", "nodejs22.x")
    resources["Function"]["Properties"]["Code"] = {"S3Bucket": "node-code", "S3Key": "code.zip"}
    with stack(cloud) as made_stack:
        made_stack.create(resources)
        assert invoke(cloud, made_stack) == ("S3Client", None)
    s3.delete_object(Bucket="node-code", Key="code.zip")
    s3.delete_bucket(Bucket="node-code")


def test_a_layer_with_machine_code_runs_on_this_machine(cloud: Cloud) -> None:
    """The layer holds what another architecture would need; the same package and version is found for this machine."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("python/PIL/__init__.py", "raise ImportError('wrong ELF class')")
        made.writestr("python/pillow-13.0.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
        made.writestr("python/plain.py", "CUPS = 3")
    client = cloud.client("lambda")
    layer = client.publish_layer_version(LayerName="pictures", Content={"ZipFile": archive.getvalue()})
    code = """
        import PIL.Image, plain
        def handler(event, context):
            return [PIL.__version__, PIL.Image.new("RGB", (2, 2), "red").getpixel((0, 0)), plain.CUPS]
    """
    with stack(cloud) as made_stack:
        made_stack.create(function(code, Layers=[layer["LayerVersionArn"]]))
        assert invoke(cloud, made_stack) == (["13.0.0", [255, 0, 0], 3], None)
    client.delete_layer_version(LayerName="pictures", VersionNumber=layer["Version"])
    environments = cloud.settings.folder / "containers" / "environments"
    assert ["pillow 13.0.0"] in native_packages(environments).values()


def test_code_that_is_not_in_the_bucket_makes_no_function(cloud: Cloud) -> None:
    cloud.client("s3").create_bucket(Bucket="empty-code-bucket")
    resources = function("")
    resources["Function"]["Properties"]["Code"] = {"S3Bucket": "empty-code-bucket", "S3Key": "gone.zip"}
    with stack(cloud) as made, pytest.raises(StackError, match=r"NoSuchKey.*empty-code-bucket/gone\.zip"):
        made.create(resources)
    cloud.client("s3").delete_bucket(Bucket="empty-code-bucket")


def test_network_concurrency_and_versions_are_kept(cloud: Cloud) -> None:
    resources = function("def handler(event, context): pass", ReservedConcurrentExecutions=3)
    resources |= {
        "Vpc": typed("AWS::EC2::VPC", CidrBlock="10.8.0.0/16"),
        "Subnet": typed("AWS::EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.8.1.0/24"),
        "Group": typed("AWS::EC2::SecurityGroup", GroupDescription="functions", VpcId=ref("Vpc")),
        "Version": typed("AWS::Lambda::Version", FunctionName=ref("Function")),
    }
    resources["Function"]["Properties"]["VpcConfig"] = {
        "SubnetIds": [ref("Subnet")],
        "SecurityGroupIds": [ref("Group")],
    }
    with stack(cloud) as made:
        outputs = made.create(resources, Version=att("Version", "FunctionArn"))
        assert outputs["Version"].endswith(f":function:{made.physical_id('Function')}:1")
        client = cloud.client("lambda")
        found = client.get_function(FunctionName=made.physical_id("Function"))
        assert found["Configuration"]["VpcConfig"]["VpcId"] == made.physical_id("Vpc")
        assert found["Concurrency"]["ReservedConcurrentExecutions"] == 3


def test_a_custom_resource_answers(cloud: Cloud) -> None:
    code = ANSWER + "    def handler(event, context): answer(event, 'SUCCESS', Data={'Cups': 3})\n"
    resources = function(code) | {"Custom": typed("Custom::Cups", ServiceToken=att("Function", "Arn"))}
    with stack(cloud) as made:
        assert made.create(resources, Cups=att("Custom", "Cups")) == {"Cups": "3"}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import not_there\ndef handler(event, context): pass", "No module named 'not_there'"),
        ("def handler(event, context): raise KeyError('beans')", "failed and sent no answer: KeyError: 'beans'"),
        (ANSWER + "    def handler(event, context): answer(event, 'FAILED')\n", "as asked"),
    ],
)
def test_a_provider_that_fails_ends_the_deploy_at_once(cloud: Cloud, code: str, reason: str) -> None:
    resources = function(code) | {"Custom": typed("Custom::Cups", ServiceToken=att("Function", "Arn"))}
    with stack(cloud) as made:
        begun = time.monotonic()
        with pytest.raises(StackError) as failure:
            made.create(resources)
        assert reason in str(failure.value)
        assert "ROLLBACK" in failure.value.status
        assert time.monotonic() - begun < 30


def log_lines(cloud: Cloud, group: str) -> list[str]:
    """What is in a function's log group, the oldest first."""
    return [str(event["message"]) for event in cloud.client("logs").filter_log_events(logGroupName=group)["events"]]


def test_a_cold_start_is_told_apart_in_the_log(cloud: Cloud) -> None:
    """The first invocation, and the first after a changed variable, start a process; others find one.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """
    code = """
        import time
        time.sleep(0.3)
        def handler(event, context):
            print("at work")
    """
    with stack(cloud) as made:
        made.create(function(code, LoggingConfig={"LogGroup": "/lab/cold", "LogFormat": "JSON"}))
        name = made.physical_id("Function")
        invoke(cloud, made)
        invoke(cloud, made)
        functions = cloud.client("lambda")
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": {"ROUND": "2"}})
        invoke(cloud, made)
        lines = log_lines(cloud, "/lab/cold")
        events = [json.loads(line) for line in lines if line != "at work"]
        kinds = [event["type"].removeprefix("platform.") for event in events]
        cold, warm = ["initStart", "start", "report"], ["start", "report"]
        assert sorted(kinds) == sorted([*cold, *warm, *cold])
        assert lines.count("at work") == 3
        metrics = [event["record"]["metrics"] for event in events if event["type"] == "platform.report"]
        starts = [one["initDurationMs"] for one in metrics if "initDurationMs" in one]
        assert len(starts) == 2
        assert min(starts) >= 300, "what stands outside of the handler belongs to the start"
        for one in metrics:
            assert one["billedDurationMs"] >= one["durationMs"] + one.get("initDurationMs", 0)
            assert one["memorySizeMB"] == 128


def test_the_log_of_a_text_function_and_its_tail_have_the_report(cloud: Cloud) -> None:
    code = """
        def handler(event, context):
            print("at work")
            if event:
                raise ValueError("no cups")
    """
    with stack(cloud) as made:
        made.create(function(code, LoggingConfig={"LogGroup": "/lab/text", "LogFormat": "Text"}))
        name = made.physical_id("Function")
        answer = cloud.client("lambda").invoke(FunctionName=name, LogType="Tail")
        tail = base64.b64decode(answer["LogResult"]).decode().splitlines()
        assert [line.split(" ")[0] for line in tail] == ["INIT_START", "START", "at", "END", "REPORT"]
        assert "Init Duration: " in tail[-1]
        assert tail == log_lines(cloud, "/lab/text")
        again = cloud.client("lambda").invoke(FunctionName=name, LogType="Tail", Payload=b'{"cups": 0}')
        tail = base64.b64decode(again["LogResult"]).decode().splitlines()
        assert tail[0].startswith("START")
        assert "Init Duration" not in tail[-1]
        assert any("ValueError: no cups" in line for line in tail)


def test_every_line_of_an_invocation_is_in_its_own_log(cloud: Cloud) -> None:
    code = """
        def handler(event, context):
            print("first of", event)
            print("last of", event, end="")
            if event == 2:
                raise ValueError("two")
    """
    with stack(cloud) as made:
        made.create(function(code))
        for number in range(4):
            answer = cloud.client("lambda").invoke(
                FunctionName=made.physical_id("Function"), Payload=json.dumps(number), LogType="Tail"
            )
            said = base64.b64decode(answer["LogResult"]).decode()
            assert [line for line in said.splitlines() if " of " in line] == [f"first of {number}", f"last of {number}"]
            assert "last line" not in said, "the mark at the end is nobody's line"


COUNTS = """
    import os
    calls = 0
    def handler(event, context):
        global calls
        calls += 1
        if event == "raise":
            raise ValueError("as asked")
        if event == "end":
            os._exit(1)
        return [os.getpid(), calls]
"""


def test_an_exception_ends_no_environment_and_the_end_of_its_process_does(cloud: Cloud) -> None:
    with stack(cloud) as made:
        made.create(function(COUNTS))
        (process, _), _ = invoke(cloud, made)
        answer, error = invoke(cloud, made, "raise")
        assert (answer["errorType"], error) == ("ValueError", "Unhandled")
        assert invoke(cloud, made)[0] == [process, 3]
        assert invoke(cloud, made, "end")[1] == "Unhandled"
        (other, calls), _ = invoke(cloud, made)
        assert other != process
        assert calls == 1


TELLS = """
    import boto3, json, os, time
    sqs = boto3.client("sqs")
    def handler(event, context):
        begun = time.time()
        time.sleep(1)
        sqs.send_message(QueueUrl=os.environ["TOLD"], MessageBody=json.dumps([begun, time.time()]))
"""


def test_asynchronous_events_wait_for_a_place(cloud: Cloud) -> None:
    document = allow("sqs:SendMessage", on=[att("Told", "Arn")])
    resources = {
        **function(TELLS, Environment={"Variables": {"TOLD": ref("Told")}}),
        "Role": role(Policies=[{"PolicyName": "it", "PolicyDocument": document}]),
        "Told": typed("AWS::SQS::Queue"),
    }
    with stack(cloud) as made:
        made.create(resources)
        for _ in range(2 * AT_ONCE):
            cloud.client("lambda").invoke(FunctionName=made.physical_id("Function"), InvocationType="Event")
        spans: list[list[float]] = []

        def told() -> bool:
            queue = {"QueueUrl": made.physical_id("Told"), "MaxNumberOfMessages": 10}
            spans.extend(
                json.loads(one["Body"]) for one in cloud.client("sqs").receive_message(**queue).get("Messages", [])
            )
            return len(spans) == 2 * AT_ONCE

        until(told, 60)
        at_once = [sum(a <= begun < b for a, b in spans) for begun, _ in spans]
        assert max(at_once) <= AT_ONCE


def test_code_and_layers_are_fetched_from_where_they_are_said_to_be(cloud: Cloud) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("python/beans.py", "ROAST = 'dark'")
    functions = cloud.client("lambda")
    with stack(cloud) as made:
        made.create(function("def handler(event, context): return 1"))
        layer = functions.publish_layer_version(LayerName="beans", Content={"ZipFile": content.getvalue()})
        try:
            code = functions.get_function(FunctionName=made.physical_id("Function"))["Code"]["Location"]
            assert "index.py" in zipfile.ZipFile(io.BytesIO(fetched(cloud, code))).namelist()
            for asked in (
                functions.get_layer_version(LayerName="beans", VersionNumber=layer["Version"]),
                functions.get_layer_version_by_arn(Arn=layer["LayerVersionArn"]),
            ):
                assert fetched(cloud, asked["Content"]["Location"]) == content.getvalue()
            for forged in (
                code.replace(made.physical_id("Function"), "another"),
                code.replace("Expires=1", "Expires=2"),
            ):
                with pytest.raises(urllib.error.HTTPError) as refusal:
                    fetched(cloud, forged)
                assert refusal.value.code == 403
        finally:
            functions.delete_layer_version(LayerName="beans", VersionNumber=layer["Version"])


def fetched(cloud: Cloud, address: str) -> bytes:
    """What is at an address, asked for as anybody would."""
    context = ssl.create_default_context(cafile=cloud.environment["AWS_CA_BUNDLE"])
    with urllib.request.urlopen(address, context=context, timeout=10) as answer:
        return bytes(answer.read())
