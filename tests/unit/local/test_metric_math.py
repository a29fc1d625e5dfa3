"""Metric math (brewhaven/local/engines/metric_math.py)."""

from __future__ import annotations

import pytest

from brewhaven.local.engines.metric_math import ExpressionError, Formula, Series

KNOWN: dict[str, Series] = {
    "errors": {0: 1.0, 60: 0.0, 120: 4.0},
    "calls": {0: 10.0, 60: 0.0, 120: 8.0},
    "late": {60: 5.0},
}


def value(text: str) -> Series:
    return Formula(text, KNOWN.__getitem__, list(KNOWN), [0, 60, 120], 60).evaluate()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("errors + 1", {0: 2, 60: 1, 120: 5}),
        ("1 + 2 * 3 ^ 2 - -1", {0: 20, 60: 20, 120: 20}),
        ("100 * errors / calls", {0: 10, 120: 50}),  # nothing where it would divide by zero
        ("errors + late", {60: 5}),
        ("FILL(late, 0) + errors", {0: 1, 60: 5, 120: 4}),
        ("FILL(late, REPEAT)", {60: 5, 120: 5}),
        ("SUM(METRICS())", {0: 11, 60: 5, 120: 12}),
        ('SUM(METRICS("l"))', {0: 10, 60: 5, 120: 8}),
        ("MAX([errors, late])", {0: 1, 60: 5, 120: 4}),
        ("errors - AVG(calls)", {0: -5, 60: -6, 120: -2}),
        ("errors > 0", {0: 1, 60: 0, 120: 1}),
        ("IF(errors > 0 AND calls >= 10, calls, 0)", {0: 10, 60: 0, 120: 0}),
        ("RATE(errors) * PERIOD(errors)", {60: -1, 120: 4}),
        ("RUNNING_SUM(errors)", {0: 1, 60: 1, 120: 5}),
        ("ABS(DIFF(errors))", {60: 1, 120: 4}),
        ("METRIC_COUNT(METRICS())", {0: 3, 60: 3, 120: 3}),
    ],
)
def test_expressions(text: str, expected: Series) -> None:
    assert value(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("errors +", "ends too early"),
        ("errors errors", "unexpected 'errors'"),
        ("(errors", "expected '\\)', found its end"),
        ("nothing", "there is no id 'nothing'"),
        ("METRICS()", "more than one time series"),
        ('SEARCH("{AWS/Lambda}")', "unexpected"),
        ("ANOMALY_DETECTION_BAND(errors, 2)", "does not know the function ANOMALY_DETECTION_BAND"),
        ("errors ; 1", "unexpected '; 1'"),
    ],
)
def test_what_cannot_be_understood_is_said(text: str, sentence: str) -> None:
    with pytest.raises(ExpressionError, match=sentence):
        value(text)
