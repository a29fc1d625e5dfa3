"""Doors for plain TCP: an address and port of this machine that leads to the port on which a process really listens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from brewhaven.local.settings import HOST

_CHUNK = 65536

Find = Callable[[], int | None]


class TcpDoors:
    """Open doors, on an event loop and a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: dict[tuple[str, int], asyncio.Server] = {}

    def start(self) -> None:
        """Begin to serve; ends with the process."""
        threading.Thread(target=self._loop.run_forever, daemon=True, name="tcp-doors").start()

    @property
    def addresses(self) -> set[tuple[str, int]]:
        """Where doors are open."""
        return set(self._servers)

    def open(self, host: str, port: int, find: Find) -> None:
        """Lead connections to the loopback port that ``find`` names at that moment; OSError if the port is taken."""
        future = asyncio.run_coroutine_threadsafe(self._serve(host, port, find), self._loop)
        self._servers[host, port] = future.result(5)

    def close(self, host: str, port: int) -> None:
        """Close a door; its connections end with the process behind them."""
        server = self._servers.pop((host, port), None)
        if server is not None:
            self._loop.call_soon_threadsafe(server.close)

    @staticmethod
    async def _serve(host: str, port: int, find: Find) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                inner_reader, inner_writer = await asyncio.open_connection(HOST, find() or 0)
            except OSError:
                writer.close()
                return
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

        return await asyncio.start_server(connected, host, port)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with suppress(OSError):
        writer.close()
