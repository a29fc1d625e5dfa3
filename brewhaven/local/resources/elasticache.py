"""ElastiCache: a replication group is really run by Valkey, with its encryption, its users and its parameters.

https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/WhatIs.html
docs/decisions/0013-local-cache-and-metrics.md says why and what differs.
"""

from __future__ import annotations

import logging
from typing import Any

from brewhaven.local.emulator import Response, add_attributes
from brewhaven.local.engines.common import CONTAINERS, close_with
from brewhaven.local.engines.network import UnreachableError
from brewhaven.local.engines.tls_door import DISABLED, PREFERRED, REQUIRED, DoorError, TlsDoors
from brewhaven.local.engines.valkey_groups import Group, Key, ValkeyGroups, Wanted, choose_port
from brewhaven.local.engines.valkey_server import ValkeyError
from brewhaven.local.engines.watchdog import WATCHDOG
from brewhaven.local.registry import REGISTRY, correction, replace
from brewhaven.local.resources.elasticache_answers import Record, Refusal, given, listed, refused, replication_group
from brewhaven.local.resources.elasticache_parameters import settings_of
from brewhaven.local.resources.elasticache_users import access_control_list, refusal_of_group
from brewhaven.local.settings import HOST, CloudSettings

logger = logging.getLogger("brewhaven.local.elasticache")

_DEFAULT_PORT = 6379
_CANNOT = (ValkeyError, DoorError, UnreachableError)


def _certificate() -> Any:
    folder = CloudSettings.from_environment().folder / "tls"
    return folder / "server.pem", folder / "server.key"


def _on_failover(group: Group) -> None:
    """Write down who is the primary now."""
    from ministack.core.responses import request_scope
    from ministack.services import elasticache

    account, region, identity = group.key
    with request_scope(account, region):
        record = elasticache._replication_groups[identity]
        for member in _members(record):
            member["CurrentRole"] = "primary" if member["CacheClusterId"] == group.primary else "replica"
        elasticache._record_event(identity, "replication-group", f"Failover to replica node {group.primary} completed")


GROUPS = ValkeyGroups(CONTAINERS / "valkey", TlsDoors(_certificate(), WATCHDOG), _on_failover)


def _key(record: Record) -> Key:
    account, region = record["ARN"].split(":")[4], record["ARN"].split(":")[3]
    return account, region, record["ReplicationGroupId"]


def _members(record: Record) -> list[Record]:
    members: list[Record] = record["NodeGroups"][0]["NodeGroupMembers"]
    return members


def _ports(record: Record) -> dict[str, int]:
    """Endpoint -> port of this machine; a group of one node has one for all of them."""
    from ministack.services import elasticache

    ids = [member["CacheClusterId"] for member in _members(record)]
    known: dict[str, int] = record.get("_ports") or {}
    kept = {
        p for _key, other in elasticache._replication_groups.all_items() for p in (other.get("_ports") or {}).values()
    }
    ports: dict[str, int] = {}
    for name in ("primary", "reader", *ids) if len(ids) > 1 else ("primary",):
        ports[name] = known.get(name) or choose_port(kept)
        kept.add(ports[name])
    record["_ports"] = ports
    return ports


def _wanted(record: Record) -> Wanted:
    return Wanted(
        members=tuple(member["CacheClusterId"] for member in _members(record)),
        ports=_ports(record),
        port=int(record.get("_port") or _DEFAULT_PORT),
        subnets=tuple(_subnets(record["CacheSubnetGroupName"])),
        groups=tuple(group["SecurityGroupId"] for group in record["SecurityGroups"]),
        mode=(record.get("TransitEncryptionMode") or REQUIRED) if record["TransitEncryptionEnabled"] else DISABLED,
        settings=settings_of(record),
        users=tuple(access_control_list(record)),
        fails_over=record["AutomaticFailover"] == "enabled",
    )


