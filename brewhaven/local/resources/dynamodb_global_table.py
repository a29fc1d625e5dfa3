"""``AWS::DynamoDB::GlobalTable`` (CDK's ``TableV2``): through the DynamoDB API, changed in place, data kept.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-globaltable.html
"""

from __future__ import annotations

import json
from typing import Any

from brewhaven.local.emulator import handler_error, succeed, truth, wrap_handler
from brewhaven.local.registry import Created, Properties, correction, resource
from brewhaven.local.resources import application_autoscaling as scaling

Record = dict[str, Any]
_SERVICE = "DynamoDb"
_GONE = ("ResourceNotFoundException",)
_ONE_INDEX = "Cannot perform more than one GSI creation or deletion in a single update"
_FIXED_INDEX = (
    "Cannot update GSI's properties other than Provisioned Throughput and Contributor Insights Specification. "
    "You can create a new GSI with a different name."
)


def _home_replica(properties: Properties) -> Record:
    """The replica of the stack's own region: settings that AWS keeps per replica."""
    from ministack.core.responses import get_region

    replicas: list[Record] = properties.get("Replicas", [])
    for replica in replicas:
        if replica["Region"] == get_region():
            return replica
    raise handler_error(
        f"Replicas must contain the region {get_region()} where the stack is deployed", _SERVICE, 400, "InvalidRequest"
    )


def _minimum(settings: Record | None, kind: str) -> int:
    """Capacity with which a provisioned table or index starts: fixed, or the lower bound of its autoscaling."""
    values = settings or {}
    scaled = values.get(f"{kind}CapacityAutoScalingSettings") or {}
    return int(values.get(f"{kind}CapacityUnits") or scaled.get("SeedCapacity") or scaled.get("MinCapacity") or 5)


def _throughput(write: Record | None, read: Record | None) -> Record:
    return {"ReadCapacityUnits": _minimum(read, "Read"), "WriteCapacityUnits": _minimum(write, "Write")}


def _is_provisioned(properties: Properties) -> bool:
    return bool(properties.get("BillingMode", "PROVISIONED") == "PROVISIONED")


def _index(properties: Properties, index: Record) -> Record:
    """One index in the API's shape; its read capacity is the replica's."""
    wanted = {key: index[key] for key in ("IndexName", "KeySchema", "Projection")}
    if _is_provisioned(properties):
        reads = {i["IndexName"]: i for i in _home_replica(properties).get("GlobalSecondaryIndexes", [])}
        read = reads.get(index["IndexName"], {}).get("ReadProvisionedThroughputSettings")
        wanted["ProvisionedThroughput"] = _throughput(index.get("WriteProvisionedThroughputSettings"), read)
    return wanted


def _indexes(properties: Properties) -> dict[str, Record]:
    return {index["IndexName"]: _index(properties, index) for index in properties.get("GlobalSecondaryIndexes", [])}


def _stream(properties: Properties) -> Record | None:
    wanted = properties.get("StreamSpecification")
    return {"StreamEnabled": True, "StreamViewType": wanted["StreamViewType"]} if wanted else None


def _table_throughput(properties: Properties) -> Record:
    return _throughput(
        properties.get("WriteProvisionedThroughputSettings"),
        _home_replica(properties).get("ReadProvisionedThroughputSettings"),
    )


def check_index_changes(old: Properties, new: Properties) -> None:
    """CloudFormation creates or deletes one index in an update, and never changes the keys of one.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-globaltable.html
    """
    before = {index["IndexName"]: index for index in old.get("GlobalSecondaryIndexes") or []}
    after = {index["IndexName"]: index for index in new.get("GlobalSecondaryIndexes") or []}
    if len(before.keys() ^ after.keys()) > 1:
        raise handler_error(_ONE_INDEX, _SERVICE, 400, "InvalidRequest")
    for name in before.keys() & after.keys():
        if any(before[name].get(part) != after[name].get(part) for part in ("KeySchema", "Projection")):
            raise handler_error(_FIXED_INDEX, _SERVICE, 400, "InvalidRequest")


