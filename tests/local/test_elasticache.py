"""A replication group that Valkey runs: encryption, users, parameters, failures (resources/elasticache*.py)."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from valkey.exceptions import AuthenticationError, NoPermissionError, ReadOnlyError, ValkeyError

from brewhaven.local import lifecycle, tls
from brewhaven.local.settings import CloudSettings
from tests.local.stacks import Resources, Stack, StackError, att, ref, stack, typed
from tests.plugins.caches import ENDPOINTS, NETWORK, PASSWORD, client, replication_group, user
from tests.plugins.containers import Service, until
from tests.plugins.local_cloud import Cloud, brewhaven, free_port_pair

pytestmark = pytest.mark.local

RESOURCES: Resources = {
    **NETWORK,
    "Secret": typed(
        "AWS::SecretsManager::Secret",
        GenerateSecretString={"SecretStringTemplate": '{"username": "shop"}', "GenerateStringKey": "password"}
        | {"ExcludePunctuation": True},
    ),
    "Shop": user(
        "test-shop", "shop", "on ~shop:* +@all",
        {"Fn::Sub": "{{resolve:secretsmanager:${Secret}:SecretString:password}}"},  # type: ignore[arg-type]
    ),
    "Board": user("test-board", "board", "on ~* +@read +ping"),
    "Users": typed(
        "AWS::ElastiCache::UserGroup",
        UserGroupId="test-users", Engine="valkey", UserIds=[ref("Shop"), ref("Board")],
    ),
    "Parameters": typed(
        "AWS::ElastiCache::ParameterGroup",
        CacheParameterGroupFamily="valkey8", Description="tests",
        Properties={"maxmemory-policy": "allkeys-lru", "databases": "4", "reserved-memory-percent": "50"},
    ),
    "Cache": replication_group(CacheParameterGroupName=ref("Parameters"), UserGroupIds=[ref("Users")]),
}  # fmt: skip


class Cache:
    """The deployed replication group, and the passwords of its users."""

    def __init__(self, cloud: Cloud, made: Stack, outputs: dict[str, str]) -> None:
        self.cloud, self.stack, self.outputs = cloud, made, outputs
        secret = cloud.client("secretsmanager").get_secret_value(SecretId=outputs["Secret"])["SecretString"]
        self.shop = {"username": "shop", "password": json.loads(secret)["password"]}
        self.board = {"username": "board", "password": PASSWORD}

    @property
    def id(self) -> str:
        return self.stack.physical_id("Cache")


@pytest.fixture(scope="module")
def cache(cloud: Cloud) -> Iterator[Cache]:
    with stack(cloud) as made:
        yield Cache(cloud, made, made.create(RESOURCES, Secret=ref("Secret"), **ENDPOINTS))


def test_the_endpoint_is_a_valkey_that_speaks_tls(cache: Cache) -> None:
    with client(cache.cloud, cache.outputs, **cache.shop) as valkey:
        assert valkey.set("shop:cup", "espresso", ex=60) is True
        assert valkey.get("shop:cup") == "espresso"
        assert str(valkey.info("server")["valkey_version"]).startswith("8.")
    group = cache.cloud.client("elasticache").describe_replication_groups(ReplicationGroupId=cache.id)
    [shard] = group["ReplicationGroups"][0]["NodeGroups"]
    assert shard["PrimaryEndpoint"] == {
        "Address": cache.outputs["Host"], "Port": int(cache.outputs["Port"]),
    }  # fmt: skip
    # Alarms name a node so, in the dimension CacheClusterId.
    assert group["ReplicationGroups"][0]["MemberClusters"] == [f"{cache.id}-001"]


def test_without_tls_nobody_gets_an_answer(cache: Cache) -> None:
    with socket.create_connection((cache.outputs["Host"], int(cache.outputs["Port"])), timeout=5) as plain:
        plain.sendall(b"PING\r\n")
        assert b"PONG" not in plain.recv(100)


def test_a_certificate_of_another_authority_is_not_trusted(cache: Cache, tmp_path: Path) -> None:
    authority, _, _ = tls.ensure_certificates(tmp_path)
    with pytest.raises(ValkeyError, match="CERTIFICATE_VERIFY_FAILED"):
        client(cache.cloud, cache.outputs, ssl_ca_certs=str(authority), **cache.shop).ping()


@pytest.mark.parametrize(
    "credentials",
    [{}, {"password": PASSWORD}, {"username": "shop", "password": "not-the-password"}, {"username": "nobody"}],
)
def test_only_users_of_the_group_sign_in(cache: Cache, credentials: dict[str, str]) -> None:
    with pytest.raises((AuthenticationError, ValkeyError), match=r"invalid username-password|Authentication required"):
        client(cache.cloud, cache.outputs, **credentials).get("shop:cup")


def test_an_access_string_says_what_a_user_may_do(cache: Cache) -> None:
    with client(cache.cloud, cache.outputs, **cache.shop) as shop:
        with pytest.raises(NoPermissionError):
            shop.set("board:cup", "latte")
        # ElastiCache keeps some commands for itself, whatever the access string says.
        for command in ("CONFIG GET *", "SHUTDOWN", "ACL SETUSER shop nopass"):
            with pytest.raises(NoPermissionError):
                shop.execute_command(*command.split())
    with client(cache.cloud, cache.outputs, **cache.board) as board:
        board.get("shop:cup")
        with pytest.raises(NoPermissionError):
            board.set("shop:cup", "latte")


def test_parameters_and_the_node_type_reach_valkey(cache: Cache) -> None:
    with client(cache.cloud, cache.outputs, **cache.shop) as valkey:
        memory = valkey.info("memory")
        assert memory["maxmemory_policy"] == "allkeys-lru"
        assert memory["maxmemory"] == 536_870_912 // 2
        with pytest.raises(ValkeyError, match="out of range"):
            valkey.select(4)
    elasticache = cache.cloud.client("elasticache")
    group = cache.stack.physical_id("Parameters")

    def change(name: str, value: str) -> None:
        elasticache.modify_cache_parameter_group(
            CacheParameterGroupName=group, ParameterNameValues=[{"ParameterName": name, "ParameterValue": value}]
        )

    change("maxmemory-policy", "volatile-ttl")
    with client(cache.cloud, cache.outputs, **cache.shop) as valkey:
        assert valkey.info("memory")["maxmemory_policy"] == "volatile-ttl"
    for name, value in (("maxmemory-polisy", "noeviction"), ("maxmemory-policy", "whatever")):
        with pytest.raises(ClientError, match=r"InvalidParameterValue.*maxmemory-poli"):
            change(name, value)
    with client(cache.cloud, cache.outputs, **cache.shop) as valkey:
        assert valkey.info("memory")["maxmemory_policy"] == "volatile-ttl"


def test_a_new_password_counts_at_once_beside_or_instead_of_the_old(cache: Cache) -> None:
    elasticache = cache.cloud.client("elasticache")
    new = "another-password-for-tests"

    def signs_in(password: str) -> bool:
        try:
            return bool(client(cache.cloud, cache.outputs, username="board", password=password).ping())
        except AuthenticationError:
            return False

    assert [signs_in(PASSWORD), signs_in(new)] == [True, False]
    elasticache.modify_user(UserId="test-board", Passwords=[PASSWORD, new])
    assert [signs_in(PASSWORD), signs_in(new)] == [True, True]
    elasticache.modify_user(UserId="test-board", Passwords=[new])
    assert [signs_in(PASSWORD), signs_in(new)] == [False, True]
    elasticache.modify_user(UserId="test-board", AccessString="off ~* +@read +ping")
    assert not signs_in(new)
    elasticache.modify_user(UserId="test-board", AccessString="on ~* +@read +ping", Passwords=[PASSWORD])
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        elasticache.modify_user(UserId="test-board", AccessString="on ~* +coffee")
    assert signs_in(PASSWORD)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Passwords": ["short"]}, "16-128"),
        ({"Passwords": [PASSWORD, PASSWORD + "2", PASSWORD + "3"]}, "two passwords"),
        ({"Passwords": None}, "No password was provided"),
        ({"NoPasswordRequired": True, "Passwords": None}, "must authenticate"),
        ({"AccessString": "on >secret ~* +@all"}, "invalid rule"),
        ({"AccessString": "on nopass ~* +@all"}, "invalid rule"),
    ],
)
def test_users_that_elasticache_refuses(cloud: Cloud, changes: dict[str, object], words: str) -> None:
    wanted = {"UserId": "bad", "UserName": "bad", "Engine": "valkey", "AccessString": "on ~* +@all"}
    asked = {**wanted, "Passwords": [PASSWORD], **changes}
    with pytest.raises(ClientError, match=words):
        cloud.client("elasticache").create_user(**{name: value for name, value in asked.items() if value is not None})


def test_a_user_group_for_redis_needs_a_default_user(cloud: Cloud, cache: Cache) -> None:
    with pytest.raises(ClientError, match="DefaultUserRequired"):
        cloud.client("elasticache").create_user_group(UserGroupId="bad", Engine="redis", UserIds=["test-board"])
    with pytest.raises(ClientError, match="UserNotFound"):
        cloud.client("elasticache").create_user_group(UserGroupId="bad", Engine="valkey", UserIds=["nobody"])


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"UserGroupIds": ["test-users"], "TransitEncryptionEnabled": False}, "encryption-in-transit"),
        ({"AutomaticFailoverEnabled": True}, "needs at least one replica"),
        ({"NumNodeGroups": 3}, "one shard"),
        ({"AuthToken": "too-short"}, "Invalid AuthToken"),
        ({"CacheParameterGroupName": "nothing"}, "CacheParameterGroup not found"),
    ],
)
def test_groups_that_are_refused(cloud: Cloud, cache: Cache, properties: dict[str, object], words: str) -> None:
    with stack(cloud) as made, pytest.raises(StackError, match=words):
        made.create({**NETWORK, "Cache": replication_group(**properties)})
    assert cache.id in [
        group["ReplicationGroupId"]
        for group in cloud.client("elasticache").describe_replication_groups()["ReplicationGroups"]
    ]


def test_an_auth_token_is_the_password_of_the_default_user(cloud: Cloud) -> None:
    token, new = "a-token-of-24-characters", "another-token-of-the-tests"
    resources = {**NETWORK, "Cache": replication_group(AuthToken=token)}
    with stack(cloud) as made:
        outputs = made.create(resources, **ENDPOINTS)
        with pytest.raises(ValkeyError, match="Authentication required"):
            client(cloud, outputs).ping()
        assert client(cloud, outputs, password=token).ping()
        elasticache = cloud.client("elasticache")
        change = {"ReplicationGroupId": made.physical_id("Cache"), "AuthToken": new, "ApplyImmediately": True}
        elasticache.modify_replication_group(**change, AuthTokenUpdateStrategy="ROTATE")
        assert client(cloud, outputs, password=token).ping()
        assert client(cloud, outputs, password=new).ping()
        elasticache.modify_replication_group(**change, AuthTokenUpdateStrategy="SET")
        with pytest.raises(AuthenticationError):
            client(cloud, outputs, password=token).ping()


def test_encryption_in_transit_is_what_the_template_says(cloud: Cloud) -> None:
    resources = {**NETWORK, "Cache": replication_group(TransitEncryptionEnabled=False)}
    with stack(cloud) as made:
        outputs = made.create(resources, **ENDPOINTS)
        assert client(cloud, outputs, ssl=False).ping()
        with pytest.raises(ValkeyError):
            client(cloud, outputs).ping()
        # The way of AWS to turn it on: first both, then TLS alone.
        change = {"ReplicationGroupId": made.physical_id("Cache"), "ApplyImmediately": True}
        elasticache = cloud.client("elasticache")
        elasticache.modify_replication_group(**change, TransitEncryptionEnabled=True, TransitEncryptionMode="preferred")
        assert client(cloud, outputs, ssl=False).ping()
        assert client(cloud, outputs).ping()
        elasticache.modify_replication_group(**change, TransitEncryptionMode="required")
        assert client(cloud, outputs).ping()
        with pytest.raises(ValkeyError):
            client(cloud, outputs, ssl=False).ping()


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


def processes(cloud: Cloud, group: str) -> list[int]:
    """The Valkey servers of a replication group."""
    folder = str(cloud.settings.folder / "containers" / "valkey" / cloud.settings.region / group)
    listing = subprocess.run(["ps", "-wweo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 1) for line in listing.splitlines()]
    return [int(pid) for pid, command in lines if folder in command]


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


def test_its_security_group_decides_who_gets_through(cache: Cache, images: Callable[..., str]) -> None:
    asking = Service(cache.cloud, "cache-asking", images())
    assert asking.deploy() == "CREATE_COMPLETE", asking.failures()
    try:
        lookup = asking.get("/environment")["BREWHAVEN_NETWORK_LOOKUP"]
        port = cache.outputs["Port"]

        def enter() -> str:
            try:
                with urllib.request.urlopen(f"{lookup}/connect?ip=127.0.0.1&port={port}") as answer:
                    return str(json.load(answer))
            except urllib.error.HTTPError as error:
                return str(json.load(error))

        group = cache.stack.physical_id("SecurityGroup")
        assert group in enter()
        assert "ETIMEDOUT" in enter()
        ec2 = cache.cloud.client("ec2")
        rule = {"IpProtocol": "tcp", "FromPort": 6379, "ToPort": 6379}
        pairs = {"UserIdGroupPairs": [{"GroupId": asking.output("TaskGroup")}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{**rule, **pairs}])
        assert enter() == str({"port": int(port)})
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[{**rule, **pairs}])
        with pytest.raises(ClientError, match="DependencyViolation"):
            ec2.delete_security_group(GroupId=group)
    finally:
        asking.delete()


def test_valkey_cli_speaks_tls(cache: Cache) -> None:
    program = Path(sys.executable).with_name("valkey-cli")

    def run(*arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "-h", cache.outputs["Host"], "-p", cache.outputs["Port"], *arguments],
            env={**os.environ, **cache.cloud.environment, "REDISCLI_AUTH": password or str(cache.shop["password"])},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    written = run("--tls", "--user", "shop", "SET", "shop:cli", "a cup")
    assert (written.returncode, written.stdout, written.stderr) == (0, "OK\n", "")
    assert run("--tls", "--user", "shop", "GET", "shop:cli").stdout == "a cup\n"
    assert "WRONGPASS" in run("--tls", "--user", "shop", "PING", password="wrong").stderr
    assert run("--user", "shop", "PING").returncode == 1
    wrong_name = run("--tls", "--sni", "cache.localhost", "PING")
    assert wrong_name.returncode == 1
    assert "certificate" in wrong_name.stderr


def test_status_lists_it_and_says_what_is_only_recorded(cache: Cache) -> None:
    status = json.loads(brewhaven(cache.cloud, "local", "status", "--json").stdout)
    [listed] = [one for one in status["caches"] if one["identifier"] == cache.id]
    assert listed == {
        "identifier": cache.id, "status": "available", "host": cache.outputs["Host"], "tls": True, "nodes": 1,
        "port": int(cache.outputs["Port"]), "reader_port": int(cache.outputs["ReaderPort"]),
    }  # fmt: skip
    assert "snapshots" in status["recorded_only"]["AWS::ElastiCache::ReplicationGroup"]
    shown = brewhaven(cache.cloud, "local", "status").stdout
    assert f"valkey-cli --tls -p {cache.outputs['Port']}" in shown


def test_a_load_of_connections_passes(cache: Cache) -> None:
    """As many connections as a shop under load has, and answers of several megabytes."""
    clients = [client(cache.cloud, cache.outputs, **cache.shop) for _ in range(40)]
    big = "x" * 3_000_000
    clients[0].set("shop:big", big)
    assert all(one.get("shop:big") == big for one in clients)
    assert all(one.ping() for one in clients)
    for one in clients:
        one.close()
