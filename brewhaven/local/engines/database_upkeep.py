"""What RDS does for a database beside running it: logs and metrics to CloudWatch, automated backups in time.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from brewhaven.local.engines import database_backups, database_replicas
from brewhaven.local.engines.databases import DATABASES, Database, fail
from brewhaven.local.engines.postgres_server import ADMIN, PostgresError

logger = logging.getLogger("brewhaven.local.rds")

NAMESPACE = "AWS/RDS"
# RDS measures every minute. Here a lab does not wait that long for its alarm.
METRIC_SECONDS = 10
_FLUSH_SECONDS = 0.5
_MOST_LINES = 10_000
_CORES = 2  # of the smallest classes; what a percentage of CPU is taken of
_GIBIBYTE = 1024**3
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> :'admin'"


class Upkeep:
    """One thread for all databases."""

    def __init__(self) -> None:
        self._lines: deque[tuple[Database, int, str]] = deque(maxlen=_MOST_LINES)
        self._cpu: dict[str, tuple[float, float]] = {}

    def start(self) -> None:
        """Begin; ends with the process."""
        DATABASES.on_log = self.take_line
        threading.Thread(target=self._run, daemon=True, name="rds-upkeep").start()

    def take_line(self, database: Database, line: str) -> None:
        """Keep a line of a server's log for CloudWatch Logs, if the instance exports it."""
        if "postgresql" in (database.record.get("EnabledCloudwatchLogsExports") or []):
            self._lines.append((database, int(time.time() * 1000), line))

    def _run(self) -> None:
        measured = 0.0
        while not DATABASES.closed:
            time.sleep(_FLUSH_SECONDS)
            try:
                self.flush()
                for database in DATABASES:
                    _revive(database)
                if time.monotonic() - measured >= METRIC_SECONDS:
                    measured = time.monotonic()
                    for database in DATABASES:
                        self._look_after(database)
            except Exception:
                logger.exception("The upkeep of databases failed")

    def flush(self) -> None:
        """Deliver the lines that were kept."""
        batches: dict[str, tuple[Database, list[dict[str, Any]]]] = {}
        while self._lines:
            database, when, line = self._lines.popleft()
            batch = batches.setdefault(database.record["DbiResourceId"], (database, []))
            batch[1].append({"timestamp": when, "message": line})
        for database, events in batches.values():
            # The last words of a deleted one would bring its log group back.
            if DATABASES.of(database.record) is database:
                _put_log_events(database, events)

    def _look_after(self, database: Database) -> None:
        if database.record["DBInstanceStatus"] != "available" or not database.server.is_running:
            return
        with suppress(PostgresError):
            self.measure(database)
        if database_backups.is_due(database):
            try:
                database_backups.back_up(database)
            except PostgresError as error:
                logger.warning("The automated backup of %s failed: %s", database.identifier, error)

    def measure(self, database: Database) -> None:
        """Publish an instance's metrics of now."""
        from ministack.core.responses import request_scope
        from ministack.services import cloudwatch

        metrics = {
            "DatabaseConnections": ("Count", float(database.server.sql(_CONNECTIONS, admin=ADMIN))),
            "FreeStorageSpace": ("Bytes", self._free(database)),
        }
        if database.is_replica:
            metrics["ReplicaLag"] = ("Seconds", database_replicas.lag_seconds(database))
        used = self._cpu_percent(database)
        if used is not None:
            metrics["CPUUtilization"] = ("Percent", used)
        dimensions = [{"Name": "DBInstanceIdentifier", "Value": database.identifier}]
        data = [
            {"MetricName": name, "Dimensions": dimensions, "Unit": unit, "Value": value}
            for name, (unit, value) in metrics.items()
        ]
        with request_scope(database.account, database.region):
            cloudwatch._put_metric_data({}, {"Namespace": NAMESPACE, "MetricData": data}, False, is_json=True)

    @staticmethod
    def _free(database: Database) -> float:
        used = sum(_size(file) for file in database.server.data.rglob("*"))
        return max(0.0, float(database.record["AllocatedStorage"]) * _GIBIBYTE - used)

    def _cpu_percent(self, database: Database) -> float | None:
        """Share of the time of two cores since the last look; None at the first."""
        pid = database.server.pid
        if pid is None:
            return None
        try:
            postmaster = psutil.Process(pid)
            own = postmaster.cpu_times()
            # Of sessions that have ended the postmaster has the time.
            spent = sum(own[:4])
            for child in postmaster.children():
                with suppress(psutil.Error):
                    spent += sum(child.cpu_times()[:2])
        except psutil.Error:
            return None
        now = time.monotonic()
        before, at = self._cpu.get(database.record["DbiResourceId"], (None, now))
        self._cpu[database.record["DbiResourceId"]] = (spent, now)
        if before is None or now <= at:
            return None
        return round(min(100.0, max(0.0, 100 * (spent - before) / (now - at) / _CORES)), 3)


def _revive(database: Database) -> None:
    """Start a server again that died by itself, as RDS recovers an instance."""
    with database.lock:
        if database.record["DBInstanceStatus"] != "available" or database.server.is_running or DATABASES.closed:
            return
        logger.warning("%s: PostgreSQL is gone; it is started again", database.identifier)
        try:
            database.start()
        except PostgresError as error:
            fail(database, error)


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0


def _put_log_events(database: Database, events: list[dict[str, Any]]) -> None:
    """Write into the group that RDS would make, if the template did not."""
    from ministack.core.responses import request_scope
    from ministack.services import cloudwatch_logs as logs

    group = f"/aws/rds/instance/{database.identifier}/postgresql"
    stream = f"{database.identifier}.0"
    with request_scope(database.account, database.region):
        if group not in logs._log_groups:
            logs._create_log_group({"logGroupName": group})
        if stream not in logs._log_groups[group]["streams"]:
            logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
        logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": events})


UPKEEP = Upkeep()
