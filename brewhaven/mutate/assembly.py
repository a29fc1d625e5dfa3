"""Reading a synthesized stack from its assembly: the template, and by which construct each resource was made."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from brewhaven.errors import BrewHavenError
from brewhaven.mutate.stack import Stack

LOGICAL_ID = "aws:cdk:logicalId"
ACCEPTED = "aws:cdk:acknowledged-rules"
# The CDK calls a rule of a security group after the other group, whose name has the stack's in it.
_RULE = re.compile(r"^(from|to) \w+(:\S+)$")


@contextmanager
def classes_of_constructs() -> Iterator[dict[str, str]]:
    """Note the path and the class of every construct of ours that is made meanwhile: an assembly does not tell them."""
    from constructs import Construct  # noqa: PLC0415

    import brew_constructs  # noqa: PLC0415  (imports the CDK)

    classes: dict[str, str] = {}
    originals: dict[type, Any] = {}

    def watch(cls: type) -> None:
        original = originals[cls] = cls.__init__  # type: ignore[misc]

        def watched(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            classes[self.node.path] = cls.__name__

        cls.__init__ = watched  # type: ignore[misc]

    for module in pkgutil.iter_modules(brew_constructs.__path__, "brew_constructs."):
        for cls in vars(importlib.import_module(module.name)).values():
            if isinstance(cls, type) and issubclass(cls, Construct) and cls.__module__ == module.name:
                watch(cls)
    try:
        yield classes
    finally:
        for cls, original in originals.items():
            cls.__init__ = original  # type: ignore[misc]


def read(folder: Path, name: str, classes: Mapping[str, str]) -> Stack:
    """One stack of an assembly.

    Args:
        classes: Those of its constructs, by path.

    Raises:
        BrewHavenError: It does not say which construct made a resource, so mistakes could not be found again.
    """
    body: dict[str, Any] = json.loads((folder / f"{name}.template.json").read_text(encoding="utf-8"))
    metadata = _metadata(folder, name)
    ids = {
        path: str(entry["data"])
        for path, entries in metadata.items()
        for entry in entries
        if entry["type"] == LOGICAL_ID
    }
    paths = {ids[path]: path for path in ids if ids[path] in body["Resources"]}
    if unknown := body["Resources"].keys() - paths.keys():
        raise BrewHavenError(f"The assembly of {name} does not say which construct made {', '.join(sorted(unknown))}.")
    helpers = _helpers(paths, body["Resources"])
    return Stack(
        name=name,
        body=body,
        makers=_makers(paths, classes),
        helpers=frozenset(logical_id for logical_id, path in paths.items() if path.startswith(helpers)),
        accepted={logical_id: _accepted(path, metadata) for logical_id, path in paths.items()},
    )


def _metadata(folder: Path, name: str) -> dict[str, list[dict[str, Any]]]:
    """Construct path, which begins with a slash -> what the constructs said there."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["artifacts"][name]
    found: dict[str, list[dict[str, Any]]] = manifest.get("metadata", {})
    if file := manifest.get("additionalMetadataFile"):
        found = found | json.loads((folder / file).read_text(encoding="utf-8"))
    return found


def _makers(paths: Mapping[str, str], classes: Mapping[str, str]) -> dict[str, str]:
    """Each resource's maker. Of a construct that a stack has twice, each keeps its own name."""
    makers = {logical_id: _maker(path, classes) for logical_id, path in paths.items()}
    count = Counter(makers.values())
    return {
        logical_id: maker if count[maker] == 1 else paths[logical_id].split("/", 2)[2]
        for logical_id, maker in makers.items()
    }


def _maker(path: str, classes: Mapping[str, str]) -> str:
    """``/Alone/OnFargate/Task/Resource`` -> ``Storefront/Task/Resource``; what no class of ours made keeps its path."""
    _, stack, outermost, *rest = path.split("/")
    last = [_RULE.sub(r"\1 another\2", step) for step in rest[-1:]]
    return "/".join([classes.get(f"{stack}/{outermost}", outermost), *rest[:-1], *last])


def _helpers(paths: dict[str, str], resources: dict[str, Any]) -> tuple[str, ...]:
    """Where the CDK puts its helper functions: directly below the stack, each with what it needs beside it."""
    functions = [path for logical_id, path in paths.items() if resources[logical_id]["Type"] == "AWS::Lambda::Function"]
    return tuple(f"{path.rpartition('/')[0]}/" for path in functions if path.count("/") == 3)


def _accepted(path: str, metadata: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Findings accepted on a construct or on one around it. The CDK keeps them as `Annotation::<id of the finding>`."""
    steps = path.split("/")
    around = ["/".join(steps[:length]) for length in range(2, len(steps) + 1)]
    return sorted(
        {
            finding.removeprefix("Annotation::")
            for place in around
            for entry in metadata.get(place, [])
            if entry["type"] == ACCEPTED
            for finding in entry["data"]
        }
    )
