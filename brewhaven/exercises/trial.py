"""A student's stack on a cloud for as long as it takes to ask it something, and gone afterwards whatever happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from brewhaven import console, destroy, stacks
from brewhaven.course.cloud import Deployment
from brewhaven.errors import BrewHavenError
from brewhaven.exercises.declared import STACK, Exercise
from brewhaven.exercises.workshop import Work
from brewhaven.target import Target

LONGEST_SECONDS = 120
POLL_SECONDS = 0.3


def stack_name(exercise: Exercise) -> str:
    """Under which an exercise is deployed; the course's own stacks begin otherwise."""
    return f"{STACK}-{exercise.id}"


@contextmanager
def deployed(exercise: Exercise, work: Work, cloud: Target) -> Iterator[Deployment]:
    """Deploy the student's stack; what an interrupted trial left behind goes first.

    Raises:
        BrewHavenError: CloudFormation could not make it; the message has its reasons.
    """
    name = stack_name(exercise)
    _remove(cloud, name, f"Deleting {name}, which an interrupted check left")
    try:
        with console.step(f"Deploying {name} on the {cloud.name} cloud"):
            _create(cloud, name, work)
        yield Deployment(cloud, [name])
    finally:
        _remove(cloud, name, f"Deleting {name}")


def _create(cloud: Target, name: str, work: Work) -> None:
    client = cloud.client("cloudformation")
    try:
        client.create_stack(
            StackName=name,
            TemplateBody=json.dumps(work.body),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            OnFailure="DO_NOTHING",  # so that it can still say why
        )
    except ClientError as error:
        raise BrewHavenError(
            f"CloudFormation refuses your stack: {error.response['Error']['Message']}", "Correct it, and check again."
        ) from error
    deadline = time.monotonic() + LONGEST_SECONDS
    while (state := stacks.describe(cloud, name)) is not None and state.status.endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise BrewHavenError(f"{name} is still {state.status} after {LONGEST_SECONDS} seconds.", "Check it again.")
        time.sleep(POLL_SECONDS)
    if state is None or not state.is_complete:
        reasons = "\n".join(f"  {reason}" for reason in _reasons(client, name))
        raise BrewHavenError(f"Your stack could not be deployed:\n{reasons}", "Correct it, and check again.")


def _reasons(client: Any, name: str) -> list[str]:
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    return [
        f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("FAILED") and event.get("ResourceStatusReason")
    ]


def _remove(cloud: Target, name: str, title: str) -> None:
    if stacks.describe(cloud, name) is not None:
        with console.step(title) as step:
            destroy.delete_stack(cloud, name, step)
