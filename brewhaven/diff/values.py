"""Values of a template: what they refer to, and how to say them in a few words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_SUB = re.compile(r"\$\{([^!}][^}]*)\}")
_PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::AccountId": "<account>",
    "AWS::Region": "<region>",
    "AWS::StackName": "<stack>",
    "AWS::StackId": "<stack id>",
    "AWS::NoValue": "",
}


def references(value: Any) -> Iterator[tuple[str, str | None]]:
    """Every (logical id or parameter, attribute or None) that a value refers to, in order."""
    if isinstance(value, dict):
        if len(value) == 1:
            name, inner = next(iter(value.items()))
            if name == "Ref" and isinstance(inner, str):
                yield inner, None
                return
            if name == "Fn::GetAtt":
                yield _split_attribute(inner)
                return
            if name == "Fn::Sub":
                yield from _references_of_sub(inner)
                return
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def _split_attribute(inner: Any) -> tuple[str, str | None]:
    if isinstance(inner, str):
        logical_id, _, attribute = inner.partition(".")
        return logical_id, attribute or None
    return str(inner[0]), ".".join(str(part) for part in inner[1:])


def _references_of_sub(inner: Any) -> Iterator[tuple[str, str | None]]:
    text, names = (inner, {}) if isinstance(inner, str) else (inner[0], inner[1])
    for name in _SUB.findall(text):
        if name not in names:
            logical_id, _, attribute = name.partition(".")
            yield logical_id, attribute or None
    yield from references(names)


def rename(value: Any, names: Mapping[str, str]) -> Any:
    """The value with every reference to an old logical id pointing at its new name."""
    if isinstance(value, list):
        return [rename(inner, names) for inner in value]
    if not isinstance(value, dict):
        return value
    return {key: _rename_of(key, inner, names) for key, inner in value.items()}


def _rename_of(function: str, inner: Any, names: Mapping[str, str]) -> Any:
    if function == "Ref" and isinstance(inner, str):
        return names.get(inner, inner)
    if function == "Fn::GetAtt" and isinstance(inner, str):
        logical_id, dot, attribute = inner.partition(".")
        return names.get(logical_id, logical_id) + dot + attribute
    if function == "Fn::GetAtt" and isinstance(inner, list):
        return [names.get(inner[0], inner[0]), *inner[1:]]
    if function == "Fn::Sub":
        return _rename_sub(inner, names)
    return rename(inner, names)


def _rename_sub(inner: Any, names: Mapping[str, str]) -> Any:
    def new(match: re.Match[str]) -> str:
        logical_id, dot, attribute = match[1].partition(".")
        return "${" + names.get(logical_id, logical_id) + dot + attribute + "}"

    if isinstance(inner, str):
        return _SUB.sub(new, inner)
    return [_SUB.sub(new, inner[0]), rename(inner[1], names)]


Namer = Callable[[str, str | None], str]


def plain(logical_id: str, attribute: str | None) -> str:
    """A reference as the template writes it: `CatalogTable6B92FEBE.Arn`."""
    return f"{logical_id}.{attribute}" if attribute else logical_id


def text(value: Any, namer: Namer = plain) -> str:
    """A value on one line: joins joined, references named, account and region in angle brackets."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list):
        return ", ".join(text(inner, namer) for inner in value)
    if isinstance(value, dict) and len(value) == 1:
        name, inner = next(iter(value.items()))
        found = _intrinsic(name, inner, namer)
        if found is not None:
            return found
    return json.dumps(_named(value, namer), sort_keys=True, ensure_ascii=False)


def _intrinsic(name: str, inner: Any, namer: Namer) -> str | None:  # noqa: PLR0911  (one line per function reads best)
    match name:
        case "Ref":
            return _PSEUDO.get(inner) if inner in _PSEUDO else f"<{namer(inner, None)}>"
        case "Fn::GetAtt":
            return f"<{namer(*_split_attribute(inner))}>"
        case "Fn::Join":
            return str(inner[0]).join(text(part, namer) for part in inner[1]) if isinstance(inner[1], list) else None
        case "Fn::Sub":
            return _sub_text(inner, namer)
        case "Fn::Select":
            return f"{text(inner[1], namer)}[{inner[0]}]"
        case "Fn::GetAZs":
            return "<zones>"
        case "Fn::GetStackOutput":
            return f"<{inner.get('OutputName')} of {text(inner.get('StackName'), namer)}>"
        case "Fn::ImportValue":
            return f"<import {text(inner, namer)}>"
        case "Fn::Base64":
            return text(inner, namer)
    return None


def _sub_text(inner: Any, namer: Namer) -> str:
    pattern, names = (inner, {}) if isinstance(inner, str) else (inner[0], inner[1])

    def say(match: re.Match[str]) -> str:
        name = match[1]
        if name in names:
            return text(names[name], namer)
        if name in _PSEUDO:
            return _PSEUDO[name]
        logical_id, _, attribute = name.partition(".")
        return f"<{namer(logical_id, attribute or None)}>"

    return _SUB.sub(say, pattern)


def _named(value: Any, namer: Namer) -> Any:
    """Like the value, with its references said in words, to be printed as JSON."""
    if isinstance(value, list):
        return [_named(inner, namer) for inner in value]
    if isinstance(value, dict):
        if len(value) == 1:
            name, inner = next(iter(value.items()))
            found = _intrinsic(name, inner, namer)
            if found is not None:
                return found
        return {key: _named(inner, namer) for key, inner in value.items()}
    return value


def brief(value: Any, namer: Namer = plain) -> str:
    """A value for a person: `IndexName: ByCategory, KeySchema: gsi1pk HASH + gsi1sk RANGE`."""
    if isinstance(value, dict) and not is_function(value):
        if len(value) <= MOST_BARE and all(not isinstance(inner, dict | list) for inner in value.values()):
            return " ".join(text(inner, namer) for inner in value.values())
        return ", ".join(f"{name}: {_inside(inner, namer)}" for name, inner in value.items())
    if isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        return " + ".join(_inside(inner, namer) for inner in value)
    return text(value, namer)


MOST_BARE = 2
"""Members of an object whose values explain themselves, like a key's name and kind."""


def _inside(value: Any, namer: Namer) -> str:
    said = brief(value, namer)
    return f"({said})" if isinstance(value, dict) and ": " in said and not is_function(value) else said


def is_function(value: dict[str, Any]) -> bool:
    """Whether an object is an intrinsic function: `{"Ref": ...}`."""
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))


def canonical(value: Any) -> str:
    """Equal values give equal text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def as_list(value: Any) -> list[Any]:
    """IAM and CloudFormation allow one value where they allow a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def shorten(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"
