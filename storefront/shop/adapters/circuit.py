"""A circuit breaker: what did not answer a moment ago is not waited for again by every request."""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Circuit:
    """After a failure nobody tries for `rest` seconds; then one caller tries, and the others follow when it succeeds.

    `what` is the name in the log, which says once when it went away and once when it is back.
    See https://docs.aws.amazon.com/prescriptive-guidance/latest/cloud-design-patterns/circuit-breaker.html
    """

    def __init__(self, what: str, rest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._rest = rest
        self._clock = clock
        self._lock = threading.Lock()
        self._until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the last try failed."""
        return self._until is not None

    def may_try(self) -> bool:
        """Whether this caller may try now.  While it rests, that is one caller in `rest` seconds."""
        if self._until is None:
            return True
        with self._lock:
            now = self._clock()
            if self._until is not None and now < self._until:
                return False
            if self._until is not None:
                self._until = now + self._rest
            return True

    def succeeded(self) -> None:
        if self._until is None:
            return
        with self._lock:
            back, self._until = self._until is not None, None
        if back:
            logger.info("%s answers again", self._what)

    def failed(self, error: BaseException) -> None:
        with self._lock:
            news = self._until is None
            self._until = self._clock() + self._rest
        if news:
            logger.error("%s does not answer: %s", self._what, str(error).strip() or type(error).__name__)
