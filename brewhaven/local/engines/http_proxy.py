"""Forward a request to a process over HTTP/1.1 and stream its answer: the way from a load balancer to a target.

Connections are kept and used again. A client that goes away ends the request to the target, so that long polls do not
pile up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import h11

from brewhaven.local.settings import HOST

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 60.0
# Shorter than any common server keeps a silent connection, so that a request is not sent into a closing one.
KEPT_SECONDS = 2.0
KEPT_CONNECTIONS = 32
_CHUNK = 65536
_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection", "content-length", "te"}


class TargetError(Exception):
    """The target did not answer; ``status`` is what the load balancer says then."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


@dataclass
class _Line:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    protocol: h11.Connection
    used: bool = False
    since: float = 0

    def close(self) -> None:
        self.writer.close()


@dataclass
class Answer:
    """What a target answered; read ``body`` to its end, or call ``close``."""

    status: int
    headers: dict[str, list[str]]
    line: _Line
    pool: Pool
    port: int

    async def body(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        try:
            while True:
                event = await _next_event(self.line, IDLE_SECONDS)
                if isinstance(event, h11.Data):
                    yield bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self.pool.put_back(self.port, self.line)
                    return
                else:
                    raise TargetError(502, "the target closed the connection in the middle of its answer")
        except BaseException:
            self.line.close()
            raise

    def close(self) -> None:
        """Give the connection up."""
        self.line.close()


async def _next_event(line: _Line, seconds: float) -> Any:
    while True:
        event = line.protocol.next_event()
        if event is not h11.NEED_DATA:
            return event
        line.protocol.receive_data(await asyncio.wait_for(line.reader.read(_CHUNK), seconds))


class Pool:
    """Connections to processes of this machine, by port; belongs to one event loop."""

    def __init__(self) -> None:
        self._kept: dict[int, list[_Line]] = {}

    def put_back(self, port: int, line: _Line) -> None:
        """Keep a connection whose exchange is over."""
        kept = self._kept.setdefault(port, [])
        done = line.protocol.our_state is h11.DONE and line.protocol.their_state is h11.DONE
        if not done or len(kept) >= KEPT_CONNECTIONS:
            line.close()
            return
        line.protocol.start_next_cycle()
        line.used, line.since = True, time.monotonic()
        kept.append(line)

    async def _line(self, port: int) -> _Line:
        kept = self._kept.get(port, [])
        while kept:
            line = kept.pop()
            if time.monotonic() - line.since < KEPT_SECONDS and not line.reader.at_eof():
                return line
            line.close()
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(HOST, port), CONNECT_SECONDS)
        except TimeoutError:
            raise TargetError(504, "the target did not accept the connection in time") from None
        except OSError as error:
            raise TargetError(502, f"the target refused the connection: {error.strerror}") from None
        return _Line(reader, writer, h11.Connection(h11.CLIENT))

    async def request(
        self, port: int, method: str, target: str, headers: Mapping[str, str], body: bytes, *, again: bool = True
    ) -> Answer:
        """Send a request and return when the target's headers are there.

        Raises:
            TargetError: 502 if it refused or hung up, 504 if it took longer than the idle timeout.
        """
        line = await self._line(port)
        fields = [(n.encode(), v.encode("latin-1")) for n, v in headers.items() if n.lower() not in _HOP_BY_HOP]
        fields.append((b"content-length", str(len(body)).encode()))
        try:
            outgoing = line.protocol.send(h11.Request(method=method.encode(), target=target.encode(), headers=fields))
            outgoing = (outgoing or b"") + (line.protocol.send(h11.Data(data=body)) or b"" if body else b"")
            line.writer.write(outgoing + (line.protocol.send(h11.EndOfMessage()) or b""))
            await line.writer.drain()
            event = await _next_event(line, IDLE_SECONDS)
            while isinstance(event, h11.InformationalResponse):
                event = await _next_event(line, IDLE_SECONDS)
        except TimeoutError:
            line.close()
            raise TargetError(504, f"the target did not answer in {IDLE_SECONDS:.0f} s") from None
        except (OSError, h11.RemoteProtocolError) as error:
            line.close()
            if line.used and again:
                # It had closed the silent connection just then; the request never reached the program.
                return await self.request(port, method, target, headers, body, again=False)
            raise TargetError(502, f"the target hung up: {error}") from None
        except BaseException:
            line.close()
            raise
        if not isinstance(event, h11.Response):
            line.close()
            raise TargetError(502, "the target hung up")
        answer: dict[str, list[str]] = {}
        for name, value in event.headers:
            if name.decode() not in ("connection", "transfer-encoding", "keep-alive"):
                answer.setdefault(name.decode(), []).append(value.decode("latin-1"))
        return Answer(event.status_code, answer, line, self, port)

    def close(self) -> None:
        """Close what is kept."""
        for lines in self._kept.values():
            for line in lines:
                with suppress(OSError):
                    line.close()
        self._kept.clear()
