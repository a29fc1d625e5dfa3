"""DynamoDB: point-in-time recovery restores the table as it was at the time that is asked for.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
"""

from __future__ import annotations

import copy
import time
from typing import Any

from brewhaven.local.registry import correction, replace

Record = dict[str, Any]
# Under this key a table keeps since when it can be restored, and what each write since then replaced.
_KEY = "_recovery"
# The journal is saved with the table, so it is bounded: beyond this, the window that can be restored begins later.
_MOST_WRITES = 20_000
_FORGOTTEN_AT_ONCE = 2_000
_WINDOW_SECONDS = 35 * 24 * 3600


def _remember(table: Record, partition: Any, sort: Any, old: Any) -> None:
    recovery = table.get(_KEY)
    if recovery is None:
        return
    journal: list[Any] = recovery["journal"]
    journal.append([time.time(), partition, sort, old])
    if len(journal) > _MOST_WRITES:
        recovery["since"] = journal[_FORGOTTEN_AT_ONCE][0]
        del journal[:_FORGOTTEN_AT_ONCE]


def _earliest(recovery: Record) -> int:
    """In whole seconds, as the SDKs send the time to restore."""
    return int(max(float(recovery["since"]), time.time() - _WINDOW_SECONDS))


def _undo(table: Record, recovery: Record, moment: float) -> None:
    """Take back every write after a moment, newest first."""
    from ministack.services import dynamodb

    for when, partition, sort, old in reversed(recovery["journal"]):
        if when <= moment:
            return
        if old is None:
            dynamodb._remove_item(table, partition, sort)
        else:
            dynamodb._set_item(table, partition, sort, copy.deepcopy(old))


@correction
def tables_can_be_taken_back_in_time() -> None:
    """The emulator restores the present state whatever time is asked, and also a table without recovery."""
    from ministack.core.responses import error_response_json
    from ministack.services import dynamodb

    def set_item(original: Any) -> Any:
        def store(table: Record, partition: Any, sort: Any, item: Any) -> Any:
            old = original(table, partition, sort, item)
            _remember(table, partition, sort, old)
            return old

        return store

    def remove_item(original: Any) -> Any:
        def remove(table: Record, partition: Any, sort: Any) -> Any:
            old = original(table, partition, sort)
            if old is not None:
                _remember(table, partition, sort, old)
            return old

        return remove

    def switch(original: Any) -> Any:
        def update(request: Record) -> Any:
            answer = original(request)
            table = dynamodb._tables.get(dynamodb._normalize_table_name(request.get("TableName")))
            if table is not None and answer[0] == 200:
                wanted = request.get("PointInTimeRecoverySpecification") or {}
                if not wanted.get("PointInTimeRecoveryEnabled"):
                    table.pop(_KEY, None)
                else:
                    table.setdefault(_KEY, {"since": time.time(), "journal": []})
                return dynamodb._describe_continuous_backups(request)
            return answer

        return update

    def describe(original: Any) -> Any:
        def describe_backups(request: Record) -> Any:
            status, headers, body = original(request)
            table = dynamodb._tables.get(dynamodb._normalize_table_name(request.get("TableName")))
            if status != 200 or table is None or _KEY not in table:
                return status, headers, body
            recovery = {
                "PointInTimeRecoveryStatus": "ENABLED",
                "RecoveryPeriodInDays": 35,
                "EarliestRestorableDateTime": _earliest(table[_KEY]),
                "LatestRestorableDateTime": time.time(),
            }
            description = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery}
            return dynamodb.json_response({"ContinuousBackupsDescription": description})

        return describe_backups

    def restore(original: Any) -> Any:
        def restore_table(request: Record) -> Any:
            source = request.get("SourceTableName") or request.get("SourceTableArn")
            table = dynamodb._tables.get(dynamodb._normalize_table_name(source)) if source else None
            if table is None:
                return original(request)
            name, recovery = table["TableName"], table.get(_KEY)
            if recovery is None:
                sentence = f"Point in time recovery is not enabled for table '{name}'"
                return error_response_json("PointInTimeRecoveryUnavailableException", sentence, 400)
            asked = None if request.get("UseLatestRestorableTime") else request.get("RestoreDateTime")
            moment = time.time() if asked is None else float(asked)
            if not _earliest(recovery) <= moment <= time.time() + 1:
                sentence = (
                    "An invalid restore time was specified. RestoreDateTime must be between EarliestRestorableDateTime "
                    "and LatestRestorableDateTime."
                )
                return error_response_json("InvalidRestoreTimeException", sentence, 400)
            answer = original(request)
            if answer[0] == 200:
                _undo(dynamodb._tables[request["TargetTableName"]], recovery, moment)
            return answer

        return restore_table

    replace(dynamodb, "_set_item", set_item)
    replace(dynamodb, "_remove_item", remove_item)
    replace(dynamodb, "_describe_continuous_backups", describe)
    replace(dynamodb, "_update_continuous_backups", switch)
    replace(dynamodb, "_restore_table_to_point_in_time", restore)
