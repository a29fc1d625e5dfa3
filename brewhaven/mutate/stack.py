"""A synthesized stack with the construct that made each resource, and how one mistake looks in another stack.

A test that builds `Storefront` alone, under another name, gives its resources other logical ids than phase 1 has. What
stays the same is the class of ours that made a resource and the path below it: `Storefront/Service/Service`. By that
name a mistake of the construct is found again wherever the construct is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

Path = tuple[str | int, ...]

OUTPUT = "Output"
REMOVED = object()
Change = tuple[Path, str, Any]
"""Where in a resource, what kind of mistake, and what stands there instead: :data:`REMOVED` for nothing."""


@dataclass(frozen=True)
class Mutant:
    """One mistake.

    Attributes:
        id: Its name, the same in every run: the resource, the place in it and what stands there instead.
        maker: The resource by the construct that made it (see above), or the name of an output.
        type: CloudFormation type, or :data:`OUTPUT`.
        path: The place in the resource, such as ``("Properties", "Cpu")``; empty for the whole resource.
        operator: What kind of mistake it is.
        value: What stands there instead; without meaning if it ``removes``.
    """

    id: str
    maker: str
    type: str
    path: Path
    operator: str
    value: Any = None
    removes: bool = False


@dataclass(frozen=True)
class Stack:
    """One stack's template.

    Attributes:
        makers: Logical id -> the construct that made it, ``CatalogTable/Table/Resource``.
        helpers: Logical ids of what the CDK makes for itself, such as the function that empties a bucket.
        accepted: Logical id -> findings of cdk-nag that are accepted there.
    """

    name: str
    body: dict[str, Any]
    makers: Mapping[str, str]
    helpers: frozenset[str] = frozenset()
    accepted: Mapping[str, list[str]] = field(default_factory=dict)

    @cached_property
    def by_maker(self) -> dict[str, list[str]]:
        """The construct -> logical ids: several if a stack has the construct twice."""
        found: dict[str, list[str]] = {}
        for logical_id, maker in self.makers.items():
            found.setdefault(maker, []).append(logical_id)
        return found

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.body["Resources"]
        return found

    def with_mistake(self, mutant: Mutant, made_in: Stack) -> dict[str, Any] | None:
        """This stack's template with a mistake that was thought of in another; None where it cannot be made here.

        To leave something out is a mistake wherever the construct is built. To write another value is one only where
        the same value stands: one that differs was handed in by whoever builds the construct, which makes no mistake.
        """
        if mutant.type == OUTPUT:
            return self._with_output(mutant) if self.name == made_in.name else None
        (thought_of,) = made_in.by_maker[mutant.maker]
        changed = self.resources
        for logical_id in self.by_maker.get(mutant.maker, []):
            if self.resources[logical_id]["Type"] != mutant.type:
                continue
            resource = self._changed(mutant, made_in, made_in.resources[thought_of], self.resources[logical_id])
            if resource is REMOVED:
                changed = {name: _without(body, logical_id) for name, body in changed.items() if name != logical_id}
            elif resource is not None:
                changed = {**changed, logical_id: resource}
        return None if changed is self.resources else {**self.body, "Resources": changed}

    def _with_output(self, mutant: Mutant) -> dict[str, Any] | None:
        outputs = self.body.get("Outputs", {})
        if mutant.maker not in outputs:
            return None
        if not mutant.path:
            return {**self.body, "Outputs": {name: body for name, body in outputs.items() if name != mutant.maker}}
        changed = replaced(outputs[mutant.maker], mutant.path, lambda _: mutant.value)
        return {**self.body, "Outputs": {**outputs, mutant.maker: changed}}

    def _changed(self, mutant: Mutant, made_in: Stack, original: Any, resource: Any) -> Any:
        """The resource with the mistake, :data:`REMOVED` for one that is gone, None where it cannot be made."""
        if not mutant.path:
            return REMOVED
        place = self._place(mutant.path, made_in, original, resource)
        if place is None or mutant.removes:
            return removed(resource, place) if place else None
        try:
            value = self._own(made_in.by_name(mutant.value))
        except KeyError:
            return None
        is_ours = made_in.by_name(at(original, mutant.path)) == self.by_name(at(resource, place))
        return replaced(resource, place, lambda _: value) if is_ours else None

    def _place(self, path: Path, made_in: Stack, original: Any, resource: Any) -> Path | None:
        """Where the same property stands in a resource of this stack. An element of a list may stand elsewhere."""
        found: list[str | int] = []
        for step in path:
            place: str | int | None = step
            if isinstance(step, int):
                place = self._index(step, made_in, original, resource)
            elif not isinstance(resource, dict) or step not in resource:
                place = None
            if place is None:
                return None
            found.append(place)
            original, resource = original[step], resource[place]
        return tuple(found)

    def _index(self, index: int, made_in: Stack, original: Any, resource: Any) -> int | None:
        if not isinstance(resource, list):
            return None
        wanted = made_in.by_name(original[index])
        same = [number for number, element in enumerate(resource) if self.by_name(element) == wanted]
        if index in same or (not same and len(resource) == len(original)):
            return index
        return same[0] if same else None

    def by_name(self, value: Any) -> Any:
        """A part of the template with logical ids replaced by the constructs, in tuples, which JSON does not have."""
        if isinstance(value, dict):
            return {key: self.by_name(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.by_name(part) for part in value]
        return (self.makers[value],) if isinstance(value, str) and value in self.makers else value

    def _own(self, value: Any) -> Any:
        """The reverse, with this stack's logical ids.

        Raises:
            KeyError: A construct is not in this stack.
        """
        if isinstance(value, dict):
            return {key: self._own(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._own(part) for part in value]
        return self.by_maker[value[0]][0] if isinstance(value, tuple) else value


def at(value: Any, path: Path) -> Any:
    """The part of a template at a place in it."""
    for step in path:
        value = value[step]
    return value


def replaced(value: Any, path: Path, change: Callable[[Any], Any]) -> Any:
    """A copy with the part at a place changed; what is beside the way there is shared with the original."""
    if not path:
        return change(value)
    step, *rest = path
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[step] = replaced(value[step], tuple(rest), change)  # type: ignore[index]
    return copy


def removed(value: Any, path: Path) -> Any:
    """A copy without the part at a place."""
    *above, step = path

    def without(parent: Any) -> Any:
        copy = list(parent) if isinstance(parent, list) else dict(parent)
        del copy[step]  # type: ignore[arg-type]
        return copy

    return replaced(value, tuple(above), without)


def _without(resource: dict[str, Any], logical_id: str) -> dict[str, Any]:
    """A resource that no longer waits for one that is gone."""
    waits_for = resource.get("DependsOn", [])
    names = waits_for if isinstance(waits_for, list) else [waits_for]
    if logical_id not in names:
        return resource
    return {**resource, "DependsOn": [name for name in names if name != logical_id]}
