"""RDS: ``CreateDBInstance`` and its kin start, change and end real PostgreSQL servers.

The emulator keeps the records and answers; a database of a cluster (Aurora) stays a record alone.

https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
"""

from __future__ import annotations

from typing import Any

from brewhaven.local.emulator import wrap_action
from brewhaven.local.engines import database_backups, database_replicas, postgres_programs
from brewhaven.local.engines.common import close_with
from brewhaven.local.engines.database_upkeep import UPKEEP
from brewhaven.local.engines.databases import DATABASES, Database, fail
from brewhaven.local.engines.postgres_server import PostgresError
from brewhaven.local.registry import REGISTRY, correction, replace
from brewhaven.local.resources.rds_records import begin, complete, first_backup, follow_up, restart
from brewhaven.local.resources.rds_requests import (
    Answer,
    Parameters,
    Record,
    RefusedError,
    check_create,
    check_delete,
    check_modify,
    instance,
    is_ours,
    members,
    refusing,
    require_status,
)


@correction
def instances_run() -> None:
    """CreateDBInstance starts a server, DeleteDBInstance ends it; the emulator makes a record that nothing answers."""
    from ministack.services import rds

    def create(original: Any) -> Any:
        @refusing
        def handle(parameters: Parameters) -> Answer:
            if rds._p(parameters, "DBClusterIdentifier"):
                return original(parameters)
            check_create(parameters)
            answer = original(parameters)
            if answer[0] >= 400:
                return answer
            record = rds._instances[rds._p(parameters, "DBInstanceIdentifier")]
            complete(record, parameters)
            record["DBName"] = rds._p(parameters, "DBName")
            begin(record, _create_server)
            return rds._single_instance_response("CreateDBInstanceResponse", "CreateDBInstanceResult", record)

        return handle

    def delete(original: Any) -> Any:
        @refusing
        def handle(parameters: Parameters) -> Answer:
            record = instance(rds._p(parameters, "DBInstanceIdentifier"))
            if is_ours(record):
                check_delete(record, parameters)
            answer = original(parameters)
            if answer[0] < 400 and is_ours(record):
                _end(record)
            return answer

        return handle

    wrap_action(rds, "_ACTION_MAP", "CreateDBInstance", create)
    wrap_action(rds, "_ACTION_MAP", "DeleteDBInstance", delete)
    # Restored records are started by the engine, once everything else is there.
    replace(rds, "_start_rds_container_for_instance", lambda original: lambda name, record: (
        None if is_ours(record) else original(name, record)
    ))  # fmt: skip


def _end(record: Record) -> None:
    """End the server of a deleted instance; its replicas become databases of their own.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.html
    """
    database = DATABASES.of(record)
    if database is None:
        return
    for replica in [other for other in DATABASES if database_replicas.source_of(other) is database]:
        try:
            database_replicas.promote(replica)
        except PostgresError as error:
            fail(replica, error)
    DATABASES.forget(record)
    database.remove()
    if database.is_replica:
        database_replicas.leave(database)


def _create_server(database: Database) -> None:
    record = database.record
    database.server.initialize()
    database.start()
    database.server.create_master(record["MasterUsername"], record["_MasterUserPassword"], record["DBName"])
    first_backup(database)


@correction
def instances_stop_start_and_reboot() -> None:
    """A stopped instance answers no connection and keeps its data; a reboot applies static parameters.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
    """
    from ministack.services import rds

    def stop(original: Any) -> Any:
        @refusing
        def handle(parameters: Parameters) -> Answer:
            record = instance(rds._p(parameters, "DBInstanceIdentifier"))
            if not is_ours(record):
                return original(parameters)
            require_status(record, "available")
            if record.get("ReadReplicaDBInstanceIdentifiers") or record.get("ReadReplicaSourceDBInstanceIdentifier"):
                raise RefusedError(
                    "InvalidDBInstanceState", "Cannot stop an instance that has a read replica or is a read replica."
                )
            record["DBInstanceStatus"], record["_stopped"] = "stopping", True
            follow_up(record, "stopped", lambda database: database.server.stop())
            return rds._single_instance_response("StopDBInstanceResponse", "StopDBInstanceResult", record)

        return handle

    def start(original: Any) -> Any:
        @refusing
        def handle(parameters: Parameters) -> Answer:
            record = instance(rds._p(parameters, "DBInstanceIdentifier"))
            if not is_ours(record):
                return original(parameters)
            require_status(record, "stopped")
            record["DBInstanceStatus"] = "starting"
            record.pop("_stopped", None)
            follow_up(record, "available", lambda database: database.start())
            return rds._single_instance_response("StartDBInstanceResponse", "StartDBInstanceResult", record)

        return handle

    def finish_reboot(original: Any) -> Any:
        def finish(record: Record, cluster: Any) -> None:
            if not is_ours(record):
                original(record, cluster)
                return
            database = DATABASES.of(record)
            try:
                if database is not None:
                    restart(database)
            except Exception as error:
                if database is not None:
                    fail(database, error)
                return
            rds._record_reboot_event(record)
            record["DBInstanceStatus"] = "available"

        return finish

    wrap_action(rds, "_ACTION_MAP", "StopDBInstance", stop)
    wrap_action(rds, "_ACTION_MAP", "StartDBInstance", start)
    replace(rds, "_finish_instance_reboot", finish_reboot)


