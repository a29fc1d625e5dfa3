"""Reads metrics: a request of several queries, some of metrics and some of expressions over the others.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from brewhaven.local.engines.metric_math import ExpressionError, Formula, Series

Record = dict[str, Any]
_STATISTIC = re.compile(r"^(Average|Sum|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d+)?|p100)$")
DEFAULT_PERIOD = 60


@dataclass(frozen=True)
class Grid:
    """The periods that are asked about.

    Attributes:
        times: The beginning of each, in seconds of the epoch, ascending.
        place: Returns the beginning of the period in which a moment lies, or None if that is not asked about.
    """

    times: Sequence[int]
    place: Callable[[float], int | None]


def aligned(start: float, end: float, period: int) -> Grid:
    """Periods as GetMetricData has them: they begin at multiples of their length."""
    first = int(start // period) * period
    times = range(first, int(end) + 1, period)
    return Grid(times, lambda at: int(at // period) * period if start <= at < end else None)


def rolling(now: float, period: int, count: int) -> Grid:
    """Periods that end at this moment, as the alarms of the local cloud look back."""
    begin = now - period * count
    times = [int(begin + period * number) for number in range(count)]

    def place(at: float) -> int | None:
        number = int((at - begin) // period)
        return times[number] if 0 <= number < count else None

    return Grid(times, place)


@dataclass
class Queries:
    """The queries of one request.

    Args:
        queries: As ``MetricDataQueries``.
        grid: Returns the periods of a length.
    """

    queries: Sequence[Record]
    grid: Callable[[int], Grid]
    _known: dict[str, Series] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def series(self, identity: str) -> Series:
        """The values of a query by the beginning of their period.

        Raises:
            ExpressionError: An expression, a statistic or an id is not understood.
            KeyError: There is no such query.
        """
        if identity not in self._known:
            query = next((query for query in self.queries if query["Id"] == identity), None)
            if query is None:
                raise KeyError(identity)
            if identity in self._open:
                raise ExpressionError(f"Error in expression: {identity} refers to itself")
            self._open.append(identity)
            try:
                self._known[identity] = self._formula(query) if query.get("Expression") else self._metric(query)
            finally:
                self._open.remove(identity)
        return self._known[identity]

    def period_of(self, query: Record) -> int:
        """Seconds; of an expression its own, else the longest of all metrics in the request."""
        own = query.get("Period") or (query.get("MetricStat") or {}).get("Period")
        if own:
            return int(own)
        stats = [int(q["MetricStat"].get("Period") or DEFAULT_PERIOD) for q in self.queries if q.get("MetricStat")]
        return max(stats, default=DEFAULT_PERIOD)

    def _formula(self, query: Record) -> Series:
        period = self.period_of(query)
        metrics = [q["Id"] for q in self.queries if q.get("MetricStat")]
        return Formula(query["Expression"], self.series, metrics, self.grid(period).times, period).evaluate()

    def _metric(self, query: Record) -> Series:
        stat = query["MetricStat"]
        metric = stat["Metric"]
        dimensions = {d["Name"]: d["Value"] for d in metric.get("Dimensions") or []}
        return read(
            metric["Namespace"], metric["MetricName"], dimensions, str(stat["Stat"]), self.grid(self.period_of(query))
        )


def read(namespace: str, name: str, dimensions: Record, statistic: str, grid: Grid) -> Series:
    """One metric, which is its namespace, its name and exactly its dimensions.

    Raises:
        ExpressionError: A statistic that is not emulated.
    """
    from ministack.services import cloudwatch

    if not _STATISTIC.match(statistic):
        raise ExpressionError(f"The local cloud does not know the statistic {statistic}")
    found: dict[int, list[Record]] = {}
    for point in list(cloudwatch._metrics.get((namespace, name, cloudwatch._dims_key(dimensions))) or []):
        time = grid.place(point["Timestamp"])
        if time is not None:
            found.setdefault(time, []).append(point)
    series: Series = {}
    for time in sorted(found):
        value = cloudwatch._stat_value(cloudwatch._calc_stats(found[time]), statistic, found[time])
        if value is not None:
            series[time] = float(value)
    return series
