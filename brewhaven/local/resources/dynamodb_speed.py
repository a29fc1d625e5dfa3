"""DynamoDB: what is the same for every item of a query is worked out once and not once an item."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from brewhaven.local.registry import correction, replace

REMEMBERED = 2048


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
