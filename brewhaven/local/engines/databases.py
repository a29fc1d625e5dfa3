"""The PostgreSQL servers behind the DB instances of RDS: a data folder, a process and a network interface for each.

The record of the emulator's API is what AWS would show. Here is what runs behind it. Data stays over ``down`` and
``up``; a server that was killed recovers when it is started again.

docs/decisions/0012-local-databases.md says why.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from brewhaven.local.doors import is_free
from brewhaven.local.engines import postgres_parameters
from brewhaven.local.engines.common import CONTAINERS
from brewhaven.local.engines.network import NETWORK, Interface, Published, UnreachableError
from brewhaven.local.engines.postgres_programs import hand_over
from brewhaven.local.engines.postgres_server import ADMIN, PostgresError, PostgresServer, shell_quoted
from brewhaven.local.engines.reservations import RESERVATIONS
from brewhaven.local.settings import HOST, CloudSettings

logger = logging.getLogger("brewhaven.local.rds")

FOLDER = CONTAINERS / "databases"
FIRST_PORT, LAST_PORT = 15432, 15999
PORT_IN_VPC = 5432
_NOT_LESS_THAN_SOURCE = (
    "max_connections", "max_worker_processes", "max_prepared_transactions", "max_locks_per_transaction",
)  # fmt: skip
Record = dict[str, Any]


def certificate() -> tuple[Path, Path]:
    """PEM files of the certificate that databases show, and of its key."""
    folder = CloudSettings.from_environment().folder / "tls"
    return folder / "server.pem", folder / "server.key"


_ports_lock = threading.Lock()
_given: set[int] = set()


def choose_port() -> int:
    """A port of this machine that no other database has or was given a moment ago."""
    from ministack.services import rds

    with _ports_lock:
        kept = {record["Endpoint"]["Port"] for _key, record in rds._instances.all_items() if "_port" in record}
        for port in range(FIRST_PORT, LAST_PORT + 1):
            if port not in kept | _given and is_free(port) and RESERVATIONS.hold(HOST, port):
                _given.add(port)
                return port
    raise PostgresError(f"No free port from {FIRST_PORT} to {LAST_PORT} for another database.")


class Database:
    """What runs behind one DB instance.

    Args:
        record: The instance as the API has it; ``_port`` in it is the port inside the VPC, its endpoint's that of this
            machine.
        on_log: Called with the record and each line that the server writes.
    """

    def __init__(
        self, record: Record, account: str, region: str, on_log: Callable[[Database, str], None] | None = None
    ) -> None:
        self.record = record
        self.account = account
        self.region = region
        self.lock = threading.RLock()
        self._interface: Interface | None = None
        say = on_log or (lambda _database, _line: None)
        self.server = PostgresServer(
            FOLDER / record["DbiResourceId"],
            int(record["Endpoint"]["Port"]),
            certificate(),
            lambda line: say(self, line),
        )

    @property
    def identifier(self) -> str:
        return str(self.record["DBInstanceIdentifier"])

    @property
    def is_replica(self) -> bool:
        return bool(self.record.get("ReadReplicaSourceDBInstanceIdentifier"))

    @property
    def keeps_backups(self) -> bool:
        """Whether automated backups are made: a retention period, and no replica, whose source makes them."""
        return int(self.record.get("BackupRetentionPeriod") or 0) > 0 and not self.is_replica

    @property
    def journal(self) -> Path:
        """Where the finished segments of its write-ahead log are kept for restores."""
        return self.server.folder / "journal"

    def parameters(self) -> dict[str, str]:
        """Values of its parameter group."""
        from ministack.services import rds

        groups = [entry["DBParameterGroupName"] for entry in self.record.get("DBParameterGroups") or []]
        group = rds._param_groups.get_scoped(self.account, self.region, groups[0]) if groups else None
        values = (group or {}).get("Parameters") or {}
        return {name: v["ParameterValue"] if isinstance(v, dict) else str(v) for name, v in values.items()}

    def configure(self, recovery: Mapping[str, str] | None = None) -> None:
        """Write the settings as the parameter group and the record want them now.

        Args:
            recovery: Settings of a start that recovers to an earlier moment.
        """
        settings, force_tls = postgres_parameters.settings(self.parameters(), self.record["DBInstanceClass"])
        enough = self._as_many_as_source(settings)
        self.server.configure({**self._replication(), **settings, **enough, **(recovery or {})}, force_tls=force_tls)

    def _replication(self) -> dict[str, str]:
        """Settings that a replica needs of its source, and both need for recovery."""
        settings = {
            "wal_level": "replica",
            "hot_standby": "on",
            "max_wal_senders": "10",
            "max_replication_slots": "10",
            "min_wal_size": "16MB",
            "max_wal_size": "128MB",
            # A replica that is away for longer has to be made anew: it must not fill its source's disk.
            "max_slot_wal_keep_size": "512MB",
            **self._archive(),
        }
        if not self.is_replica:
            return settings
        source = {
            "host": HOST,
            "port": str(self.record["_source_port"]),
            "user": ADMIN,
            "password": self.server.admin_password,
            "application_name": self.identifier,
            "sslmode": "verify-full",
            "sslrootcert": str(CloudSettings.from_environment().ca_file),
        }
        return {
            **settings,
            "primary_conninfo": " ".join(f"{name}='{value}'" for name, value in source.items()),
            "primary_slot_name": str(self.record["_slot"]),
        }

    def _archive(self) -> dict[str, str]:
        """Settings by which the server keeps its finished log for recovery, or does not where backups are off."""
        if not self.keeps_backups:
            return {"archive_mode": "on", "archive_command": "/bin/true", "archive_timeout": "0"}
        self.journal.mkdir(parents=True, exist_ok=True, mode=0o700)
        hand_over(self.journal)
        target, draft = shell_quoted(self.journal) + "/%f", shell_quoted(self.journal) + "/.%f"
        command = f"test -f {target} || (cp %p {draft} && mv {draft} {target})"
        return {"archive_mode": "on", "archive_command": command, "archive_timeout": "300"}

    def _as_many_as_source(self, settings: dict[str, str]) -> dict[str, str]:
        """A replica must admit at least as many connections as its source, or it does not start."""
        source = DATABASES.by_id(str(self.record.get("_source", "")))
        if not self.is_replica or source is None:
            return {}
        theirs, _ = postgres_parameters.settings(source.parameters(), source.record["DBInstanceClass"])
        return {
            name: theirs[name]
            for name in _NOT_LESS_THAN_SOURCE
            if name in theirs and int(theirs[name]) > int(settings.get(name, 0))
        }

    def start(self, recovery: Mapping[str, str] | None = None) -> None:
        """Start the server with its settings, or those with which it recovers, and wait until it answers.

        Raises:
            PostgresError: It does not start; the text says why.
        """
        with self.lock:
            if not is_free(self.server.port) and not self.server.is_running:
                raise PostgresError(f"port {self.server.port} of this machine is taken by another program")
            self.configure(recovery)
            self.server.start(recovering=recovery is not None)
        for group in self.record.get("DBParameterGroups") or []:
            group["ParameterApplyStatus"] = "in-sync"

    def reload(self) -> None:
        """Let changed parameters take effect, as far as they can without a restart; a start reads them anyway."""
        with self.lock:
            if self.server.is_running:
                self.configure()
                self.server.reload()

    def attach(self) -> None:
        """Give it a network interface in the first subnet of its group, and let its security groups count.

        Called again, the interface keeps its address and takes over changed groups.
        """
        from ministack.core.responses import request_scope

        self.detach()
        subnets = [entry["SubnetIdentifier"] for entry in (self.record.get("DBSubnetGroup") or {}).get("Subnets", [])]
        if not subnets:
            return
        groups = [entry["VpcSecurityGroupId"] for entry in self.record.get("VpcSecurityGroups") or []]
        with request_scope(self.account, self.region), suppress(UnreachableError):
            self._interface = NETWORK.attach(subnets[0], groups, "RDSNetworkInterface", ip=self.record.get("_ip"))
            self.record["_ip"] = self._interface.ip
            ports = (int(self.record["_port"]), self.server.port)
            NETWORK.publish(
                HOST,
                self.server.port,
                Published(self._interface, ports, bool(self.record.get("PubliclyAccessible"))),
            )

    def detach(self) -> None:
        """Give the network interface back."""
        if self._interface is not None:
            NETWORK.detach(self._interface)
            NETWORK.unpublish(HOST, self.server.port)
            self._interface = None

    def remove(self) -> None:
        """End it and remove its data."""
        with self.lock:
            self.server.remove()
        self.detach()


class Databases:
    """All databases of a local cloud, by the resource id of their instances."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[str, Database] = {}
        self.on_log: Callable[[Database, str], None] | None = None
        self.closed = False

    def __iter__(self) -> Iterator[Database]:
        return iter(list(self._all.values()))

    def of(self, record: Record) -> Database | None:
        """The database behind a record."""
        return self._all.get(record["DbiResourceId"])

    def by_id(self, resource_id: str) -> Database | None:
        """The database of a resource id."""
        return self._all.get(resource_id)

    def add(self, record: Record, account: str, region: str) -> Database:
        """Make a database known; nothing runs yet."""
        with self._lock:
            database = self._all[record["DbiResourceId"]] = Database(record, account, region, self.on_log)
        return database

    def forget(self, record: Record) -> Database | None:
        """Take a database off the list; the caller ends it."""
        _given.discard(int(record["Endpoint"]["Port"]))
        with self._lock:
            return self._all.pop(record["DbiResourceId"], None)

    def resume(self) -> None:
        """Start what the saved records say was running, all at once; a thread for each waits until it answers."""
        from ministack.services import rds

        for (account, region, _identifier), record in rds._instances.all_items():
            if "_port" not in record:
                continue
            database = self.add(record, account, region)
            database.attach()
            if record.get("_stopped"):
                record["DBInstanceStatus"] = "stopped"
                continue
            record["DBInstanceStatus"] = "starting"
            threading.Thread(target=self._resume, args=(database,), daemon=True, name=database.identifier).start()

    @staticmethod
    def _resume(database: Database) -> None:
        try:
            if not database.server.data.exists():
                raise PostgresError(f"its data is gone: {database.server.data} does not exist")
            RESERVATIONS.hold(HOST, database.server.port)
            database.start()
        except Exception as error:
            fail(database, error)
        else:
            database.record["DBInstanceStatus"] = "available"

    def close(self) -> None:
        """Stop every server in order, all at the same time; their data stays."""
        self.closed = True
        threads = [threading.Thread(target=database.server.stop) for database in self]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def reset(self) -> None:
        """End everything and remove all data."""
        for database in self:
            database.remove()
        self._all.clear()
        _given.clear()
        shutil.rmtree(FOLDER, ignore_errors=True)


def fail(database: Database, error: Exception) -> None:
    """Say in the record and in the log that an instance does not work, and why."""
    database.record["DBInstanceStatus"] = "failed"
    database.record["_failure"] = str(error)
    logger.error("%s failed: %s", database.identifier, error, exc_info=not isinstance(error, PostgresError))


DATABASES = Databases()
