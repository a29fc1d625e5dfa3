"""Replication groups for tests: the resources of one, and clients of its endpoints."""

from __future__ import annotations

from typing import Any

from valkey import Valkey

from tests.local.stacks import Resources, att, ref, typed
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
