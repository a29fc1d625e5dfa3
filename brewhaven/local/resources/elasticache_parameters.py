"""Parameter groups of ElastiCache: their values reach Valkey, and a node type gives it its memory.

https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
"""

from __future__ import annotations

from typing import Any

from brewhaven.local.emulator import Response
from brewhaven.local.engines.valkey_server import ValkeyError
from brewhaven.local.registry import correction, replace
from brewhaven.local.resources.elasticache_answers import Record, given, refused

# Bytes that Valkey may use on a node.
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html#ParameterGroups.Redis.NodeSpecific
_NODE_MEMORY = {
    "cache.t2.micro": 581_959_680,
    "cache.t2.small": 1_665_138_688,
    "cache.t2.medium": 3_461_349_376,
    "cache.t3.micro": 536_870_912,
    "cache.t3.small": 1_471_026_299,
    "cache.t3.medium": 3_317_862_236,
    "cache.t4g.micro": 536_870_912,
    "cache.t4g.small": 1_471_026_299,
    "cache.t4g.medium": 3_317_862_236,
    "cache.m6g.large": 6_854_542_746,
    "cache.m7g.large": 6_854_542_746,
    "cache.r6g.large": 14_037_181_030,
    "cache.r7g.large": 14_037_181_030,
}
_RESERVED, _RESERVED_DEFAULT = "reserved-memory-percent", "25"
# Parameters of ElastiCache itself, which Valkey does not know: kept and answered; only the first means something here.
_OF_ELASTICACHE = frozenset(
    (_RESERVED, "reserved-memory", "cluster-enabled", "rename-commands", "close-on-replica-write")
)
_BUFFER_LIMITS = "client-output-buffer-limit-"
# Parameters of the family valkey8 beyond those that the emulator lists.
_MODIFIABLE = frozenset(
    (
        "active-defrag-cycle-max", "active-defrag-cycle-min", "active-defrag-ignore-bytes",
        "active-defrag-max-scan-fields", "active-defrag-threshold-lower", "active-defrag-threshold-upper",
        "active-expire-effort", "activedefrag", "activerehashing", "acllog-max-len",
        "cluster-allow-pubsubshard-when-down", "cluster-allow-reads-when-down",
        "cluster-require-full-coverage", "databases", "hash-max-listpack-entries", "hash-max-listpack-value",
        "hll-sparse-max-bytes", "latency-tracking", "lazyfree-lazy-eviction", "lazyfree-lazy-expire",
        "lazyfree-lazy-server-del", "lazyfree-lazy-user-del", "lfu-decay-time", "lfu-log-factor",
        "list-compress-depth", "list-max-listpack-size", "lua-time-limit", "maxmemory-clients",
        "maxmemory-policy", "maxmemory-samples", "min-replicas-max-lag", "min-replicas-to-write",
        "notify-keyspace-events", "proto-max-bulk-len", "repl-backlog-size", "repl-backlog-ttl",
        "repl-timeout", "replica-lazy-flush", "set-max-intset-entries", "set-max-listpack-entries",
        "set-max-listpack-value", "slowlog-log-slower-than", "slowlog-max-len", "stream-node-max-bytes",
        "stream-node-max-entries", "tcp-keepalive", "timeout", "tracking-table-max-keys",
        "zset-max-listpack-entries", "zset-max-listpack-value",
    )
)  # fmt: skip


def settings_of(group: Record) -> dict[str, str]:
    """Valkey's settings for the nodes of a replication group: its memory, and what its parameter group changed."""
    from ministack.services import elasticache

    values = {
        name: str(parameter["Value"])
        for name, parameter in (elasticache._param_group_params.get(group["CacheParameterGroupName"]) or {}).items()
    }
    memory = _NODE_MEMORY.get(group["CacheNodeType"], 0)
    share = 1 - int(values.get(_RESERVED, _RESERVED_DEFAULT)) / 100
    ours = {name: value for name, value in values.items() if _reaches_valkey(name)}
    return {**ours, "maxmemory": str(int(memory * share))}


def _reaches_valkey(name: str) -> bool:
    return name not in _OF_ELASTICACHE and not name.startswith(_BUFFER_LIMITS)


def _exists(name: str) -> bool:
    return name in _MODIFIABLE or name in _OF_ELASTICACHE or name.startswith(_BUFFER_LIMITS)


def _names(parameters: Record) -> list[str]:
    found: list[str] = []
    while name := given(parameters, f"ParameterNameValues.ParameterNameValue.{len(found) + 1}.ParameterName"):
        found.append(name)
    return found


@correction
def parameters_reach_the_nodes() -> None:
    """A changed parameter counts at once where Valkey can change it, else after a reboot; an unknown one is refused.

    https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyCacheParameterGroup.html
    """
    from ministack.services import elasticache

    def build(original: Any) -> Any:
        def handle(parameters: Record) -> Response:
            from brewhaven.local.resources.elasticache import apply_to

            group = given(parameters, "CacheParameterGroupName")
            family = (elasticache._param_groups.get(group) or {}).get("CacheParameterGroupFamily", "")
            unknown = [name for name in _names(parameters) if not _exists(name)]
            if unknown and family.startswith(("valkey", "redis")):
                return refused(("InvalidParameterValue", f"Could not find parameter with name: {unknown[0]}"))
            before = {name: dict(value) for name, value in (elasticache._param_group_params.get(group) or {}).items()}
            answer: Response = original(parameters)
            if answer[0] >= 400:
                return answer
            for record in list(elasticache._replication_groups.values()):
                if record["CacheParameterGroupName"] == group:
                    try:
                        apply_to(record)
                    except ValkeyError as error:
                        elasticache._param_group_params[group] = before
                        return refused(("InvalidParameterValue", str(error)))
            return answer

        return handle

    replace(elasticache, "_modify_cache_parameter_group", build)
    replace(elasticache, "_reset_cache_parameter_group", build)
