"""Reads a cloud assembly (what `cdk synth` writes) or a single template."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from brewhaven.diff.errors import DiffError
from brewhaven.diff.model import Deployment, Frame, GrantCall, Resource, Stack

CODE_FILE = "code.json"
GRANTS_FILE = "grants.json"
_FRAME = re.compile(r"(?P<function>\S+) \((?P<file>.+):(?P<line>\d+)\)")
_L1_NAMES = ("/Resource", "/Default")
_BOOTSTRAP = ("BootstrapVersion", "CheckBootstrapVersion")


def read_assembly(folder: Path, label: str, *, lesson: str | None = None) -> Deployment:
    """Every stack of an assembly, also of the assemblies and stacks nested in it.

    Raises:
        DiffError: A file that the manifest names is missing or broken.
    """
    code_file = folder / CODE_FILE
    code = json.loads(code_file.read_text()) if code_file.is_file() else {}
    stacks = {stack.name: stack for stack in _stacks(folder, tuple(code))}
    return Deployment(label=label, stacks=stacks, code=code, lesson=lesson, grants=tuple(_grants(folder)))


def _grants(folder: Path) -> Iterator[GrantCall]:
    path = folder / GRANTS_FILE
    for call in json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []:
        frames = tuple(Frame(file, line, function) for file, line, function in call["frames"])
        on, given = (tuple(_below_stack(path) for path in call[name]) for name in ("on", "with"))
        if frames:
            yield GrantCall(call["method"], on, given, tuple(word for word in call["words"] if word), frames)


def _below_stack(path: str) -> str:
    return path.partition("/")[2]


def read_template(path: Path) -> Deployment:
    """A single template file in JSON, as a stack that is called as the file."""
    template = _read(path)
    if "Resources" not in template:
        raise DiffError(f"The file {path} has no Resources, so it is not a CloudFormation template.")
    name = path.name.removesuffix(".json").removesuffix(".template")
    return Deployment(label=str(path), stacks={name: make_stack(name, template)})


def make_stack(
    name: str, template: dict[str, Any], frames: dict[str, tuple[Frame, ...]] | None = None, region: str | None = None
) -> Stack:
    """A stack of a template, whose construct paths come from its own metadata.

    Args:
        frames: The traces by logical id.
    """
    resources = {}
    for logical_id, body in (template.get("Resources") or {}).items():
        if not isinstance(body, dict) or body.get("Type") == "AWS::CDK::Metadata":
            continue
        resources[logical_id] = Resource(
            stack=name,
            logical_id=logical_id,
            type=str(body.get("Type", "")),
            path=_construct_path(body, logical_id),
            properties=dict(body.get("Properties") or {}),
            attributes=_attributes(body),
            frames=(frames or {}).get(logical_id, ()),
        )
    return Stack(name=name, template=template, resources=resources, region=region)


def _attributes(body: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in body.items() if name not in {"Type", "Properties", "Metadata"}}
    metadata = {
        name: value
        for name, value in (body.get("Metadata") or {}).items()
        if not name.startswith(("aws:cdk:", "aws:asset:"))
    }
    return {**rest, "Metadata": metadata} if metadata else rest


def _construct_path(body: dict[str, Any], logical_id: str) -> str:
    whole = str((body.get("Metadata") or {}).get("aws:cdk:path", ""))
    _, _, path = whole.partition("/")
    changed = True
    while changed:
        changed = False
        for name in _L1_NAMES:
            if path.endswith(name):
                path, changed = path.removesuffix(name), True
    return path or logical_id


def _stacks(folder: Path, code: tuple[str, ...]) -> Iterator[Stack]:
    for name, artifact in _read(folder / "manifest.json").get("artifacts", {}).items():
        properties = artifact.get("properties") or {}
        if artifact.get("type") == "cdk:cloud-assembly":
            yield from _stacks(folder / properties["directoryName"], code)
        if artifact.get("type") != "aws:cloudformation:stack":
            continue
        template = _read(folder / properties["templateFile"])
        drop_bootstrap_check(template)
        frames = _traces(folder, artifact, code)
        region = str(artifact.get("environment", "")).rpartition("/")[2] or None
        stack_name = str(properties.get("stackName") or name)
        yield make_stack(stack_name, template, frames, region)
        yield from _nested(folder, stack_name, template, frames, region)


def _nested(
    folder: Path, parent: str, template: dict[str, Any], frames: dict[str, tuple[Frame, ...]], region: str | None
) -> Iterator[Stack]:
    for logical_id, body in (template.get("Resources") or {}).items():
        asset = (body.get("Metadata") or {}).get("aws:asset:path")
        if body.get("Type") == "AWS::CloudFormation::Stack" and asset:
            inner = _read(folder / asset)
            name = f"{parent}/{logical_id}"
            yield make_stack(name, inner, frames, region)
            yield from _nested(folder, name, inner, frames, region)


def drop_bootstrap_check(template: dict[str, Any]) -> None:
    """Every CDK template begins with the same check of the bootstrap version, which `cdk diff` leaves out as well."""
    for section, name in zip(("Parameters", "Rules"), _BOOTSTRAP, strict=True):
        found = template.get(section)
        if isinstance(found, dict):
            found.pop(name, None)
            if not found:
                template.pop(section)


def _traces(folder: Path, artifact: dict[str, Any], code: tuple[str, ...]) -> dict[str, tuple[Frame, ...]]:
    """The app's own lines by logical id, from the metadata that the CDK writes in debug mode."""
    metadata = dict(artifact.get("metadata") or {})
    if "additionalMetadataFile" in artifact:
        metadata.update(_read(folder / artifact["additionalMetadataFile"]))
    by_path: dict[str, tuple[Frame, ...]] = {}
    logical_ids: dict[str, str] = {}
    for path, entries in metadata.items():
        for entry in entries:
            if entry["type"] == "aws:cdk:logicalId":
                logical_ids[path] = entry["data"]
            elif entry["type"] == "aws:cdk:creationStack":
                by_path[path] = tuple(_frames(entry["data"], code))
    return {logical_id: _nearest(path, by_path) for path, logical_id in logical_ids.items()}


def _frames(lines: list[str], code: tuple[str, ...]) -> Iterator[Frame]:
    for line in lines:
        found = _FRAME.fullmatch(line)
        if found and found["file"] in code:
            yield Frame(found["file"], int(found["line"]), found["function"])


def _nearest(path: str, by_path: dict[str, tuple[Frame, ...]]) -> tuple[Frame, ...]:
    """The trace of a construct; of its nearest relative when it was made in a callback and has none of its own."""
    if by_path.get(path):
        return by_path[path]
    scope = path
    while scope.count("/") > 1:
        scope = scope.rpartition("/")[0]
        for other, frames in by_path.items():
            if frames and (other == scope or other.startswith(scope + "/")):
                return frames
    return ()


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DiffError(f"A file of the cloud assembly is missing: {path}", "Synthesize it again.") from None
    except ValueError as error:
        raise DiffError(f"The file is not valid JSON: {path} ({error}).", "Templates are read as JSON.") from None
    if not isinstance(found, dict):
        raise DiffError(f"The file holds no JSON object: {path}")
    return found
