"""Metric math of CloudWatch: expressions over time series, for alarms, dashboards and GetMetricData.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import itertools
import math
import operator
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

# Seconds of the epoch at which a period begins -> value.
Series = dict[int, float]
Value = float | Series | list[Series]

_TOKEN = re.compile(r'\s*(\d+\.?\d*(?:[eE][+-]?\d+)?|"[^"]*"|[A-Za-z_]\w*|<=|>=|==|!=|&&|\|\||[-+*/^()<>,\[\]])')
_COMPARISONS: dict[str, Callable[[float, float], float]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b if b else math.nan,
}
_LOGIC: dict[str, Callable[[float, float], float]] = {
    "AND": lambda a, b: a != 0 and b != 0,
    "OR": lambda a, b: a != 0 or b != 0,
}
_LOGIC |= {"&&": _LOGIC["AND"], "||": _LOGIC["OR"]}


class ExpressionError(Exception):
    """An expression that cannot be understood, or that asks for what is not emulated."""


@dataclass
class Formula:
    """One expression, evaluated over the series that its ids name.

    Args:
        text: The expression.
        series: Returns the series of an id; KeyError if there is none.
        ids: All ids of metrics in the request, for ``METRICS()``.
        times: All periods that are asked about, for ``FILL``.
        period: Seconds.
    """

    text: str
    series: Callable[[str], Series]
    ids: Sequence[str]
    times: Sequence[int]
    period: int
    _words: list[str] = field(default_factory=list)

    def evaluate(self) -> Series:
        """The series that it describes; a scalar is repeated for each period.

        Raises:
            ExpressionError: It cannot be understood.
        """
        position = 0
        self._words = []
        text = self.text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ExpressionError(f"Error in expression: unexpected {text[position:].strip()[:20]!r}")
            self._words.append(match[1])
            position = match.end()
        value = self._logic()
        if self._words:
            raise ExpressionError(f"Error in expression: unexpected {self._words[0]!r}")
        if isinstance(value, list):
            raise ExpressionError("The expression returns more than one time series")
        return value if isinstance(value, dict) else dict.fromkeys(self.times, value)

    def _next(self, *wanted: str) -> str | None:
        if self._words and self._words[0].upper() in wanted:
            return self._words.pop(0).upper()
        return None

    def _take(self, wanted: str) -> None:
        if self._next(wanted) is None:
            found = repr(self._words[0]) if self._words else "its end"
            raise ExpressionError(f"Error in expression: expected {wanted!r}, found {found}")

    def _logic(self) -> Value:
        value = self._comparison()
        while word := self._next(*_LOGIC):
            value = _combine(value, self._comparison(), _LOGIC[word])
        return value

    def _comparison(self) -> Value:
        value = self._sum()
        if word := self._next(*_COMPARISONS):
            value = _combine(value, self._sum(), _COMPARISONS[word])
        return value

    def _sum(self) -> Value:
        value = self._product()
        while word := self._next("+", "-"):
            value = _combine(value, self._product(), _ARITHMETIC[word])
        return value

    def _product(self) -> Value:
        value = self._power()
        while word := self._next("*", "/"):
            value = _combine(value, self._power(), _ARITHMETIC[word])
        return value

    def _power(self) -> Value:
        if self._next("-"):
            return _combine(self._power(), -1.0, lambda a, b: a * b)
        value = self._operand()
        if self._next("^"):
            value = _combine(value, self._power(), lambda a, b: a**b)
        return value

    def _operand(self) -> Value:
        if not self._words:
            raise ExpressionError("Error in expression: it ends too early")
        word = self._words.pop(0)
        if word == "(":
            value = self._logic()
            self._take(")")
            return value
        if word == "[":
            return [_series(item) for item in self._arguments("]")]
        if word[0].isdigit():
            return float(word)
        if word[0] == '"':
            raise ExpressionError(f"Error in expression: unexpected {word}")
        if self._next("("):
            return self._call(word.upper())
        try:
            return self.series(word)
        except KeyError:
            raise ExpressionError(f"Error in expression: there is no id {word!r}") from None

    def _arguments(self, end: str) -> list[Value]:
        found: list[Value] = []
        while self._next(end) is None:
            if found:
                self._take(",")
            found.append(self._logic())
        return found

    def _call(self, name: str) -> Value:
        special: dict[str, Callable[[], Value]] = {"METRICS": self._metrics, "FILL": self._fill}
        if name in special:
            return special[name]()
        arguments = self._arguments(")")
        if name in _REDUCTIONS:
            return _reduce(arguments, _REDUCTIONS[name])
        one = arguments[0] if len(arguments) == 1 else None
        found: Value | None = None
        if name == "IF" and len(arguments) in (2, 3):
            found = _choose(*arguments)
        elif one is not None and name in _MAPS:
            found = _map(one, _MAPS[name])
        elif one is not None and name in _OVER_TIME:
            found = _OVER_TIME[name](_series(one))
        elif name == "METRIC_COUNT" and isinstance(one, list):
            found = float(len(one))
        elif name == "PERIOD" and one is not None:
            found = float(self.period)
        if found is None:
            raise ExpressionError(f"The local cloud does not know the function {name} with {len(arguments)} arguments")
        return found

    def _metrics(self) -> Value:
        wanted = self._words.pop(0).strip('"') if self._words and self._words[0].startswith('"') else ""
        self._take(")")
        return [self.series(identity) for identity in self.ids if wanted in identity]

    def _fill(self) -> Value:
        source = self._logic()
        self._take(",")
        how = self._next("REPEAT", "LINEAR")
        number = None if how else self._logic()
        self._take(")")
        many = source if isinstance(source, list) else [_series(source)]
        filled = [self._filled(one, how, number) for one in many]
        return filled if isinstance(source, list) else filled[0]

    def _filled(self, series: Series, how: str | None, number: Value | None) -> Series:
        result = dict(series)
        known = sorted(series)
        for time in self.times:
            if time in series:
                continue
            before = max((t for t in known if t < time), default=None)
            after = min((t for t in known if t > time), default=None)
            if how is None:
                result[time] = float(number) if isinstance(number, float) else _series(number or {}).get(time, 0.0)
            elif before is not None and how == "REPEAT":
                result[time] = series[before]
            elif before is not None and after is not None:
                share = (time - before) / (after - before)
                result[time] = series[before] + share * (series[after] - series[before])
        return dict(sorted(result.items()))


def _series(value: Value) -> Series:
    if isinstance(value, dict):
        return value
    raise ExpressionError("Error in expression: a time series is needed")


def _combine(left: Value, right: Value, function: Callable[[float, float], float]) -> Value:
    """Apply an operation point by point; where one side has no value, or the result is no number, there is none."""
    if isinstance(left, list):
        return [_series(_combine(one, right, function)) for one in left]
    if isinstance(right, list):
        return [_series(_combine(left, one, function)) for one in right]
    if isinstance(left, float) and isinstance(right, float):
        return float(function(left, right))
    times = left if isinstance(left, dict) else _series(right)
    result: Series = {}
    for time in times:
        a = left.get(time) if isinstance(left, dict) else left
        b = right.get(time) if isinstance(right, dict) else right
        if a is not None and b is not None and not math.isnan(value := float(function(a, b))):
            result[time] = value
    return result


def _map(value: Value, function: Callable[[float], float]) -> Value:
    return _combine(value, 0.0, lambda a, _: function(a))


def _reduce(arguments: list[Value], function: Callable[[list[float]], float]) -> Value:
    """One series becomes a number; several become one series, period by period."""
    if len(arguments) == 1 and isinstance(arguments[0], dict):
        values = list(arguments[0].values())
        return function(values) if values else math.nan
    many = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else [_series(a) for a in arguments]
    times = sorted({time for series in many for time in series})
    return {time: function([series[time] for series in many if time in series]) for time in times}


def _choose(condition: Value, then: Value, otherwise: Value | None = None) -> Value:
    """``IF``: for each period the one value or the other; without the other there is none."""
    if isinstance(condition, float):
        return then if condition else ({} if otherwise is None else otherwise)
    result: Series = {}
    for time, holds in _series(condition).items():
        value = then if holds else otherwise
        found = value.get(time) if isinstance(value, dict) else value
        if isinstance(found, float):
            result[time] = found
    return result


def _running_sum(series: Series) -> Series:
    total, result = 0.0, {}
    for time, value in sorted(series.items()):
        total += value
        result[time] = total
    return result


def _steps(series: Series, by_time: bool) -> Series:
    """The difference to the value before, or that difference a second."""
    times = sorted(series)
    return {
        time: (series[time] - series[before]) / ((time - before) if by_time else 1)
        for before, time in itertools.pairwise(times)
    }


_REDUCTIONS: dict[str, Callable[[list[float]], float]] = {
    "AVG": statistics.fmean,
    "MAX": max,
    "MIN": min,
    "STDDEV": statistics.pstdev,
    "SUM": math.fsum,
}
_MAPS: dict[str, Callable[[float], float]] = {
    "ABS": abs,
    "CEIL": lambda value: float(math.ceil(value)),
    "FLOOR": lambda value: float(math.floor(value)),
    "LOG": lambda value: math.log(value) if value > 0 else math.nan,
    "LOG10": lambda value: math.log10(value) if value > 0 else math.nan,
}
_OVER_TIME: dict[str, Callable[[Series], Value]] = {
    "DIFF": lambda series: _steps(series, by_time=False),
    "RATE": lambda series: _steps(series, by_time=True),
    "RUNNING_SUM": _running_sum,
    "FIRST": lambda series: series[min(series)] if series else math.nan,
    "LAST": lambda series: series[max(series)] if series else math.nan,
    "TIME_SERIES": lambda series: series,
}
