"""Which caches run on the local cloud, and where they answer."""

from __future__ import annotations

from typing import Any

from brewhaven.target import Target


def caches(cloud: Target) -> list[dict[str, Any]]:
    """Every replication group: identifier, status, host, the ports of primary and reader, whether it speaks TLS."""
    found = []
    for page in cloud.client("elasticache").get_paginator("describe_replication_groups").paginate():
        for group in page["ReplicationGroups"]:
            shard = group["NodeGroups"][0]
            found.append(
                {
                    "identifier": group["ReplicationGroupId"],
                    "status": group["Status"],
                    "host": shard["PrimaryEndpoint"]["Address"],
                    "port": shard["PrimaryEndpoint"]["Port"],
                    "reader_port": shard["ReaderEndpoint"]["Port"],
                    "tls": group["TransitEncryptionEnabled"],
                    "nodes": len(shard["NodeGroupMembers"]),
                }
            )
    return found
