"""RDS: a read replica streams from its source, and can be promoted.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.html
"""

from __future__ import annotations

from typing import Any

from brewhaven.local.emulator import wrap_action
from brewhaven.local.engines import database_replicas
from brewhaven.local.engines.databases import DATABASES
from brewhaven.local.registry import correction
from brewhaven.local.resources.rds_records import answer, begin, follow_up, new_record
from brewhaven.local.resources.rds_requests import Parameters, RefusedError, instance, is_ours, refusing, require_status


@correction
def replicas_follow_their_source() -> None:
    """CreateDBInstanceReadReplica makes a streaming replica, and PromoteReadReplica, which is missing, ends that.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstanceReadReplica.html
    """
    from ministack.services import rds

    def create(original: Any) -> Any:
        @refusing
        def handle(parameters: Parameters) -> Any:
            source = instance(rds._p(parameters, "SourceDBInstanceIdentifier"))
            if not is_ours(source):
                return original(parameters)
            require_status(source, "available")
            if not int(source.get("BackupRetentionPeriod") or 0):
                raise RefusedError(
                    "InvalidDBInstanceState",
                    "Automated backups are not enabled for this database instance. To enable automated backups, use "
                    "ModifyDBInstance to set the backup retention period to a non-zero value.",
                )
            database = DATABASES.of(source)
            if database is None:
                raise RefusedError("InvalidDBInstanceState", "The local cloud has no server for this instance.")
            record = new_record(source, rds._p(parameters, "DBInstanceIdentifier"), parameters, is_replica=True)
            record["ReadReplicaSourceDBInstanceIdentifier"] = source["DBInstanceIdentifier"]
            record["BackupRetentionPeriod"] = int(rds._p(parameters, "BackupRetentionPeriod") or 0)
            source.setdefault("ReadReplicaDBInstanceIdentifiers", []).append(record["DBInstanceIdentifier"])
            begin(record, lambda replica: database_replicas.follow(replica, database))
            return answer("CreateDBInstanceReadReplica", record)

        return handle

    @refusing
    def promote(parameters: Parameters) -> Any:
        record = instance(rds._p(parameters, "DBInstanceIdentifier"))
        if not record.get("ReadReplicaSourceDBInstanceIdentifier"):
            raise RefusedError(
                "InvalidDBInstanceState", f"DB Instance is not a read replica: {record['DBInstanceIdentifier']}"
            )
        require_status(record, "available")
        retention = rds._p(parameters, "BackupRetentionPeriod")
        record["BackupRetentionPeriod"] = int(retention) if retention else 1
        record["DBInstanceStatus"] = "modifying"
        follow_up(record, "available", database_replicas.promote)
        return answer("PromoteReadReplica", record)

    wrap_action(rds, "_ACTION_MAP", "CreateDBInstanceReadReplica", create)
    rds._ACTION_MAP["PromoteReadReplica"] = promote
