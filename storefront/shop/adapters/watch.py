"""Breaks connections that take too long: the last resort against a server that has stopped but not gone.

The limits of PostgreSQL are kept by PostgreSQL.  A server whose machine hangs keeps none of them, while its side of the
connection stays open; every thread of the shop would wait for ever.
"""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Protocol

logger = logging.getLogger(__name__)
_LOOK_EVERY = 0.25


class HasSocket(Protocol):
    """A connection."""

    def fileno(self) -> int: ...


class Watch:
    """A thread that looks at what is going on four times a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._going_on: dict[int, tuple[HasSocket, float]] = {}
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="watch of connections", daemon=True).start()

    @contextlib.contextmanager
    def over(self, connection: HasSocket, seconds: float) -> Iterator[None]:
        """Break the connection if this takes longer."""
        key = id(connection)
        with self._lock:
            self._going_on[key] = connection, time.monotonic() + seconds
        try:
            yield
        finally:
            with self._lock:
                del self._going_on[key]

    def end(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_EVERY):
            now = time.monotonic()
            with self._lock:
                for connection, until in self._going_on.values():
                    if now > until:
                        _break(connection)


def _break(connection: HasSocket) -> None:
    """Whoever waits for it gets an error at once.  The descriptor itself stays its owner's to close."""
    with contextlib.suppress(OSError, ValueError), socket.socket(fileno=os.dup(connection.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
