"""Writes metrics: equal values of one second are one data point, so that a busy hour does not fill the memory."""

from __future__ import annotations

import threading
import time
from typing import Any

_KEPT_SECONDS = 5
_SERVICES_KEEP_SECONDS = 3 * 60 * 60
_lock = threading.Lock()
_recent: dict[tuple[Any, ...], dict[str, Any]] = {}


def publish(
    namespace: str,
    name: str,
    value: float,
    unit: str = "None",
    dimensions: dict[str, str] | None = None,
    *,
    at: float | None = None,
) -> None:
    """Add a value to a metric of the current account and region.

    Args:
        at: Seconds of the epoch; now if omitted.
    """
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import cloudwatch

    dimensions = dict(dimensions or {})
    second = int(time.time() if at is None else at)
    metric = (namespace, name, cloudwatch._dims_key(dimensions))
    key = (get_account_id(), get_region(), metric, second, float(value))
    with _lock:
        point = _recent.get(key)
        if point is not None:
            point["Count"] += 1.0
            return
        point = {
            "Timestamp": float(second),
            "Value": float(value),
            "Count": 1.0,
            "Unit": unit,
            "Dimensions": dimensions,
        }
        cloudwatch._metric_bucket(metric).append(point)
        if len(_recent) > 1000:
            for old in [k for k in _recent if k[3] < second - _KEPT_SECONDS]:
                del _recent[old]
        _recent[key] = point


def prune() -> None:
    """Forget what the services themselves published some hours ago."""
    from ministack.services import cloudwatch

    oldest = time.time() - _SERVICES_KEEP_SECONDS
    for (_account, _region, (namespace, _name, _dimensions)), points in cloudwatch._metrics.all_items():
        if namespace.startswith("AWS/"):
            # In place, for a value may be added at this moment; they are in the order in which they came.
            del points[: sum(1 for point in points if point["Timestamp"] < oldest)]


def forget() -> None:
    """After a reset: the points are gone."""
    with _lock:
        _recent.clear()
