"""What CloudFormation says about the course's stacks, and the tool's own record of what they made.

The record outlives the stacks: after a deletion it still knows the physical ids that belonged to the course, also of
resources that a later deployment replaced, so that `destroy` can look for each of them without relying on tags.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.local.settings import CloudSettings
from brewhaven.target import Target

BOOTSTRAP_STACK = "CDKToolkit"
IMAGE_ASSETS = "container image asset"
BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
# The version of the template that the pinned command line brings is newer; this is what its deployments ask for.
OLDEST_BOOTSTRAP = 30

_SERVICE_NAMES = {
    "ApplicationAutoScaling": "Application Auto Scaling",
    "ElasticLoadBalancingV2": "Elastic Load Balancing",
    "Logs": "CloudWatch Logs",
    "SecretsManager": "Secrets Manager",
    "ServiceDiscovery": "Cloud Map",
    "SSM": "Systems Manager",
}


@dataclass(frozen=True)
class StackState:
    """One stack as CloudFormation knows it.

    Attributes:
        status: For example ``UPDATE_COMPLETE``.
        outputs: Name -> value.
        lesson: How far the stack was built, if its description says so: ``1.3``.
        version: Changes whenever the stack does: its id and the moment of its last change.
    """

    name: str
    status: str
    outputs: dict[str, str]
    lesson: str | None = None
    version: str = ""

    @property
    def is_complete(self) -> bool:
        return self.status.endswith("_COMPLETE") and "ROLLBACK" not in self.status


def describe(target: Target, name: str) -> StackState | None:
    """The stack, or None where there is none."""
    try:
        (stack,) = target.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    if stack["StackStatus"] in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):
        return None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    lesson = re.search(r"lesson (\d+\.\d+)", stack.get("Description", ""))
    version = f"{stack.get('StackId')} {stack.get('LastUpdatedTime') or stack.get('CreationTime')}"
    return StackState(name, stack["StackStatus"], outputs, lesson[1] if lesson else None, version)


def creation_id(target: Target, name: str) -> str:
    """The id that a stack got when it was created; one that was deleted and made again has another."""
    return str(target.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackId"])


def resources(target: Target, name: str) -> list[dict[str, Any]]:
    """Summaries of a stack's resources: ``ResourceType``, ``PhysicalResourceId`` and so on."""
    pages = target.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    return [summary for page in pages for summary in page["StackResourceSummaries"]]


def image_tags(target: Target, name: str) -> list[str]:
    """Tags of the images that a stack's template takes from the CDK's own repository."""
    template = target.client("cloudformation").get_template(StackName=name)["TemplateBody"]
    text = template if isinstance(template, str) else json.dumps(template)
    return sorted(set(re.findall(r"container-assets-[^\"]*?:([0-9a-f]{64})", text)))


def count_by_service(summaries: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Number of resources of each AWS service, the most first; what only the CDK itself needs is left out."""
    services = Counter(
        _service_of(summary["ResourceType"])
        for summary in summaries
        if summary["ResourceType"].startswith("AWS::") and summary["ResourceType"] != "AWS::CDK::Metadata"
    )
    return dict(services.most_common())


def _service_of(resource_type: str) -> str:
    name = resource_type.split("::")[1]
    return _SERVICE_NAMES.get(name, name)


def bootstrap_version(target: Target) -> int | None:
    """Version of the CDK's bootstrap stack in this account and region; None where there is none."""
    try:
        return int(target.client("ssm").get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return None
        raise


class Record:
    """Physical ids that the course ever had in one account and region, stack by stack and type by type."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stacks: dict[str, dict[str, list[str]]] = json.loads(path.read_text()) if path.exists() else {}

    @classmethod
    def of(cls, settings: CloudSettings, target: Target) -> Record:
        """The record of this target; each account and region has its own."""
        return cls(settings.home / "record" / f"{target.name}-{target.account}-{target.region}.json")

    def stack_names(self) -> list[str]:
        return list(self._stacks)

    def add(self, stack: str, found: Iterable[tuple[str, str]]) -> None:
        """Remember (type, physical id) pairs of a stack."""
        kept = self._stacks.setdefault(stack, {})
        for kind, physical_id in found:
            ids = kept.setdefault(kind, [])
            if physical_id not in ids:
                ids.append(physical_id)
        self._save()

    def add_deployed(self, target: Target, stack: str) -> list[dict[str, Any]]:
        """Remember all that a stack holds now, and the images it runs; return its resources."""
        summaries = resources(target, stack)
        pairs = [(summary["ResourceType"], summary.get("PhysicalResourceId", "")) for summary in summaries]
        pairs += [(IMAGE_ASSETS, tag) for tag in image_tags(target, stack)]
        self.add(stack, [(kind, physical_id) for kind, physical_id in pairs if physical_id])
        return summaries

    def ids(self, stacks: Iterable[str]) -> set[str]:
        """Every physical id of these stacks."""
        return {
            physical_id
            for stack in stacks
            for ids in self._stacks.get(stack, {}).values()
            for physical_id in ids
        }  # fmt: skip

    def ids_of_type(self, stacks: Iterable[str], kind: str) -> list[str]:
        return [physical_id for stack in stacks for physical_id in self._stacks.get(stack, {}).get(kind, [])]

    def forget(self, stacks: Iterable[str]) -> None:
        """Forget stacks of which nothing is left."""
        for stack in stacks:
            self._stacks.pop(stack, None)
        self._save()

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self._stacks, indent=1) + "\n")
