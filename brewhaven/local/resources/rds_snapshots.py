"""RDS: a snapshot holds the data, and a restore brings it back; the emulator's databases would be empty.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RestoreFromSnapshot.html
"""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

from brewhaven.local.emulator import wrap_action
from brewhaven.local.engines import database_backups
from brewhaven.local.engines.database_backups import SNAPSHOTS, Backup
from brewhaven.local.engines.databases import DATABASES, Database
from brewhaven.local.engines.postgres_server import PostgresError
from brewhaven.local.registry import correction, replace
from brewhaven.local.resources.rds_records import answer, begin, first_backup, new_record
from brewhaven.local.resources.rds_requests import (
    Parameters,
    Record,
    RefusedError,
    instance,
    is_ours,
    refusing,
    require_status,
)


def _copy(record: Record, name: str) -> Path:
    """Copy an instance's data for a snapshot; one that is stopped is started for that long."""
    database = DATABASES.of(record)
    if database is None:
        raise RefusedError("InvalidDBInstanceState", "The local cloud has no server for this instance.")
    was_stopped = not database.server.is_running
    try:
        if was_stopped:
            database.start()
        folder = SNAPSHOTS / f"{database.account}-{database.region}-{name}"
        database_backups.make(database, folder)
    except PostgresError as error:
        raise RefusedError("InvalidDBInstanceState", f"The snapshot failed: {error}") from error
    finally:
        if was_stopped:
            database.server.stop()
    return folder


@correction
def snapshots_hold_the_data() -> None:
    """A snapshot, also the final one of a deleted instance, is a copy of the data; a restore makes a database of it.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RestoreFromSnapshot.html
    """
    from ministack.services import rds

    def make(original: Any) -> Any:
        def create_snapshot(name: str, record: Record) -> Record:
            if not is_ours(record):
                made: Record = original(name, record)
                return made
            folder = _copy(record, name)
            snapshot: Record = original(name, record)
            group = record.get("DBSubnetGroup") or {}
            snapshot.update(
                {
                    "VpcId": group.get("VpcId", ""),
                    "Port": record["_port"],
                    "_folder": str(folder),
                    "_instance": copy.deepcopy(record),
                }
            )
            return snapshot

        return create_snapshot

    def create(original: Any) -> Any:
        @refusing
        def handle(parameters: Parameters) -> Any:
            record = instance(rds._p(parameters, "DBInstanceIdentifier"))
            if is_ours(record):
                require_status(record, "available")
            return original(parameters)

        return handle

    def delete(original: Any) -> Any:
        def handle(parameters: Parameters) -> Any:
            snapshot = rds._snapshots.get(rds._p(parameters, "DBSnapshotIdentifier"))
            answer = original(parameters)
            if answer[0] < 400 and snapshot and snapshot.get("_folder"):
                shutil.rmtree(snapshot["_folder"], ignore_errors=True)
            return answer

        return handle

    def restore(_original: Any) -> Any:
        @refusing
        def handle(parameters: Parameters) -> Any:
            name = rds._p(parameters, "DBSnapshotIdentifier").rsplit(":snapshot:", 1)[-1]
            snapshot = rds._snapshots.get(name)
            if snapshot is None:
                raise RefusedError("DBSnapshotNotFound", f"DBSnapshot {name} not found.", 404)
            if "_folder" not in snapshot:
                raise RefusedError("InvalidDBSnapshotState", f"The snapshot {name} holds no data of PostgreSQL.")
            record = new_record(snapshot["_instance"], rds._p(parameters, "DBInstanceIdentifier"), parameters)

            def work(database: Database) -> None:
                database_backups.unpack(Backup.read(Path(snapshot["_folder"])), database)
                database.start()
                first_backup(database)

            begin(record, work)
            return answer("RestoreDBInstanceFromDBSnapshot", record)

        return handle

    replace(rds, "_create_snapshot_internal", make)
    wrap_action(rds, "_ACTION_MAP", "CreateDBSnapshot", create)
    wrap_action(rds, "_ACTION_MAP", "DeleteDBSnapshot", delete)
    wrap_action(rds, "_ACTION_MAP", "RestoreDBInstanceFromDBSnapshot", restore)
