"""Counting attempts in the one table: an item a window, which TTL removes."""

from datetime import UTC, datetime, timedelta

from shop.adapters import keys
from shop.adapters.table import Table
from shop.domain.errors import TooMany
from shop.domain.ids import now, to_text


class DynamoLimiter:
    """Implements `shop.domain.ports.Limiter`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def count(self, what: str, who: str, *, limit: int, window: timedelta) -> None:
        start, ends = _window(window)
        item = self._table.update(
            keys.rate(what, who, to_text(start)),
            "ADD #attempts :one SET #expires_at = :ends, #window_seconds = :window, #type = :type",
            {
                ":one": 1,
                ":ends": int(ends.timestamp()),
                ":window": int(window.total_seconds()),
                ":type": "attempts",
            },
        )
        if item["attempts"] > limit:
            seconds = max(1, int((ends - now()).total_seconds()))
            raise TooMany(
                f"Too many attempts. Please wait {-(-seconds // 60)} minutes and try again.", retry_after=seconds
            )

    def forget(self, what: str, who: str, *, window: timedelta) -> None:
        self._table.delete(keys.rate(what, who, to_text(_window(window)[0])))


def _window(length: timedelta) -> tuple[datetime, datetime]:
    seconds = int(length.total_seconds())
    start = datetime.fromtimestamp(int(now().timestamp()) // seconds * seconds, UTC)
    return start, start + length
