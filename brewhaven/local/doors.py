"""Plain HTTP doors on 127.0.0.1 for clients that do not know the local CA: browsers and visitors of a load balancer.

On AWS a browser trusts S3's certificate, and a load balancer ends TLS before it forwards. Here the S3 door counts as
secure transport in the same sense: the connection never leaves this machine.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from brewhaven.local.http_server import serve
from brewhaven.local.settings import HOST

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
# Every application here is ASGI 3.
Application = Any

FIRST_DOOR = 8080
LAST_DOOR = 8179


def as_secure_transport(application: Application) -> Application:
    """Wrap an application so that requests count as having come over TLS."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        await application({**scope, "scheme": "https"}, receive, send)

    return door


class Doors:
    """Opens and closes plain HTTP servers while the local cloud runs; safe to call from any thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closers: dict[int, asyncio.Event] = {}

    def open_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the event loop on which doors are served."""
        self._loop = loop

    def open(self, port: int, application: Application) -> None:
        """Serve an ASGI application on 127.0.0.1:port until :meth:`close`."""
        if self._loop is None:
            raise RuntimeError("Doors open only while the local cloud runs.")
        self._loop.call_soon_threadsafe(self._serve, port, application)

    def _serve(self, port: int, application: Application) -> None:
        closer = self._closers[port] = asyncio.Event()

        async def run() -> None:
            try:
                await serve(application, port, closer.wait)
            finally:
                self._closers.pop(port, None)

        assert self._loop is not None
        self._loop.create_task(run())

    def close(self, port: int) -> None:
        """Stop serving on a port; a port without a door is no error."""
        closer = self._closers.get(port)
        if closer is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(closer.set)


def is_free(port: int) -> bool:
    """Whether nothing listens on 127.0.0.1:port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


DOORS = Doors()
