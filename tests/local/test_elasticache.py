"""A replication group that Valkey runs: encryption, users, parameters, who gets through (resources/elasticache*.py)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from valkey.exceptions import AuthenticationError, NoPermissionError, ValkeyError

from brewhaven.local import tls
from tests.local.stacks import StackError, stack
from tests.plugins.caches import ENDPOINTS, NETWORK, PASSWORD, Cache, client, deployed, replication_group
from tests.plugins.containers import Service
from tests.plugins.local_cloud import Cloud, brewhaven

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def cache(cloud: Cloud) -> Iterator[Cache]:
    with deployed(cloud) as made:
        yield made


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
    assert f"{cache.outputs['Host']}:{cache.outputs['Port']} with TLS" in shown
    assert "brewhaven local valkey-cli" in shown


def test_a_load_of_connections_passes(cache: Cache) -> None:
    """As many connections as a shop under load has, and answers of several megabytes."""
    clients = [client(cache.cloud, cache.outputs, **cache.shop) for _ in range(40)]
    big = "x" * 3_000_000
    clients[0].set("shop:big", big)
    assert all(one.get("shop:big") == big for one in clients)
    assert all(one.ping() for one in clients)
    for one in clients:
        one.close()
