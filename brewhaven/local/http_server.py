"""The HTTP/1.1 servers of the local cloud's process: the AWS APIs over TLS, and plain doors, all on one event loop.

Every SDK call, and every request to a load balancer, passes here, and all of them share one thread with the emulator.
So what a request costs before anybody looks at it decides how much the whole cloud can do; uvicorn's protocol with its
parser in C takes a quarter of what the emulator's own server takes. Only the protocol is uvicorn's: sockets, signals
and the end are the local cloud's.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from brewhaven.local.settings import HOST

KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 2.0
_BACKLOG = 1024

connection: contextvars.ContextVar[asyncio.Transport | None] = contextvars.ContextVar(
    "brewhaven_connection", default=None
)
"""The TCP connection over which the current request came."""


class _Connection(HttpToolsProtocol):
    """Lets each request know its connection, so that one can be cut off without an answer."""

    def on_headers_complete(self) -> None:
        connection.set(self.transport)  # copied by the request's task, which starts here
        super().on_headers_complete()


class _WithoutEnds(logging.Filter):
    """A request that is ended because the cloud ends (a long poll) is no error."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


async def serve(
    application: Any,
    port: int,
    until: Callable[[], Awaitable[Any]],
    *,
    certificate: tuple[Path, Path] | None = None,
    has_lifespan: bool = False,
) -> None:
    """Serve an ASGI application on 127.0.0.1:port until the awaitable returns, then let requests end for a moment.

    Args:
        certificate: PEM files of certificate and key; None for plain HTTP.
        has_lifespan: Whether the application is told of start and end.

    Raises:
        OSError: The port is taken by another program.
        RuntimeError: The application could not start; what it said is in the log.
    """
    log = logging.getLogger("uvicorn.error")
    log.setLevel(logging.WARNING)
    if not any(isinstance(one, _WithoutEnds) for one in log.filters):
        log.addFilter(_WithoutEnds())
    config = uvicorn.Config(
        application,
        interface="asgi3",
        ws="wsproto",
        lifespan="on" if has_lifespan else "off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the emulator reads them itself, as an AWS endpoint would
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    config.load()
    lifespan, state = config.lifespan_class(config), ServerState()
    await lifespan.startup()
    if lifespan.should_exit:
        raise RuntimeError("The emulator did not start; what it said stands above.")
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(config, state, lifespan.state), HOST, port, ssl=_tls(certificate), backlog=_BACKLOG
    )
    try:
        await until()
    finally:
        server.close()
        await _end(state)
        await lifespan.shutdown()


def _tls(certificate: tuple[Path, Path] | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


async def _end(state: ServerState) -> None:
    """Close silent connections at once; the others have a moment to answer what they were asked."""
    for open_connection in list(state.connections):
        open_connection.shutdown()
    if state.tasks:
        _, late = await asyncio.wait(set(state.tasks), timeout=_GRACE_SECONDS)
        for task in late:
            task.cancel()
