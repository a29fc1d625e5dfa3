"""Reads the templates of stacks that are really deployed, on the local cloud or on AWS."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from brewhaven.diff.errors import DiffError
from brewhaven.diff.model import Deployment, Stack
from brewhaven.diff.sources.assembly import drop_bootstrap_check, make_stack
from brewhaven.local import lifecycle
from brewhaven.local.settings import CloudSettings

COURSE = "BrewHaven-"


def load(name: str) -> Deployment:
    """The deployed stack `name`, or every stack of the course when `name` is empty.

    The standard SDK environment says where: without credentials and endpoint in it, a running local cloud is asked.

    Raises:
        DiffError: The stack does not exist, or nobody answers.
    """
    client = _client()
    try:
        names = [name] if name else _course_stacks(client)
        stacks = {stack: _stack(client, stack) for stack in names}
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        words = error.response.get("Error", {}).get("Message", str(error))
        if code == "ValidationError":
            raise DiffError(f"No stack {name!r} is deployed here: {words}", "`brewhaven status` lists them.") from None
        raise DiffError(
            f"The stack {name!r} cannot be read: {words}", "`brewhaven doctor` checks the access."
        ) from None
    except BotoCoreError as error:
        raise DiffError(
            f"Nobody answers when asked for the deployed stack {name!r}: {error}",
            "Start the local cloud with `brewhaven up`, or set up credentials for AWS.",
        ) from None
    return Deployment(label=f"deployed {name}" if name else "what is deployed", stacks=stacks)


def _client() -> Any:
    if not {"AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"} & set(os.environ):
        settings = CloudSettings.from_environment()
        if lifecycle.running_pid(settings) is not None:
            there = lifecycle.environment(settings)
            return boto3.client(
                "cloudformation",
                endpoint_url=there["AWS_ENDPOINT_URL"],
                verify=there["AWS_CA_BUNDLE"],
                region_name=settings.region,
                aws_access_key_id=there["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=there["AWS_SECRET_ACCESS_KEY"],
            )
    return boto3.client("cloudformation")


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
