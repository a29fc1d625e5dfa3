"""Deploying a changed template over a stack: a real update with CloudFormation, as if somebody had deployed it.

The template is the deployed one with a part of it changed, so its assets are in the cloud already, and nothing is
synthesized or built.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from brewhaven import stacks
from brewhaven.errors import BrewHavenError
from brewhaven.target import Target

Body = dict[str, Any]

POLL_SECONDS = {"local": 0.2, "aws": 3.0}
LONGEST_SECONDS = 30 * 60
_STUCK = ("UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED")


class TemplateChangeError(BrewHavenError):
    """CloudFormation did not do an update of a stack."""


def deployed(cloud: Target, stack: str) -> Body:
    """The template of a stack as it was handed to CloudFormation."""
    found = cloud.client("cloudformation").get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    body: Body = json.loads(found) if isinstance(found, str) else json.loads(json.dumps(found))
    return body


def settle(cloud: Target, stack: str, note: Callable[[str], None] = lambda text: None) -> str:
    """Wait until nothing is under way in a stack, and return its status.

    Raises:
        TemplateChangeError: It did not come to an end.
    """
    client, deadline = cloud.client("cloudformation"), time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        status = str(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
        if not status.endswith("_IN_PROGRESS"):
            return status
        note("CloudFormation is at work")
        time.sleep(POLL_SECONDS[cloud.name])
    raise TemplateChangeError(
        f"The stack {stack} is {status} for more than {LONGEST_SECONDS // 60} minutes.",
        "Look at its events in the CloudFormation console; when it has come to an end, run the same command again.",
    )


def update(cloud: Target, stack: str, body: Body, note: Callable[[str], None] = lambda text: None) -> None:
    """Update a stack to a template, with the parameters and the role it has, and wait for the end.

    Raises:
        TemplateChangeError: CloudFormation went back to the template before, or the stack is stuck.
    """
    client = cloud.client("cloudformation")
    status = settle(cloud, stack, note)
    if status in _STUCK:
        raise TemplateChangeError(
            f"The stack {stack} is stuck: its status is {status}.",
            f"Run `aws cloudformation continue-update-rollback --stack-name {stack}`, then the same command again.",
        )
    found = client.describe_stacks(StackName=stack)["Stacks"][0]
    with _Staged(cloud, stack, body) as url:
        try:
            client.update_stack(
                StackName=stack,
                TemplateURL=url,
                Parameters=[
                    {"ParameterKey": parameter["ParameterKey"], "UsePreviousValue": True}
                    for parameter in found.get("Parameters", [])
                ],
                Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            )
        except ClientError as error:
            if "No updates are to be performed" not in error.response["Error"]["Message"]:
                raise
            return
        status = settle(cloud, stack, note)
    if status != "UPDATE_COMPLETE":
        reasons = "\n".join(f"  {reason}" for reason in _failures(client, stack))
        raise TemplateChangeError(f"CloudFormation did not update {stack} ({status}):\n{reasons}")


def forget(cloud: Target, stack: str) -> None:
    """Remove what an update that was killed may have left; without the CDK's bucket there is nothing."""
    if stacks.describe(cloud, stacks.BOOTSTRAP_STACK) is not None:
        _Staged(cloud, stack).remove()


class _Staged:
    """A template in the bucket from which the CDK deploys too, for as long as CloudFormation reads it.

    A request of CloudFormation's takes 51,200 bytes at most, which is less than a phase.
    """

    def __init__(self, cloud: Target, stack: str, body: Body | None = None) -> None:
        self._cloud, self._client = cloud, cloud.client("s3")
        self._key, self._text = f"brewhaven-break/{stack}.json", json.dumps(body)
        bootstrap = stacks.describe(cloud, stacks.BOOTSTRAP_STACK)
        if bootstrap is None or "BucketName" not in bootstrap.outputs:
            raise TemplateChangeError(
                f"The stack {stacks.BOOTSTRAP_STACK} with the CDK's bucket is not there.", "Run `cdk bootstrap` again."
            )
        self._bucket = bootstrap.outputs["BucketName"]

    def __enter__(self) -> str:
        self._client.put_object(Bucket=self._bucket, Key=self._key, Body=self._text.encode())
        suffix = "amazonaws.com.cn" if self._cloud.region.startswith("cn-") else "amazonaws.com"
        return f"https://s3.{self._cloud.region}.{suffix}/{self._bucket}/{self._key}"

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove every version of it: the bucket keeps them."""
        listing = self._client.list_object_versions(Bucket=self._bucket, Prefix=self._key)
        for version in (*listing.get("Versions", []), *listing.get("DeleteMarkers", [])):
            self._client.delete_object(Bucket=self._bucket, Key=self._key, VersionId=version["VersionId"])


def _failures(client: Any, stack: str) -> list[str]:
    events = client.describe_stack_events(StackName=stack)["StackEvents"]
    found = [
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', 'no reason')}"
        for event in events
        if event["ResourceStatus"].endswith("_FAILED")
    ]
    return list(dict.fromkeys(found))[:5] or ["no reason given"]
