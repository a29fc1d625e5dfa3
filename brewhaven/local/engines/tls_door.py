"""Ends TLS in front of a server that speaks none, in a small process of its own.

The Valkey of the wheel is built without TLS. On AWS a node with encryption in transit speaks TLS from the first byte;
here this process does, with the certificate of the local cloud, and passes the bytes on over the loopback interface.
It is a process so that a busy cache does not slow the AWS APIs down, and it ends with the local cloud, however that
ends, because its standard input closes.

Standard library only: it runs without the tool's packages, which makes it small.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

_HOST = "127.0.0.1"
_BACKLOG = 512
_TLS_FIRST_BYTE = b"\x16"
_HANDSHAKE_SECONDS = 10
_GOODBYE_SECONDS = 1

# How a door takes its clients; the words of ElastiCache's TransitEncryptionMode, and "disabled" for none.
REQUIRED, PREFERRED, DISABLED = "required", "preferred", "disabled"


class DoorError(Exception):
    """A door could not be opened; the text says why."""


class TlsDoors:
    """The doors of one local cloud, on a process that is started with the first of them, and again if it dies.

    Args:
        certificate: PEM files of the certificate and its key.
        watchdog: Told of the process's group when it runs and when it has ended.
    """

    def __init__(self, certificate: tuple[Path, Path], watchdog: Any) -> None:
        self._certificate = certificate
        self._watchdog = watchdog
        self._lock = threading.RLock()
        self._process: subprocess.Popen[str] | None = None
        self._open: dict[int, dict[str, Any]] = {}

    def open(self, port: int, target: int, mode: str) -> None:
        """Lead 127.0.0.1:port to 127.0.0.1:target; a door that is open changes, and its connections end.

        Raises:
            DoorError: The port is taken by another program.
        """
        with self._lock:
            order = {"open": port, "to": target, "mode": mode}
            problem = self._tell(order)
            if problem:
                raise DoorError(problem)
            self._open[port] = order

    def close(self, port: int) -> None:
        """Close a door and end its connections; a port without a door is no error."""
        with self._lock:
            if self._open.pop(port, None) is not None:
                self._tell({"close": port})

    def stop(self) -> None:
        """Close all doors."""
        with self._lock:
            process, self._process = self._process, None
            self._open.clear()
        if process is not None:
            process.communicate()

    def _tell(self, order: dict[str, Any]) -> str:
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return str(json.loads(self._process.stdout.readline())["problem"])
        except (OSError, ValueError):
            return "the process that opens doors has ended"

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, *map(str, self._certificate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd="/",
            env={},
        )
        self._watchdog.guard(process.pid)
        threading.Thread(target=self._mourn, args=(process,), daemon=True, name="tls-doors").start()
        return process

    def _mourn(self, process: subprocess.Popen[str]) -> None:
        """If the process ended by itself, start another and open the doors again."""
        process.wait()
        self._watchdog.release(process.pid)
        with self._lock:
            if self._process is process:
                self._process = None
                for order in list(self._open.values()):
                    self._tell(order)


class _End(asyncio.Protocol):
    """One end of a connection; what it receives goes to the other one."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        assert self.other.transport is not None
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class _Client(_End):
    """The end that came in; its server is asked for once it is there, which under TLS means after the handshake."""

    def __init__(self, door: _Door) -> None:
        super().__init__()
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.pause_reading()
        self._door.clients.add(self)
        self._entering = asyncio.get_running_loop().create_task(self._enter())

    async def _enter(self) -> None:
        assert self.transport is not None
        try:
            _, server = await asyncio.get_running_loop().create_connection(_End, _HOST, self._door.target)
        except OSError:
            self.transport.close()
            return
        self.other, server.other = server, self
        if self.transport.is_closing():
            assert server.transport is not None
            server.transport.close()
        else:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.clients.discard(self)
        super().connection_lost(exc)


class _Door:
    """One port that is listened on."""

    def __init__(self, port: int, target: int, mode: str, context: ssl.SSLContext) -> None:
        self.target = target
        self.clients: set[_Client] = set()
        self._welcomes: set[asyncio.Task[None]] = set()
        self._mode = mode
        self._context = context
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((_HOST, port))
        except OSError:
            self._listener.close()
            raise
        self._listener.listen(_BACKLOG)
        self._listener.setblocking(False)
        self._task = asyncio.get_running_loop().create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = loop.create_task(self._welcome(connection))
            self._welcomes.add(task)
            task.add_done_callback(self._welcomes.discard)

    async def _welcome(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            secure = self._mode == REQUIRED or (self._mode == PREFERRED and await _begins_tls(connection))
            await loop.connect_accepted_socket(
                lambda: _Client(self),
                connection,
                ssl=self._context if secure else None,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if secure else None,
                ssl_shutdown_timeout=_GOODBYE_SECONDS if secure else None,
            )
        except (OSError, TimeoutError):
            # Without TLS where it is required, or gone again: AWS ends such a connection without a word, too.
            connection.close()

    def close(self) -> None:
        self._task.cancel()
        self._listener.close()
        for client in list(self.clients):
            if client.transport is not None:
                client.transport.abort()


async def _begins_tls(connection: socket.socket) -> bool:
    """Look at the first byte and leave it there."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), _HANDSHAKE_SECONDS)
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK) == _TLS_FIRST_BYTE


async def _serve(certificate: str, key: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    doors: dict[int, _Door] = {}
    orders: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(orders.put_nowait, line)
        loop.call_soon_threadsafe(orders.put_nowait, "")

    threading.Thread(target=read, daemon=True).start()
    while line := await orders.get():
        order, problem = json.loads(line), ""
        port = order.get("open") or order["close"]
        if port in doors:
            doors.pop(port).close()
            await asyncio.sleep(0)
        if "open" in order:
            try:
                doors[port] = _Door(port, order["to"], order["mode"], context)
            except OSError as error:
                problem = f"{_HOST}:{port}: {error.strerror}"
        print(json.dumps({"problem": problem}), flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(sys.argv[1], sys.argv[2]))
