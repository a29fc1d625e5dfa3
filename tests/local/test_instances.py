"""EC2 instances run: user data, role, metadata service, units, security group, power states (engines/instances.py)."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.plugins.containers import SERVER, until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

USER_DATA = """#!/bin/bash
set -euo pipefail
dnf install --assumeyes python3.13 python3.13-pip
useradd --system --home-dir /opt/shop --shell /sbin/nologin shop
mkdir -p $(dirname '/opt/shop/shop.zip')
aws s3 cp 's3://instance-code/shop.zip' '/opt/shop/shop.zip' --region us-east-1
python3.13 -m zipfile -e /opt/shop/shop.zip /opt/shop/app
python3.13 -m venv /opt/shop/venv
cat > /etc/shop.env <<'END'
GREETING=hello
PGSSLROOTCERT=/opt/shop/app/certs/rds-global-bundle.pem
END
cat > /etc/systemd/system/shop.service <<'END'
[Service]
User=shop
WorkingDirectory=/opt/shop/app
EnvironmentFile=/etc/shop.env
ExecStart=/opt/shop/venv/bin/python server.py
Restart=always
RestartSec=0.2
END
systemctl daemon-reload
systemctl enable --now shop
"""


class Box:
    """An instance with its own network and role."""

    def __init__(self, cloud: Cloud, name: str, user_data: str, actions: list[str]) -> None:
        self.ec2 = cloud.client("ec2")
        iam = cloud.client("iam")
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
        iam.put_role_policy(
            RoleName=name,
            PolicyName="it",
            PolicyDocument=policy({"Effect": "Allow", "Action": actions, "Resource": "*"}),
        )
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        vpc = self.ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.0.0/24")["Subnet"]["SubnetId"]
        self._open_way_out(vpc)
        self.group = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        [record] = self.ec2.run_instances(
            ImageId="ami-0abcdef1234567890",
            InstanceType="t4g.micro",
            MinCount=1,
            MaxCount=1,
            UserData=user_data,
            IamInstanceProfile={"Name": name},
            NetworkInterfaces=[
                {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [self.group], "AssociatePublicIpAddress": True}
            ],
        )["Instances"]
        self.id, self.address = record["InstanceId"], record["PublicIpAddress"]

    def _open_way_out(self, vpc: str) -> None:
        """A route to the internet, by which an instance with a public address reaches AWS."""
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        [main] = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
        self.ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)

    def console(self) -> str:
        return str(self.ec2.get_console_output(InstanceId=self.id).get("Output", ""))

    def admit(self) -> None:
        self.ec2.authorize_security_group_ingress(
            GroupId=self.group, IpProtocol="tcp", FromPort=8080, ToPort=8080, CidrIp="127.0.0.1/32"
        )

    def get(self, path: str = "/") -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.address}:8080{path}", timeout=5) as answer:
            return dict(json.load(answer))

    def is_closed(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.address, 8080)) != 0


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def box(cloud: Cloud) -> Iterator[Box]:
    """An instance that serves."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="instance-code")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("server.py", SERVER)
        archive.writestr("said.txt", "good morning")
    s3.put_object(Bucket="instance-code", Key="shop.zip", Body=packed.getvalue())
    box = Box(cloud, "box", USER_DATA, ["s3:GetObject"])
    until(lambda: "user data finished" in box.console(), 60)
    yield box
    box.ec2.terminate_instances(InstanceIds=[box.id])


def test_nobody_reaches_it_until_its_group_admits_this_machine(box: Box) -> None:
    until(lambda: "started shop.service" in box.console())
    assert box.is_closed()
    box.admit()
    assert until(box.get)["said"] == "good morning"


def test_it_says_which_python_it_has(box: Box) -> None:
    assert "Installed: python3.13 (Python 3" in box.console()


def test_its_unit_has_the_environment_of_its_file_and_nothing_of_the_host(box: Box) -> None:
    environment = box.get("/environment")
    assert environment["GREETING"] == "hello"
    assert environment["HOME"] != os.environ["HOME"]
    assert "AWS_ACCESS_KEY_ID" not in environment
    assert environment["PGSSLROOTCERT"] == environment["SSL_CERT_FILE"], "the local authority, not Amazon's"


