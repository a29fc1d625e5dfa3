"""RDS: ``CreateDBInstance`` and its kin start, change and end real PostgreSQL servers.

The emulator keeps the records and answers; a database of a cluster (Aurora) stays a record alone.

https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

from brewhaven.local.emulator import wrap_action
from brewhaven.local.engines import postgres_programs
from brewhaven.local.engines.common import close_with
from brewhaven.local.engines.databases import DATABASES, PORT_IN_VPC, Database, choose_port, fail
from brewhaven.local.engines.postgres_server import ADMIN, PostgresError
from brewhaven.local.registry import REGISTRY, correction, replace
from brewhaven.local.settings import HOST

Record = dict[str, Any]
Parameters = dict[str, Any]
Answer = Any

_RESERVED_USERS = ("admin", "rds_superuser", ADMIN, "public", "none", "user")
_PASSWORD = re.compile(r"[!-~ ]{8,128}")
_LOG_TYPES = ("postgresql", "upgrade", "iam-db-auth-error")


class RefusedError(Exception):
    """An answer in the words of RDS: error code and message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code, self.message, self.status = code, message, status
        super().__init__(message)


def refusing(function: Callable[[Parameters], Answer]) -> Callable[[Parameters], Answer]:
    """Let an action answer with the refusals that it raises."""

    def handle(parameters: Parameters) -> Answer:
        from ministack.services import rds

        try:
            return function(parameters)
        except RefusedError as refusal:
            return rds._error(refusal.code, refusal.message, refusal.status)

    return handle


def instance(identifier: str) -> Record:
    """The record of an instance, by identifier or ARN.

    Raises:
        RefusedError: There is none.
    """
    from ministack.services import rds

    record: Record | None = rds._resolve_instance(identifier)
    if record is None:
        raise RefusedError("DBInstanceNotFound", f"DBInstance {identifier} not found.", 404)
    return record


def is_ours(record: Record) -> bool:
    """Whether a server of the local cloud stands behind the record."""
    return "_port" in record


def require_status(record: Record, *wanted: str) -> None:
    """Refuse what RDS does only with an instance in one of these states."""
    status = record["DBInstanceStatus"]
    if status not in wanted:
        raise RefusedError(
            "InvalidDBInstanceState",
            f"Instance {record['DBInstanceIdentifier']} is in {status} state but expected it to be one of "
            f"{','.join(wanted)}.",
        )


def members(parameters: Parameters, name: str) -> list[str]:
    """A list of a request, under either of the two spellings of the Query protocol."""
    from ministack.services import rds

    found: list[str] = rds._parse_member_list(parameters, name)
    return found


def begin(record: Record, work: Callable[[Database], None], *, status: str = "available") -> Database:
    """Make an instance's database known, and let ``work`` bring it up in a thread of its own."""
    from ministack.core.responses import get_account_id, get_region

    database = DATABASES.add(record, get_account_id(), get_region())

    def run() -> None:
        try:
            database.attach()
            work(database)
        except Exception as error:
            fail(database, error)
            return
        if DATABASES.of(record) is database:
            record["DBInstanceStatus"] = status

    threading.Thread(target=run, daemon=True, name=f"rds-{database.identifier}").start()
    return database


def complete(record: Record, parameters: Parameters) -> None:
    """Give a new record what the emulator leaves out, and an address and port of this machine."""
    from ministack.services import rds

    given = rds._p
    record["_port"] = int(given(parameters, "Port") or record.get("_port") or PORT_IN_VPC)
    record["Endpoint"] = {"Address": HOST, "Port": choose_port(), "HostedZoneId": "Z2R2ITUGPM61AM"}
    record["EngineVersion"] = postgres_programs.version()
    record["DBInstanceStatus"] = "creating"
    record["EnabledCloudwatchLogsExports"] = members(parameters, "EnableCloudwatchLogsExports")
    for key in ("_stopped", "_failure", "_ip"):
        record.pop(key, None)
    if not (record.get("DBSubnetGroup") or {}).get("Subnets"):
        record["DBSubnetGroup"] = _default_subnet_group()


