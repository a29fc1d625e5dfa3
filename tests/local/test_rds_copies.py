"""Snapshots, restores to a moment and read replicas hold real data (rds_snapshots, rds_recovery, rds_replicas)."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from pg8000.exceptions import DatabaseError

from tests.local.stacks import Stack, att, stack
from tests.plugins.databases import (
    Address,
    address,
    db_instance,
    described,
    network,
    outputs,
    wait_available,
    wait_until,
)
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


@pytest.fixture
def database(cloud: Cloud) -> Iterator[tuple[Stack, str, Address]]:
    """A stack with an instance that keeps backups and has a table, the instance's id, and where it answers."""
    with stack(cloud) as made:
        found = made.create({**network(), "Db": db_instance(BackupRetentionPeriod=1)}, **outputs())
        place = address(cloud, found)
        place.run("CREATE TABLE orders (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())")
        yield made, found["Id"], place


def _ids(place: Address) -> list[int]:
    return [row[0] for row in place.run("SELECT id FROM orders ORDER BY id")]


def _delete(cloud: Cloud, identifier: str) -> None:
    cloud.client("rds").delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)


def test_a_restored_snapshot_has_the_row_that_was_deleted(cloud: Cloud, database: tuple[Stack, str, Address]) -> None:
    _, identifier, place = database
    rds = cloud.client("rds")
    place.run("INSERT INTO orders VALUES (1), (2)")
    made = rds.create_db_snapshot(DBInstanceIdentifier=identifier, DBSnapshotIdentifier="before")["DBSnapshot"]
    rds.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier="before", WaiterConfig={"Delay": 1})
    assert made["DBInstanceIdentifier"] == identifier
    place.run("DELETE FROM orders WHERE id = 1")
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="restored", DBSnapshotIdentifier="before")
    restored = wait_available(cloud, "restored")
    assert _ids(restored) == [1, 2]
    assert _ids(place) == [2]
    assert described(cloud, "restored")["DBInstanceArn"].endswith(":db:restored")
    with pytest.raises(ClientError, match="DBInstanceAlreadyExists"):
        rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="restored", DBSnapshotIdentifier="before")
    _delete(cloud, "restored")
    rds.delete_db_snapshot(DBSnapshotIdentifier="before")
    with pytest.raises(ClientError, match="DBSnapshotNotFound"):
        rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="again", DBSnapshotIdentifier="before")


def test_a_restore_to_a_moment_stops_at_that_moment(cloud: Cloud, database: tuple[Stack, str, Address]) -> None:
    _, identifier, place = database
    rds = cloud.client("rds")
    place.run("INSERT INTO orders VALUES (1)")
    time.sleep(1.1)
    moment = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    time.sleep(1.1)
    place.run("DELETE FROM orders")
    place.run("INSERT INTO orders VALUES (2)")
    assert described(cloud, identifier)["LatestRestorableTime"] >= moment
    [backup] = rds.describe_db_instance_automated_backups(DBInstanceIdentifier=identifier)["DBInstanceAutomatedBackups"]
    assert backup["RestoreWindow"]["EarliestTime"] <= moment <= backup["RestoreWindow"]["LatestTime"]

    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=identifier, TargetDBInstanceIdentifier="then", RestoreTime=moment
    )
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=identifier, TargetDBInstanceIdentifier="latest", UseLatestRestorableTime=True
    )
    assert _ids(wait_available(cloud, "then")) == [1]
    assert _ids(wait_available(cloud, "latest")) == [2]
    # What was restored is a database like any other, with backups of its own.
    again = wait_available(cloud, "then")
    again.run("INSERT INTO orders VALUES (3)")
    assert _ids(again) == [1, 3]
    with pytest.raises(ClientError, match=r"InvalidRestoreFault.*not between the earliest restorable time"):
        rds.restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier=identifier,
            TargetDBInstanceIdentifier="long-ago",
            RestoreTime=moment - datetime.timedelta(days=2),
        )
    for name in ("then", "latest"):
        _delete(cloud, name)


def test_a_moment_after_which_nothing_was_written_can_be_restored(
    cloud: Cloud, database: tuple[Stack, str, Address]
) -> None:
    _, identifier, place = database
    rds = cloud.client("rds")
    place.run("INSERT INTO orders VALUES (1)")
    rds.stop_db_instance(DBInstanceIdentifier=identifier)
    wait_available(cloud, identifier, "stopped")
    rds.restore_db_instance_to_point_in_time(
        SourceDBInstanceIdentifier=identifier,
        TargetDBInstanceIdentifier="of-stopped",
        RestoreTime=described(cloud, identifier)["LatestRestorableTime"],
    )
    assert _ids(wait_available(cloud, "of-stopped")) == [1]
    _delete(cloud, "of-stopped")


def test_without_backups_there_is_nothing_to_restore(cloud: Cloud) -> None:
    rds = cloud.client("rds")
    with stack(cloud) as made:
        found = made.create({**network(), "Db": db_instance(BackupRetentionPeriod=0)}, **outputs())
        assert "LatestRestorableTime" not in described(cloud, found["Id"])
        with pytest.raises(ClientError, match="has no automated backups"):
            rds.restore_db_instance_to_point_in_time(
                SourceDBInstanceIdentifier=found["Id"],
                TargetDBInstanceIdentifier="never",
                UseLatestRestorableTime=True,
            )
        with pytest.raises(ClientError, match="Automated backups are not enabled"):
            rds.create_db_instance_read_replica(SourceDBInstanceIdentifier=found["Id"], DBInstanceIdentifier="never")


