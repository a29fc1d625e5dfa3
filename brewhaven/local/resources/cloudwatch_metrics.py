"""CloudWatch metrics: data of several queries with expressions, and points that do not pile up.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

import copy
import re
import time
from typing import Any

from brewhaven.local.emulator import Response
from brewhaven.local.engines.metric_math import ExpressionError, Series
from brewhaven.local.engines.metric_points import forget, publish
from brewhaven.local.engines.metric_queries import Grid, Queries, aligned
from brewhaven.local.registry import REGISTRY, correction, replace

Record = dict[str, Any]
_SAVED = ("alarms", "composite_alarms", "composite_triggers", "alarm_history", "dashboards", "resource_tags")
_NEWEST_FIRST, _OLDEST_FIRST = "TimestampDescending", "TimestampAscending"


def from_query(parameters: Record, root: str) -> list[Record]:
    """A list of structures in the parameters of the Query protocol, which older clients still speak."""
    from ministack.services import cloudwatch

    tree: Record = {}
    for name in parameters:
        if not name.startswith(f"{root}.member."):
            continue
        place: Any = tree
        steps = [step for step in re.split(r"\.", name.removeprefix(root + ".")) if step]
        for step, following in zip(steps, [*steps[1:], ""], strict=True):
            if step == "member":
                continue
            if following:
                place = place.setdefault(step, {})
            else:
                place[step] = cloudwatch._p(parameters, name)
    return [_as_structure(tree[key]) for key in sorted(tree, key=int)]


def _as_structure(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return {"true": True, "false": False}.get(tree, tree)
    if tree and all(key.isdigit() for key in tree):
        return [_as_structure(tree[key]) for key in sorted(tree, key=int)]
    return {key: _as_structure(value) for key, value in tree.items()}


def _result(queries: Queries, query: Record, newest_first: bool) -> Record:
    series: Series = queries.series(query["Id"])
    times = sorted(series, reverse=newest_first)
    metric = (query.get("MetricStat") or {}).get("Metric", {})
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or metric.get("MetricName") or query["Id"],
        "StatusCode": "Complete",
        "Timestamps": times,
        "Values": [series[at] for at in times],
    }


def _ask(asked: list[Record], start: float, end: float, order: str) -> list[Record]:
    def grid(period: int) -> Grid:
        return aligned(start, end, period)

    queries = Queries(asked, grid)
    wanted = [query for query in asked if query.get("ReturnData", True)]
    return [_result(queries, query, order != _OLDEST_FIRST) for query in wanted]


@correction
def metric_data_has_expressions() -> None:
    """Queries may be expressions over others; a metric without dimensions is not the sum of those with some.

    Statistics, expressions and SEARCH that are not emulated are refused with their name.
    """
    from ministack.services import cloudwatch

    def build(_original: Any) -> Any:
        def get(parameters: Record, document: Record, is_cbor: bool, is_json: bool = False) -> Response:
            query = not (is_cbor or is_json)
            asked = from_query(parameters, "MetricDataQueries") if query else document.get("MetricDataQueries") or []
            given: Any = (lambda name: cloudwatch._p(parameters, name)) if query else document.get
            start, end = cloudwatch._parse_ts(given("StartTime")), cloudwatch._parse_ts(given("EndTime"))
            try:
                results = _ask(asked, start or 0.0, end or time.time(), given("ScanBy") or _NEWEST_FIRST)
            except (ExpressionError, KeyError) as error:
                said = str(error) if isinstance(error, ExpressionError) else f"A query lacks {error}"
                return cloudwatch._error("ValidationError", said, 400, use_json=is_json, use_cbor=is_cbor)  # type: ignore[no-any-return]
            for result in results:
                result["Timestamps"] = [cloudwatch._ts_iso(at) for at in result["Timestamps"]]
            if is_cbor:
                answer = {"MetricDataResults": [cloudwatch._cbor_metric_data_result(result) for result in results]}
                return cloudwatch._cbor_ok(answer)  # type: ignore[no-any-return]
            if is_json:
                return cloudwatch._json_ok({"MetricDataResults": results})  # type: ignore[no-any-return]
            return _as_xml(results)

        return get

    replace(cloudwatch, "_get_metric_data", build)


def _as_xml(results: list[Record]) -> Response:
    from xml.sax.saxutils import escape

    from ministack.services import cloudwatch

    def members(values: list[Any]) -> str:
        return "".join(f"<member>{value}</member>" for value in values)

    inner = members(
        [
            f"<Id>{result['Id']}</Id><Label>{escape(result['Label'])}</Label><StatusCode>Complete</StatusCode>"
            f"<Timestamps>{members(result['Timestamps'])}</Timestamps><Values>{members(result['Values'])}</Values>"
            for result in results
        ]
    )
    inner = f"<GetMetricDataResult><MetricDataResults>{inner}</MetricDataResults></GetMetricDataResult>"
    answer: Response = cloudwatch._xml(200, "GetMetricDataResponse", inner)
    return answer


@correction
def points_do_not_pile_up() -> None:
    """The services' own metrics keep one point a second and value, and are not written to disk with the state.

    The emulator copies every point of every call at each save, and walks through all of them at each request.
    """
    from ministack.core.responses import AccountRegionScopedDict
    from ministack.services import cloudwatch

    def record(_original: Any) -> Any:
        def add(namespace: str, name: str, value: float, unit: str = "None", dimensions: Any = None) -> None:
            publish(namespace, name, value, unit, dimensions)

        return add

    def state(_original: Any) -> Any:
        def get() -> Record:
            kept = AccountRegionScopedDict()
            for (account, region, key), points in cloudwatch._metrics.all_items():
                if not key[0].startswith("AWS/"):
                    kept.set_scoped(account, region, key, copy.deepcopy(points))
            return {"metrics": kept, **{name: copy.deepcopy(getattr(cloudwatch, f"_{name}")) for name in _SAVED}}

        return get

    evicted = [time.monotonic()]

    def evict(original: Any) -> Any:
        def now_and_then() -> None:
            if time.monotonic() - evicted[0] > 3600:
                evicted[0] = time.monotonic()
                original()

        return now_and_then

    replace(cloudwatch, "record_metric", record)
    replace(cloudwatch, "get_state", state)
    replace(cloudwatch, "_evict_old_metrics", evict)


REGISTRY.on_reset.append(forget)
