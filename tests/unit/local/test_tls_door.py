"""The process that ends TLS in front of a server without it (brewhaven/local/engines/tls_door.py)."""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from brewhaven.local import tls
from brewhaven.local.engines.tls_door import DISABLED, PREFERRED, REQUIRED, DoorError, TlsDoors

HOST = "127.0.0.1"


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while chunk := self.request.recv(65536):
            self.request.sendall(chunk)


class Guarded:
    """Stands in for the watchdog."""

    def __init__(self) -> None:
        self.groups: list[int] = []

    def guard(self, group: int) -> None:
        self.groups.append(group)

    def release(self, group: int) -> None:
        self.groups.remove(group)


class Setting:
    """An echo server, doors, and clients of them."""

    def __init__(self, folder: Path) -> None:
        self.authority, certificate, key = tls.ensure_certificates(folder)
        self.watchdog = Guarded()
        self.doors = TlsDoors((certificate, key), self.watchdog)
        self.echo = socketserver.ThreadingTCPServer((HOST, 0), Echo)
        self.echo.daemon_threads = True
        threading.Thread(target=self.echo.serve_forever, daemon=True).start()
        self.target = self.echo.server_address[1]
        self.port = free_port()

    def ask(self, *, secure: bool, text: bytes = b"PING") -> bytes:
        """What comes back from the door; nothing if it ends the connection."""
        with socket.create_connection((HOST, self.port), timeout=5) as plain:
            if not secure:
                plain.sendall(text)
                return received(plain, len(text))
            context = ssl.create_default_context(cafile=str(self.authority))
            with context.wrap_socket(plain, server_hostname=HOST) as line:
                line.sendall(text)
                return received(line, len(text))


def received(line: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count and (chunk := line.recv(65536)):
        found += chunk
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    made = Setting(tmp_path)
    yield made
    made.doors.stop()
    made.echo.shutdown()
    made.echo.server_close()


def fails(setting: Setting, *, secure: bool) -> bool:
    try:
        return setting.ask(secure=secure) != b"PING"
    except OSError:
        return True


def test_how_a_door_takes_its_clients(setting: Setting) -> None:
    setting.doors.open(setting.port, setting.target, REQUIRED)
    assert setting.ask(secure=True) == b"PING"
    assert fails(setting, secure=False)
    setting.doors.open(setting.port, setting.target, PREFERRED)
    assert setting.ask(secure=True) == setting.ask(secure=False) == b"PING"
    setting.doors.open(setting.port, setting.target, DISABLED)
    assert setting.ask(secure=False) == b"PING"
    assert fails(setting, secure=True)
    setting.doors.close(setting.port)
    setting.doors.close(setting.port)
    assert fails(setting, secure=False)


def test_much_passes_in_both_directions(setting: Setting) -> None:
    setting.doors.open(setting.port, setting.target, REQUIRED)
    text = os.urandom(1_000_000) * 5
    context = ssl.create_default_context(cafile=str(setting.authority))
    with (
        socket.create_connection((HOST, setting.port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as line,
    ):
        for start in range(0, len(text), 250_000):
            line.sendall(text[start : start + 250_000])
            assert received(line, 250_000) == text[start : start + 250_000]


def test_a_server_that_is_gone_ends_the_connection(setting: Setting) -> None:
    setting.doors.open(setting.port, free_port(), REQUIRED)
    assert fails(setting, secure=True)


def test_a_port_that_is_taken_is_said(setting: Setting) -> None:
    with pytest.raises(DoorError, match=f"127.0.0.1:{setting.target}: Address already in use"):
        setting.doors.open(setting.target, setting.target, REQUIRED)


def test_the_process_is_guarded_and_replaced_when_it_dies(setting: Setting) -> None:
    setting.doors.open(setting.port, setting.target, REQUIRED)
    [group] = setting.watchdog.groups
    os.kill(group, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while fails(setting, secure=True):
        assert time.monotonic() < deadline, "no other process opened the door again"
        time.sleep(0.05)
    assert setting.watchdog.groups != [group]
    setting.doors.stop()
    deadline = time.monotonic() + 20
    while setting.watchdog.groups:
        assert time.monotonic() < deadline, "the process did not end"
        time.sleep(0.05)