def test_a_replica_streams_refuses_writes_and_can_lag(cloud: Cloud, database: tuple[Stack, str, Address]) -> None:
    made, identifier, place = database
    replica = db_instance(
        SourceDBInstanceIdentifier=att("Db", "DBInstanceArn"), Engine=None, EngineVersion=None, MasterUsername=None,
        MasterUserPassword=None, DBName=None, DBSubnetGroupName=None, AllocatedStorage=None,
    )  # fmt: skip
    template = {**network(), "Db": db_instance(BackupRetentionPeriod=1), "Replica": replica}
    found = made.update(template, **outputs("Replica"))
    reader = address(cloud, found)
    assert described(cloud, found["Id"])["ReadReplicaSourceDBInstanceIdentifier"] == identifier
    assert described(cloud, identifier)["ReadReplicaDBInstanceIdentifiers"] == [found["Id"]]
    assert described(cloud, found["Id"])["StatusInfos"][0]["Status"] == "replicating"

    place.run("INSERT INTO orders VALUES (1)")
    wait_until(lambda: _ids(reader) == [1], 5)
    with pytest.raises(DatabaseError, match="cannot execute INSERT in a read-only transaction"):
        reader.run("INSERT INTO orders VALUES (9)")

    # Replay is held back, as under load: the lag grows, and is gone once replay goes on.
    reader.run("SELECT pg_wal_replay_pause()")
    place.run("INSERT INTO orders VALUES (2)")
    time.sleep(1)
    assert _ids(reader) == [1]
    lag = "SELECT extract(epoch FROM now() - pg_last_xact_replay_timestamp())"
    assert reader.run(lag)[0][0] >= 1
    reader.run("SELECT pg_wal_replay_resume()")
    wait_until(lambda: _ids(reader) == [1, 2], 5)

    with pytest.raises(ClientError, match="Cannot stop an instance that has a read replica"):
        cloud.client("rds").stop_db_instance(DBInstanceIdentifier=identifier)


def test_a_promoted_replica_is_a_database_of_its_own(cloud: Cloud, database: tuple[Stack, str, Address]) -> None:
    _, identifier, place = database
    rds = cloud.client("rds")
    place.run("INSERT INTO orders VALUES (1)")
    rds.create_db_instance_read_replica(SourceDBInstanceIdentifier=identifier, DBInstanceIdentifier="promoted")
    reader = wait_available(cloud, "promoted")
    rds.promote_read_replica(DBInstanceIdentifier="promoted")
    wait_available(cloud, "promoted")
    reader.run("INSERT INTO orders VALUES (2)")
    assert (_ids(reader), _ids(place)) == ([1, 2], [1])
    assert "ReadReplicaSourceDBInstanceIdentifier" not in described(cloud, "promoted")
    assert described(cloud, identifier)["ReadReplicaDBInstanceIdentifiers"] == []
    assert place.run("SELECT count(*) FROM pg_replication_slots") == [[0]]
    with pytest.raises(ClientError, match="not a read replica"):
        rds.promote_read_replica(DBInstanceIdentifier="promoted")
    _delete(cloud, "promoted")


def test_deleting_the_source_promotes_its_replicas(cloud: Cloud) -> None:
    rds = cloud.client("rds")
    with stack(cloud) as made:
        found = made.create({**network(), "Db": db_instance(BackupRetentionPeriod=1)}, **outputs())
        address(cloud, found).run("CREATE TABLE orders (id int)")
        rds.create_db_instance_read_replica(SourceDBInstanceIdentifier=found["Id"], DBInstanceIdentifier="survivor")
        reader = wait_available(cloud, "survivor")
        _delete(cloud, found["Id"])
        wait_available(cloud, "survivor")
        reader.run("INSERT INTO orders VALUES (1)")
        assert "ReadReplicaSourceDBInstanceIdentifier" not in described(cloud, "survivor")
        _delete(cloud, "survivor")


def test_the_deletion_policy_snapshot_leaves_one_with_the_data(cloud: Cloud) -> None:
    rds = cloud.client("rds")
    with stack(cloud) as made:
        kept = {**db_instance(), "DeletionPolicy": "Snapshot"}
        found = made.create({**network(), "Db": kept}, **outputs())
        address(cloud, found).run("CREATE TABLE orders AS SELECT 7 AS id")
        made.delete()
    [snapshot] = rds.describe_db_snapshots(DBInstanceIdentifier=found["Id"])["DBSnapshots"]
    name = snapshot["DBSnapshotIdentifier"]
    with stack(cloud) as made:
        restored = db_instance(DBSnapshotIdentifier=name, MasterUserPassword="Macchiato-2026!", DBName=None)
        found = made.create({**network(), "Db": restored}, **outputs())
        place = Address(cloud, found["Host"], int(found["Port"]), password="Macchiato-2026!")
        assert _ids(place) == [7]
    rds.delete_db_snapshot(DBSnapshotIdentifier=name)


def test_a_final_snapshot_and_protection_against_deleting(cloud: Cloud) -> None:
    rds = cloud.client("rds")
    with stack(cloud) as made:
        template = {**network(), "Db": db_instance(DeletionProtection=True)}
        found = made.create(template, **outputs())
        with pytest.raises(ClientError, match="disable deletion protection"):
            _delete(cloud, found["Id"])
        rds.modify_db_instance(DBInstanceIdentifier=found["Id"], DeletionProtection=False, ApplyImmediately=True)
        rds.delete_db_instance(DBInstanceIdentifier=found["Id"], FinalDBSnapshotIdentifier="the-last")
        assert rds.describe_db_snapshots(DBSnapshotIdentifier="the-last")["DBSnapshots"][0]["Status"] == "available"
        rds.delete_db_snapshot(DBSnapshotIdentifier="the-last")
