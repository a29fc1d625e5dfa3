"""Replication groups for tests: the resources of one, clients of its endpoints, and the processes behind it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from valkey import Valkey

from tests.local.stacks import Resources, Stack, att, ref, stack, typed
from tests.plugins.local_cloud import Cloud

PASSWORD = "a-password-for-the-tests"
NETWORK: Resources = {
    "Vpc": typed("AWS::EC2::VPC", CidrBlock="10.9.0.0/16"),
    "SubnetA": typed("AWS::EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.9.1.0/24"),
    "SubnetB": typed("AWS::EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.9.2.0/24"),
    "SecurityGroup": typed("AWS::EC2::SecurityGroup", GroupDescription="cache", VpcId=ref("Vpc")),
    "Subnets": typed(
        "AWS::ElastiCache::SubnetGroup", Description="isolated", SubnetIds=[ref("SubnetA"), ref("SubnetB")]
    ),
}


def replication_group(**properties: Any) -> dict[str, Any]:
    """The cheapest one: one node of Valkey 8 with encryption in transit."""
    return typed(
        "AWS::ElastiCache::ReplicationGroup",
        **{
            "ReplicationGroupDescription": "cache of the tests",
            "Engine": "valkey",
            "EngineVersion": "8.0",
            "CacheNodeType": "cache.t4g.micro",
            "NumCacheClusters": 1,
            "AutomaticFailoverEnabled": False,
            "TransitEncryptionEnabled": True,
            "CacheSubnetGroupName": ref("Subnets"),
            "SecurityGroupIds": [att("SecurityGroup", "GroupId")],
            **properties,
        },
    )


def user(user_id: str, name: str, access: str, *passwords: str) -> dict[str, Any]:
    """A user of the engine valkey."""
    mode = {"Type": "password", "Passwords": list(passwords or (PASSWORD,))}
    return typed(
        "AWS::ElastiCache::User",
        UserId=user_id, UserName=name, Engine="valkey", AccessString=access, AuthenticationMode=mode,
    )  # fmt: skip


ENDPOINTS = {
    "Host": att("Cache", "PrimaryEndPoint.Address"),
    "Port": att("Cache", "PrimaryEndPoint.Port"),
    "ReaderPort": att("Cache", "ReaderEndPoint.Port"),
}


def client(cloud: Cloud, outputs: dict[str, str], port: str = "Port", **arguments: Any) -> Valkey:
    """A client as an application has it: TLS, the certificate and the host name verified."""
    tls = {"ssl": True, "ssl_ca_certs": cloud.environment["AWS_CA_BUNDLE"], "ssl_check_hostname": True}
    return Valkey(
        host=outputs["Host"], port=int(outputs[port]), decode_responses=True, socket_timeout=5, **{**tls, **arguments}
    )


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


@contextmanager
def deployed(cloud: Cloud) -> Iterator[Cache]:
    """A replication group with two users and a parameter group, gone afterwards."""
    with stack(cloud) as made:
        yield Cache(cloud, made, made.create(RESOURCES, Secret=ref("Secret"), **ENDPOINTS))


def processes(cloud: Cloud, group: str) -> list[int]:
    """The Valkey servers of a replication group."""
    folder = str(cloud.settings.folder / "containers" / "valkey" / cloud.settings.region / group)
    listing = subprocess.run(["ps", "-wweo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 1) for line in listing.splitlines()]
    return [int(pid) for pid, command in lines if folder in command]
