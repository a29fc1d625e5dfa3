"""Who reaches a database: what its security groups admit, from inside its VPC (engines/network, function_networks).

The functions of these tests have no driver: they open a socket and ask for TLS as libpq does, or tell why they cannot.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.local.stacks import Resources, att, ref, role, stack, typed
from tests.plugins.databases import db_instance, network, outputs
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

_CODE = """
import os, socket
def handler(event, context):
    try:
        with socket.create_connection((event["host"], int(event["port"])), timeout=5) as line:
            line.sendall((8).to_bytes(4, "big") + (80877103).to_bytes(4, "big"))
            return {"answer": line.recv(1).decode(), "authorities": os.environ.get("PGSSLROOTCERT")}
    except OSError as error:
        return {"error": type(error).__name__, "reason": str(error)}
"""


def _function(vpc: dict[str, Any] | None) -> dict[str, Any]:
    more = {"VpcConfig": vpc} if vpc else {}
    return typed(
        "AWS::Lambda::Function",
        Runtime="python3.13",
        Handler="index.handler",
        Role=att("Role", "Arn"),
        Timeout=20,
        Code={"ZipFile": _CODE},
        Environment={"Variables": {"PGSSLROOTCERT": "/opt/certs/rds-global-bundle.pem"}},
        **more,
    )


def _stack(**more: Any) -> Resources:
    return {
        **network(),
        "Strangers": typed("AWS::EC2::SecurityGroup", VpcId=ref("Vpc"), GroupDescription="strangers"),
        "Role": role(),
        "Db": db_instance(),
        **more,
    }


def _ask(cloud: Cloud, function: str, found: dict[str, str]) -> dict[str, Any]:
    payload = json.dumps({"host": found["Host"], "port": found["Port"]})
    answer = cloud.client("lambda").invoke(FunctionName=function, Payload=payload)
    result: dict[str, Any] = json.load(answer["Payload"])
    return result


def test_a_function_gets_through_only_where_the_security_groups_admit_it(cloud: Cloud) -> None:
    inside = {"SubnetIds": [ref("SubnetA"), ref("SubnetB")]}
    functions = {
        "Admitted": _function({**inside, "SecurityGroupIds": [att("Clients", "GroupId")]}),
        "Stranger": _function({**inside, "SecurityGroupIds": [att("Strangers", "GroupId")]}),
        "Outside": _function(None),
    }
    with stack(cloud) as made:
        found = made.create(_stack(**functions), **outputs(), Admitted=ref("Admitted"), Stranger=ref("Stranger"),
                            Outside=ref("Outside"))  # fmt: skip
        admitted = _ask(cloud, found["Admitted"], found)
        assert admitted == {"answer": "S", "authorities": str(cloud.settings.ca_file)}

        refused = _ask(cloud, found["Stranger"], found)
        assert refused["error"] == "TimeoutError"
        assert f"no ingress rule of security group {made.physical_id('DatabaseGroup')} admits" in refused["reason"]

        outside = _ask(cloud, found["Outside"], found)
        assert outside["error"] == "TimeoutError"
        assert "private address of a VPC" in outside["reason"]

        # A rule that is added counts for the next connection.
        ec2, group = cloud.client("ec2"), made.physical_id("DatabaseGroup")
        pair = [{"GroupId": made.physical_id("Strangers")}]
        rule = {"IpProtocol": "tcp", "FromPort": int(found["Port"]), "ToPort": int(found["Port"]),
                "UserIdGroupPairs": pair}  # fmt: skip
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        assert _ask(cloud, found["Stranger"], found)["answer"] == "S"
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
        assert "error" in _ask(cloud, found["Stranger"], found)


def test_changed_groups_of_the_instance_count_at_once(cloud: Cloud) -> None:
    functions = {"Reader": _function({"SubnetIds": [ref("SubnetA")], "SecurityGroupIds": [att("Clients", "GroupId")]})}
    with stack(cloud) as made:
        resources = _stack(**functions)
        found = made.create(resources, **outputs(), Reader=ref("Reader"))
        assert _ask(cloud, found["Reader"], found)["answer"] == "S"
        resources["Db"] = db_instance(VPCSecurityGroups=[att("Strangers", "GroupId")])
        made.update(resources, **outputs(), Reader=ref("Reader"))
        assert _ask(cloud, found["Reader"], found)["error"] == "TimeoutError"
