"""Small CloudFormation stacks for conformance tests: create, update, destroy, and what went wrong."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.plugins.local_cloud import Cloud

Resources = dict[str, dict[str, Any]]
_SECONDS = 60


@dataclass
class Stack:
    """One stack of a test."""

    cloud: Cloud
    name: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:10]}")

    @property
    def _client(self) -> Any:
        return self.cloud.client("cloudformation")

    def _wait(self, identifier: str) -> tuple[str, dict[str, Any]]:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            stack = self._client.describe_stacks(StackName=identifier)["Stacks"][0]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                return stack["StackStatus"], stack
            time.sleep(0.05)
        raise TimeoutError(f"{self.name} is still {stack['StackStatus']}")

    def template(self, resources: Resources, outputs: dict[str, Any]) -> str:
        named = {name: {"Value": value} for name, value in outputs.items()}
        return json.dumps({"Resources": resources, **({"Outputs": named} if named else {})})

    def create(self, resources: Resources, **outputs: Any) -> dict[str, str]:
        """Create the stack; return its outputs."""
        return self._operate(self._client.create_stack, "CREATE_COMPLETE", self.template(resources, outputs))

    def create_from(self, template: dict[str, Any]) -> dict[str, str]:
        """Create the stack from a whole template; return its outputs."""
        return self._operate(self._client.create_stack, "CREATE_COMPLETE", json.dumps(template))

    def update(self, resources: Resources, **outputs: Any) -> dict[str, str]:
        """Update the stack; return its outputs."""
        return self._operate(self._client.update_stack, "UPDATE_COMPLETE", self.template(resources, outputs))

    def _operate(self, call: Callable[..., Any], wanted: str, template: str) -> dict[str, str]:
        call(
            StackName=self.name,
            TemplateBody=template,
            Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        status, stack = self._wait(self.name)
        if status != wanted:
            raise StackError(status, self.reasons())
        return {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}

    def delete(self) -> None:
        """Delete the stack; raise :class:`StackError` if it ends in DELETE_FAILED."""
        stacks = self._client.describe_stacks(StackName=self.name)["Stacks"]
        self._client.delete_stack(StackName=self.name)
        status, _ = self._wait(stacks[0]["StackId"])
        if status != "DELETE_COMPLETE":
            raise StackError(status, self.reasons(stacks[0]["StackId"]))

    def reasons(self, identifier: str | None = None) -> str:
        """The reasons of all failures, newest first."""
        events = self._client.describe_stack_events(StackName=identifier or self.name)["StackEvents"]
        return "\n".join(
            f"{event['LogicalResourceId']} {event['ResourceStatus']}: {event.get('ResourceStatusReason', '')}"
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        )

    def physical_id(self, logical_id: str) -> str:
        """What ``Ref`` gives."""
        detail = self._client.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return str(detail["StackResourceDetail"]["PhysicalResourceId"])


class StackError(Exception):
    """A stack operation ended otherwise than asked."""

    def __init__(self, status: str, reasons: str) -> None:
        self.status = status
        super().__init__(f"{status}\n{reasons}")


@contextmanager
def stack(cloud: Cloud) -> Iterator[Stack]:
    """A stack that is gone afterwards."""
    made = Stack(cloud)
    yield made
    if any(item["StackName"] == made.name for item in _existing(cloud)):
        made.delete()


def _existing(cloud: Cloud) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.client("cloudformation").describe_stacks()["Stacks"]
    return [item for item in found if item["StackStatus"] != "DELETE_COMPLETE"]


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def att(name: str, attribute: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, attribute]}


def typed(cfn_type: str, **properties: Any) -> dict[str, Any]:
    """A resource; a property named ``DependsOn`` is the resource's own."""
    depends = properties.pop("DependsOn", None)
    return {"Type": cfn_type, "Properties": properties, **({"DependsOn": depends} if depends else {})}


def role(service: str = "lambda.amazonaws.com", **properties: Any) -> dict[str, Any]:
    """An IAM role that a service may assume."""
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    return typed("AWS::IAM::Role", AssumeRolePolicyDocument=document, **properties)


def allow(*actions: str, on: Any = "*", **condition: Any) -> dict[str, Any]:
    """A policy document with one statement."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": on}
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}
