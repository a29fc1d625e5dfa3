"""Logs and metrics of a database reach CloudWatch, backups stay bounded (engines/database_upkeep.py)."""

from __future__ import annotations

import datetime
import os
import signal

import pytest
from pg8000.exceptions import DatabaseError, InterfaceError

from tests.local.stacks import ref, stack, typed
from tests.plugins.databases import address, db_instance, described, network, outputs, wait_until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def test_the_exported_log_is_in_cloudwatch_logs(cloud: Cloud) -> None:
    logs = cloud.client("logs")
    with stack(cloud) as made:
        found = made.create({**network(), "Db": db_instance(EnableCloudwatchLogsExports=["postgresql"])}, **outputs())
        assert described(cloud, found["Id"])["EnabledCloudwatchLogsExports"] == ["postgresql"]
        with pytest.raises(DatabaseError):
            address(cloud, found).run("SELECT no_such_column")
        group = f"/aws/rds/instance/{found['Id']}/postgresql"

        def lines() -> list[str]:
            return [
                event["message"]
                for event in logs.filter_log_events(logGroupName=group, logStreamNames=[f"{found['Id']}.0"])["events"]
            ]

        [line] = wait_until(lambda: [line for line in lines() if "no_such_column" in line and "ERROR" in line])
        assert "brewmaster@shop" in line
        logs.delete_log_group(logGroupName=group)


def test_metrics_count_connections_and_the_lag_of_a_replica(cloud: Cloud) -> None:
    cloudwatch = cloud.client("cloudwatch")
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)

    def values(metric: str, identifier: str) -> list[float]:
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/RDS",
            MetricName=metric,
            Dimensions=[{"Name": "DBInstanceIdentifier", "Value": identifier}],
            StartTime=since,
            EndTime=datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )
        return [point["Maximum"] for point in answer["Datapoints"]]

    replica = typed("AWS::RDS::DBInstance", SourceDBInstanceIdentifier=ref("Db"), DBInstanceClass="db.t4g.micro")
    with stack(cloud) as made:
        found = made.create(
            {**network(), "Db": db_instance(), "Replica": {**replica, "DeletionPolicy": "Delete"}},
            **outputs(), Replica=ref("Replica"),
        )  # fmt: skip
        held = [address(cloud, found).connect() for _ in range(3)]
        wait_until(lambda: max(values("DatabaseConnections", found["Id"]), default=0) >= len(held))
        wait_until(lambda: values("ReplicaLag", found["Replica"]))
        assert max(values("ReplicaLag", found["Replica"])) < 5
        assert 19 * 1024**3 < values("FreeStorageSpace", found["Id"])[0] < 20 * 1024**3
        wait_until(lambda: values("CPUUtilization", found["Id"]))
        for connection in held:
            connection.close()


def test_a_server_that_was_killed_comes_back_with_its_data(cloud: Cloud) -> None:
    with stack(cloud) as made:
        found = made.create({**network(), "Db": db_instance()}, **outputs())
        place = address(cloud, found)
        place.run("CREATE TABLE orders AS SELECT 1 AS id")
        data = cloud.settings.folder / "containers/databases" / described(cloud, found["Id"])["DbiResourceId"] / "data"
        pid = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

        def answers() -> bool:
            try:
                return bool(place.run("SELECT id FROM orders") == [[1]])
            except (DatabaseError, InterfaceError, OSError):
                return False

        wait_until(answers)
        assert int((data / "postmaster.pid").read_text().split()[0]) != pid


def test_a_grown_log_leads_to_another_backup(cloud: Cloud) -> None:
    with stack(cloud) as made:
        found = made.create({**network(), "Db": db_instance()}, **outputs())
        backups = (
            cloud.settings.folder / "containers/databases" / described(cloud, found["Id"])["DbiResourceId"] / "backups"
        )
        assert len(list(backups.iterdir())) == 1
        place = address(cloud, found)
        place.run("CREATE TABLE filler AS SELECT repeat(md5(i::text), 300) FROM generate_series(1, 100) i")
        for _ in range(9):
            place.run("INSERT INTO filler SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 9) j, "
                      "generate_series(1, 50000) i GROUP BY i")  # fmt: skip
        wait_until(lambda: len(list(backups.glob("[0-9]*"))) > 1, 60)
