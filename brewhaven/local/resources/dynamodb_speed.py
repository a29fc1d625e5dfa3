"""DynamoDB: what is the same for every item of a query is worked out once and not once an item."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from brewhaven.local.registry import correction, replace

REMEMBERED = 2048
_EQUALS = re.compile(r"(#?\w+)\s*=\s*(:\w+)")
_BEGINS_WITH = re.compile(r"begins_with\s*\(\s*(#?\w+)\s*,\s*(:\w+)\s*\)")
_IN_PARENTHESES = re.compile(r"\(\s*(.*?)\s*\)")  # as boto3's conditions are written; what is nested matches nothing
_AND = re.compile(r"\s+AND\s+")


class Clause(NamedTuple):
    """``name = :value`` or ``begins_with(name, :value)``."""

    name: str
    value: str
    is_prefix: bool

    def holds(self, item: dict[str, Any], values: dict[str, Any], names: dict[str, str]) -> bool | None:
        """Whether it holds for an item; None where that is not about two texts."""
        name = names.get(self.name) if self.name.startswith("#") else self.name
        wanted = (values.get(self.value) or {}).get("S")
        found = item.get(name, {}).get("S") if name is not None else None
        if not isinstance(wanted, str) or not isinstance(found, str):
            return None
        return found.startswith(wanted) if self.is_prefix else found == wanted


def clauses_of(condition: str) -> tuple[Clause, ...] | None:
    """The clauses of the key condition that nearly every query has; None for any other."""
    found = []
    inner = _IN_PARENTHESES.fullmatch(condition.strip())
    for part in _AND.split(inner[1] if inner else condition.strip()):
        equals, begins = _EQUALS.fullmatch(part), _BEGINS_WITH.fullmatch(part)
        match = equals or begins
        if match is None:
            return None
        found.append(Clause(match[1], match[2], is_prefix=equals is None))
    return tuple(found)


@correction
def expressions_are_parsed_once() -> None:
    """A condition is parsed once however many items it is held against; the emulator parses it again for each of them.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
    """
    from ministack.services import dynamodb

    def remembered(original: Any) -> Any:
        return lru_cache(REMEMBERED)(original)

    def tokens_remembered(original: Any) -> Any:
        parse = lru_cache(REMEMBERED)(lambda expression: tuple(original(expression)))
        return lambda expression: list(parse(expression))

    replace(dynamodb, "_condition_syntax_error", remembered)
    replace(dynamodb, "_tokenize", tokens_remembered)


@correction
def key_conditions_are_held_against_items_quickly() -> None:
    """A query costs as little for each item of its partition as it can, which are thousands on a day's board.

    What is not the usual condition on texts is the emulator's, and so is every refusal.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
    """
    from ministack.services import dynamodb

    @lru_cache(REMEMBERED)
    def usual(condition: str) -> tuple[Clause, ...] | None:
        clauses = clauses_of(condition)
        is_refused = clauses is not None and dynamodb._check_reserved_keyword_usage(dynamodb._tokenize(condition))
        return None if is_refused else clauses

    def build(original: Any) -> Any:
        def evaluate(condition: Any, item: Any, values: Any, names: Any, slot: str = "ConditionExpression") -> Any:
            if slot == "KeyConditionExpression" and isinstance(condition, str):
                holds = [clause.holds(item, values or {}, names or {}) for clause in usual(condition) or ()]
                if holds and None not in holds:
                    return all(holds)
            return original(condition, item, values, names, slot)

        return evaluate

    replace(dynamodb, "_evaluate_condition", build)


@correction
def sizes_are_counted_quickly() -> None:
    """A page of a query ends at 1 MB, so every item is measured; here with as little work as the rules allow.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    from ministack.services import dynamodb

    def build_number(original: Any) -> Any:
        remembered = lru_cache(REMEMBERED)(original)
        return lambda number: remembered(number) if isinstance(number, str) else original(number)

    replace(dynamodb, "_number_size_bytes", build_number)

    def build(original: Any) -> Any:
        def size(value: Any) -> int:
            if not isinstance(value, dict) or len(value) != 1:
                return int(original(value))
            ((kind, content),) = value.items()
            if kind == "S" and isinstance(content, str):
                return text_size(content)
            if kind == "N":
                return int(dynamodb._number_size_bytes(content))
            if kind == "M" and isinstance(content, dict):
                total = 3
                for name, inner in content.items():
                    total += 1 + text_size(name) + size(inner)
                return total
            if kind == "L" and isinstance(content, list):
                total = 3
                for inner in content:
                    if isinstance(inner, dict):
                        total += 1 + size(inner)
                return total
            return int(original(value))

        return size

    replace(dynamodb, "_attribute_value_size", build)


def text_size(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())
