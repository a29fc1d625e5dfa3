"""EC2 networking and instances as CloudFormation makes them (resources/ec2_*.py)."""

from __future__ import annotations

import base64
import ipaddress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.stacks import Resources, Stack, StackError, att, ref, role, stack, typed
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

AMI = "{{resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-arm64}}"


def network(**more: dict[str, Any]) -> Resources:
    return {
        "Vpc": typed("AWS::EC2::VPC", CidrBlock="10.9.0.0/16"),
        "Subnet": typed(
            "AWS::EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.9.1.0/24", AvailabilityZone="us-east-1b",
            MapPublicIpOnLaunch=True,
        ),
        "Group": typed("AWS::EC2::SecurityGroup", GroupDescription="one", VpcId=ref("Vpc")),
        **more,
    }  # fmt: skip


def group(cloud: Cloud, group_id: str) -> dict[str, Any]:
    found: dict[str, Any] = cloud.client("ec2").describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0]
    return found


def ports(permissions: list[dict[str, Any]]) -> list[int]:
    return sorted(rule["FromPort"] for rule in permissions if "FromPort" in rule)


def test_rules_of_their_own_change_the_group(cloud: Cloud) -> None:
    def rules(port: int, description: str) -> Resources:
        return network(
            Peer=typed("AWS::EC2::SecurityGroup", GroupDescription="two", VpcId=ref("Vpc")),
            In=typed("AWS::EC2::SecurityGroupIngress", GroupId=ref("Group"), IpProtocol="tcp", FromPort=port,
                     ToPort=port, SourceSecurityGroupId=ref("Peer"), Description=description),
            Out=typed("AWS::EC2::SecurityGroupEgress", GroupId=ref("Group"), IpProtocol="tcp", FromPort=443,
                      ToPort=443, CidrIp="10.0.0.0/8"),
        )  # fmt: skip

    with stack(cloud) as made:
        made.create(rules(8080, "shop"))
        group_id, rule_id = made.physical_id("Group"), made.physical_id("In")
        assert rule_id.startswith("sgr-")
        assert ports(group(cloud, group_id)["IpPermissions"]) == [8080]
        assert ports(group(cloud, group_id)["IpPermissionsEgress"]) == [443]

        made.update(rules(8080, "the shop"))
        assert made.physical_id("In") == rule_id
        [pair] = group(cloud, group_id)["IpPermissions"][0]["UserIdGroupPairs"]
        assert pair["Description"] == "the shop"

        made.update(rules(9090, "the shop"))
        assert made.physical_id("In") != rule_id
        assert ports(group(cloud, group_id)["IpPermissions"]) == [9090]

        without = rules(9090, "the shop")
        del without["In"]
        made.update(without)
        assert group(cloud, group_id)["IpPermissions"] == []


def test_a_revoke_means_a_rule_by_its_source_and_not_by_its_description(cloud: Cloud) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "Description": "callers"}
    with stack(cloud) as made:
        made.create(
            network(
                Peer=typed("AWS::EC2::SecurityGroup", GroupDescription="two", VpcId=ref("Vpc")),
                Door=typed(
                    "AWS::EC2::SecurityGroup", GroupDescription="door", VpcId=ref("Vpc"),
                    SecurityGroupIngress=[
                        {**rule, "SourceSecurityGroupId": ref("Group")}, {**rule, "SourceSecurityGroupId": ref("Peer")},
                    ],
                ),
            )
        )  # fmt: skip
        door, peer = made.physical_id("Door"), made.physical_id("Peer")
        named = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": peer}]}
        cloud.client("ec2").revoke_security_group_ingress(GroupId=door, IpPermissions=[named])
        left = [pair["GroupId"] for one in group(cloud, door)["IpPermissions"] for pair in one["UserIdGroupPairs"]]
        assert left == [made.physical_id("Group")]


def test_a_vpc_answers_its_attributes(cloud: Cloud) -> None:
    with stack(cloud) as made:
        outputs = made.create(
            network(), Cidr=att("Vpc", "CidrBlock"), Default=att("Vpc", "DefaultSecurityGroup"),
            Acl=att("Vpc", "DefaultNetworkAcl"), Zone=att("Subnet", "AvailabilityZone"), Owner=att("Subnet", "VpcId"),
            Group=att("Group", "GroupId"),
        )  # fmt: skip
        assert outputs["Cidr"] == "10.9.0.0/16"
        assert group(cloud, outputs["Default"])["GroupName"] == "default"
        assert outputs["Acl"].startswith("acl-")
        assert outputs["Zone"] == "us-east-1b"
        assert outputs["Owner"] == made.physical_id("Vpc")
        assert outputs["Group"] == made.physical_id("Group")


