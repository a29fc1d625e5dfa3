"""An RDS proxy leads to its database, where security groups and its role allow it (resources/rds_proxies.py)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pg8000.exceptions import DatabaseError, InterfaceError

from tests.local.stacks import Resources, Stack, allow, att, ref, role, stack, typed
from tests.plugins.databases import PASSWORD, USER, Address, db_instance, network, outputs, wait_until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def _template(*, may_read: bool = True, admitted: bool = True) -> Resources:
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
    reading = allow("secretsmanager:GetSecretValue" if may_read else "secretsmanager:ListSecrets", on=ref("Secret"))
    sources = {"SourceSecurityGroupId": att("ProxyGroup", "GroupId")} if admitted else {"CidrIp": "192.0.2.1/32"}
    policies = [{"PolicyName": "read", "PolicyDocument": reading}]
    return {
        **network(),
        "ProxyGroup": typed("AWS::EC2::SecurityGroup", VpcId=ref("Vpc"), GroupDescription="proxies"),
        "ToDatabase": typed(
            "AWS::EC2::SecurityGroupIngress", GroupId=att("DatabaseGroup", "GroupId"), **rule, **sources
        ),
        "Secret": typed(
            "AWS::SecretsManager::Secret", SecretString=json.dumps({"username": USER, "password": PASSWORD})
        ),
        "ProxyRole": role("rds.amazonaws.com", Policies=policies),
        "Db": db_instance(),
        "Proxy": typed(
            "AWS::RDS::DBProxy",
            DBProxyName="shop-proxy",
            EngineFamily="POSTGRESQL",
            RequireTLS=True,
            RoleArn=att("ProxyRole", "Arn"),
            Auth=[{"AuthScheme": "SECRETS", "SecretArn": ref("Secret"), "IAMAuth": "DISABLED"}],
            VpcSubnetIds=[ref("SubnetA"), ref("SubnetB")],
            VpcSecurityGroupIds=[att("ProxyGroup", "GroupId")],
        ),
        "Targets": typed(
            "AWS::RDS::DBProxyTargetGroup",
            DBProxyName=ref("Proxy"),
            TargetGroupName="default",
            DBInstanceIdentifiers=[ref("Db")],
            ConnectionPoolConfigurationInfo={"MaxConnectionsPercent": 80},
        ),
    }


def _deploy(cloud: Cloud, made: Stack, **switches: bool) -> tuple[Address, dict[str, str]]:
    found = made.create(_template(**switches), **outputs(), Proxy=att("Proxy", "Endpoint"))
    return Address(cloud, found["Proxy"], int(found["Port"])), found


def _health(cloud: Cloud) -> Any:
    return cloud.client("rds").describe_db_proxy_targets(DBProxyName="shop-proxy")["Targets"][0]["TargetHealth"]


def test_a_proxy_leads_to_its_target_with_tls(cloud: Cloud) -> None:
    with stack(cloud) as made:
        place, found = _deploy(cloud, made)
        if place.host == found["Host"]:
            pytest.skip("this machine has one loopback address")
        assert place.run("SELECT current_database(), current_setting('port')") == [["shop", found["Port"]]]
        assert _health(cloud)["State"] == "AVAILABLE"
        with pytest.raises(DatabaseError, match="password authentication failed"):
            place.connect(password="Espresso-2026!")
        pool = cloud.client("rds").describe_db_proxy_target_groups(DBProxyName="shop-proxy")["TargetGroups"][0]
        assert pool["ConnectionPoolConfig"]["MaxConnectionsPercent"] == 80

        cloud.client("rds").deregister_db_proxy_targets(DBProxyName="shop-proxy", DBInstanceIdentifiers=[found["Id"]])
        with pytest.raises((InterfaceError, OSError)):
            place.connect()
        cloud.client("rds").register_db_proxy_targets(DBProxyName="shop-proxy", DBInstanceIdentifiers=[found["Id"]])
        wait_until(lambda: place.run("SELECT 1") == [[1]])


@pytest.mark.parametrize("switches", [{"may_read": False}, {"admitted": False}], ids=["role", "security-group"])
def test_a_proxy_that_may_not_lets_nobody_in(cloud: Cloud, switches: dict[str, bool]) -> None:
    with stack(cloud) as made:
        place, found = _deploy(cloud, made, **switches)
        if place.host == found["Host"]:
            pytest.skip("this machine has one loopback address")
        with pytest.raises((InterfaceError, OSError)):
            place.connect()
        if "may_read" in switches:
            assert _health(cloud)["Reason"] == "AUTH_FAILURE"
            assert "secretsmanager:GetSecretValue" in _health(cloud)["Description"]
