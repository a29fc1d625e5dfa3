"""Take the course away again, and prove that nothing of it is left.

Stacks are deleted through CloudFormation and not through the app, so that it works even while the app is broken, was
built with other switches, or is a newer one than what was deployed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from brewhaven import console, course, inventory, stacks
from brewhaven.errors import BrewHavenError
from brewhaven.inventory import Findings, Item, Ownership
from brewhaven.local.settings import CloudSettings
from brewhaven.target import Target

POLL_SECONDS = {"local": 0.3, "aws": 5.0}
LONGEST_SECONDS = 45 * 60
WITH_ORDERS = 2  # the phase whose database holds them
DELETE_AT_ONCE = 10  # task definitions that one call deletes


@dataclass(frozen=True)
class Plan:
    """What a `destroy` will take away.

    Attributes:
        stacks: Those that exist, in the order they are deleted: later phases first.
        scope: All stack ids that are meant, whether they exist or not.
    """

    stacks: tuple[str, ...]
    scope: tuple[str, ...]
    student: str | None
    whole_course: bool

    @property
    def first_phase(self) -> int:
        """The earliest phase that goes."""
        return min((_phase_of(name) for name in self.scope), default=1)

    @property
    def takes_orders_along(self) -> bool:
        """Whether orders were in a database that goes, while the shop stays."""
        return not self.whole_course and any(_phase_of(name) == WITH_ORDERS for name in self.stacks)


def plan(settings: CloudSettings, cloud: Target, first_phase: int, student: str | None) -> Plan:
    """What is there of this phase and all later ones."""
    existing = _course_stacks(cloud)
    prefix = f"{student}-" if student else ""
    known = [prefix + stack for phase in course.phases() for stack in phase.stacks if phase.number >= first_phase]
    recorded = stacks.Record.of(settings, cloud).stack_names()
    # Also stacks that this version of the course does not know, as long as they carry its name and the prefix.
    strays = [
        name
        for name in dict.fromkeys([*existing, *recorded])
        if (match := re.fullmatch(rf"{re.escape(prefix)}BrewHaven-Phase(\d+)-.*", name))
        and int(match[1]) >= first_phase
        and name not in known
    ]
    scope = sorted([*known, *strays], key=_phase_of)
    return Plan(
        stacks=tuple(name for name in reversed(scope) if name in existing),
        scope=tuple(scope),
        student=student,
        whole_course=first_phase <= 1,
    )


def _phase_of(stack_id: str) -> int:
    match = re.search(r"BrewHaven-Phase(\d+)", stack_id)
    return int(match[1]) if match else 0


def _course_stacks(cloud: Target) -> list[str]:
    pages = cloud.client("cloudformation").get_paginator("list_stacks").paginate()
    return [
        stack["StackName"]
        for page in pages
        for stack in page["StackSummaries"]
        if "BrewHaven-Phase" in stack["StackName"] and stack["StackStatus"] != "DELETE_COMPLETE"
    ]


def destroy(settings: CloudSettings, cloud: Target, what: Plan) -> Findings:
    """Delete the stacks, then what stacks leave behind, and return what is still there.

    Raises:
        BrewHavenError: CloudFormation could not delete a stack; nothing of the record is forgotten then.
    """
    record = stacks.Record.of(settings, cloud)
    for name in what.stacks:
        record.add_deployed(cloud, name)
    for name in what.stacks:
        with console.step(f"Deleting {name}") as step:
            delete_stack(cloud, name, step)
    # An image's tag is a hash of what is in it, so the students of an account share images: one in use stays.
    shared = {tag for name in _course_stacks(cloud) for tag in stacks.image_tags(cloud, name)}
    ownership = _ownership(cloud, record, what, shared)
    with console.step("Looking for what is left") as step:
        findings = inventory.of_target(cloud, ownership)
        swept = _sweep(cloud, findings, set(record.ids_of_type(what.scope, stacks.IMAGE_ASSETS)) - shared)
        if swept:
            findings = inventory.of_target(cloud, ownership)
        seen = f"{len(inventory.LOOKS) - len(findings.absent) - len(findings.unseen)} kinds of things"
        step.result(f"{seen}, {swept} leftovers removed" if swept else seen)
    if findings.is_empty:
        record.forget(what.scope)
    return findings


def _ownership(cloud: Target, record: stacks.Record, what: Plan, shared: set[str]) -> Ownership:
    others = {
        match[1]
        for name in [*record.stack_names(), *_course_stacks(cloud)]
        if (match := re.fullmatch(r"(.+?)-BrewHaven-Phase\d+-.*", name)) and match[1] != what.student
    }
    return Ownership(
        what.scope,
        record.ids(what.scope) - shared,
        student=what.student,
        whole_course=what.whole_course,
        students=sorted(others),
    )


def delete_stack(cloud: Target, name: str, step: console.Step) -> None:
    """Delete one stack and wait until it is gone, saying meanwhile how much of it is left.

    Raises:
        BrewHavenError: It is protected, or CloudFormation could not delete it; the message says which part and why.
    """
    client = cloud.client("cloudformation")
    stack = client.describe_stacks(StackName=name)["Stacks"][0]
    if stack.get("EnableTerminationProtection"):
        raise BrewHavenError(
            f"{name} has termination protection.",
            f"If it may go, run `aws cloudformation update-termination-protection --stack-name {name} "
            "--no-enable-termination-protection`, then the same command again.",
        )
    stack_id = stack["StackId"]  # a deleted stack is found by its id alone
    total = len(stacks.resources(cloud, name))
    client.delete_stack(StackName=stack_id)
    deadline = time.monotonic() + LONGEST_SECONDS
    while True:
        status = _status(client, stack_id)
        if status == "DELETE_COMPLETE":
            step.result(f"{total} resources")
            return
        if status not in ("DELETE_IN_PROGRESS", stack["StackStatus"]):
            reasons = "\n".join(f"  {reason}" for reason in _failures(client, stack_id))
            raise BrewHavenError(
                f"CloudFormation could not delete {name} ({status}):\n{reasons}",
                "Remove what is named there, or what uses it, then run the same command again.",
            )
        if time.monotonic() > deadline:
            raise BrewHavenError(
                f"{name} is still {status} after {LONGEST_SECONDS // 60} minutes.", "Look again later."
            )
        step.note(f"{_still_there(client, stack_id)} of {total} resources left")
        time.sleep(POLL_SECONDS[cloud.name])


def _status(client: Any, stack_id: str) -> str:
    try:
        return str(client.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return "DELETE_COMPLETE"
        raise


def _still_there(client: Any, stack_id: str) -> int:
    try:
        pages = client.get_paginator("list_stack_resources").paginate(StackName=stack_id)
        summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
    except ClientError:
        return 0
    return sum(summary["ResourceStatus"] != "DELETE_COMPLETE" for summary in summaries)


def _failures(client: Any, stack_id: str) -> list[str]:
    events = client.describe_stack_events(StackName=stack_id)["StackEvents"]
    found = [
        f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', 'no reason')}"
        for event in events
        if event["ResourceStatus"] == "DELETE_FAILED"
    ]
    return list(dict.fromkeys(found))[:8] or ["no reason given"]


def _sweep(cloud: Target, findings: Findings, image_tags: set[str]) -> int:
    """Remove what no stack can remove because it came or stayed outside of it; return how many things that were."""
    of_kind: dict[str, list[Item]] = {}
    for item in findings.items:
        of_kind.setdefault(item.kind, []).append(item)
    removed = 0
    for item in of_kind.get("CloudWatch log group", []):
        # A function that still ran while its stack went writes its group again.
        cloud.client("logs").delete_log_group(logGroupName=item.id)
        removed += 1
    definitions = [item.id for item in of_kind.get("ECS task definition", [])]
    for start in range(0, len(definitions), DELETE_AT_ONCE):
        removed += _delete_task_definitions(cloud, definitions[start : start + DELETE_AT_ONCE])
    images = [item.id for item in of_kind.get("image in the CDK's repository", []) if item.id in image_tags]
    if images:
        repository = inventory.bootstrap_repository(cloud.client)
        cloud.client("ecr").batch_delete_image(
            repositoryName=repository, imageIds=[{"imageTag": tag} for tag in images]
        )
        removed += len(images)
    return removed


def _delete_task_definitions(cloud: Target, arns: Sequence[str]) -> int:
    """A deregistered task definition costs nothing and is listed for ever unless it is deleted too."""
    ecs = cloud.client("ecs")
    active = {
        arn for page in ecs.get_paginator("list_task_definitions").paginate() for arn in page["taskDefinitionArns"]
    }
    for arn in active.intersection(arns):
        ecs.deregister_task_definition(taskDefinition=arn)
    return len(ecs.delete_task_definitions(taskDefinitions=list(arns)).get("taskDefinitions", []))