def test_addresses_gateways_acls_and_flow_logs(cloud: Cloud) -> None:
    resources = network(
        Address=typed("AWS::EC2::EIP", Domain="vpc", Tags=[{"Key": "a", "Value": "b"}]),
        Nat=typed("AWS::EC2::NatGateway", SubnetId=ref("Subnet"), AllocationId=att("Address", "AllocationId")),
        Acl=typed("AWS::EC2::NetworkAcl", VpcId=ref("Vpc")),
        Entry=typed("AWS::EC2::NetworkAclEntry", NetworkAclId=ref("Acl"), RuleNumber=100, Protocol=6,
                    RuleAction="allow", Egress=True, CidrBlock="0.0.0.0/0"),
        Association=typed("AWS::EC2::SubnetNetworkAclAssociation", SubnetId=ref("Subnet"), NetworkAclId=ref("Acl")),
        Flow=typed("AWS::EC2::FlowLog", ResourceId=ref("Vpc"), ResourceType="VPC", TrafficType="REJECT",
                   LogDestinationType="s3", LogDestination="arn:aws:s3:::logs"),
    )  # fmt: skip
    ec2 = cloud.client("ec2")
    with stack(cloud) as made:
        outputs = made.create(
            resources, Allocation=att("Address", "AllocationId"), Nat=ref("Nat"), Acl=ref("Acl"), Flow=ref("Flow")
        )
        address = ec2.describe_addresses(AllocationIds=[outputs["Allocation"]])["Addresses"][0]
        assert address["PublicIp"] == made.physical_id("Address")
        assert {"Key": "a", "Value": "b"} in address["Tags"]
        gateway = ec2.describe_nat_gateways(NatGatewayIds=[outputs["Nat"]])["NatGateways"][0]
        assert gateway["State"] == "available"
        assert gateway["VpcId"] == made.physical_id("Vpc")
        acl = ec2.describe_network_acls(NetworkAclIds=[outputs["Acl"]])["NetworkAcls"][0]
        assert [entry["RuleNumber"] for entry in acl["Entries"]] == [100]
        assert [item["SubnetId"] for item in acl["Associations"]] == [made.physical_id("Subnet")]
        flow = ec2.describe_flow_logs(FlowLogIds=[outputs["Flow"]])["FlowLogs"][0]
        assert flow["TrafficType"] == "REJECT"

        resources["Entry"]["Properties"]["RuleAction"] = "deny"
        made.update(resources)
        acl = ec2.describe_network_acls(NetworkAclIds=[outputs["Acl"]])["NetworkAcls"][0]
        assert [entry["RuleAction"] for entry in acl["Entries"]] == ["deny"]
    assert ec2.describe_flow_logs(FlowLogIds=[outputs["Flow"]])["FlowLogs"] == []
    assert outputs["Allocation"] not in str(ec2.describe_addresses()["Addresses"])


def instance(version: Any, user_data: str = "one") -> Resources:
    return network(
        Role=role("ec2.amazonaws.com"),
        Profile=typed("AWS::IAM::InstanceProfile", Roles=[ref("Role")]),
        Template=typed(
            "AWS::EC2::LaunchTemplate",
            LaunchTemplateData={
                "ImageId": AMI,
                "InstanceType": "t4g.micro",
                "IamInstanceProfile": {"Arn": att("Profile", "Arn")},
                "SecurityGroupIds": [ref("Group")],
                "MetadataOptions": {"HttpTokens": "required"},
                "UserData": base64.b64encode(user_data.encode()).decode(),
            },
        ),
        Instance=typed(
            "AWS::EC2::Instance", SubnetId=ref("Subnet"), Tags=[{"Key": "Name", "Value": "shop"}],
            LaunchTemplate={"LaunchTemplateId": ref("Template"), "Version": version},
        ),
    )  # fmt: skip


