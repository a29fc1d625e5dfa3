"""A later stack reads more of an earlier one: then its outputs change (resources/cloudformation_outputs.py)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.local.stacks import Resources, Stack, att, stack, typed
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

TOPIC: Resources = {"Topic": typed("AWS::SNS::Topic")}


def change_set(made: Stack, name: str, **outputs: Any) -> dict[str, Any]:
    """A change set of a deployed stack with these outputs, as the CDK makes one."""
    client = made.cloud.client("cloudformation")
    client.create_change_set(
        StackName=made.name, ChangeSetName=name, ChangeSetType="UPDATE", TemplateBody=made.template(TOPIC, outputs)
    )
    described: dict[str, Any] = client.describe_change_set(StackName=made.name, ChangeSetName=name)
    return described


def test_an_output_alone_is_a_change(cloud: Cloud) -> None:
    with stack(cloud) as made:
        made.create(TOPIC)
        topic = made.physical_id("Topic")
        said = change_set(made, "more", TopicName=att("Topic", "TopicName"))
        assert (said["Status"], said["ExecutionStatus"], said["Changes"]) == ("CREATE_COMPLETE", "AVAILABLE", [])
        client = cloud.client("cloudformation")
        client.execute_change_set(StackName=made.name, ChangeSetName="more")
        deadline = time.monotonic() + 20
        while not (now := client.describe_stacks(StackName=made.name)["Stacks"][0]).get("Outputs"):
            assert time.monotonic() < deadline, now["StackStatus"]
            time.sleep(0.05)
        assert now["StackStatus"] == "UPDATE_COMPLETE"
        assert now["Outputs"][0]["OutputValue"] == topic.rsplit(":", 1)[1]
        assert made.physical_id("Topic") == topic


def test_nothing_at_all_is_none(cloud: Cloud) -> None:
    with stack(cloud) as made:
        made.create(TOPIC, TopicName=att("Topic", "TopicName"))
        said = change_set(made, "same", TopicName=att("Topic", "TopicName"))
        assert (said["Status"], said["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
        assert said["StatusReason"].startswith("The submitted information didn't contain changes.")