def _subnets(group_name: str) -> list[str]:
    from ministack.services import ec2, elasticache

    group = elasticache._subnet_groups.get(group_name)
    if group is not None:
        return [subnet["SubnetIdentifier"] for subnet in group["Subnets"]]
    ec2._ensure_defaults_initialized()
    return [subnet_id for subnet_id, subnet in ec2._subnets.items() if subnet.get("VpcId") == ec2._DEFAULT_VPC_ID]


def _publish(record: Record) -> None:
    """Write the endpoints into the records that the API answers from."""
    from ministack.services import elasticache

    node_group, ports = record["NodeGroups"][0], record["_ports"]
    node_group["PrimaryEndpoint"] = {"Address": HOST, "Port": ports["primary"]}
    node_group["ReaderEndpoint"] = {"Address": HOST, "Port": ports.get("reader", ports["primary"])}
    record["MemberClusters"] = [member["CacheClusterId"] for member in _members(record)]
    for member in _members(record):
        name = member["CacheClusterId"]
        member["ReadEndpoint"] = {"Address": HOST, "Port": ports.get(name, ports["primary"])}
        cluster = elasticache._clusters[name]
        cluster["_endpoint"] = cluster["CacheNodes"][0]["Endpoint"] = member["ReadEndpoint"]


def _name_as_aws(record: Record) -> None:
    """Nodes of a group with one shard are called ``group-001``: alarms and dashboards name them so."""
    from ministack.services import elasticache

    identity = record["ReplicationGroupId"]
    for position, member in enumerate(_members(record), start=1):
        old, new = member["CacheClusterId"], f"{identity}-{position:03d}"
        cluster = elasticache._clusters.pop(old, None)
        if cluster is None:  # A replica that was added later; the emulator makes no cluster of it.
            cluster = dict(elasticache._clusters[f"{identity}-001"])
            cluster["CacheNodes"] = [dict(node) for node in cluster["CacheNodes"]]
        else:
            elasticache._tags[elasticache._arn_cluster(new)] = elasticache._tags.pop(cluster["CacheClusterArn"], [])
        member["CacheClusterId"] = cluster["CacheClusterId"] = new
        cluster["CacheClusterArn"] = elasticache._arn_cluster(new)
        elasticache._clusters[new] = cluster


def apply_to(record: Record) -> None:
    """Let what runs follow the record.

    Raises:
        ValkeyError, DoorError, UnreachableError: Why it cannot.
    """
    GROUPS.change(_key(record), _wanted(record))
    _publish(record)


def _refusal(parameters: Record) -> Refusal | None:
    """Code and sentence of what AWS refuses, or what is not emulated and therefore not pretended."""
    from ministack.services import elasticache

    engine = (given(parameters, "Engine") or "redis").lower()
    nodes = int(given(parameters, "ReplicasPerNodeGroup") or int(given(parameters, "NumCacheClusters") or 1) - 1) + 1
    subnet_group, parameter_group = (
        given(parameters, "CacheSubnetGroupName"),
        given(parameters, "CacheParameterGroupName"),
    )
    fails_over, in_zones = (given(parameters, n) == "true" for n in ("AutomaticFailoverEnabled", "MultiAZEnabled"))
    sharded = int(given(parameters, "NumNodeGroups") or 1) > 1 or given(parameters, "ClusterMode") == "enabled"
    wrong, clash = "InvalidParameterValue", "InvalidParameterCombination"
    refusals: list[tuple[bool, Refusal]] = [
        (engine not in ("valkey", "redis"), (wrong, f"The parameter Engine must be valkey or redis, got {engine}.")),
        (sharded, (wrong, "The local cloud runs replication groups of one shard, with cluster mode disabled.")),
        (fails_over and nodes == 1, (wrong, "Automatic failover needs at least one replica.")),
        (in_zones and not fails_over, (clash, "Multi-AZ needs automatic failover.")),
        (
            bool(subnet_group) and subnet_group not in elasticache._subnet_groups,
            ("CacheSubnetGroupNotFoundFault", f"Cache Subnet Group {subnet_group} does not exist."),
        ),
        (
            bool(parameter_group) and parameter_group not in elasticache._param_groups,
            ("CacheParameterGroupNotFound", f"CacheParameterGroup not found: {parameter_group}"),
        ),
    ]
    found = next((refusal for applies, refusal in refusals if applies), None)
    return found or refusal_of_group(parameters)