def test_an_instance_takes_what_its_launch_template_says(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    latest = att("Template", "LatestVersionNumber")
    with stack(cloud) as made:
        outputs = made.create(
            instance(latest), Ip=att("Instance", "PublicIp"), Private=att("Instance", "PrivateIp"), Version=latest,
            Profile=ref("Profile"), Dns=att("Instance", "PublicDnsName"),
        )  # fmt: skip
        first = made.physical_id("Instance")
        found = ec2.describe_instances(InstanceIds=[first])["Reservations"][0]["Instances"][0]
        assert found["InstanceType"] == "t4g.micro"
        assert found["Architecture"] == "arm64"
        assert found["Placement"]["AvailabilityZone"] == "us-east-1b"
        assert found["PublicIpAddress"] == outputs["Ip"]
        assert ipaddress.ip_address(outputs["Private"]) in ipaddress.ip_network("10.9.1.0/24")
        assert outputs["Dns"] == outputs["Ip"]  # Names of amazonaws.com do not lead to this machine.
        assert found["IamInstanceProfile"]["Arn"].endswith(f":instance-profile/{outputs['Profile']}")
        assert found["MetadataOptions"]["HttpTokens"] == "required"
        assert [item["GroupId"] for item in found["SecurityGroups"]] == [made.physical_id("Group")]
        assert {"Key": "Name", "Value": "shop"} in found["Tags"]
        assert outputs["Version"] == "1"

        assert made.update(instance(latest, "two"), Version=latest)["Version"] == "2"
        second = made.physical_id("Instance")
        assert second != first, "another version of its launch template replaces an instance"
        states = {
            item["InstanceId"]: item["State"]["Name"]
            for reservation in ec2.describe_instances(InstanceIds=[first, second])["Reservations"]
            for item in reservation["Instances"]
        }
        assert states == {first: "terminated", second: "running"}


def test_the_api_launches_from_a_template_too(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    with stack(cloud) as made:
        made.create(network())
        template = ec2.create_launch_template(
            LaunchTemplateName=made.name,
            LaunchTemplateData={"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro"},
        )["LaunchTemplate"]["LaunchTemplateId"]
        with pytest.raises(ClientError, match="ImageId"):
            ec2.run_instances(MinCount=1, MaxCount=1)
        [launched] = ec2.run_instances(
            LaunchTemplate={"LaunchTemplateId": template}, SubnetId=made.physical_id("Subnet"), MinCount=1, MaxCount=1
        )["Instances"]
        assert launched["InstanceType"] == "t3.micro"
        assert launched["ImageId"] == "ami-0123456789abcdef0"
        ec2.terminate_instances(InstanceIds=[launched["InstanceId"]])
        ec2.delete_launch_template(LaunchTemplateId=template)


def test_what_another_stack_uses_is_not_deleted(cloud: Cloud) -> None:
    first, second = Stack(cloud), Stack(cloud)
    first.create(network())
    second.create(
        {
            "Guest": typed("AWS::EC2::SecurityGroup", GroupDescription="later", VpcId=first.physical_id("Vpc")),
            "Rule": typed("AWS::EC2::SecurityGroupIngress", GroupId=ref("Guest"), IpProtocol="tcp", FromPort=1,
                          ToPort=1, SourceSecurityGroupId=first.physical_id("Group")),
            "Instance": typed("AWS::EC2::Instance", ImageId=AMI, InstanceType="t3.micro",
                              SubnetId=first.physical_id("Subnet"), SecurityGroupIds=[ref("Guest")]),
        }
    )  # fmt: skip
    group_id, subnet_id, vpc_id = (first.physical_id(name) for name in ("Group", "Subnet", "Vpc"))
    with pytest.raises(StackError) as failure:
        first.delete()
    assert failure.value.status == "DELETE_FAILED"
    assert f"resource {group_id} has a dependent object (Service: Ec2, Status Code: 400" in str(failure.value)
    assert f"The subnet '{subnet_id}' has dependencies and cannot be deleted." in str(failure.value)
    assert f"The vpc '{vpc_id}' has dependencies and cannot be deleted." in str(failure.value)
    second.delete()
    first.delete()


def test_the_api_refuses_the_same(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    with stack(cloud) as made:
        made.create(
            network(
                Gateway=typed("AWS::EC2::InternetGateway"),
                Attachment=typed("AWS::EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Gateway")),
                Table=typed("AWS::EC2::RouteTable", VpcId=ref("Vpc")),
                Joined=typed("AWS::EC2::SubnetRouteTableAssociation", SubnetId=ref("Subnet"),
                             RouteTableId=ref("Table")),
                Instance=typed("AWS::EC2::Instance", ImageId=AMI, InstanceType="t3.micro", SubnetId=ref("Subnet"),
                               SecurityGroupIds=[ref("Group")], DependsOn="Attachment"),
            )
        )  # fmt: skip
        ids = {name: made.physical_id(name) for name in ("Vpc", "Subnet", "Group", "Gateway", "Table")}
        for refused in (
            lambda: ec2.delete_vpc(VpcId=ids["Vpc"]),
            lambda: ec2.delete_subnet(SubnetId=ids["Subnet"]),
            lambda: ec2.delete_security_group(GroupId=ids["Group"]),
            lambda: ec2.delete_internet_gateway(InternetGatewayId=ids["Gateway"]),
            lambda: ec2.delete_route_table(RouteTableId=ids["Table"]),
            lambda: ec2.detach_internet_gateway(InternetGatewayId=ids["Gateway"], VpcId=ids["Vpc"]),
        ):
            with pytest.raises(ClientError) as error:
                refused()
            assert error.value.response["Error"]["Code"] == "DependencyViolation"
