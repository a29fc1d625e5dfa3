"""One PostgreSQL server: its data folder, its settings and its process.

It listens on one port of 127.0.0.1, with TLS. ``rdsadmin`` is the superuser, as on RDS, and belongs to the local cloud:
its random password lies beside the data. The master user of the template gets what RDS gives it, which is less.
"""

from __future__ import annotations

import logging
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from brewhaven.local.engines.containers import end_group
from brewhaven.local.engines.postgres_programs import (
    as_database_user,
    client_programs,
    hand_over,
    server_programs,
)
from brewhaven.local.engines.watchdog import WATCHDOG
from brewhaven.local.settings import HOST

logger = logging.getLogger("brewhaven.local.rds")

ADMIN = "rdsadmin"
START_SECONDS = 60
STOP_SECONDS = 10
SQL_SECONDS = 60
_LOG_BYTES = 4_000_000
# Small, so that a base backup and the journal after it stay small; RDS has 64 MB.
_SEGMENT_MEGABYTES = 4
# What the master user may do beyond its own databases.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html
_ROLES = """
CREATE ROLE rds_superuser NOLOGIN IN ROLE pg_monitor, pg_signal_backend, pg_checkpoint, pg_use_reserved_connections;
CREATE ROLE rds_replication NOLOGIN;
CREATE ROLE rds_password NOLOGIN;
CREATE ROLE rds_iam NOLOGIN;
\\c template1
GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume() TO rds_superuser;
\\c postgres
GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume() TO rds_superuser;
CREATE ROLE :"master" LOGIN CREATEDB CREATEROLE PASSWORD :'password' VALID UNTIL 'infinity';
GRANT rds_superuser TO :"master" WITH ADMIN OPTION;
ALTER DATABASE postgres OWNER TO :"master";
"""
_DATABASE = 'CREATE DATABASE :"name" OWNER :"master";'


class PostgresError(Exception):
    """PostgreSQL did not start, or refused a statement; the text is its own."""


