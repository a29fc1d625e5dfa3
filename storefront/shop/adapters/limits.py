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
        start, ends = window_of(window)
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
        expect_few(item["attempts"], limit, ends)

    def forget(self, what: str, who: str, *, window: timedelta) -> None:
        self._table.delete(keys.rate(what, who, to_text(window_of(window)[0])))


def expect_few(attempts: int, limit: int, ends: datetime) -> None:
    """Raises `TooMany` until the window ends when there are more attempts than the limit."""
    if attempts > limit:
        seconds = max(1, int((ends - now()).total_seconds()))
        raise TooMany(f"Too many attempts. Please wait {-(-seconds // 60)} minutes and try again.", retry_after=seconds)


def window_of(length: timedelta) -> tuple[datetime, datetime]:
    """Begin and end of the window of this length that the present moment falls into."""
    seconds = int(length.total_seconds())
    start = datetime.fromtimestamp(int(now().timestamp()) // seconds * seconds, UTC)
    return start, start + length
