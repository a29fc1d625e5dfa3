"""RDS: what a request must hold, and the refusals of the service in its own words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from brewhaven.local.engines import postgres_programs
from brewhaven.local.engines.postgres_server import ADMIN

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


def check_create(parameters: Parameters) -> None:
    """Refuse a CreateDBInstance that RDS refuses, or that nothing here could carry out."""
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


def check_delete(record: Record, parameters: Parameters) -> None:
    """Refuse a DeleteDBInstance of what is protected, or without a word about the final snapshot."""
    from ministack.services import rds

    require_status(record, "available", "stopped", "failed")
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


def check_modify(record: Record, parameters: Parameters) -> None:
    """Refuse a ModifyDBInstance that RDS refuses, or that nothing here could carry out."""
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