class PostgresServer:
    """One server.

    Args:
        folder: Everything of it: ``data``, ``tls``, ``rdsadmin`` and ``postgresql.log``.
        port: Port on 127.0.0.1.
        certificate: PEM files of the certificate and its key.
        on_log: Called with each line that the server writes, from a thread of its own.
    """

    def __init__(
        self, folder: Path, port: int, certificate: tuple[Path, Path], on_log: Callable[[str], None] | None = None
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log_file = folder / "postgresql.log"
        self.port = port
        self._certificate = certificate
        self._on_log = on_log or (lambda _line: None)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster while it runs."""
        return self._process.pid if self._process is not None and self.is_running else None

    @property
    def admin_password(self) -> str:
        return (self.folder / "rdsadmin").read_text()

    def keep_admin_password(self, password: str | None = None) -> None:
        """Write down the password of ``rdsadmin``: a new one, or that of the server from which the data comes."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = self.folder / "rdsadmin"
        file.touch(mode=0o600)
        file.write_text(password or secrets.token_urlsafe(24))
        hand_over(self.folder)

    def initialize(self) -> None:
        """Make the data folder of an empty server."""
        self.keep_admin_password()
        _run(
            server_programs() / "initdb", f"--pgdata={self.data}", f"--username={ADMIN}",
            f"--pwfile={self.folder / 'rdsadmin'}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
            "--locale-provider=icu", "--icu-locale=en-US", f"--wal-segsize={_SEGMENT_MEGABYTES}", "--no-sync",
        )  # fmt: skip

    def create_master(self, master: str, password: str, database: str) -> None:
        """Make the roles of RDS, the master user and its first database, if one was asked for."""
        self.sql("SET log_statement = 'none';" + _ROLES, master=master, password=password)
        if database and database != "postgres":
            self.sql(_DATABASE, name=database, master=master)

    def configure(self, settings: Mapping[str, str], *, force_tls: bool) -> None:
        """Write the settings for the next start or :meth:`reload`.

        Args:
            settings: Parameter -> value, beside those that make it this server.
            force_tls: Refuse connections without TLS, ``rds.force_ssl``.
        """
        tls = self.folder / "tls"
        if not tls.exists():
            tls.mkdir(mode=0o700)
        for source, name in zip(self._certificate, ("server.crt", "server.key"), strict=True):
            (tls / name).touch(mode=0o600)
            (tls / name).write_bytes(source.read_bytes())
        ours = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "ssl": "on",
            "ssl_cert_file": str(tls / "server.crt"),
            "ssl_key_file": str(tls / "server.key"),
            "password_encryption": "scram-sha-256",
            "logging_collector": "off",
            "log_destination": "stderr",
            "log_line_prefix": "%t:%r:%u@%d:[%p]:",
            "log_timezone": "UTC",
            "cluster_name": "",
        }
        kind = "hostssl" if force_tls else "host"
        rules = (
            f"host all {ADMIN} {HOST}/32 scram-sha-256",
            f"host replication {ADMIN} {HOST}/32 scram-sha-256",
            f"{kind} all all {HOST}/32 scram-sha-256",
        )
        lines = [f"{name} = {_quoted(value)}" for name, value in {**settings, **ours}.items()]
        (self.data / "postgresql.conf").write_text("\n".join([*lines, ""]))
        (self.data / "pg_hba.conf").write_text("\n".join([*rules, ""]))
        hand_over(tls, self.data / "postgresql.conf", self.data / "pg_hba.conf")

    def start(self, *, wait: bool = True) -> None:
        """Start the process, and wait until it accepts connections.

        Raises:
            PostgresError: It ended, with the last lines that it wrote.
        """
        self._forget_dead_process()
        process = subprocess.Popen(
            [*as_database_user(), server_programs() / "postgres", "-D", self.data],
            env=_environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._process = process
        WATCHDOG.guard(process.pid)
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True, name=f"pg-{self.port}")
        self._reader.start()
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until connections are accepted, of writers or of readers."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if not self.is_running or time.monotonic() > deadline:
                if self._reader is not None and not self.is_running:
                    self._reader.join(2)
                raise PostgresError("PostgreSQL did not start:\n" + "\n".join(self.last_lines(8)))
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        """The eighth line of its pid file says how far the server is."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0].strip() == str(self.pid) and lines[7].strip() in ("ready", "standby")

    def _forget_dead_process(self) -> None:
        """Remove the pid file of a server that was killed, unless a process of this data folder still lives.

        PostgreSQL would take any process that got the number meanwhile for the old server.
        """
        file = self.data / "postmaster.pid"
        deadline = time.monotonic() + STOP_SECONDS
        while file.exists() and time.monotonic() < deadline:
            number = file.read_text().split("\n", 1)[0].strip()
            listing = subprocess.run(["ps", "-wwo", "args=", "-p", number], capture_output=True, text=True, check=False)
            if str(self.data) not in listing.stdout:
                file.unlink(missing_ok=True)
            else:
                time.sleep(0.1)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        log = self.log_file.open("ab")
        for raw in process.stderr:
            if log.tell() > _LOG_BYTES:
                log.close()
                self.log_file.replace(self.log_file.with_suffix(".log.1"))
                log = self.log_file.open("ab")
            log.write(raw)
            log.flush()
            try:
                self._on_log(raw.decode(errors="replace").rstrip("\n"))
            except Exception:
                logger.exception("A line of %s was not delivered", self.log_file)
        log.close()
        process.wait()
        WATCHDOG.release(process.pid)

    def last_lines(self, count: int) -> list[str]:
        """The end of what it wrote."""
        return self.log_file.read_text(errors="replace").splitlines()[-count:] if self.log_file.exists() else []

    def stop(self) -> None:
        """End it in order, connections or not; one that does not end in time is killed and recovers when it starts."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        for number, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 2)):
            with suppress(ProcessLookupError):
                process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                break
        else:
            end_group(process.pid, signal.SIGKILL)
            process.wait()
        if self._reader is not None:
            self._reader.join(2)

    def reload(self) -> None:
        """Let it read its settings again; what can only change with a restart waits for one."""
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGHUP)

    def sql(self, statements: str, database: str = "postgres", **variables: str) -> str:
        """Run statements as ``rdsadmin``; return what they answered, a row a line, columns separated by ``|``.

        Args:
            statements: May use ``:'name'`` and ``:"name"`` for the variables, quoted as value and as identifier.

        Raises:
            PostgresError: What PostgreSQL said against it.
        """
        command = [client_programs() / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]
        given = "".join(f"\\set {name} {_psql_quoted(value)}\n" for name, value in variables.items())
        try:
            done = subprocess.run(
                command,
                input=given + statements,
                env=self.admin_environment(),
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
                timeout=SQL_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise PostgresError(f"PostgreSQL did not answer within {SQL_SECONDS} s") from None
        if done.returncode:
            raise PostgresError(done.stderr.strip())
        return done.stdout.strip()

    def admin_environment(self) -> dict[str, str]:
        """Variables with which client tools reach it as ``rdsadmin``."""
        return {
            **_environment(),
            "PGHOST": HOST,
            "PGPORT": str(self.port),
            "PGUSER": ADMIN,
            "PGPASSWORD": self.admin_password,
            "PGCONNECT_TIMEOUT": "5",
        }

    def copy_to(self, target: Path, *options: str) -> None:
        """Copy the running server's data to a folder with ``pg_basebackup``, with the journal that makes it whole."""
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        hand_over(target.parent)
        _run(
            client_programs() / "pg_basebackup", f"--pgdata={target}", "--checkpoint=fast", "--no-sync", *options,
            environment=self.admin_environment(),
        )  # fmt: skip

    def remove(self) -> None:
        """End it and remove everything of it."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C", "LC_ALL": "C", "TZ": "UTC"}


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _psql_quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def shell_quoted(path: Path) -> str:
    """A path for a command in a setting, where ``%`` has a meaning of its own."""
    return shlex.quote(str(path)).replace("%", "%%")


def _run(*command: object, environment: Mapping[str, str] | None = None) -> None:
    words = [*as_database_user(), *(str(word) for word in command)]
    done = subprocess.run(
        words, env=environment or _environment(), cwd="/", capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PostgresError(f"{Path(str(command[0])).name} failed:\n{(done.stderr or done.stdout).strip()[-2000:]}")
