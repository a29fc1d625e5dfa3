"""What a part of a template refers to, and the same reference to another resource."""

from __future__ import annotations

from typing import Any

from brewhaven.course.checks import listed
from brewhaven.mutate.stack import Stack

INTRINSIC = ("Ref", "Fn::")


def is_intrinsic(value: dict[str, Any]) -> bool:
    """Whether this is a call of one of CloudFormation's functions."""
    return len(value) == 1 and next(iter(value)).startswith(INTRINSIC)


def references(value: Any) -> set[str]:
    """Logical ids that a part of a template refers to by Ref or GetAtt."""
    if isinstance(value, dict):
        found: set[str] = set()
        for key, part in value.items():
            if key == "Ref":
                found.add(part)
            elif key == "Fn::GetAtt":
                found.add(part[0])
            else:
                found |= references(part)
        return found
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def needs(resource: dict[str, Any]) -> set[str]:
    """Logical ids of what CloudFormation must have made before a resource."""
    return references(resource.get("Properties", {})) | set(listed(resource.get("DependsOn", [])))


def all_needed(resources: dict[str, Any], names: set[str]) -> set[str]:
    """The same for several resources, and for what these need, and so on; they are among it themselves."""
    found: set[str] = set()
    waiting = [name for name in names if name in resources]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [needed for needed in needs(resources[name]) if needed in resources]
    return found


def another(stack: Stack, value: dict[str, Any]) -> dict[str, Any] | None:
    """The same reference to another resource of the same type; None where there is no other one of ours."""
    function, argument = next(iter(value.items()))
    target = argument[0] if function == "Fn::GetAtt" else argument
    if function not in ("Ref", "Fn::GetAtt") or target not in stack.resources:
        return None
    type_ = stack.resources[target]["Type"]
    names = [
        name
        for name, resource in stack.resources.items()
        if resource["Type"] == type_ and (name not in stack.helpers or name == target)
    ]
    other = names[(names.index(target) + 1) % len(names)]
    if other == target:
        return None
    return {"Ref": other} if function == "Ref" else {"Fn::GetAtt": [other, argument[1]]}
