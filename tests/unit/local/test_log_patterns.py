"""Filter patterns of log groups (brewhaven/local/engines/log_patterns.py)."""

from __future__ import annotations

import json

import pytest

from brewhaven.local.engines.log_patterns import PatternError, compiled, value_at

ORDER = {"level": "ERROR", "order": {"id": "a-1", "cents": 450, "lines": [{"size": "big"}]}, "paid": False, "by": None}


@pytest.mark.parametrize(
    ("pattern", "message", "matches"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR happened", True),
        ("ERROR", "an error happened", False),
        ("ERROR order", "order: ERROR", True),
        ("ERROR order", "ERROR alone", False),
        ('"order failed"', "the order failed", True),
        ('"order failed"', "failed order", False),
        ("?ERROR ?WARN", "a WARN", True),
        ("?ERROR ?WARN", "an INFO", False),
        ("ERROR -timeout", "ERROR disk", True),
        ("ERROR -timeout", "ERROR timeout", False),
        ("%or[a-z]er%", "an order", True),
        ("%or[0-9]er%", "an order", False),
        ('{ $.level = "ERROR" }', json.dumps(ORDER), True),
        ("{ $.level = ERR* }", json.dumps(ORDER), True),
        ('{ $.level = "WARN" }', json.dumps(ORDER), False),
        ('{ $.level = "ERROR" }', "ERROR", False),
        ("{ $.order.cents > 400 && $.order.cents <= 450 }", json.dumps(ORDER), True),
        ("{ $.order.cents = 450 }", json.dumps(ORDER), True),
        ("{ $.order.cents != 450 }", json.dumps(ORDER), False),
        ('{ ($.level = "WARN") || ($.order.lines[0].size = "big") }', json.dumps(ORDER), True),
        ("{ $.paid IS FALSE }", json.dumps(ORDER), True),
        ("{ $.by IS NULL }", json.dumps(ORDER), True),
        ("{ $.gone NOT EXISTS }", json.dumps(ORDER), True),
        ("{ $.level NOT EXISTS }", json.dumps(ORDER), False),
        ("{ $.gone = 1 }", json.dumps(ORDER), False),
        ("[ip, status=4*, size>100]", "10.0.0.1 404 512", True),
        ("[ip, status=4*, size>100]", "10.0.0.1 404 51", False),
        ("[ip, ..., size>100]", '10.0.0.1 [12/Nov 10:00] "GET / HTTP/1.1" 200 512', True),
        ("[ip, size]", "10.0.0.1 200 512", False),
    ],
)
def test_patterns(pattern: str, message: str, matches: bool) -> None:
    assert (compiled(pattern)(message) is not None) is matches


@pytest.mark.parametrize(
    "pattern",
    ["{ $.level", "{ level = 1 }", "{ $.n > big }", "{ $.a = 1 $.b = 2 }", "{ $.a IS BIG }", "%[%", "[a b c]"],
)
def test_mistakes_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match="Invalid filter pattern"):
        compiled(pattern)


def test_a_selector_finds_a_value() -> None:
    assert value_at(ORDER, "$.order.lines[0].size") == "big"
    with pytest.raises(KeyError):
        value_at(ORDER, "$.order.lines[3].size")
    with pytest.raises(KeyError):
        value_at(ORDER, "$.level.deeper")