@correction
def replication_groups_run() -> None:
    """A replication group answers at its endpoints; the emulator only keeps it, or asks a Docker engine.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html
    """
    from ministack.services import elasticache

    def create(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            refusal = _refusal(parameters)
            if refusal is not None:
                return refused(refusal)
            answer: Response = original(parameters)
            if answer[0] >= 400:
                return answer
            record = elasticache._replication_groups[given(parameters, "ReplicationGroupId")]
            record["_port"] = int(given(parameters, "Port") or _DEFAULT_PORT)
            _name_as_aws(record)
            try:
                GROUPS.start(_key(record), _wanted(record))
            except _CANNOT as error:
                original_delete({"ReplicationGroupId": record["ReplicationGroupId"]})
                return refused(("InvalidParameterValue", str(error)))
            _publish(record)
            return replication_group("CreateReplicationGroup", record)

        return handle

    def delete(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            record = elasticache._replication_groups.get(given(parameters, "ReplicationGroupId"))
            if record is not None:
                GROUPS.remove(_key(record))
            answer: Response = original(parameters)
            return answer

        return handle

    original_delete = elasticache._delete_replication_group
    replace(elasticache, "_create_replication_group", create)
    replace(elasticache, "_delete_replication_group", delete)
    for action in ("Modify", "IncreaseReplicaCount", "DecreaseReplicaCount"):
        _change_through(action)
    add_attributes("AWS::ElastiCache::ReplicationGroup", _lists)


def _change_through(action: str) -> None:
    from ministack.services import elasticache

    functions = {
        "Modify": "_modify_replication_group",
        "IncreaseReplicaCount": "_increase_replica_count",
        "DecreaseReplicaCount": "_decrease_replica_count",
    }

    def build(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            answer: Response = original(parameters)
            if answer[0] >= 400:
                return answer
            record = elasticache._replication_groups[given(parameters, "ReplicationGroupId")]
            _take_over(record, parameters)
            gone = set(record["MemberClusters"]) - {member["CacheClusterId"] for member in _members(record)}
            for name in gone:
                elasticache._clusters.pop(name, None)
            _name_as_aws(record)
            try:
                apply_to(record)
            except _CANNOT as error:
                return refused(("InvalidParameterValue", str(error)))
            return replication_group("ModifyReplicationGroup" if action == "Modify" else action, record)

        return handle

    replace(elasticache, functions[action], build)


def _take_over(record: Record, parameters: Record) -> None:
    """What the emulator's ModifyReplicationGroup drops."""
    from ministack.services import elasticache

    groups = listed(parameters, "SecurityGroupIds", "SecurityGroupId")
    if groups:
        record["SecurityGroups"] = [{"SecurityGroupId": group, "Status": "active"} for group in groups]
    if given(parameters, "TransitEncryptionEnabled"):
        record["TransitEncryptionEnabled"] = given(parameters, "TransitEncryptionEnabled") == "true"
        record["TransitEncryptionMode"] = REQUIRED if record["TransitEncryptionEnabled"] else None
    mode = given(parameters, "TransitEncryptionMode")
    if mode in (REQUIRED, PREFERRED):
        record["TransitEncryptionMode"] = mode
    for member in _members(record):
        cluster = elasticache._clusters.get(member["CacheClusterId"])
        if cluster is not None:
            cluster["SecurityGroups"] = record["SecurityGroups"]
            cluster["CacheParameterGroup"]["CacheParameterGroupName"] = record["CacheParameterGroupName"]
            for name in ("TransitEncryptionEnabled", "TransitEncryptionMode", "CacheNodeType", "EngineVersion"):
                cluster[name] = record[name]


def _lists(physical_id: str, _properties: Record) -> Record:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-elasticache-replicationgroup.html"""
    from ministack.services import elasticache

    replicas = [m["ReadEndpoint"] for m in _members(elasticache._replication_groups[physical_id])]
    return {
        "ReadEndPoint.Addresses.List": [endpoint["Address"] for endpoint in replicas],
        "ReadEndPoint.Ports.List": [str(endpoint["Port"]) for endpoint in replicas],
    }


@correction
def nodes_reboot_and_fail_over() -> None:
    """RebootCacheCluster empties a node; TestFailover makes a replica the primary.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_TestFailover.html
    """
    from ministack.core.concurrency import run_offloop
    from ministack.services import elasticache

    def reboot(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            answer: Response = original(parameters)
            cluster = elasticache._clusters.get(given(parameters, "CacheClusterId"))
            record = elasticache._replication_groups.get((cluster or {}).get("ReplicationGroupId", ""))
            if cluster is not None and record is not None:
                GROUPS.reboot(_key(record), cluster["CacheClusterId"])
            return answer

        return handle

    def fail_over(parameters: Record) -> Response:
        identity = given(parameters, "ReplicationGroupId")
        record = elasticache._replication_groups.get(identity)
        if record is None:
            return refused(("ReplicationGroupNotFoundFault", f"ReplicationGroup {identity} not found."))
        shard = given(parameters, "NodeGroupId")
        if shard != record["NodeGroups"][0]["NodeGroupId"]:
            return refused(("NodeGroupNotFoundFault", f"NodeGroup {shard} not found."))
        if record["AutomaticFailover"] != "enabled":
            return refused(("InvalidReplicationGroupState", f"Automatic failover is not enabled for {identity}."))
        GROUPS.fail_over(_key(record))
        return replication_group("TestFailover", record)

    def handle_request(original: Any) -> Any:
        async def handle(method: str, path: str, headers: Any, body: bytes, query_params: Any) -> Any:
            from urllib.parse import parse_qs

            parameters = {**query_params, **(parse_qs(body.decode(errors="replace")) if body else {})}
            if given(parameters, "Action") == "TestFailover":
                return await run_offloop(fail_over, parameters)
            return await original(method, path, headers, body, query_params)

        return handle

    replace(elasticache, "_reboot_cache_cluster", reboot)
    replace(elasticache, "handle_request", handle_request)


def _start() -> None:
    """Run again what ran before; a group that cannot says so in the log and stays in the API."""
    from ministack.core.responses import request_scope
    from ministack.services import elasticache

    # Nothing of the emulator's own waits for a Docker engine.
    elasticache._pending_rg_respawn.clear()
    for (account, region, identity), record in list(elasticache._replication_groups.all_items()):
        with request_scope(account, region):
            primary = next((m["CacheClusterId"] for m in _members(record) if m["CurrentRole"] == "primary"), None)
            try:
                GROUPS.start((account, region, identity), _wanted(record), primary)
            except _CANNOT:
                logger.exception("The replication group %s does not run: delete it, or free its port", identity)


def _reset() -> None:
    for group in GROUPS.running:
        GROUPS.remove(group.key)


REGISTRY.recorded |= {
    "AWS::ElastiCache::ReplicationGroup": "Valkey 8.1 runs, whatever engine version is named; node type means its "
    "memory alone; snapshots, maintenance, log delivery and encryption at rest are recorded only. What it holds is "
    "kept over `brewhaven down` and lost when the local cloud is killed",
    "AWS::ElastiCache::CacheCluster": "recorded only: nothing answers at its endpoint; a replication group runs",
}
REGISTRY.on_start.append(_start)
REGISTRY.on_reset.append(_reset)
close_with(GROUPS.close)
