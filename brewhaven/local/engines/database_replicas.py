"""Read replicas: a copy of the source that follows it by streaming replication, over TLS.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PostgreSQL.Replication.ReadReplicas.html
"""

from __future__ import annotations

import re
import shutil
from contextlib import suppress

from brewhaven.local.engines import database_backups
from brewhaven.local.engines.databases import DATABASES, Database
from brewhaven.local.engines.postgres_programs import hand_over
from brewhaven.local.engines.postgres_server import PostgresError

# Zero while it has replayed all that it received; the emulated CloudWatch gets what RDS would report, seconds.
_LAG = """
SELECT CASE
  WHEN NOT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') THEN -1
  WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
  ELSE round(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 3)
END
"""
_DROP_SLOT = """
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = :'slot' AND NOT active
"""


def follow(database: Database, source: Database) -> None:
    """Fill a new database from its source, and let it follow.

    Raises:
        PostgresError: The copy failed, or the replica does not start.
    """
    record = database.record
    record["_source"], record["_source_port"] = source.record["DbiResourceId"], source.server.port
    record["_slot"] = "rds_" + re.sub(r"\W", "_", database.identifier.lower())
    database.server.keep_admin_password(source.server.admin_password)
    source.server.copy_to(
        database.server.data, "--wal-method=stream", "--create-slot", f"--slot={record['_slot']}", "--no-manifest"
    )
    signal = database.server.data / "standby.signal"
    signal.touch()
    hand_over(signal)
    database.start()


def lag_seconds(database: Database) -> float:
    """How far a replica is behind its source; -1 while it receives nothing."""
    return float(database.server.sql(_LAG))


def source_of(database: Database) -> Database | None:
    """The database that a replica follows."""
    return DATABASES.by_id(str(database.record.get("_source", "")))


def leave(database: Database) -> None:
    """Let the source forget a replica that was promoted or deleted."""
    source = source_of(database)
    if source is not None:
        replicas = source.record.get("ReadReplicaDBInstanceIdentifiers") or []
        source.record["ReadReplicaDBInstanceIdentifiers"] = [name for name in replicas if name != database.identifier]
        if source.server.is_running:
            with suppress(PostgresError):
                source.server.sql(_DROP_SLOT, slot=str(database.record["_slot"]))
    database.record["ReadReplicaSourceDBInstanceIdentifier"] = ""


def promote(database: Database) -> None:
    """Make a replica a database of its own, which may be written to.

    Raises:
        PostgresError: PostgreSQL's reason not to.
    """
    database.server.sql("SELECT pg_promote(true, 60)")
    leave(database)
    # Its log is another one from here on.
    shutil.rmtree(database.journal, ignore_errors=True)
    database.reload()
    if database.keeps_backups:
        database_backups.back_up(database)
