"""RDS: an instance as it was at a moment of the past, RestoreDBInstanceToPointInTime, which the emulator lacks.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html
"""

from __future__ import annotations

import datetime
from typing import Any

from brewhaven.local.engines import database_backups
from brewhaven.local.engines.databases import DATABASES, Database
from brewhaven.local.registry import correction
from brewhaven.local.resources.rds_records import answer, begin, first_backup, new_record
from brewhaven.local.resources.rds_requests import Parameters, Record, RefusedError, instance, is_ours, refusing


@correction
def instances_are_taken_back_in_time() -> None:
    """RestoreDBInstanceToPointInTime, which the emulator lacks, and the window in which it can be asked for.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html
    """
    from ministack.services import rds

    @refusing
    def restore(parameters: Parameters) -> Any:
        given = rds._p
        source = _restore_source(parameters)
        database = DATABASES.of(source)
        latest = given(parameters, "UseLatestRestorableTime") == "true"
        text = given(parameters, "RestoreTime")
        if latest == bool(text):
            raise RefusedError(
                "InvalidParameterCombination", "Specify either RestoreTime or UseLatestRestorableTime, and not both."
            )
        window = database_backups.window(database) if database else None
        if database is None or window is None:
            raise RefusedError(
                "InvalidRestoreFault", f"{source['DBInstanceIdentifier']} has no automated backups to restore from."
            )
        moment = None if latest else datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
        # The SDKs send whole seconds.
        if moment is not None and not int(window[0]) <= moment <= window[1] + 1:
            raise RefusedError(
                "InvalidRestoreFault",
                f"The specified time {text} is not between the earliest restorable time "
                f"{rds._format_time(window[0])} and the latest one {rds._format_time(window[1])}.",
            )
        record = new_record(source, given(parameters, "TargetDBInstanceIdentifier"), parameters)
        since = None if moment is None else max(moment, window[0])

        def work(target: Database) -> None:
            database_backups.recover(target, database, since)
            first_backup(target)

        begin(record, work)
        return answer("RestoreDBInstanceToPointInTime", record)

    @refusing
    def describe(parameters: Parameters) -> Any:
        wanted = rds._p(parameters, "DBInstanceIdentifier")
        found = [instance(wanted)] if wanted else [record for record in rds._instances.values() if is_ours(record)]
        items = "".join(_automated_backup_xml(record) for record in found)
        name = "DescribeDBInstanceAutomatedBackups"
        inner = f"<{name}Result><DBInstanceAutomatedBackups>{items}</DBInstanceAutomatedBackups></{name}Result>"
        return rds._xml(200, f"{name}Response", inner)

    rds._ACTION_MAP["RestoreDBInstanceToPointInTime"] = restore
    rds._ACTION_MAP["DescribeDBInstanceAutomatedBackups"] = describe


def _restore_source(parameters: Parameters) -> Record:
    from ministack.services import rds

    resource_id = rds._p(parameters, "SourceDbiResourceId")
    for record in rds._instances.values():
        if resource_id and record["DbiResourceId"] == resource_id:
            found: Record = record
            return found
    return instance(rds._p(parameters, "SourceDBInstanceIdentifier"))


def _automated_backup_xml(record: Record) -> str:
    from ministack.core.responses import get_region
    from ministack.services import rds

    database = DATABASES.of(record)
    window = database_backups.window(database) if database else None
    if window is None:
        return ""
    fields = {
        "DBInstanceArn": record["DBInstanceArn"],
        "DbiResourceId": record["DbiResourceId"],
        "Region": get_region(),
        "DBInstanceIdentifier": record["DBInstanceIdentifier"],
        "AllocatedStorage": record["AllocatedStorage"],
        "Status": "active",
        "Port": record["_port"],
        "InstanceCreateTime": record["InstanceCreateTime"],
        "MasterUsername": record["MasterUsername"],
        "Engine": record["Engine"],
        "EngineVersion": record["EngineVersion"],
        "BackupRetentionPeriod": record["BackupRetentionPeriod"],
    }
    text = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    earliest, last = (rds._format_time(moment) for moment in window)
    span = f"<RestoreWindow><EarliestTime>{earliest}</EarliestTime><LatestTime>{last}</LatestTime></RestoreWindow>"
    return f"<DBInstanceAutomatedBackup>{text}{span}</DBInstanceAutomatedBackup>"