def test_the_metadata_service_wants_a_token(box: Box) -> None:
    service = box.get("/environment")["AWS_EC2_METADATA_SERVICE_ENDPOINT"]

    def ask(path: str, method: str = "GET", **headers: str) -> str:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{service}/latest/{path}", method=method, headers=fields)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(answer.read().decode())

    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask("meta-data/instance-id")
    token = ask("api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")
    assert ask("meta-data/instance-id", X_aws_ec2_metadata_token=token) == box.id
    assert ask("meta-data/iam/security-credentials/", X_aws_ec2_metadata_token=token) == "box"
    keys = json.loads(ask("meta-data/iam/security-credentials/box", X_aws_ec2_metadata_token=token))
    assert keys["Code"] == "Success"
    assert keys["AccessKeyId"].startswith("ASIA")


def test_the_metadata_service_can_be_told_not_to_ask_for_a_token(cloud: Cloud, box: Box) -> None:
    """And back: what a careless change by hand does, and how it is mended (resources/ec2_metadata_options.py)."""
    ec2 = cloud.client("ec2")
    service = box.get("/environment")["AWS_EC2_METADATA_SERVICE_ENDPOINT"]

    def asked_without_a_token() -> int:
        try:
            with urllib.request.urlopen(f"{service}/latest/meta-data/instance-id", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    changed = ec2.modify_instance_metadata_options(InstanceId=box.id, HttpTokens="optional")
    assert changed["InstanceMetadataOptions"]["HttpTokens"] == "optional"
    assert asked_without_a_token() == 200
    ec2.modify_instance_metadata_options(InstanceId=box.id, HttpTokens="required")
    assert asked_without_a_token() == 401
    (reservation,) = ec2.describe_instances(InstanceIds=[box.id])["Reservations"]
    assert reservation["Instances"][0]["MetadataOptions"]["HttpTokens"] == "required"
    with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
        ec2.modify_instance_metadata_options(InstanceId="i-0123456789abcdef0", HttpTokens="optional")


def test_a_killed_unit_is_restarted(box: Box) -> None:
    before = box.get()["pid"]
    os.kill(before, signal.SIGKILL)
    assert until(lambda: box.get()["pid"] != before)


def test_power_states_act_on_the_processes(box: Box) -> None:
    box.ec2.stop_instances(InstanceIds=[box.id])
    until(box.is_closed)
    box.ec2.start_instances(InstanceIds=[box.id])
    first = until(box.get)["pid"]
    box.ec2.reboot_instances(InstanceIds=[box.id])
    assert until(lambda: box.get()["pid"] != first)


def test_a_role_without_grant_fails_the_user_data(cloud: Cloud, box: Box) -> None:
    denied = Box(cloud, "denied", USER_DATA, ["sqs:ListQueues"])
    until(lambda: "user data failed with exit code" in denied.console(), 60)
    assert "Forbidden" in denied.console() or "AccessDenied" in denied.console()
    denied.ec2.terminate_instances(InstanceIds=[denied.id])


def test_what_cannot_be_carried_out_is_refused(cloud: Cloud) -> None:
    odd = Box(cloud, "odd", "#!/bin/bash\ndnf install --assumeyes nginx\nmodprobe dummy\n", ["sqs:ListQueues"])
    until(lambda: "user data" in odd.console(), 30)
    assert "dnf install nginx: no such package here" in odd.console()
    assert "modprobe: command not found" in odd.console()
    odd.ec2.terminate_instances(InstanceIds=[odd.id])


def test_a_terminated_instance_is_gone(cloud: Cloud, box: Box) -> None:
    folder = cloud.settings.folder / "containers" / "instances" / box.id
    assert folder.exists()
    box.ec2.terminate_instances(InstanceIds=[box.id])
    until(box.is_closed)
    until(lambda: not folder.exists())
