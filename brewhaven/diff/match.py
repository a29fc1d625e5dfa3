"""Recognises resources that only got another logical id, so that a renamed construct reads as one change.

CloudFormation knows a resource by its logical id alone. A construct that is renamed or moved gets new logical ids for
everything in it: CloudFormation makes the new ones and deletes the old ones, with what they hold. The template does
not say so, therefore the two are recognised here: same type, equal properties once every reference follows the same
renames, and construct paths that resemble each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from brewhaven.diff.model import Deployment, Resource, Stack
from brewhaven.diff.values import canonical, rename

ENOUGH_ALIKE = 0.62
"""Of properties, for two resources whose paths end alike: names of their own (a tag, a family) may differ."""
ENOUGH_TO_TELL = 3
"""Equal properties say that two resources are the same if there are as many; two queues without any are just queues."""
_PLUMBING = ("AWS::IAM::", "AWS::Logs::", "AWS::Lambda::Permission", "AWS::Lambda::Version")
"""What looks the same in every construct: it was only renamed if what it serves was."""
_UNIQUE = re.compile(r"[A-Za-z0-9]*[A-F0-9]{8}")


@dataclass(frozen=True)
class Pair:
    """Two stacks that are states of the same one; a missing side is empty."""

    before: Stack | None
    after: Stack | None


def pair_stacks(before: Deployment, after: Deployment) -> list[Pair]:
    """Which stack of one side is which of the other: by name, by name without a student's prefix, or the only two."""
    rest = dict(after.stacks)
    pairs: list[Pair] = []
    lonely: list[Stack] = []
    for name, stack in before.stacks.items():
        bare = _bare(name)
        found = rest.pop(name, None) or next((rest.pop(other) for other in list(rest) if _bare(other) == bare), None)
        if found:
            pairs.append(Pair(stack, found))
        else:
            lonely.append(stack)
    if len(lonely) == 1 and len(rest) == 1 and not pairs:
        return [Pair(lonely[0], next(iter(rest.values())))]
    return pairs + [Pair(stack, None) for stack in lonely] + [Pair(None, stack) for stack in rest.values()]


def _bare(name: str) -> str:
    return name[name.find("BrewHaven-") :] if "BrewHaven-" in name else name


def renames(before: Stack, after: Stack) -> dict[str, str]:
    """New logical id by old one, for what was only renamed between two states of a stack."""
    gone = {id_: item for id_, item in before.resources.items() if not _same(item, after)}
    new = {id_: item for id_, item in after.resources.items() if not _same(item, before)}
    found: dict[str, str] = {}
    scores = sorted(_candidates(gone.values(), new.values()), reverse=True)
    taken: set[str] = set()
    for _, _, old, name in scores:
        if old not in found and name not in taken:
            found[old] = name
            taken.add(name)
    return _consistent(_with_what_they_serve(found, gone, new), gone, new)


def _with_what_they_serve(
    found: dict[str, str], gone: Mapping[str, Resource], new: Mapping[str, Resource]
) -> dict[str, str]:
    """Drop roles and logs whose component lost its own resources to no component of the new side."""
    main = {item.component for item in gone.values() if not item.type.startswith(_PLUMBING)}
    moved = {
        (gone[old].component, new[name].component)
        for old, name in found.items()
        if not gone[old].type.startswith(_PLUMBING)
    }
    return {
        old: name
        for old, name in found.items()
        if not gone[old].type.startswith(_PLUMBING)
        or gone[old].component not in main
        or (gone[old].component, new[name].component) in moved
    }


def _same(resource: Resource, other: Stack) -> bool:
    twin = other.resources.get(resource.logical_id)
    return twin is not None and twin.type == resource.type


