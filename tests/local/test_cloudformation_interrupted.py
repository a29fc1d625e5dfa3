"""A stack operation that the end of the local cloud cut short (resources/cloudformation_interrupted.py)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from brewhaven.local import lifecycle
from brewhaven.local.settings import CloudSettings
from tests.local.stacks import Resources, Stack, att, ref, role, typed
from tests.plugins.local_cloud import Cloud, free_port_pair

pytestmark = pytest.mark.local


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cloud]:
    """A cloud of this test alone, for it is killed."""
    settings = CloudSettings(home=tmp_path, port=free_port_pair())
    lifecycle.up(settings)
    yield Cloud(settings, lifecycle.environment(settings))
    lifecycle.down(settings)


def waiting(value: str) -> Resources:
    """A resource that is made, and one whose provider never answers."""
    return {
        "Parameter": typed("AWS::SSM::Parameter", Type="String", Value=value),
        "Role": role(),
        "Function": typed(
            "AWS::Lambda::Function", Runtime="python3.13", Handler="index.handler", Role=att("Role", "Arn"),
            Timeout=60, Code={"ZipFile": "import time\ndef handler(event, context): time.sleep(50)"},
            DependsOn="Parameter",
        ),
        "Waiting": typed("Custom::Waiting", ServiceToken=att("Function", "Arn"), Value=value),
    }  # fmt: skip


def interrupt(own: Cloud, stack: Stack) -> None:
    cloudformation = own.client("cloudformation")
    for _ in range(200):
        events = cloudformation.describe_stack_events(StackName=stack.name)["StackEvents"]
        if any(item["LogicalResourceId"] == "Waiting" for item in events):
            break
        time.sleep(0.05)
    time.sleep(2.5)  # a checkpoint is written
    pid = lifecycle.running_pid(own.settings)
    assert pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    lifecycle.up(own.settings)


def test_an_update_that_was_cut_short_is_deployed_again(own: Cloud) -> None:
    made = Stack(own)
    simple: Resources = {"Parameter": waiting("one")["Parameter"]}
    made.create(simple, Name=ref("Parameter"))
    cloudformation = own.client("cloudformation")
    cloudformation.update_stack(
        StackName=made.name, TemplateBody=made.template(waiting("two"), {}), Capabilities=["CAPABILITY_IAM"]
    )
    interrupt(own, made)
    described = cloudformation.describe_stacks(StackName=made.name)["Stacks"][0]
    assert described["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "The local cloud stopped" in described["StackStatusReason"]
    simple["Parameter"]["Properties"]["Value"] = "three"
    outputs = made.update(simple, Value=att("Parameter", "Value"))
    assert outputs == {"Value": "three"}
    assert own.client("lambda").list_functions()["Functions"] == []
    made.delete()


def test_a_create_that_was_cut_short_can_be_deleted(own: Cloud) -> None:
    made = Stack(own)
    own.client("cloudformation").create_stack(
        StackName=made.name, TemplateBody=made.template(waiting("one"), {}), Capabilities=["CAPABILITY_IAM"]
    )
    interrupt(own, made)
    status = own.client("cloudformation").describe_stacks(StackName=made.name)["Stacks"][0]["StackStatus"]
    assert status == "ROLLBACK_COMPLETE"
    made.delete()
    assert own.client("ssm").describe_parameters()["Parameters"] == []