def _default_subnet_group() -> Record:
    """Without a subnet group an instance is in the default VPC."""
    from ministack.core.responses import get_region
    from ministack.services import ec2

    ec2._ensure_defaults_initialized()
    vpc = ec2._subnets[ec2._DEFAULT_SUBNET_ID]["VpcId"] if ec2._DEFAULT_SUBNET_ID in ec2._subnets else ""
    found = [(key, subnet) for key, subnet in ec2._subnets.items() if subnet["VpcId"] == vpc]
    return {
        "DBSubnetGroupName": "default",
        "DBSubnetGroupDescription": "default",
        "SubnetGroupStatus": "Complete",
        "VpcId": vpc,
        "DBSubnetGroupArn": "",
        "Subnets": [
            {
                "SubnetIdentifier": key,
                "SubnetAvailabilityZone": {"Name": subnet.get("AvailabilityZone", f"{get_region()}a")},
                "SubnetStatus": "Active",
            }
            for key, subnet in found
        ],
    }


def check_engine(engine: str, version: str) -> None:
    """Refuse engines and versions that nothing here could run."""
    ours = postgres_programs.version()
    if engine != "postgres":
        raise RefusedError(
            "InvalidParameterValue", f"The local cloud runs PostgreSQL {ours}; it has no engine {engine}."
        )
    if version and version.split(".", maxsplit=1)[0] != ours.split(".")[0]:
        raise RefusedError(
            "InvalidParameterCombination",
            f"Cannot find version {version} for postgres: the local cloud has PostgreSQL {ours} alone.",
        )


def check_groups(parameters: Parameters) -> None:
    """Refuse a subnet group that does not exist, and a parameter group of another major version."""
    from ministack.services import rds

    subnets = rds._p(parameters, "DBSubnetGroupName")
    if subnets and subnets not in rds._subnet_groups:
        raise RefusedError("DBSubnetGroupNotFoundFault", f"DB subnet group '{subnets}' does not exist.", 404)
    name = rds._p(parameters, "DBParameterGroupName")
    family = (rds._param_groups.get(name) or {}).get("DBParameterGroupFamily")
    wanted = f"postgres{postgres_programs.version().split('.')[0]}"
    if family and family != wanted:
        raise RefusedError(
            "InvalidParameterCombination",
            f"The Parameter Group {name} with DBParameterGroupFamily {family} can't be used for this instance. "
            f"Please use a Parameter Group with DBParameterGroupFamily {wanted}",
        )


