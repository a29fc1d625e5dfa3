"""Metrics that SQS and ElastiCache publish by themselves: those that the course watches.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html

Those of Lambda come from the emulator with each invocation.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from brewhaven.local.engines.metric_points import prune, publish
from brewhaven.local.engines.valkey_groups import Group
from brewhaven.local.registry import REGISTRY
from brewhaven.local.resources.elasticache import GROUPS

logger = logging.getLogger("brewhaven.local.cloudwatch")

# AWS publishes once a minute. Here it is done more often, so that nobody has to wait for an alarm or a first value.
QUEUE_SECONDS = 5.0
CACHE_SECONDS = 15.0
# A value that stays is told this often, so that a period of an alarm is never empty.
_AGAIN_SECONDS = 30.0
_running = threading.Lock()
_counted: dict[str, dict[str, float]] = {}
_told: dict[tuple[str, str, str], tuple[float, float]] = {}
# Counters of Valkey, of which a minute's increase is published.
_COUNTERS = {
    "CacheHits": "keyspace_hits",
    "CacheMisses": "keyspace_misses",
    "Evictions": "evicted_keys",
    "NewConnections": "total_connections_received",
    "AuthenticationFailures": "acl_access_denied_auth",
}


def _counts(messages: list[dict[str, Any]], now: float) -> dict[str, float]:
    """What SQS tells of a queue's messages."""
    waiting = [message for message in messages if message.get("visible_at", 0) > now]
    delayed = sum(not message.get("receive_count") for message in waiting)
    oldest = min((message.get("enqueued_at", message.get("sent_at", now)) for message in messages), default=now)
    return {
        "ApproximateNumberOfMessagesVisible": len(messages) - len(waiting),
        "ApproximateNumberOfMessagesNotVisible": len(waiting) - delayed,
        "ApproximateNumberOfMessagesDelayed": delayed,
        "ApproximateAgeOfOldestMessage": int(now - oldest),
    }


def publish_queues() -> None:
    """The metrics of each queue that have another value than before, or have not been told for a while."""
    from ministack.core.responses import request_scope
    from ministack.services import sqs

    now = time.time()
    for (account, region, _url), queue in list(sqs._queues.all_items()):
        with request_scope(account, region):
            sqs._expire_retained(queue)
            for name, value in _counts(list(queue["messages"]), now).items():
                key = (region, queue["url"], name)
                before, at = _told.get(key, (-1.0, 0.0))
                if value != before or now - at >= _AGAIN_SECONDS:
                    _told[key] = (value, now)
                    unit = "Seconds" if name == "ApproximateAgeOfOldestMessage" else "Count"
                    publish("AWS/SQS", name, value, unit, {"QueueName": queue["name"]})


def publish_caches() -> None:
    """One value of each metric of each node of each replication group."""
    from ministack.core.responses import request_scope

    for group in GROUPS.running:
        account, region, _identity = group.key
        with request_scope(account, region):
            _publish_nodes(group)


def _publish_nodes(group: Group) -> None:
    from valkey.exceptions import ValkeyError

    for member, node in list(group.nodes.items()):
        try:
            info = node.server.info("all")
        except ValkeyError:
            continue  # It is being started, or stands still: a node that fails publishes nothing.
        before, counters = _counted.get(member, {}), {name: float(info[key]) for name, key in _COUNTERS.items()}
        _counted[member] = counters
        values = {name: max(0.0, value - before.get(name, 0.0)) for name, value in counters.items()}
        values["CurrConnections"] = float(info["connected_clients"])
        databases = [db for name, db in info.items() if name.startswith("db")]
        values["CurrItems"] = float(sum(db["keys"] for db in databases))
        values["CurrVolatileItems"] = float(sum(db["expires"] for db in databases))
        values["BytesUsedForCache"] = float(info["used_memory"])
        if info["maxmemory"]:
            values["DatabaseMemoryUsagePercentage"] = 100 * float(info["used_memory"]) / float(info["maxmemory"])
        asked = values["CacheHits"] + values["CacheMisses"]
        if asked:
            values["CacheHitRate"] = 100 * values["CacheHits"] / asked
        for name, value in values.items():
            publish("AWS/ElastiCache", name, value, _unit(name), {"CacheClusterId": member, "CacheNodeId": "0001"})
            publish("AWS/ElastiCache", name, value, _unit(name), {"CacheClusterId": member})


def _unit(name: str) -> str:
    if name.startswith("Bytes"):
        return "Bytes"
    return "Percent" if name.endswith(("Percentage", "Rate")) else "Count"


def _run() -> None:
    caches_at = 0.0
    while True:
        time.sleep(QUEUE_SECONDS)
        try:
            publish_queues()
            if time.monotonic() - caches_at >= CACHE_SECONDS:
                caches_at = time.monotonic()
                publish_caches()
                prune()
        except Exception:
            logger.exception("The metrics of a service were not published")


def _start() -> None:
    if _running.acquire(blocking=False):
        threading.Thread(target=_run, daemon=True, name="service-metrics").start()


REGISTRY.on_start.append(_start)
REGISTRY.on_reset.append(_counted.clear)
REGISTRY.on_reset.append(_told.clear)
REGISTRY.recorded["AWS::SQS::Queue"] = (
    "of its metrics there are ApproximateNumberOfMessages* and ApproximateAgeOfOldestMessage; those of AWS's services "
    "begin anew with every `up`"
)
