"""Live updates by long polling: a request waits here until what it watches changes, or its time is up.

All who watch the same thing share one read a second, and a change made by this very process wakes them at once.  A
waiting request holds no thread.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool

from shop.domain.errors import Unavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")
Topic = tuple[Hashable, ...]


class _Watched:
    """One thing that somebody watches: the last that was read of it, and who waits for the next."""

    def __init__(self) -> None:
        self.watchers = 0
        self.latest: tuple[object, str] | None = None
        self.poked = asyncio.Event()
        self.news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.reader: asyncio.Task[None] | None = None


class LiveReads:
    """Waits for changes.  `every` is the pause between reads in seconds, `most` how many requests may wait at once."""

    def __init__(self, *, every: float = 1.0, most: int = 500) -> None:
        self._every = every
        self._most = most
        self._waiting = 0
        self._watched: dict[Topic, _Watched] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False

    async def wait(  # noqa: PLR0917  (a request's whole situation)
        self,
        topic: Topic,
        first: tuple[T, str],
        read: Callable[[], tuple[T, str]],
        known: str,
        seconds: float,
        gone: Callable[[], Awaitable[bool]],
    ) -> tuple[T, str]:
        """Answer (value, mark) as soon as the mark is not `known`, or after `seconds`, or when the caller is `gone`.

        `first` is what the caller has just read, `read` reads it again (in a thread).  When too many wait already,
        this request only pauses and then answers what it knows, so that nobody is turned away and nothing spins.
        """
        if first[1] != known or seconds <= 0 or self._stopping:
            return first
        if self._waiting >= self._most:
            await asyncio.sleep(min(seconds, 5 * self._every))
            return first
        self._waiting += 1
        watched = self._join(topic, read)
        latest = first
        try:
            loop = asyncio.get_running_loop()
            deadline = loop.time() + seconds
            while (left := deadline - loop.time()) > 0 and not self._stopping:
                await asyncio.wait([watched.news], timeout=min(left, self._every))
                if watched.latest is not None:
                    latest = watched.latest  # type: ignore[assignment]  # what `read` of this topic answered
                if latest[1] != known or await gone():
                    break
            return latest
        finally:
            self._waiting -= 1
            self._leave(topic, watched)

    def poke(self, *topics: Topic) -> None:
        """Something changed: read these topics (and those that begin alike) now.  May be called from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._poke, topics)

    def stop(self) -> None:
        """Let every waiting request answer now; the process is about to end.  May be called from a signal handler."""
        self._stopping = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake_all)

    def _join(self, topic: Topic, read: Callable[[], tuple[object, str]]) -> _Watched:
        self._loop = asyncio.get_running_loop()
        watched = self._watched.get(topic)
        if watched is None:
            watched = self._watched[topic] = _Watched()
            watched.reader = self._loop.create_task(self._keep_reading(watched, read))
        watched.watchers += 1
        return watched

    def _leave(self, topic: Topic, watched: _Watched) -> None:
        watched.watchers -= 1
        if watched.watchers == 0:
            del self._watched[topic]
            if watched.reader:
                watched.reader.cancel()

    async def _keep_reading(self, watched: _Watched, read: Callable[[], tuple[object, str]]) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(watched.poked.wait(), self._every)
            watched.poked.clear()
            try:
                watched.latest = await run_in_threadpool(read)
            except Unavailable:
                continue  # the adapter has noted it
            except Exception:
                logger.warning("a live read failed; it is tried again", exc_info=True)
                continue
            self._tell(watched)

    def _poke(self, topics: tuple[Topic, ...]) -> None:
        for topic, watched in self._watched.items():
            if any(topic[: len(poked)] == poked for poked in topics):
                watched.poked.set()

    def _wake_all(self) -> None:
        for watched in self._watched.values():
            self._tell(watched)

    def _tell(self, watched: _Watched) -> None:
        told, watched.news = watched.news, asyncio.get_running_loop().create_future()
        if not told.done():
            told.set_result(None)