@correction
def one_index_per_update() -> None:
    """The rule holds for ``AWS::DynamoDB::Table`` as well; the emulator recreates indexes at will."""

    def build(original: Any) -> Any:
        def update(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Any:
            check_index_changes(old, new)
            return original(physical_id, old, new, *rest)

        return update

    wrap_handler("AWS::DynamoDB::Table", "update", build)


@correction
def deletion_protection_holds() -> None:
    """A table with deletion protection survives its stack: the delete fails, as DeleteTable does."""
    from ministack.services import dynamodb

    def build(original: Any) -> Any:
        def delete(physical_id: str, properties: Properties) -> None:
            succeed(_SERVICE, dynamodb._delete_table({"TableName": physical_id}), ignore=_GONE)

        return delete

    wrap_handler("AWS::DynamoDB::Table", "delete", build)


@resource("AWS::DynamoDB::GlobalTable", replaced_by=("TableName", "KeySchema", "LocalSecondaryIndexes"))
class GlobalTable:
    """Table, settings of the home replica, replicas in other regions, autoscaling."""

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        from ministack.services import dynamodb
        from ministack.services.cloudformation import provisioners

        name = properties.get("TableName") or provisioners._physical_name(stack_name, logical_id, max_len=255)
        request: Record = {
            "TableName": name,
            "KeySchema": properties["KeySchema"],
            "AttributeDefinitions": properties["AttributeDefinitions"],
            "BillingMode": properties.get("BillingMode", "PROVISIONED"),
            "DeletionProtectionEnabled": truth(_home_replica(properties).get("DeletionProtectionEnabled")),
        }
        optional = {
            "GlobalSecondaryIndexes": list(_indexes(properties).values()),
            "LocalSecondaryIndexes": properties.get("LocalSecondaryIndexes"),
            "StreamSpecification": _stream(properties),
            "SSESpecification": _encryption(properties),
            "TableClass": _home_replica(properties).get("TableClass"),
            "ProvisionedThroughput": _table_throughput(properties) if _is_provisioned(properties) else None,
        }
        request.update({key: value for key, value in optional.items() if value})
        succeed(_SERVICE, dynamodb._create_table(request))
        _apply_settings(name, {}, properties)
        return name, _attributes(name)

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        from ministack.services import dynamodb

        check_index_changes(old, new)
        changes: list[Record] = []
        table: Record = {}
        if _is_provisioned(old) != _is_provisioned(new):
            table["BillingMode"] = new.get("BillingMode", "PROVISIONED")
        if _is_provisioned(new) and (table or _table_throughput(old) != _table_throughput(new)):
            table["ProvisionedThroughput"] = _table_throughput(new)
        if _stream(old) != _stream(new):
            if _stream(old):
                changes.append({"StreamSpecification": {"StreamEnabled": False}})
            if _stream(new):
                changes.append({"StreamSpecification": _stream(new)})
        if _encryption(old) != _encryption(new):
            table["SSESpecification"] = _encryption(new) or {"Enabled": False}
        for name in ("TableClass", "DeletionProtectionEnabled"):
            before, after = _home_replica(old).get(name), _home_replica(new).get(name)
            if before != after:
                default: Any = "STANDARD" if name == "TableClass" else False
                table[name] = default if after is None else (truth(after) if default is False else after)
        changes += [table] if table else []
        changes += _index_changes(old, new)
        for change in changes:
            succeed(_SERVICE, dynamodb._update_table({"TableName": physical_id, **change}))
        _apply_settings(physical_id, old, new)
        return physical_id, _attributes(physical_id)

    def delete(self, physical_id: str, properties: Properties) -> None:
        from ministack.services import dynamodb

        table = dynamodb._tables.get(physical_id)
        if table is not None:
            arn = table["TableArn"]
            succeed(_SERVICE, dynamodb._delete_table({"TableName": physical_id}), ignore=_GONE)
            dynamodb._resource_policies.pop(arn, None)
            _apply_scaling(physical_id, properties, {})


def _encryption(properties: Properties) -> Record | None:
    wanted = properties.get("SSESpecification")
    if not wanted:
        return None
    key = (_home_replica(properties).get("SSESpecification") or {}).get("KMSMasterKeyId")
    answer: Record = {"Enabled": truth(wanted.get("SSEEnabled")), "SSEType": wanted.get("SSEType", "KMS")}
    return {**answer, "KMSMasterKeyId": key} if key else answer


def _index_changes(old: Properties, new: Properties) -> list[Record]:
    before, after = _indexes(old), _indexes(new)
    changes: list[Record] = []
    for name in before.keys() - after.keys():
        changes.append({"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]})
    for name in after.keys() - before.keys():
        changes.append(
            {
                "AttributeDefinitions": new["AttributeDefinitions"],
                "GlobalSecondaryIndexUpdates": [{"Create": after[name]}],
            }
        )
    for name in after.keys() & before.keys():
        throughput = after[name].get("ProvisionedThroughput")
        if throughput and throughput != before[name].get("ProvisionedThroughput"):
            update = {"IndexName": name, "ProvisionedThroughput": throughput}
            changes.append({"GlobalSecondaryIndexUpdates": [{"Update": update}]})
    return changes


def _apply_settings(name: str, old: Properties, new: Properties) -> None:
    """Time to live, recovery, tags, policy, Kinesis, replicas and autoscaling: each an API call of its own on AWS."""
    from ministack.core.responses import get_region
    from ministack.services import dynamodb
    from ministack.services.cloudformation import provisioners

    home_old = _home_replica(old) if old else {}
    home = _home_replica(new)
    arn = dynamodb._tables[name]["TableArn"]
    ttl_old, ttl = old.get("TimeToLiveSpecification"), new.get("TimeToLiveSpecification")
    if ttl != ttl_old:
        wanted = ttl if ttl and ttl.get("AttributeName") else {**(ttl_old or {}), "Enabled": False}
        spec = {"Enabled": truth(wanted.get("Enabled")), "AttributeName": wanted.get("AttributeName")}
        if spec["AttributeName"]:
            succeed(_SERVICE, dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": spec}))
    recovery = home.get("PointInTimeRecoverySpecification") or {}
    if recovery != (home_old.get("PointInTimeRecoverySpecification") or {}):
        spec = {"PointInTimeRecoveryEnabled": truth(recovery.get("PointInTimeRecoveryEnabled"))}
        request = {"TableName": name, "PointInTimeRecoverySpecification": spec}
        succeed(_SERVICE, dynamodb._update_continuous_backups(request))
    if home.get("Tags") != home_old.get("Tags"):
        tags = dynamodb._tags.setdefault(arn, [])
        provisioners._reconcile_tag_list(tags, {"Tags": home_old.get("Tags", [])}, {"Tags": home.get("Tags", [])})
    policy = (home.get("ResourcePolicy") or {}).get("PolicyDocument")
    if policy:
        succeed(_SERVICE, dynamodb._put_resource_policy({"ResourceArn": arn, "Policy": json.dumps(policy)}))
    elif home_old.get("ResourcePolicy"):
        dynamodb._resource_policies.pop(arn, None)
    _apply_kinesis(name, home_old, home)
    before = {replica["Region"] for replica in old.get("Replicas", [])} | {get_region()}
    after = {replica["Region"] for replica in new["Replicas"]}
    changes = [{"Create": {"RegionName": region}} for region in sorted(after - before)]
    changes += [{"Delete": {"RegionName": region}} for region in sorted(before - after)]
    for change in changes:
        succeed(_SERVICE, dynamodb._update_table({"TableName": name, "ReplicaUpdates": [change]}))
    _apply_scaling(name, old, new)


def _apply_kinesis(name: str, old: Record, new: Record) -> None:
    from ministack.services import dynamodb

    before = (old.get("KinesisStreamSpecification") or {}).get("StreamArn")
    after = (new.get("KinesisStreamSpecification") or {}).get("StreamArn")
    if before and before != after:
        request = {"TableName": name, "StreamArn": before}
        succeed(_SERVICE, dynamodb._disable_kinesis_streaming_destination(request), ignore=_GONE)
    if after and before != after:
        succeed(_SERVICE, dynamodb._enable_kinesis_streaming_destination({"TableName": name, "StreamArn": after}))


def _scaled(name: str, properties: Properties) -> dict[tuple[str, str], Record]:
    """Each autoscaled capacity of a provisioned table: (resource, dimension) -> its settings."""
    if not properties or not _is_provisioned(properties):
        return {}
    home = _home_replica(properties)
    found: dict[tuple[str, str], Record] = {}

    def add(resource_id: str, what: str, kind: str, settings: Record | None) -> None:
        scaled = (settings or {}).get(f"{kind}CapacityAutoScalingSettings")
        if scaled:
            found[resource_id, f"dynamodb:{what}:{kind}CapacityUnits"] = scaled

    add(f"table/{name}", "table", "Write", properties.get("WriteProvisionedThroughputSettings"))
    add(f"table/{name}", "table", "Read", home.get("ReadProvisionedThroughputSettings"))
    for index in properties.get("GlobalSecondaryIndexes", []):
        where = f"table/{name}/index/{index['IndexName']}"
        add(where, "index", "Write", index.get("WriteProvisionedThroughputSettings"))
    for index in home.get("GlobalSecondaryIndexes", []):
        where = f"table/{name}/index/{index['IndexName']}"
        add(where, "index", "Read", index.get("ReadProvisionedThroughputSettings"))
    return found


def _apply_scaling(name: str, old: Properties, new: Properties) -> None:
    """DynamoDB registers the table's capacities with Application Auto Scaling, where they can be seen."""
    before, after = _scaled(name, old), _scaled(name, new)
    for resource_id, dimension in before.keys() - after.keys():
        where = {"ServiceNamespace": "dynamodb", "ResourceId": resource_id, "ScalableDimension": dimension}
        scaling.deregister_scalable_target(where)
    for (resource_id, dimension), settings in after.items():
        where = {"ServiceNamespace": "dynamodb", "ResourceId": resource_id, "ScalableDimension": dimension}
        bounds = {"MinCapacity": settings["MinCapacity"], "MaxCapacity": settings["MaxCapacity"]}
        scaling.register_scalable_target({**where, **bounds})
        policy = {
            "PolicyName": f"$DynamoDB:{resource_id}-{dimension.rpartition(':')[2]}-scaling-policy",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": settings["TargetTrackingScalingPolicyConfiguration"],
        }
        scaling.put_scaling_policy({**where, **policy})


def _attributes(name: str) -> dict[str, Any]:
    from ministack.services import dynamodb

    table = dynamodb._tables[name]
    answer = {"Arn": table["TableArn"], "TableId": table["TableId"]}
    if (table.get("StreamSpecification") or {}).get("StreamEnabled"):
        answer["StreamArn"] = table["LatestStreamArn"]
    return answer
