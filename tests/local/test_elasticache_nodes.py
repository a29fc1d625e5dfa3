"""Nodes of a replication group that fail, reboot, take over, and what they held (engines/valkey_*.py)."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkey.exceptions import ReadOnlyError, ValkeyError

from brewhaven.local import lifecycle
from brewhaven.local.settings import CloudSettings
from tests.local.stacks import Stack, att, stack
from tests.plugins.caches import ENDPOINTS, NETWORK, Cache, client, deployed, processes, replication_group
from tests.plugins.containers import until
from tests.plugins.local_cloud import Cloud, free_port_pair

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def cache(cloud: Cloud) -> Iterator[Cache]:
    with deployed(cloud) as made:
        yield made


def test_a_replica_copies_and_takes_over(cloud: Cloud) -> None:
    resources = {
        **NETWORK,
        "Cache": replication_group(NumCacheClusters=2, AutomaticFailoverEnabled=True, MultiAZEnabled=True),
    }
    with stack(cloud) as made:
        addresses = {"Fn::Join": [",", att("Cache", "ReadEndPoint.Addresses.List")]}
        outputs = made.create(resources, Addresses=addresses, **ENDPOINTS)
        assert outputs["Addresses"] == "127.0.0.1,127.0.0.1"
        assert outputs["Port"] != outputs["ReaderPort"]
        primary, reader = client(cloud, outputs), client(cloud, outputs, "ReaderPort")
        primary.set("cup", "one")
        assert until(lambda: reader.get("cup")) == "one"
        with pytest.raises(ReadOnlyError):
            reader.set("cup", "two")
        before = roles(cloud, made)
        name = made.physical_id("Cache")
        cloud.client("elasticache").test_failover(ReplicationGroupId=name, NodeGroupId="0001")
        assert sorted(before.values()) == sorted(roles(cloud, made).values()) == ["primary", "replica"]
        assert roles(cloud, made) != before
        again = client(cloud, outputs)
        assert again.get("cup") == "one"
        again.set("cup", "two")
        assert until(lambda: client(cloud, outputs, "ReaderPort").get("cup") == "two")
        cloud.client("elasticache").increase_replica_count(
            ReplicationGroupId=name, NewReplicaCount=2, ApplyImmediately=True
        )
        assert sorted(roles(cloud, made)) == [f"{name}-00{number}" for number in (1, 2, 3)]
        assert client(cloud, outputs).get("cup") == "two"


def roles(cloud: Cloud, made: Stack) -> dict[str, str]:
    answer = cloud.client("elasticache").describe_replication_groups(ReplicationGroupId=made.physical_id("Cache"))
    members = answer["ReplicationGroups"][0]["NodeGroups"][0]["NodeGroupMembers"]
    return {member["CacheClusterId"]: member["CurrentRole"] for member in members}


def test_a_rebooted_node_is_empty_and_a_dead_one_is_replaced(cache: Cache) -> None:
    def ask() -> str | None:
        return client(cache.cloud, cache.outputs, **cache.shop).get("shop:kept")  # type: ignore[return-value]

    def answers() -> bool:
        try:
            return ask() is None
        except ValkeyError:
            return False

    client(cache.cloud, cache.outputs, **cache.shop).set("shop:kept", "1")
    elasticache = cache.cloud.client("elasticache")
    elasticache.reboot_cache_cluster(CacheClusterId=f"{cache.id}-001", CacheNodeIdsToReboot=["0001"])
    assert ask() is None
    client(cache.cloud, cache.outputs, **cache.shop).set("shop:kept", "1")
    [pid] = processes(cache.cloud, cache.id)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ValkeyError):
        ask()
    assert until(answers)
    assert processes(cache.cloud, cache.id) != [pid]


def test_a_door_that_dies_is_opened_again(cache: Cache) -> None:
    listing = subprocess.run(["ps", "-wweo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    ours = [line.split(None, 1) for line in listing.splitlines() if "tls_door.py" in line]
    [pid] = [int(pid) for pid, command in ours if str(cache.cloud.settings.folder) in command]
    os.kill(pid, signal.SIGKILL)

    def answers() -> bool:
        try:
            return bool(client(cache.cloud, cache.outputs, **cache.shop).ping())
        except ValkeyError:
            return False

    until(answers)


def test_what_it_held_is_there_after_down_and_up_and_gone_after_a_kill(tmp_path: Path) -> None:
    settings = CloudSettings(home=tmp_path, port=free_port_pair())
    lifecycle.up(settings)
    try:
        cloud = Cloud(settings, lifecycle.environment(settings))
        made = Stack(cloud)
        outputs = made.create({**NETWORK, "Cache": replication_group()}, **ENDPOINTS)
        group = made.physical_id("Cache")
        client(cloud, outputs).set("cup", "full")
        lifecycle.down(settings)
        assert processes(cloud, group) == []
        lifecycle.up(settings)
        assert client(cloud, outputs).get("cup") == "full"
        pid = lifecycle.running_pid(settings)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert until(lambda: processes(cloud, group) == [])
        lifecycle.up(settings)
        assert client(cloud, outputs).get("cup") is None
        made.delete()
        assert processes(cloud, group) == []
        assert not (settings.folder / "containers" / "valkey" / settings.region / group / f"{group}-001").exists()
    finally:
        lifecycle.down(settings)
