"""RDS: records of new instances, and the threads that bring up what runs behind them."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from typing import Any

from brewhaven.local.engines import database_backups, postgres_programs
from brewhaven.local.engines.databases import DATABASES, PORT_IN_VPC, Database, choose_port, fail
from brewhaven.local.resources.rds_requests import Parameters, Record, RefusedError, check_groups, members
from brewhaven.local.settings import HOST

# What a request may ask for otherwise than the record from which the new one is made.
_TEXTS = ("AvailabilityZone", "DBInstanceClass", "StorageType")
_NUMBERS = ("AllocatedStorage", "BackupRetentionPeriod", "Iops", "MaxAllocatedStorage", "MonitoringInterval")
_SWITCHES = ("AutoMinorVersionUpgrade", "CopyTagsToSnapshot", "DeletionProtection", "MultiAZ", "PubliclyAccessible")


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


def new_record(source: Record, identifier: str, parameters: Parameters, *, is_replica: bool = False) -> Record:
    """The record of an instance that is made from another one's data."""
    from ministack.core.responses import get_account_id, get_region, new_uuid
    from ministack.services import rds

    given = rds._p
    if not identifier:
        raise RefusedError("MissingParameter", "The request must contain an identifier for the new DB instance.")
    if identifier in rds._instances:
        raise RefusedError("DBInstanceAlreadyExists", "DB instance already exists")
    check_groups(parameters)
    record: Record = copy.deepcopy(source)
    family = f"default.postgres{record['EngineVersion'].split('.')[0]}"
    group = given(parameters, "DBParameterGroupName") or (
        record["DBParameterGroups"][0]["DBParameterGroupName"] if is_replica else family
    )
    record.update(
        {
            "DBInstanceIdentifier": identifier,
            "DBInstanceArn": f"arn:aws:rds:{get_region()}:{get_account_id()}:db:{identifier}",
            "DbiResourceId": f"db-{new_uuid().replace('-', '')[:26].upper()}",
            "InstanceCreateTime": rds._format_time(time.time()),
            "DBParameterGroups": [{"DBParameterGroupName": group, "ParameterApplyStatus": "in-sync"}],
            "VpcSecurityGroups": [
                {"VpcSecurityGroupId": key, "Status": "active"} for key in members(parameters, "VpcSecurityGroupIds")
            ],
            "DeletionProtection": False,
            "MultiAZ": False,
            "PendingModifiedValues": {},
            "ReadReplicaDBInstanceIdentifiers": [],
            "ReadReplicaSourceDBInstanceIdentifier": "",
            "TagList": rds._parse_tags(parameters),
        }
    )
    for name in ("_source", "_source_port", "_slot"):
        record.pop(name, None)
    subnets = given(parameters, "DBSubnetGroupName")
    if subnets:
        record["DBSubnetGroup"] = rds._subnet_groups[subnets]
    elif not is_replica:
        record["DBSubnetGroup"] = {}
    for name in (*_TEXTS, *_NUMBERS, *_SWITCHES):
        value = given(parameters, name)
        if value:
            record[name] = int(value) if name in _NUMBERS else value == "true" if name in _SWITCHES else value
    complete(record, parameters)
    rds._instances[identifier] = record
    if record["TagList"]:
        rds._tags[record["DBInstanceArn"]] = record["TagList"]
    return record


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


def restart(database: Database) -> None:
    """Stop the server and start it with the settings of now."""
    with database.lock:
        database.server.stop()
        database.start()


def follow_up(record: Record, status: str, work: Callable[[Database], None]) -> None:
    """Do something to an instance's database in a thread, and then give the record its new status."""
    database = DATABASES.of(record)
    if database is None:
        raise RefusedError("InvalidDBInstanceState", "The local cloud has no server for this instance.")

    def run() -> None:
        try:
            work(database)
        except Exception as error:
            fail(database, error)
        else:
            record["DBInstanceStatus"] = status

    threading.Thread(target=run, daemon=True, name=f"rds-{database.identifier}").start()


def first_backup(database: Database) -> None:
    """Make the first automated backup, if there shall be any, before an instance is available."""
    if database.keeps_backups:
        database.record["DBInstanceStatus"] = "backing-up"
        database_backups.back_up(database)


def answer(action: str, record: Record) -> Any:
    """The response of an action that answers with one instance."""
    from ministack.services import rds

    return rds._single_instance_response(f"{action}Response", f"{action}Result", record)
