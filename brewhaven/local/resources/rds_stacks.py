"""``AWS::RDS::DBInstance`` in stacks: made through the API, complete when the database answers.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from brewhaven.local.emulator import handler_error, query, succeed
from brewhaven.local.registry import REGISTRY, Created, Properties, correction, replace, resource
from brewhaven.local.resources.rds_requests import RefusedError, is_ours

_TYPE = "AWS::RDS::DBInstance"
_SECONDS = 180
_POLL_SECONDS = 0.05
# Properties that the API takes under the same name; lists and what is named otherwise are below.
_SAME = (
    "AllocatedStorage", "AutoMinorVersionUpgrade", "AvailabilityZone", "BackupRetentionPeriod", "CopyTagsToSnapshot",
    "DBClusterIdentifier", "DBInstanceClass", "DBName", "DBParameterGroupName", "DBSubnetGroupName",
    "DeletionProtection", "EnableIAMDatabaseAuthentication", "EnablePerformanceInsights", "Engine", "EngineVersion",
    "Iops", "KmsKeyId", "MasterUserPassword", "MasterUsername", "MaxAllocatedStorage", "MonitoringInterval",
    "MonitoringRoleArn", "MultiAZ", "PerformanceInsightsRetentionPeriod", "Port", "PreferredBackupWindow",
    "PreferredMaintenanceWindow", "PubliclyAccessible", "StorageEncrypted", "StorageType",
)  # fmt: skip
_NOT_CHANGED = ("DBClusterIdentifier", "DBName", "DBSubnetGroupName", "Engine", "KmsKeyId", "MasterUsername")
# What a replica takes over from its source.
_OF_SOURCE = ("BackupRetentionPeriod", "DBName", "Engine", "EngineVersion", "MasterUserPassword", "MasterUsername")


def _request(properties: Properties, *without: str) -> dict[str, Any]:
    request = {name: properties[name] for name in _SAME if name in properties and name not in without}
    request["VpcSecurityGroupIds"] = {"member": properties.get("VPCSecurityGroups") or []}
    return request


def _attributes(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "Endpoint.Address": record["Endpoint"]["Address"],
        "Endpoint.Port": str(record["Endpoint"]["Port"]),
        "Endpoint.HostedZoneId": record["Endpoint"]["HostedZoneId"],
        "DbiResourceId": record["DbiResourceId"],
        "DBInstanceArn": record["DBInstanceArn"],
        "InstanceCreateTime": record["InstanceCreateTime"],
    }


def _call(action: str, **request: Any) -> str:
    from ministack.services import rds

    return succeed("Rds", rds._ACTION_MAP[action](query(**request)))


def _settle(identifier: str) -> None:
    """Wait until nothing is under way with an instance that shall be deleted."""
    from ministack.services import rds

    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        record = rds._instances.get(identifier)
        if record is None or record["DBInstanceStatus"] in ("available", "stopped", "failed"):
            return
        time.sleep(_POLL_SECONDS)


def _wait(identifier: str) -> dict[str, Any]:
    """Wait until an instance is available, as CloudFormation does."""
    from ministack.services import rds

    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        record: dict[str, Any] | None = rds._instances.get(identifier)
        if record is None:
            raise handler_error(f"DBInstance {identifier} not found.", "Rds", 404, "NotFound")
        if record["DBInstanceStatus"] in ("available", "stopped"):
            return record
        if record["DBInstanceStatus"] == "failed":
            raise handler_error(str(record.get("_failure", "the database failed")), "Rds", 400, "NotStabilized")
        time.sleep(_POLL_SECONDS)
    raise handler_error(f"DBInstance {identifier} did not become available within {_SECONDS} s.", "Rds", 400)


@resource(
    _TYPE,
    tags="Tags",
    replaced_by=(
        "BackupTarget", "CharacterSetName", "CustomIAMInstanceProfile", "DBClusterIdentifier", "DBInstanceIdentifier",
        "DBName", "DBSubnetGroupName", "DBSystemId", "Engine", "KmsKeyId", "MasterUsername", "NcharCharacterSetName",
        "SourceRegion", "StorageEncrypted", "Timezone", "DBSnapshotIdentifier", "RestoreTime",
        "SourceDBInstanceAutomatedBackupsArn", "SourceDbiResourceId", "UseLatestRestorableTime",
    ),
)  # fmt: skip
class DBInstance:
    """A DB instance: new, from a snapshot, from a moment of another one, or as another one's read replica."""

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services.cloudformation import provisioners

        identifier = properties.get("DBInstanceIdentifier") or provisioners._physical_name(
            stack_name, logical_id, lowercase=True, max_len=63
        )
        common = {
            "DBInstanceIdentifier": identifier,
            "Tags": {"member": properties.get("Tags") or []},
            "EnableCloudwatchLogsExports": {"member": properties.get("EnableCloudwatchLogsExports") or []},
        }
        if properties.get("DBSnapshotIdentifier"):
            source = {"DBSnapshotIdentifier": properties["DBSnapshotIdentifier"]}
            _call("RestoreDBInstanceFromDBSnapshot", **_request(properties, *_OF_SOURCE), **source, **common)
            self._after_restore(identifier, properties)
        elif properties.get("RestoreTime") or properties.get("UseLatestRestorableTime"):
            source = {
                "SourceDBInstanceIdentifier": properties.get("SourceDBInstanceIdentifier"),
                "SourceDbiResourceId": properties.get("SourceDbiResourceId"),
                "RestoreTime": properties.get("RestoreTime"),
                "UseLatestRestorableTime": properties.get("UseLatestRestorableTime"),
                "TargetDBInstanceIdentifier": identifier,
            }
            _call("RestoreDBInstanceToPointInTime", **_request(properties, *_OF_SOURCE), **source, **common)
            self._after_restore(identifier, properties)
        elif properties.get("SourceDBInstanceIdentifier"):
            source = {"SourceDBInstanceIdentifier": properties["SourceDBInstanceIdentifier"]}
            _call("CreateDBInstanceReadReplica", **_request(properties, *_OF_SOURCE), **source, **common)
        else:
            _call("CreateDBInstance", **_request(properties), **common)
        try:
            record = _wait(identifier)
        except Exception:
            # CloudFormation deletes what it could not bring up; nothing is left to be rolled back.
            self._drop(identifier)
            raise
        return identifier, _attributes(record)

    @staticmethod
    def _after_restore(identifier: str, properties: Properties) -> None:
        """What a restore takes over from its source, and the template wants otherwise."""
        _wait(identifier)
        wanted = {name: properties[name] for name in ("MasterUserPassword", "BackupRetentionPeriod")
                  if name in properties}  # fmt: skip
        if wanted:
            _call("ModifyDBInstance", DBInstanceIdentifier=identifier, ApplyImmediately=True, **wanted)

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        from ministack.services import rds
        from ministack.services.cloudformation import provisioners

        record = rds._instances[physical_id]
        changed = {name: new[name] for name in _SAME
                   if name in new and name not in _NOT_CHANGED and old.get(name) != new[name]}  # fmt: skip
        if "Port" in changed:
            changed["DBPortNumber"] = changed.pop("Port")
        for name, default in (("DeletionProtection", False), ("DBParameterGroupName", "default.postgres16")):
            if name in old and name not in new:
                changed[name] = default
        if old.get("VPCSecurityGroups") != new.get("VPCSecurityGroups"):
            changed["VpcSecurityGroupIds"] = {"member": new.get("VPCSecurityGroups") or []}
        before = set(old.get("EnableCloudwatchLogsExports") or [])
        after = set(new.get("EnableCloudwatchLogsExports") or [])
        if before != after:
            changed["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": {"member": sorted(after - before)},
                "DisableLogTypes": {"member": sorted(before - after)},
            }
        if old.get("SourceDBInstanceIdentifier") and not new.get("SourceDBInstanceIdentifier"):
            _call("PromoteReadReplica", DBInstanceIdentifier=physical_id)
            _wait(physical_id)
        if changed:
            _call("ModifyDBInstance", DBInstanceIdentifier=physical_id, ApplyImmediately=True, **changed)
            _wait(physical_id)
        if "DBParameterGroupName" in changed and is_ours(record):
            _call("RebootDBInstance", DBInstanceIdentifier=physical_id)
        provisioners._reconcile_tag_list(record.setdefault("TagList", []), old, new)
        return physical_id, _attributes(_wait(physical_id))

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import rds

        _settle(physical_id)
        request = query(DBInstanceIdentifier=physical_id, SkipFinalSnapshot=True)
        succeed("Rds", rds._ACTION_MAP["DeleteDBInstance"](request), ignore=["DBInstanceNotFound"])

    def snapshot(self, physical_id: str, properties: Properties) -> None:
        """The deletion policy ``Snapshot``, which is the default of this type; a read replica has none."""
        from ministack.services import rds

        _settle(physical_id)
        record = rds._instances.get(physical_id)
        if record is None or record.get("ReadReplicaSourceDBInstanceIdentifier") or record.get("DeletionProtection"):
            return
        try:
            rds._create_snapshot_internal(f"{physical_id}-snapshot-{secrets.token_hex(6)}", record)
        except RefusedError as refusal:
            raise handler_error(refusal.message, "Rds", refusal.status) from refusal

    def _drop(self, identifier: str) -> None:
        from ministack.services import rds

        record = rds._instances.get(identifier)
        if record is not None:
            record["DeletionProtection"] = False
            self.delete(identifier, {})


@correction
def stacks_wait_for_databases() -> None:
    """A stack goes on when its database is available, so that the next resource may connect to it."""
    from ministack.services.cloudformation import stacks

    def build(original: Any) -> Any:
        return lambda cfn_type: cfn_type == _TYPE or original(cfn_type)

    replace(stacks, "_runs_on_worker_thread", build)


REGISTRY.recorded[_TYPE] = (
    "PostgreSQL itself is real, one process of this machine for each instance; Multi-AZ, instance class (but for "
    "max_connections), storage size and encryption, maintenance windows, enhanced monitoring, Performance Insights and "
    "IAM authentication are recorded only"
)
REGISTRY.recorded["AWS::RDS::DBCluster"] = "kept and answered by the API; no Aurora runs behind it"
