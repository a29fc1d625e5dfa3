"""Reads the templates of stacks that are really deployed, on the local cloud or on AWS."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from brewhaven.diff.errors import DiffError
from brewhaven.diff.model import Deployment, Stack
from brewhaven.diff.sources.assembly import drop_bootstrap_check, make_stack

COURSE = "BrewHaven-"


def load(name: str, client: Any) -> Deployment:
    """The deployed stack `name`, or every stack of the course when `name` is empty.

    Args:
        client: A CloudFormation client of the cloud to ask.

    Raises:
        DiffError: The stack does not exist, or nobody answers.
    """
    try:
        names = [name] if name else _course_stacks(client)
        stacks = {stack: _stack(client, stack) for stack in names}
    except ClientError as error:
        words = error.response.get("Error", {}).get("Message", str(error))
        raise DiffError(
            f"Stack {name!r} cannot be read: {words}", "`brewhaven status` says what is deployed."
        ) from None
    except BotoCoreError as error:
        raise DiffError(f"Nobody answers when asked for the deployed stack {name!r}: {error}") from None
    return Deployment(label=f"deployed {name}" if name else "what is deployed", stacks=stacks)


def _course_stacks(client: Any) -> list[str]:
    pages = client.get_paginator("describe_stacks").paginate()
    return [
        stack["StackName"]
        for page in pages
        for stack in page["Stacks"]
        if COURSE in stack["StackName"] and "DELETE" not in stack["StackStatus"]
    ]


def _stack(client: Any, name: str) -> Stack:
    body = client.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    try:
        template = json.loads(body) if isinstance(body, str) else json.loads(json.dumps(body))
    except ValueError:
        raise DiffError(f"The template of stack {name!r} is YAML; only JSON templates are compared.") from None
    drop_bootstrap_check(template)
    return make_stack(name, template, region=client.meta.region_name)
