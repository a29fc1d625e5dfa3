"""Small templates with a network, to take one hop away from and see that it is missed."""

from __future__ import annotations

from typing import Any

from brewhaven.reach.report import Survey, survey_templates
from tests.unit.diff.sides import resource

Resources = dict[str, Any]
REGION = {"Ref": "AWS::Region"}


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def att(name: str, attribute: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, attribute]}


def service_name(service: str) -> dict[str, Any]:
    return {"Fn::Join": ["", ["com.amazonaws.", REGION, f".{service}"]]}


def network() -> Resources:
    """A VPC with a public subnet, one that is isolated, a security group for programs, and nothing else."""
    found: Resources = {
        "Vpc": resource(
            "AWS::EC2::VPC", "Vpc",
            {"CidrBlock": "10.0.0.0/16", "EnableDnsSupport": True, "EnableDnsHostnames": True},
        ),
        "Igw": resource("AWS::EC2::InternetGateway", "Igw"),
        "Attachment": resource(
            "AWS::EC2::VPCGatewayAttachment", "Attachment", {"VpcId": ref("Vpc"), "InternetGatewayId": ref("Igw")}
        ),
        "Group": group("Group"),
    }  # fmt: skip
    for number, name in enumerate(("Public", "Isolated")):
        found[name] = resource("AWS::EC2::Subnet", name, {"VpcId": ref("Vpc"), "CidrBlock": f"10.0.{number}.0/24"})
        found[f"{name}Table"] = resource("AWS::EC2::RouteTable", f"{name}Table", {"VpcId": ref("Vpc")})
        found[f"{name}Association"] = resource(
            "AWS::EC2::SubnetRouteTableAssociation", f"{name}Association",
            {"SubnetId": ref(name), "RouteTableId": ref(f"{name}Table")},
        )  # fmt: skip
    found["Out"] = route("Public", GatewayId=ref("Igw"))
    return found


def route(subnet: str, **target: Any) -> Resources:
    to = {"RouteTableId": ref(f"{subnet}Table"), "DestinationCidrBlock": "0.0.0.0/0"}
    return resource("AWS::EC2::Route", f"{subnet}Out", {**to, **target})


def group(path: str, *, ingress: list[Any] | None = None, egress: list[Any] | None = None) -> Resources:
    """A security group; without `egress` it lets everything out, as AWS makes it."""
    rules = {"SecurityGroupIngress": ingress, "SecurityGroupEgress": egress}
    return resource(
        "AWS::EC2::SecurityGroup", path,
        {"VpcId": ref("Vpc"), "GroupDescription": path, **{name: rule for name, rule in rules.items() if rule}},
    )  # fmt: skip


def tcp(port: int, **peer: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}


def gateway_endpoint(service: str, *subnets: str, **more: Any) -> Resources:
    properties = {"VpcId": ref("Vpc"), "ServiceName": service_name(service), "VpcEndpointType": "Gateway"}
    tables = [ref(f"{subnet}Table") for subnet in subnets]
    return resource("AWS::EC2::VPCEndpoint", f"{service}Gateway", {**properties, "RouteTableIds": tables, **more})


def interface_endpoint(service: str, **more: Any) -> Resources:
    """An interface endpoint in the isolated subnet that everybody of the VPC may reach."""
    properties = {
        "VpcId": ref("Vpc"),
        "ServiceName": service_name(service),
        "VpcEndpointType": "Interface",
        "SubnetIds": [ref("Isolated")],
        "SecurityGroupIds": [ref("Door")],
        "PrivateDnsEnabled": True,
    }
    return resource("AWS::EC2::VPCEndpoint", f"{service}Endpoint", {**properties, **more})


DOOR = group("Door", ingress=[tcp(443, CidrIp=att("Vpc", "CidrBlock"))])


def role(*statements: tuple[str | list[str], Any], path: str = "Role") -> Resources:
    document = {
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": on} for actions, on in statements],
    }
    return resource("AWS::IAM::Role", path, {"Policies": [{"PolicyName": "all", "PolicyDocument": document}]})


def function(*subnets: str, groups: tuple[str, ...] = ("Group",), **more: Any) -> Resources:
    """A function in these subnets; in none, it is outside of any VPC."""
    properties: Resources = {"Role": att("Role", "Arn"), **more}
    if subnets:
        names = {"SubnetIds": [ref(one) for one in subnets], "SecurityGroupIds": [ref(one) for one in groups]}
        properties["VpcConfig"] = names
    return resource("AWS::Lambda::Function", "Worker", properties)


def tasks(subnet: str, *, public: bool, **container: Any) -> Resources:
    """A Fargate service of one container with an image of ECR and a log."""
    image = {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/shop:1"}
    logs = {"LogDriver": "awslogs", "Options": {"awslogs-group": "shop"}}
    awsvpc = {
        "AssignPublicIp": "ENABLED" if public else "DISABLED",
        "Subnets": [ref(subnet)],
        "SecurityGroups": [ref("Group")],
    }
    return {
        "Definition": resource(
            "AWS::ECS::TaskDefinition", "Definition",
            {"TaskRoleArn": att("Role", "Arn"),
             "ContainerDefinitions": [{"Name": "shop", "Image": image, "LogConfiguration": logs, **container}]},
        ),
        "Service": resource(
            "AWS::ECS::Service", "Shop",
            {"TaskDefinition": ref("Definition"), "NetworkConfiguration": {"AwsvpcConfiguration": awsvpc}},
        ),
    }  # fmt: skip


def database(**more: Any) -> Resources:
    """A PostgreSQL in the isolated subnet, which the programs' group may reach."""
    ingress = [tcp(5432, SourceSecurityGroupId=att("Group", "GroupId"))]
    return {
        "Subnets": resource("AWS::RDS::DBSubnetGroup", "Subnets", {"SubnetIds": [ref("Isolated")]}),
        "DatabaseGroup": group("DatabaseGroup", ingress=ingress),
        "Database": resource(
            "AWS::RDS::DBInstance", "Orders",
            {"Engine": "postgres", "DBSubnetGroupName": ref("Subnets"),
             "VPCSecurityGroups": [att("DatabaseGroup", "GroupId")], **more},
        ),
    }  # fmt: skip


def told() -> dict[str, Any]:
    """The environment of a program that is given the database."""
    return {"Variables": {"DATABASE_HOST": att("Database", "Endpoint.Address")}}


def look(*parts: Resources, **stacks: Resources) -> Survey:
    """Follow every path of one stack made of these parts, and of further stacks by name."""
    whole: Resources = {}
    for part in parts:
        whole |= part
    return survey_templates({"Shop": {"Resources": whole}, **stacks})


def said(*parts: Resources) -> list[str]:
    """What is missing, in words."""
    return [missing.text for missing in look(*parts).missing]
