"""The environment that code starts with, and what the stacks publish."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from brewhaven.diff.facts.side import Side, environment_of
from brewhaven.diff.model import Fact, Resource
from brewhaven.diff.names import is_helper, sentence
from brewhaven.diff.values import shorten, text

_ASSIGNMENT = re.compile(r"^(?:export )?([A-Z][A-Z0-9_]{2,})=(\S.*)$", re.MULTILINE)
LONGEST = 100


def facts(side: Side) -> Iterator[Fact]:
    """Environment variables, then outputs."""
    for resource in side.deployment:
        for name, value in environment_of(resource).items():
            yield _variable(side, resource, name, side.say(resource.stack, value), text(value))
        for name, said in assignments(side, resource):
            yield _variable(side, resource, name, said, said)
    for stack in side.deployment.stacks.values():
        for name, output in stack.outputs.items():
            value = output.get("Value") if isinstance(output, dict) else output
            said = side.say(stack.name, value)
            description = str(output.get("Description", "")) if isinstance(output, dict) else ""
            yield Fact(
                topic="output",
                key=("output", stack.name, name, text(output)),
                subject=("output", stack.name, name),
                text=sentence(f"{name} publishes {shorten(said, LONGEST)}"),
                about=tuple(target.key for target in side.targets(stack.name, value)),
                detail=description,
                value=shorten(said, LONGEST),
                helper=name.startswith(("PublishOutput", "ExportsOutput")),
            )


def user_data(resource: Resource) -> Any:
    """The script that a server runs when it starts, as the template has it."""
    data = resource.properties.get("LaunchTemplateData") or {}
    return resource.properties.get("UserData") or data.get("UserData")


def assignments(side: Side, resource: Resource) -> list[tuple[str, str]]:
    """The variables that a start script writes down for the shop, like `CATALOG_TABLE=...` on a line of its own."""
    script = user_data(resource)
    return [] if script is None else _ASSIGNMENT.findall(side.say(resource.stack, script))


def _variable(side: Side, resource: Resource, name: str, said: str, raw: str) -> Fact:
    value = shorten(said, LONGEST)
    return Fact(
        topic="environment",
        key=("variable", resource.key, name, raw),
        subject=("variable", resource.key, name),
        text=sentence(f"{side.name(resource)}: {name} is {value}"),
        about=(resource.key,),
        value=value,
        helper=is_helper(resource),
        heading=side.name(resource)[:1].upper() + side.name(resource)[1:],
    )