@correction
def instances_are_changed() -> None:
    """ModifyDBInstance changes the server behind the record: password, parameters, groups, log exports, class.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
    """
    from ministack.services import rds

    def modify(original: Any) -> Any:
        @refusing
        def handle(parameters: Parameters) -> Answer:
            given = rds._p
            record = instance(given(parameters, "DBInstanceIdentifier"))
            if not is_ours(record):
                return original(parameters)
            check_modify(record, parameters)
            before = (record["DBInstanceClass"], record["DBParameterGroups"][0]["DBParameterGroupName"])
            answer = original(parameters)
            if answer[0] >= 400:
                return answer
            exports = set(record.get("EnabledCloudwatchLogsExports") or [])
            exports |= set(members(parameters, "CloudwatchLogsExportConfiguration.EnableLogTypes"))
            exports -= set(members(parameters, "CloudwatchLogsExportConfiguration.DisableLogTypes"))
            record["EnabledCloudwatchLogsExports"] = sorted(exports)
            if given(parameters, "DBPortNumber"):
                record["_port"] = int(given(parameters, "DBPortNumber"))
            _apply(record, parameters, before)
            return rds._single_instance_response("ModifyDBInstanceResponse", "ModifyDBInstanceResult", record)

        return handle

    def rotate(original: Any) -> Any:
        def change_password(record: Record, old: str, new: str) -> None:
            if not is_ours(record):
                original(record, old, new)

        return change_password

    wrap_action(rds, "_ACTION_MAP", "ModifyDBInstance", modify)
    replace(rds, "_rotate_instance_password", rotate)


def _apply(record: Record, parameters: Parameters, before: tuple[str, str]) -> None:
    """Bring the server in line with a record that was changed."""
    from ministack.services import rds

    database = DATABASES.of(record)
    if database is None:
        return
    record["EngineVersion"] = postgres_programs.version()
    password = rds._p(parameters, "MasterUserPassword")
    if password:
        try:
            database.server.sql(
                "SET log_statement = 'none'; ALTER ROLE :\"master\" PASSWORD :'password';",
                master=record["MasterUsername"],
                password=password,
            )
        except PostgresError as error:
            raise RefusedError("InvalidDBInstanceState", str(error)) from error
    if rds._parse_member_list(parameters, "VpcSecurityGroupIds") or rds._p(parameters, "PubliclyAccessible"):
        database.attach()
    _follow_retention(database)
    group = record["DBParameterGroups"][0]
    if record["DBInstanceStatus"] == "available":
        database.reload()
        if record["DBInstanceClass"] != before[0]:
            record["DBInstanceStatus"] = "modifying"
            follow_up(record, "available", restart)
    # A newly associated group waits for a reboot, whatever it holds.
    group["ParameterApplyStatus"] = "pending-reboot" if group["DBParameterGroupName"] != before[1] else "in-sync"


def _follow_retention(database: Database) -> None:
    """Begin or end automated backups with a changed retention period."""
    if not database.keeps_backups:
        database_backups.forget(database)
    elif not database_backups.backups(database) and database.record["DBInstanceStatus"] == "available":
        database.reload()
        database_backups.back_up(database)


REGISTRY.on_start.append(UPKEEP.start)
REGISTRY.on_start.append(DATABASES.resume)
REGISTRY.on_reset.append(DATABASES.reset)
close_with(DATABASES.close)