def check_password(password: str) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html, MasterUserPassword"""
    if not _PASSWORD.fullmatch(password) or set(password) & set('/"@ '):
        raise RefusedError(
            "InvalidParameterValue",
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', "
            "'@', '\"', ' ' may be used, from 8 to 128 of them.",
        )


def _check_create(parameters: Parameters) -> None:
    from ministack.services import rds

    given = rds._p
    check_engine(given(parameters, "Engine") or "postgres", given(parameters, "EngineVersion"))
    if given(parameters, "ManageMasterUserPassword") == "true":
        raise RefusedError(
            "InvalidParameterCombination",
            "The local cloud does not manage master passwords in Secrets Manager: give MasterUserPassword, from a "
            "secret of your own.",
        )
    for name in ("DBInstanceIdentifier", "MasterUsername", "MasterUserPassword"):
        if not given(parameters, name):
            raise RefusedError("MissingParameter", f"The request must contain the parameter {name}.")
    user = given(parameters, "MasterUsername")
    if user.lower() in _RESERVED_USERS or user.lower().startswith("pg_"):
        raise RefusedError(
            "InvalidParameterValue",
            f"MasterUsername {user} cannot be used as it is a reserved word used by the engine",
        )
    name = given(parameters, "DBName")
    if name and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", name):
        raise RefusedError(
            "InvalidParameterValue", "DBName must begin with a letter and contain only alphanumeric characters"
        )
    check_password(given(parameters, "MasterUserPassword"))
    check_groups(parameters)


@correction
def instances_run() -> None:
    """CreateDBInstance starts a server, DeleteDBInstance ends it; the emulator makes a record that nothing answers."""
    from ministack.services import rds

    def create(original: Any) -> Any:
        @refusing
        def handle(parameters: Parameters) -> Answer:
            if rds._p(parameters, "DBClusterIdentifier"):
                return original(parameters)
            _check_create(parameters)
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
                _check_delete(record, parameters)
            answer = original(parameters)
            if answer[0] < 400 and is_ours(record):
                database = DATABASES.forget(record)
                if database is not None:
                    database.remove()
            return answer

        return handle

    wrap_action(rds, "_ACTION_MAP", "CreateDBInstance", create)
    wrap_action(rds, "_ACTION_MAP", "DeleteDBInstance", delete)
    # Restored records are started by the engine, once everything else is there.
    replace(rds, "_start_rds_container_for_instance", lambda original: lambda name, record: (
        None if is_ours(record) else original(name, record)
    ))  # fmt: skip


def _create_server(database: Database) -> None:
    record = database.record
    database.server.initialize()
    database.start()
    database.server.create_master(record["MasterUsername"], record["_MasterUserPassword"], record["DBName"])


def _check_delete(record: Record, parameters: Parameters) -> None:
    from ministack.services import rds

    if record.get("DeletionProtection"):
        raise RefusedError(
            "InvalidParameterCombination",
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        )
    snapshot, skip = rds._p(parameters, "FinalDBSnapshotIdentifier"), rds._p(parameters, "SkipFinalSnapshot") == "true"
    if skip and snapshot:
        raise RefusedError(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier can not be specified when deleting an instance with SkipFinalSnapshot.",
        )
    if not skip and not snapshot and not record.get("ReadReplicaSourceDBInstanceIdentifier"):
        raise RefusedError(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
        )


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
            _follow(record, "stopped", lambda database: database.server.stop())
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
            _follow(record, "available", lambda database: database.start())
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


def restart(database: Database) -> None:
    """Stop the server and start it with the settings of now."""
    with database.lock:
        database.server.stop()
        database.start()


def _follow(record: Record, status: str, work: Callable[[Database], None]) -> None:
    """Do something to an instance's database in a thread, and then give the record its new status."""
    database = DATABASES.of(record)
    if database is None:
        raise RefusedError("InvalidDBInstanceState", "The local cloud has no server for this instance.")

    def run() -> None:
        try:
            work(database)
        except PostgresError as error:
            fail(database, error)
        else:
            record["DBInstanceStatus"] = status

    threading.Thread(target=run, daemon=True, name=f"rds-{database.identifier}").start()


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
            _check_modify(record, parameters)
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


def _check_modify(record: Record, parameters: Parameters) -> None:
    from ministack.services import rds

    given = rds._p
    require_status(record, "available", "stopped")
    check_groups(parameters)
    check_engine("postgres", given(parameters, "EngineVersion"))
    if given(parameters, "MasterUserPassword"):
        check_password(given(parameters, "MasterUserPassword"))
        require_status(record, "available")
    group = given(parameters, "DBParameterGroupName")
    if group and not group.startswith("default.") and group not in rds._param_groups:
        raise RefusedError("DBParameterGroupNotFound", f"DBParameterGroup not found: {group}", 404)
    for name in ("NewDBInstanceIdentifier", "DBSubnetGroupName", "ManageMasterUserPassword"):
        if given(parameters, name) not in ("", "false"):
            raise RefusedError("InvalidParameterCombination", f"The local cloud cannot change {name} of an instance.")
    for kind in ("EnableLogTypes", "DisableLogTypes"):
        unknown = set(members(parameters, f"CloudwatchLogsExportConfiguration.{kind}")) - set(_LOG_TYPES)
        if unknown:
            raise RefusedError(
                "InvalidParameterCombination",
                f"You cannot use the log types '{', '.join(sorted(unknown))}' with engine version postgres "
                f"{record['EngineVersion']}. For supported log types, see the documentation.",
            )


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
    database.attach()
    group = record["DBParameterGroups"][0]
    if record["DBInstanceStatus"] == "available":
        database.reload()
        if record["DBInstanceClass"] != before[0]:
            record["DBInstanceStatus"] = "modifying"
            _follow(record, "available", restart)
    # A newly associated group waits for a reboot, whatever it holds.
    group["ParameterApplyStatus"] = "pending-reboot" if group["DBParameterGroupName"] != before[1] else "in-sync"


REGISTRY.on_start.append(DATABASES.resume)
REGISTRY.on_reset.append(DATABASES.reset)
close_with(DATABASES.close)
