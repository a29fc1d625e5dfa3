"""How many requests a target is answering, so that it is not stopped in the middle of one.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#deregistration-delay
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class InFlight:
    """Counts requests by the target's address; safe to use from any thread."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def request(self, address: str) -> Iterator[None]:
        """Count one request while it lasts."""
        with self._changed:
            self._counts[address] += 1
        try:
            yield
        finally:
            with self._changed:
                self._counts[address] -= 1
                if not self._counts[address]:
                    del self._counts[address]
                self._changed.notify_all()

    def wait_until_idle(self, address: str, seconds: float) -> bool:
        """Wait until a target answers nothing; return False if it still does after that time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._counts[address], seconds)


IN_FLIGHT = InFlight()
