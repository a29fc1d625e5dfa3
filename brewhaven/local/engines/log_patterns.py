"""Filter patterns of CloudWatch Logs: terms, JSON conditions and fields between spaces.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any

Found = dict[str, Any]
# What a pattern says of a message: its fields if it matches, else None.
Pattern = Callable[[str], Found | None]
Condition = Callable[[Any], bool]

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]*)%|(\S+))')
_JSON_TOKEN = re.compile(
    r'\s*(\$(?:\.[\w@-]+|\["[^"]+"\]|\[\d+\]|\[\*\])*|"(?:[^"\\]|\\.)*"|%[^%]*%|&&|\|\||!=|>=|<=|[()=<>]|[^\s()=<>!&|]+)'
)
_STEP = re.compile(r'\.([\w@-]+)|\["([^"]+)"\]|\[(\d+)\]|\[\*\]')
_WORD = re.compile(r'\[[^\]]*\]|"[^"]*"|\S+')
_FIELD = re.compile(r"^(\w+)?\s*(?:(!=|>=|<=|=|>|<)\s*(.+))?$")
_ORDER: dict[str, Callable[[float, float], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


class PatternError(Exception):
    """A filter pattern that CloudWatch Logs would refuse."""


@functools.lru_cache(maxsize=256)
def compiled(text: str) -> Pattern:
    """The pattern of a text.

    Raises:
        PatternError: It has a mistake.
    """
    text = text.strip()
    if text.startswith("{"):
        return _json_pattern(text)
    if text.startswith("[") and text.endswith("]"):
        return _field_pattern(text[1:-1])
    return _term_pattern(text)


def value_at(document: Any, selector: str) -> Any:
    """What a selector such as ``$.order.lines[0]`` finds in a JSON document; KeyError if there is nothing."""
    found = document
    for step in _STEP.finditer(selector):
        name = step[1] or step[2]
        if name is not None:
            if not isinstance(found, dict):
                raise KeyError(selector)
            found = found[name]
        elif not isinstance(found, list) or not found or int(step[3] or 0) >= len(found):
            raise KeyError(selector)
        else:
            found = found[int(step[3])] if step[3] else found
    return found


def _term_pattern(text: str) -> Pattern:
    needed: list[Callable[[str], object]] = []
    any_of: list[Callable[[str], object]] = []
    unwanted: list[Callable[[str], object]] = []
    for sign, phrase, regex, word in _TERM.findall(text):
        holds: Callable[[str], object] = (
            _regex(regex).search if regex else functools.partial(_contains, phrase.replace('\\"', '"') or word)
        )
        {"?": any_of, "-": unwanted}.get(sign, needed).append(holds)

    def match(message: str) -> Found | None:
        fits = all(holds(message) for holds in needed) and not any(holds(message) for holds in unwanted)
        # Beside terms that are needed, CloudWatch Logs ignores those of which one would do.
        if fits and any_of and not needed:
            fits = any(holds(message) for holds in any_of)
        return {} if fits else None

    return match


def _contains(term: str, message: str) -> bool:
    return term in message


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise PatternError(f"Invalid filter pattern: {error} in %{text}%") from None


def _json_pattern(text: str) -> Pattern:
    words = _tokens(text)
    condition = _disjunction(words)
    if words:
        raise PatternError(f"Invalid filter pattern: unexpected {words[0]!r}")

    def match(message: str) -> Found | None:
        try:
            document = json.loads(message)
        except ValueError:
            return None
        return document if isinstance(document, dict) and condition(document) else None

    return match


def _tokens(text: str) -> list[str]:
    if not text.endswith("}"):
        raise PatternError("Invalid filter pattern: it begins with { and does not end with }")
    inner, words, position = text[1:-1].rstrip(), [], 0
    while position < len(inner):
        found = _JSON_TOKEN.match(inner, position)
        if found is None:
            raise PatternError(f"Invalid filter pattern: unexpected {inner[position:].strip()[:20]!r}")
        words.append(found[1])
        position = found.end()
    return words


def _disjunction(words: list[str]) -> Condition:
    parts = [_conjunction(words)]
    while words and words[0] == "||":
        words.pop(0)
        parts.append(_conjunction(words))
    return lambda document: any(part(document) for part in parts)


def _conjunction(words: list[str]) -> Condition:
    parts = [_condition(words)]
    while words and words[0] == "&&":
        words.pop(0)
        parts.append(_condition(words))
    return lambda document: all(part(document) for part in parts)


def _condition(words: list[str]) -> Condition:
    if words and words[0] == "(":
        words.pop(0)
        inner = _disjunction(words)
        if not words or words.pop(0) != ")":
            raise PatternError("Invalid filter pattern: a ) is missing")
        return inner
    if len(words) < 3 or not words[0].startswith("$"):
        raise PatternError(f"Invalid filter pattern: a selector such as $.level is expected at {' '.join(words[:1])!r}")
    selector, operator, operand = words.pop(0), words.pop(0), words.pop(0)
    if operator.upper() == "IS":
        wanted = {"TRUE": True, "FALSE": False, "NULL": None}
        if operand.upper() not in wanted:
            raise PatternError(f"Invalid filter pattern: IS is followed by TRUE, FALSE or NULL, not {operand}")
        return _on(selector, lambda value: value is wanted[operand.upper()])
    if operator.upper() == "NOT" and operand.upper() == "EXISTS":
        return lambda document: not _on(selector, lambda _: True)(document)
    test = _comparison(operator, operand)
    return _on(selector, test)


def _on(selector: str, test: Condition) -> Condition:
    def holds(document: Any) -> bool:
        try:
            value = value_at(document, selector)
        except (KeyError, IndexError):
            return False
        return any(test(item) for item in value) if isinstance(value, list) else test(value)

    return holds


def _comparison(operator: str, operand: str) -> Condition:
    if operator in _ORDER:
        number = _number(operand)
        if number is None:
            raise PatternError(f"Invalid filter pattern: {operator} needs a number, not {operand}")
        order = _ORDER[operator]
        return lambda value: (found := _number(value)) is not None and order(found, number)
    if operator not in ("=", "!="):
        raise PatternError(f"Invalid filter pattern: unexpected {operator!r}")
    equal = _equality(operand)
    return equal if operator == "=" else lambda value: not equal(value)


def _equality(operand: str) -> Condition:
    if operand.startswith("%"):
        regex = _regex(operand.strip("%"))
        return lambda value: isinstance(value, str) and bool(regex.search(value))
    text = json.loads(operand) if operand.startswith('"') else operand
    number = None if operand.startswith('"') else _number(operand)
    wildcards = re.compile(".*".join(re.escape(part) for part in text.split("*")) + r"\Z", re.DOTALL)

    def equal(value: Any) -> bool:
        if number is not None and not isinstance(value, str):
            return _number(value) == number
        return isinstance(value, str) and bool(wildcards.match(value))

    return equal


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _field_pattern(text: str) -> Pattern:
    fields = [field.strip() for field in text.split(",")]
    rest = fields.index("...") if "..." in fields else None
    tests: list[tuple[str, Condition | None]] = []
    for field in fields:
        parts = _FIELD.match(field)
        if field == "...":
            tests.append(("", None))
            continue
        if parts is None:
            raise PatternError(f"Invalid filter pattern: {field!r} is no field")
        tests.append((parts[1] or "", _comparison(parts[2], parts[3].strip()) if parts[2] else None))

    def match(message: str) -> Found | None:
        words = [word.strip('[]"') for word in _WORD.findall(message)]
        if rest is not None:
            gap = len(words) - (len(tests) - 1)
            if gap < 0:
                return None
            words[rest : rest + gap] = [""]
        if len(words) != len(tests):
            return None
        if any(test is not None and not test(word) for (_, test), word in zip(tests, words, strict=True)):
            return None
        return {name: word for (name, _), word in zip(tests, words, strict=True) if name}

    return match