def _candidates(gone: Iterable[Resource], new: Iterable[Resource]) -> Iterable[tuple[float, float, str, str]]:
    by_type: dict[str, list[Resource]] = {}
    for resource in new:
        by_type.setdefault(resource.type, []).append(resource)
    for old in gone:
        for resource in by_type.get(old.type, []):
            paths = _path_likeness(old.path, resource.path)
            leaves = _blurred(old)
            properties = _likeness(leaves, _blurred(resource))
            telling = len(leaves) >= ENOUGH_TO_TELL or paths >= ENOUGH_ALIKE
            if (properties == 1.0 and telling) or (properties >= ENOUGH_ALIKE and paths >= 0.5):
                yield properties + paths, paths, old.logical_id, resource.logical_id


def _path_likeness(one: str, other: str) -> float:
    """1.0 for equal paths; a path with one segment renamed, or moved below another construct, stays above 0.5."""
    ours, theirs = one.split("/"), other.split("/")
    segments = SequenceMatcher(None, ours, theirs, autojunk=False).ratio()
    letters = SequenceMatcher(None, one, other, autojunk=False).ratio()
    return max(segments, letters)


def _blurred(resource: Resource) -> list[str]:
    """The leaves of the properties, without anything that a rename changes: references, paths and generated names."""
    return sorted(_leaves(resource.properties, ""))


def _leaves(value: Any, path: str) -> Iterable[str]:
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in {"Ref", "Fn::GetAtt", "Fn::Sub"}:
            inner = next(iter(value.values()))
            yield f"{path}=>{inner[1] if isinstance(inner, list) else ''}"
            return
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path + "[]")
    else:
        yield f"{path}={_UNIQUE.sub('<name>', str(value))}"


def _likeness(ours: list[str], theirs: list[str]) -> float:
    if ours == theirs:
        return 1.0
    rest = list(theirs)
    common = 0
    for leaf in ours:
        if leaf in rest:
            rest.remove(leaf)
            common += 1
    return 2 * common / (len(ours) + len(theirs))


def _consistent(found: dict[str, str], gone: Mapping[str, Resource], new: Mapping[str, Resource]) -> dict[str, str]:
    """Drop pairs whose references disagree with the other renames, unless they are alike enough to be the same."""
    kept = dict(found)
    while True:
        wrong = {
            old
            for old, name in kept.items()
            if canonical(rename(gone[old].properties, kept)) != canonical(new[name].properties)
            and _likeness(_renamed_leaves(gone[old], kept), _renamed_leaves(new[name], {})) < ENOUGH_ALIKE
        }
        if not wrong:
            return kept
        kept = {old: name for old, name in kept.items() if old not in wrong}


def _renamed_leaves(resource: Resource, names: Mapping[str, str]) -> list[str]:
    properties = rename(resource.properties, names)
    return sorted(_exact_leaves(properties, ""))


def _exact_leaves(value: Any, path: str) -> Iterable[str]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _exact_leaves(inner, f"{path}.{name}")
    elif isinstance(value, list) and value:
        for inner in value:
            yield from _exact_leaves(inner, path + "[]")
    else:
        yield f"{path}={value}"


def align(stack: Stack, names: Mapping[str, str], after: Stack) -> Stack:
    """The older stack with the logical ids, paths and stack name that the newer one uses for the same things."""
    resources = {}
    for logical_id, resource in stack.resources.items():
        name = names.get(logical_id, logical_id)
        twin = after.resources.get(name)
        resources[name] = replace(
            resource,
            stack=after.name,
            logical_id=name,
            path=twin.path if twin and twin.type == resource.type else resource.path,
            properties=rename(resource.properties, names),
            attributes=_rename_attributes(resource.attributes, names),
        )
    template = {**stack.template, "Outputs": rename(stack.template.get("Outputs") or {}, names)}
    return Stack(name=after.name, template=template, resources=resources, region=stack.region)


def _rename_attributes(attributes: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    found = {name: rename(value, names) for name, value in attributes.items()}
    if "DependsOn" in found:
        listed = found["DependsOn"] if isinstance(found["DependsOn"], list) else [found["DependsOn"]]
        found["DependsOn"] = sorted(names.get(name, name) for name in listed)
    return found
