"""A cloud of one stack and one shelf, kept in memory, for tests of what faults do to a cloud."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.target import Target

STACK = "BrewHaven-Phase9-Sample"
ACCOUNT, REGION = "111122223333", "us-east-1"
TEMPLATE = {
    "Description": "Brew Haven, phase 9: Sample, lesson 9.1",
    "Resources": {"CupBucket": {"Type": "AWS::S3::Bucket", "Properties": {}}},
    "Outputs": {"Bucket": {"Value": "cups"}},
}
CHANGES = ("put", "hide", "show", "remove", "update_stack", "put_object", "delete_object")


class KilledError(BaseException):
    """The program ends here, as with kill -9: nothing of it goes on."""


class Cups:
    """The whole cloud.

    Attributes:
        killed_at: Number of the change, from 0, with which the program ends; ``after`` it or before it.
        refusing: Code of the error with which every change of the shelf is refused.
        updates_to: The status in which updates of the stack end.
    """

    def __init__(self) -> None:
        self.template: dict[str, Any] = json.loads(json.dumps(TEMPLATE))
        self.stack_id: str | None = "first"
        self.shelf: set[str] = set()
        self.hidden = False
        self.staged: dict[str, bytes] = {}
        self.changes: list[str] = []
        self.killed_at: int | None = None
        self.after = False
        self.refusing = ""
        self.updates_to = "UPDATE_COMPLETE"
        self.status = "CREATE_COMPLETE"

    @property
    def state(self) -> Any:
        """Everything that a fault can change."""
        return self.template, self.shelf, self.hidden, self.staged

    def target(self, name: Any = "local", account: str = ACCOUNT) -> Target:
        """The cloud as the tool sees it."""
        endpoints = {"AWS_ENDPOINT_URL": "https://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:2"}
        return Target(name, account, REGION, endpoints, self)

    def client(self, service: str, **_: Any) -> _Client:
        return _Client(self, service)

    def call(self, service: str, operation: str, arguments: Mapping[str, Any]) -> Any:
        if operation not in CHANGES:
            return getattr(self, f"_{operation}")(**arguments)
        number, before = len(self.changes), not self.after
        self.changes.append(f"{service}:{operation}")
        if number == self.killed_at and before:
            raise KilledError
        answer = getattr(self, f"_{operation}")(**arguments)
        if number == self.killed_at:
            raise KilledError
        return answer

    # CloudFormation
    def _describe_stacks(self, StackName: str) -> Any:  # noqa: N803
        if StackName == "CDKToolkit":
            outputs = {"BucketName": "staging"}
            return {"Stacks": [_stack("toolkit", "CREATE_COMPLETE", "", outputs)]}
        if self.stack_id is None:
            raise refused("ValidationError", f"Stack with id {StackName} does not exist")
        outputs = {name: part["Value"] for name, part in self.template["Outputs"].items()}
        if self.hidden:
            outputs = {}
        return {"Stacks": [_stack(self.stack_id, self.status, self.template["Description"], outputs)]}

    def _list_stack_resources(self, **_: Any) -> Any:
        entry = {"LogicalResourceId": "CupBucket", "ResourceType": "AWS::S3::Bucket", "PhysicalResourceId": "cups"}
        return {"StackResourceSummaries": [entry]}

    def _get_template(self, **_: Any) -> Any:
        return {"TemplateBody": self.template}

    def _update_stack(self, TemplateURL: str, **_: Any) -> Any:  # noqa: N803
        body = json.loads(self.staged[TemplateURL.partition("/staging/")[2]])
        if body == self.template:
            raise refused("ValidationError", "No updates are to be performed.")
        self.status = self.updates_to
        if self.status == "UPDATE_COMPLETE":
            self.template = body
        return {}

    def _describe_stack_events(self, **_: Any) -> Any:
        failed = {"LogicalResourceId": "CupBucket", "ResourceType": "AWS::S3::Bucket"}
        return {"StackEvents": [{**failed, "ResourceStatus": "UPDATE_FAILED", "ResourceStatusReason": "too many cups"}]}

    # S3
    def _put_object(self, Key: str, Body: bytes, **_: Any) -> Any:  # noqa: N803
        self.staged[Key] = Body
        return {}

    def _list_object_versions(self, **_: Any) -> Any:
        return {"Versions": [{"Key": key, "VersionId": key} for key in self.staged]}

    def _delete_object(self, Key: str, **_: Any) -> Any:  # noqa: N803
        self.staged.pop(Key, None)
        return {}

    # The shelf
    def _put(self, Name: str, **_: Any) -> Any:  # noqa: N803
        self._refuse()
        self.shelf.add(Name)
        return {}

    def _hide(self, **_: Any) -> Any:
        self._refuse()
        self.hidden = True
        return {}

    def _show(self, **_: Any) -> Any:
        self.hidden = False
        return {}

    def _remove(self, Name: str, **_: Any) -> Any:  # noqa: N803
        if Name not in self.shelf:
            raise refused("NoSuchThing", Name)
        self.shelf.remove(Name)
        return {}

    def _refuse(self) -> None:
        if self.refusing:
            raise refused(self.refusing, "not today")


class _Client:
    def __init__(self, cups: Cups, service: str) -> None:
        self._cups = cups
        self._service = service

    def __getattr__(self, operation: str) -> Any:
        return lambda **arguments: self._cups.call(self._service, operation, arguments)

    def get_paginator(self, operation: str) -> Any:
        client = self

        class Pages:
            def paginate(self, **arguments: Any) -> Iterator[Any]:
                yield getattr(client, operation)(**arguments)

        return Pages()


def _stack(stack_id: str, status: str, description: str, outputs: Mapping[str, str]) -> Any:
    return {
        "StackId": stack_id,
        "StackStatus": status,
        "Description": description,
        "Parameters": [{"ParameterKey": "BootstrapVersion"}],
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
    }


def refused(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")
