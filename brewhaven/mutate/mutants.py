"""Which mistakes can be made in a stack: one property or one grant at a time, always in the same order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from brewhaven.course.checks import listed
from brewhaven.mutate import meaning, policies
from brewhaven.mutate.references import all_needed, another, is_intrinsic, references
from brewhaven.mutate.stack import OUTPUT, REMOVED, Change, Mutant, Path, Stack
from brewhaven.mutate.words import instead

ATTRIBUTES = ("DeletionPolicy", "UpdateReplacePolicy")


def mutants(stack: Stack) -> list[Mutant]:
    """Every mistake that matters, in the order of the template."""
    found: list[Mutant] = []
    for logical_id, resource in stack.resources.items():
        for change in _of_resource(stack, logical_id, resource):
            if not meaning.why_harmless(stack, logical_id, change):
                found.append(_mutant(stack.makers[logical_id], resource["Type"], change))
    for name, output in stack.body.get("Outputs", {}).items():
        if not name.startswith(meaning.OUTPUTS_OF_LATER_PHASES):
            found += [_mutant(name, OUTPUT, change) for change in _of_output(stack, output)]
    return found


def _mutant(maker: str, type_: str, change: Change) -> Mutant:
    path, operator, value = change
    removes = value is REMOVED
    shown = path[1:] if path[:1] == ("Properties",) else path
    says = "left out" if removes else _short(value)
    return Mutant(
        id=f"{maker} {_dotted(shown)}: {says}" if shown else f"{maker}: {says}",
        maker=maker,
        type=type_,
        path=path,
        operator=operator,
        value=None if removes else value,
        removes=removes,
    )


def _dotted(path: Path) -> str:
    return ".".join(str(step) for step in path)


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _of_resource(stack: Stack, logical_id: str, resource: dict[str, Any]) -> Iterator[Change]:
    if not _is_referred_to(stack, logical_id):
        yield (), "remove resource", REMOVED
    for name in ATTRIBUTES:
        if name in resource:
            path = (name,)
            yield path, *instead(path, resource[name])
    depends_on = listed(resource.get("DependsOn", []))
    for index, waits_for in enumerate(depends_on):
        if isinstance(resource["DependsOn"], list) and waits_for not in _reached(stack, logical_id, but=index):
            yield ("DependsOn", index), "remove element", REMOVED
    yield from _of_value(stack, ("Properties",), resource.get("Properties", {}))


def _of_output(stack: Stack, output: dict[str, Any]) -> Iterator[Change]:
    yield (), "remove output", REMOVED
    yield from _of_value(stack, ("Value",), output["Value"])


def _of_value(stack: Stack, path: Path, value: Any) -> Iterator[Change]:
    if path and path[-1] in policies.DOCUMENTS and isinstance(value, dict):
        yield from policies.changes(stack, path, value)
    elif isinstance(value, dict):
        yield from _of_intrinsic(stack, path, value) if is_intrinsic(value) else _of_object(stack, path, value)
    elif isinstance(value, list):
        for index, element in enumerate(value):
            if len(value) > 1:
                yield (*path, index), "remove element", REMOVED
            yield from _of_value(stack, (*path, index), element)
    else:
        yield path, *instead(path, value)


def _of_object(stack: Stack, path: Path, value: dict[str, Any]) -> Iterator[Change]:
    for key, part in value.items():
        yield (*path, key), "remove", REMOVED
        yield from _of_value(stack, (*path, key), part)


def _of_intrinsic(stack: Stack, path: Path, value: dict[str, Any]) -> Iterator[Change]:
    """A reference may go to another resource. What a function is made of may be wrong; no part of it can be missing."""
    if (other := another(stack, value)) is not None:
        yield path, "reference", other
    (function, arguments) = next(iter(value.items()))
    if function in ("Fn::Join", "Fn::Select"):
        parts = arguments[1] if function == "Fn::Join" else arguments[:1]
        start: Path = (*path, function, 1) if function == "Fn::Join" else (*path, function)
        for index, part in enumerate(parts):
            yield from _of_value(stack, (*start, index), part)


def _is_referred_to(stack: Stack, logical_id: str) -> bool:
    return any(
        logical_id in references(body)
        for name, body in [*stack.resources.items(), *stack.body.get("Outputs", {}).items()]
        if name != logical_id
    )


def _reached(stack: Stack, logical_id: str, *, but: int) -> set[str]:
    """What CloudFormation makes before a resource, without one entry of its DependsOn."""
    resource = stack.resources[logical_id]
    others = {name for place, name in enumerate(listed(resource["DependsOn"])) if place != but}
    return all_needed(stack.resources, references(resource.get("Properties", {})) | others)
