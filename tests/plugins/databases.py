"""A network and a small PostgreSQL instance for tests of RDS, and ways to connect to it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pg8000.native

from tests.local.stacks import Resources, att, ref, typed
from tests.plugins.local_cloud import Cloud

PASSWORD = "Flat-White-2026!"
USER = "brewmaster"


@dataclass(frozen=True)
class Address:
    """Where an instance answers, and with which credentials."""

    cloud: Cloud
    host: str
    port: int
    user: str = USER
    password: str = PASSWORD
    database: str = "shop"

    def connect(self, *, tls: bool = True, authority: str | None = None, **changed: Any) -> pg8000.native.Connection:
        """Connect as an application does: with TLS, the authority and the host's name verified."""
        context = ssl.create_default_context(cafile=authority or str(self.cloud.settings.ca_file)) if tls else False
        options = {
            "user": self.user, "password": self.password, "host": self.host, "port": self.port,
            "database": self.database, "ssl_context": context, "timeout": 10, **changed,
        }  # fmt: skip
        return pg8000.native.Connection(**options)

    def run(self, statement: str, **parameters: Any) -> Any:
        """Run one statement in a connection of its own."""
        connection = self.connect()
        try:
            return connection.run(statement, **parameters)
        finally:
            connection.close()


def network(*, port: int = 5432, admit: str | None = None) -> Resources:
    """A VPC with two subnets, a security group of clients, and one of databases, which admits a group or address."""
    rule = {"CidrIp": admit} if admit else {"SourceSecurityGroupId": att("Clients", "GroupId")}
    return {
        "Vpc": typed("AWS::EC2::VPC", CidrBlock="10.7.0.0/16"),
        "SubnetA": typed("AWS::EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.7.0.0/24", AvailabilityZone="us-east-1a"),
        "SubnetB": typed("AWS::EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.7.1.0/24", AvailabilityZone="us-east-1b"),
        "Clients": typed("AWS::EC2::SecurityGroup", VpcId=ref("Vpc"), GroupDescription="clients"),
        "DatabaseGroup": typed(
            "AWS::EC2::SecurityGroup",
            VpcId=ref("Vpc"),
            GroupDescription="databases",
            SecurityGroupIngress=[{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **rule}],
        ),
        "Subnets": typed(
            "AWS::RDS::DBSubnetGroup",
            DBSubnetGroupDescription="two zones",
            SubnetIds=[ref("SubnetA"), ref("SubnetB")],
        ),
    }


def db_instance(**changed: Any) -> dict[str, Any]:
    """An ``AWS::RDS::DBInstance`` in :func:`network`; None takes a property away."""
    properties = {
        "Engine": "postgres",
        "EngineVersion": "16",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": "20",
        "MasterUsername": USER,
        "MasterUserPassword": PASSWORD,
        "DBName": "shop",
        "DBSubnetGroupName": ref("Subnets"),
        "VPCSecurityGroups": [att("DatabaseGroup", "GroupId")],
        **changed,
    }
    kept = {name: value for name, value in properties.items() if value is not None}
    return {**typed("AWS::RDS::DBInstance", **kept), "DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"}


def outputs(name: str = "Db") -> dict[str, Any]:
    """Stack outputs that :func:`address` reads."""
    return {"Host": att(name, "Endpoint.Address"), "Port": att(name, "Endpoint.Port"), "Id": ref(name)}


def address(cloud: Cloud, found: dict[str, str]) -> Address:
    """Where the instance of a stack answers."""
    return Address(cloud, found["Host"], int(found["Port"]))


def described(cloud: Cloud, identifier: str) -> dict[str, Any]:
    """An instance as the API describes it."""
    found: dict[str, Any] = cloud.client("rds").describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    return found


def wait_until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.1)
    return found


def wait_available(cloud: Cloud, identifier: str, status: str = "available") -> Address:
    """Wait for an instance's status, and return where it answers."""
    wait_until(lambda: described(cloud, identifier)["DBInstanceStatus"] == status)
    endpoint = described(cloud, identifier)["Endpoint"]
    return Address(cloud, endpoint["Address"], endpoint["Port"])
