"""What a part of a template refers to, and the same reference to another resource."""

from __future__ import annotations

from typing import Any

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
