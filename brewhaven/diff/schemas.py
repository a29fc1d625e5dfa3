"""What CloudFormation replaces, from the registry schemas that cfn-lint brings along: no network is needed."""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

from brewhaven.diff.model import Replacement

REGION = "us-east-1"

# The schema calls these conditional because of cases that no change of a template can mean.
_CERTAIN = {
    ("AWS::DynamoDB::Table", "KeySchema"),
    ("AWS::DynamoDB::GlobalTable", "KeySchema"),
    ("AWS::DynamoDB::GlobalTable", "LocalSecondaryIndexes"),
}
_NOTES = {
    ("AWS::EC2::Instance", "UserData"): "a server on EBS is stopped and started, one on an instance store is replaced",
    ("AWS::EC2::Instance", "InstanceType"): "a server on EBS is stopped and started",
}


def replaces(type_: str, path: str) -> Replacement:
    """What a change at `path` (`KeySchema`, `Replicas[0].Region`) does to a resource of this type.

    `no` is also the answer for types without a schema, like custom resources: their function decides.
    """
    pointer = _pointer(path)
    certain, conditional = _create_only(type_)
    if any((type_, name) in _CERTAIN and _touches(pointer, (name,)) for name in pointer[:1]):
        return "yes"
    if any(_touches(pointer, other) for other in certain):
        return "yes"
    if any(_touches(pointer, other) for other in conditional):
        return "maybe"
    return "no"


def note(type_: str, path: str) -> str | None:
    """What AWS says about a replacement that only may happen."""
    pointer = _pointer(path)
    return _NOTES.get((type_, pointer[0])) if pointer else None


@functools.cache
def naming_property(type_: str) -> str | None:
    """The property that sets the physical name, if it has one and cannot be changed: `TableName`, `BucketName`."""
    schema = _schema(type_)
    certain, _ = _create_only(type_)
    for pointer in schema.get("primaryIdentifier") or []:
        name = _pointer(pointer.removeprefix("/properties/").replace("/", "."))
        if name in certain and len(name) == 1 and name[0].endswith("Name"):
            return name[0]
    return None


def _pointer(path: str) -> tuple[str, ...]:
    return tuple(part for part in re.sub(r"\[[^\]]*\]", "", path).split(".") if part)


def _touches(changed: tuple[str, ...], fixed: tuple[str, ...]) -> bool:
    """Whether a change at one place changes the other: one contains the other."""
    length = min(len(changed), len(fixed))
    return length > 0 and changed[:length] == fixed[:length]


@functools.cache
def _create_only(type_: str) -> tuple[frozenset[tuple[str, ...]], frozenset[tuple[str, ...]]]:
    schema = _schema(type_)

    def pointers(name: str) -> frozenset[tuple[str, ...]]:
        found = (pointer.removeprefix("/properties/") for pointer in schema.get(name) or [])
        return frozenset(
            tuple(part for part in pointer.split("/") if part not in {"*", "properties", "items"}) for pointer in found
        )

    return pointers("createOnlyProperties"), pointers("conditionalCreateOnlyProperties")


@functools.cache
def _schema(type_: str) -> dict[str, Any]:
    folder = _schemas()
    name = _index().get(type_)
    if folder is None or name is None:
        return {}
    found: dict[str, Any] = json.loads((folder / "resources" / f"{name}.json").read_text(encoding="utf-8"))
    return found


@functools.cache
def _index() -> dict[str, str]:
    folder = _schemas()
    if folder is None:
        return {}
    found: dict[str, str] = json.loads((folder / "providers" / f"{REGION}.json").read_text(encoding="utf-8"))
    return found


@functools.cache
def _schemas() -> Path | None:
    """Where cfn-lint keeps its data. The files are read directly, since importing cfn-lint takes seconds."""
    found = importlib.util.find_spec("cfnlint")
    if not found or not found.submodule_search_locations:
        return None
    folder = Path(next(iter(found.submodule_search_locations))) / "data" / "schemas"
    return folder if (folder / "resources").is_dir() else None


def available() -> bool:
    """Whether replacements can be told at all."""
    return bool(_index())
