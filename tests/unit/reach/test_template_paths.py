"""What is followed through a template's network, each time with one hop missing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diff.sides import resource
from tests.unit.reach.networks import (
    DOOR,
    att,
    database,
    function,
    gateway_endpoint,
    group,
    interface_endpoint,
    look,
    network,
    ref,
    role,
    route,
    said,
    tasks,
    tcp,
    told,
)

READS_SECRET = role((["secretsmanager:GetSecretValue"], "*"))

# Functions and services


def test_a_function_outside_of_a_vpc_reaches_every_service() -> None:
    assert said({"Role": READS_SECRET, "Worker": function()}) == []


def test_an_isolated_function_needs_an_endpoint() -> None:
    assert said(network(), {"Role": READS_SECRET, "Worker": function("Isolated")}) == [
        "The Worker function in the Isolated subnet calls secretsmanager with secretsmanager:GetSecretValue, but the "
        "subnet has no route to the internet and the VPC has no interface endpoint for it."
    ]


def test_an_interface_endpoint_is_a_path() -> None:
    endpoint = {"Door": DOOR, "Endpoint": interface_endpoint("secretsmanager")}
    found = look(network(), endpoint, {"Role": READS_SECRET, "Worker": function("Isolated")})
    assert found.missing == []
    assert [(one.target, one.through) for one in found.reached] == [
        ("secretsmanager", "the interface endpoint secretsmanagerEndpoint")
    ]


@pytest.mark.parametrize(
    ("door", "endpoint", "why"),
    [
        (DOOR, interface_endpoint("secretsmanager", PrivateDnsEnabled=False), "has private DNS switched off"),
        (DOOR, interface_endpoint("sns"), "the VPC has no interface endpoint for it"),
        (group("Door"), interface_endpoint("secretsmanager"), "no ingress rule of the security group Door admits"),
        (group("Door", ingress=[tcp(8443, CidrIp="0.0.0.0/0")]), interface_endpoint("secretsmanager"),
         "no ingress rule of the security group Door"),
        (group("Door", ingress=[tcp(443, CidrIp="10.0.0.0/24")]), interface_endpoint("secretsmanager"),
         "no ingress rule of the security group Door"),
    ],
)  # fmt: skip
def test_an_endpoint_that_is_no_path(door: Any, endpoint: Any, why: str) -> None:
    parts = {"Door": door, "Endpoint": endpoint, "Role": READS_SECRET, "Worker": function("Isolated")}
    [text] = said(network(), parts)
    assert why in text


def test_an_endpoint_is_not_found_in_a_vpc_without_names() -> None:
    parts = {"Door": DOOR, "Endpoint": interface_endpoint("secretsmanager"), "Role": READS_SECRET}
    whole = {**network(), **parts, "Worker": function("Isolated")}
    whole["Vpc"]["Properties"]["EnableDnsHostnames"] = False
    [text] = said(whole)
    assert "has no DNS names" in text


def test_a_function_that_lets_nothing_out_reaches_no_endpoint() -> None:
    closed = group("Group", egress=[tcp(5432, CidrIp="10.0.0.0/16")])
    parts = {"Door": DOOR, "Endpoint": interface_endpoint("secretsmanager"), "Role": READS_SECRET}
    [text] = said(network(), parts, {"Group": closed, "Worker": function("Isolated")})
    assert "no egress rule of the security group Group admits the interface endpoint" in text


def test_the_default_group_of_an_endpoint_admits_only_its_members() -> None:
    endpoint = interface_endpoint("secretsmanager", SecurityGroupIds=[])
    [text] = said(network(), {"Endpoint": endpoint, "Role": READS_SECRET, "Worker": function("Isolated")})
    assert "no ingress rule of the default security group of Vpc" in text


def policy(action: str, on: Any, effect: str = "Allow") -> dict[str, Any]:
    statement = {"Effect": effect, "Principal": "*", "Action": action, "Resource": on}
    return {"PolicyDocument": {"Statement": [statement]}}


@pytest.mark.parametrize(
    ("admitted", "refused"),
    [
        (policy("secretsmanager:GetSecretValue", ref("Secret")), None),
        (policy("secretsmanager:*", "*"), None),
        (policy("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:*:*:secret:*"), None),
        (
            policy("secretsmanager:DescribeSecret", ref("Secret")),
            "secretsmanager:GetSecretValue on the Password secret",
        ),
        (policy("secretsmanager:GetSecretValue", ref("Other")), "secretsmanager:GetSecretValue on the Password secret"),
        (policy("*", "*", "Deny"), "secretsmanager:GetSecretValue on the Password secret"),
    ],
)
def test_the_policy_of_an_endpoint_has_a_say(admitted: dict[str, Any], refused: str | None) -> None:
    parts = {
        "Secret": resource("AWS::SecretsManager::Secret", "Password"),
        "Other": resource("AWS::SecretsManager::Secret", "Other"),
        "Door": DOOR,
        "Endpoint": interface_endpoint("secretsmanager", **admitted),
        "Role": role(("secretsmanager:GetSecretValue", ref("Secret"))),
        "Worker": function("Isolated"),
    }
    found = said(network(), parts)
    assert len(found) == (refused is not None)
    assert refused is None or f"whose policy does not admit {refused}" in found[0]


def test_a_gateway_endpoint_counts_for_its_route_tables_only() -> None:
    parts = {"Role": role(("s3:GetObject", "*")), "Worker": function("Isolated")}
    assert said(network(), parts, {"S3": gateway_endpoint("s3", "Isolated")}) == []
    [text] = said(network(), parts, {"S3": gateway_endpoint("s3", "Public")})
    assert "the gateway endpoint s3Gateway is not attached to the subnet's route table" in text


def test_each_subnet_of_a_function_counts() -> None:
    parts = {"S3": gateway_endpoint("s3", "Isolated"), "Role": role(("s3:GetObject", "*"))}
    [text] = said(network(), parts, {"Worker": function("Isolated", "Public")})
    assert text.startswith("The Worker function in the Public subnet calls s3")


def test_a_function_in_a_public_subnet_has_no_public_address() -> None:
    [text] = said(network(), {"Role": READS_SECRET, "Worker": function("Public")})
    assert "it has no public address, without which nothing comes back through the Igw internet gateway" in text


def nat(subnet: str, **more: Any) -> dict[str, Any]:
    return {
        "Nat": resource("AWS::EC2::NatGateway", "Nat", {"SubnetId": ref(subnet), **more}),
        "NatRoute": route("Isolated", NatGatewayId=ref("Nat")),
    }


@pytest.mark.parametrize(
    ("gateway", "why"),
    [
        (nat("Public"), None),
        (nat("Isolated"), "is in the Isolated subnet, which has no route to an internet gateway"),
        (nat("Public", ConnectivityType="private"), "is a private NAT gateway"),
    ],
)
def test_a_nat_gateway_leads_out_of_a_public_subnet(gateway: dict[str, Any], why: str | None) -> None:
    found = said(network(), gateway, {"Role": READS_SECRET, "Worker": function("Isolated")})
    assert len(found) == (why is not None)
    assert why is None or why in found[0]


def test_what_lambda_does_itself_needs_no_path() -> None:
    parts = {
        "Log": resource("AWS::Logs::LogGroup", "Log"),
        "Queue": resource("AWS::SQS::Queue", "Queue"),
        "Dead": resource("AWS::SQS::Queue", "Dead"),
        "Role": role(
            (["logs:CreateLogStream", "logs:PutLogEvents"], att("Log", "Arn")),
            (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], att("Queue", "Arn")),
            ("sqs:SendMessage", att("Dead", "Arn")),
            (["xray:PutTraceSegments", "ec2:CreateNetworkInterface"], "*"),
        ),
        "Worker": function(
            "Isolated",
            LoggingConfig={"LogGroup": ref("Log")},
            DeadLetterConfig={"TargetArn": att("Dead", "Arn")},
        ),
        "Mapping": resource(
            "AWS::Lambda::EventSourceMapping",
            "Mapping",
            {"FunctionName": ref("Worker"), "EventSourceArn": att("Queue", "Arn")},
        ),
    }
    assert said(network(), parts) == []
    del parts["Mapping"]
    [text] = said(network(), parts)
    assert "calls sqs with sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes, but" in text


def test_another_log_group_is_a_call_like_any_other() -> None:
    parts = {
        "Log": resource("AWS::Logs::LogGroup", "Log"),
        "Role": role(("logs:PutLogEvents", att("Log", "Arn"))),
        "Worker": function("Isolated"),
    }
    [text] = said(network(), parts)
    assert "calls logs with logs:PutLogEvents" in text


def test_a_key_is_used_by_the_service_whose_data_it_encrypts() -> None:
    parts = {
        "Key": resource("AWS::KMS::Key", "Key"),
        "Role": role(("kms:Decrypt", att("Key", "Arn"))),
        "Worker": function("Isolated"),
    }
    assert "calls kms with kms:Decrypt" in said(network(), parts)[0]
    encrypted = {"Queue": resource("AWS::SQS::Queue", "Queue", {"KmsMasterKeyId": att("Key", "Arn")})}
    assert said(network(), parts, encrypted) == []


# Tasks


def test_a_task_with_a_public_address_reaches_all_of_aws() -> None:
    found = look(network(), {"Role": READS_SECRET}, tasks("Public", public=True))
    assert found.missing == []
    assert [one.target for one in found.reached] == ["ecr.api", "ecr.dkr", "s3", "logs", "secretsmanager"]


@pytest.mark.parametrize("subnet", ["Public", "Isolated"])
def test_a_task_without_one_lacks_every_hop_from_its_image_on(subnet: str) -> None:
    found = look(network(), {"Role": READS_SECRET}, tasks(subnet, public=False))
    assert [one.target for one in found.missing] == ["ecr.api", "ecr.dkr", "s3", "logs", "secretsmanager"]
    assert found.missing[0].text.startswith(f"Each task of the Shop service in the {subnet} subnet calls ecr.api to")


def test_a_task_is_given_its_secrets_through_its_own_network() -> None:
    parameter = "arn:aws:ssm:us-east-1:111122223333:parameter/colour"
    given = {"PASSWORD": ref("Secret"), "COLOUR": parameter}
    secrets = {"Secrets": [{"Name": name, "ValueFrom": source} for name, source in given.items()]}
    secret = {"Secret": resource("AWS::SecretsManager::Secret", "Secret")}
    found = look(network(), secret, {"Role": role()}, tasks("Isolated", public=False, **secrets))
    assert {"to be given PASSWORD", "to be given COLOUR"} == {
        word for one in found.missing for word in ("to be given PASSWORD", "to be given COLOUR") if word in one.text
    }


def test_the_layers_of_an_image_come_through_the_endpoint_of_s3() -> None:
    own = gateway_endpoint("s3", "Public", **policy("s3:GetObject", "arn:aws:s3:::shop-pictures/*"))
    found = look(network(), {"Role": role(), "S3": own}, tasks("Public", public=True))
    assert [one.text for one in found.missing] == [
        "Each task of the Shop service calls s3 through the gateway endpoint s3Gateway, whose policy does not admit "
        "s3:GetObject on the layers of images."
    ]
    layers = policy("s3:GetObject", "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*")
    assert said(network(), {"Role": role(), "S3": gateway_endpoint("s3", "Public", **layers)},
                tasks("Public", public=True)) == []  # fmt: skip


def test_an_image_of_a_public_registry_comes_over_the_internet() -> None:
    parts = {"Role": role(), "Logs": interface_endpoint("logs"), "Door": DOOR}
    own = tasks("Isolated", public=False, Image="public.ecr.aws/nginx/nginx:1")
    assert said(network(), parts, own) == [
        "Each task of the Shop service in the Isolated subnet calls the internet to pull its image "
        "public.ecr.aws/nginx/nginx:1, but the subnet has no route to it."
    ]
    assert said(network(), {"Role": role()}, tasks("Public", public=True, Image="public.ecr.aws/nginx/nginx:1")) == []


def test_what_a_managed_policy_allows_is_called_as_well() -> None:
    reader = role()
    reader["Properties"]["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"]
    [text] = said(network(), {"Role": reader, "Worker": function("Isolated")})
    assert "calls sqs by the AWS managed policy AmazonSQSFullAccess" in text


def test_a_private_name_wins_over_the_route_to_the_internet() -> None:
    endpoint = {"Door": group("Door"), "Endpoint": interface_endpoint("secretsmanager")}
    [text] = said(network(), endpoint, {"Role": READS_SECRET}, tasks("Public", public=True))
    assert "no ingress rule of the security group Door" in text


def test_a_route_to_a_gateway_that_is_not_attached() -> None:
    without = {name: body for name, body in network().items() if name != "Attachment"}
    found = said(without, {"Role": role()}, tasks("Public", public=True))
    assert "the Igw internet gateway, to which the subnet's route leads, is not attached" in found[0]


def test_a_task_that_lets_nothing_out() -> None:
    closed = {"Group": group("Group", egress=[tcp(443, CidrIp="255.255.255.255/32")])}
    found = said(network(), closed, {"Role": role()}, tasks("Public", public=True))
    assert "no egress rule of the security group Group admits the internet on port 443" in found[0]


# Servers


def test_a_server_has_the_address_that_its_subnet_or_its_interface_gives() -> None:
    parts = {
        "Role": READS_SECRET,
        "Profile": resource("AWS::IAM::InstanceProfile", "Profile", {"Roles": [ref("Role")]}),
        "Server": resource(
            "AWS::EC2::Instance",
            "Host",
            {"SubnetId": ref("Public"), "IamInstanceProfile": ref("Profile"), "SecurityGroupIds": [ref("Group")]},
        ),
    }
    whole = {**network(), **parts}
    assert "The Host server in the Public subnet calls secretsmanager" in said(whole)[0]
    whole["Public"]["Properties"]["MapPublicIpOnLaunch"] = True
    assert said(whole) == []


# Databases


def test_a_function_reaches_the_database_that_it_is_given() -> None:
    found = look(network(), database(), {"Role": role(), "Worker": function("Isolated", Environment=told())})
    assert found.missing == []
    assert [one.target for one in found.reached] == ["the Orders database"]


def test_a_function_outside_of_the_vpc_reaches_no_database() -> None:
    [text] = said(network(), database(), {"Role": role(), "Worker": function(Environment=told())})
    assert text == (
        "The Worker function is given the Orders database, but it runs outside of any VPC, and the Orders database "
        "has private addresses alone."
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"DatabaseGroup": group("DatabaseGroup")},
         "no ingress rule of the security group DatabaseGroup admits the security group Group on port 5432"),
        ({"Group": group("Group", egress=[tcp(443, CidrIp="0.0.0.0/0")])},
         "no egress rule of the security group Group admits the Orders database on port 5432"),
        ({"Isolated": resource("AWS::EC2::Subnet", "Isolated", {"VpcId": ref("Elsewhere")}),
          "Elsewhere": resource("AWS::EC2::VPC", "Elsewhere")},
         "the Orders database is in another VPC"),
    ],
)  # fmt: skip
def test_a_hop_to_the_database_is_missing(change: dict[str, Any], why: str) -> None:
    worker = {"Role": role(), "Worker": function("Public", Environment=told())}
    [text] = said(network(), database(), worker, change)
    assert why in text


def test_a_database_is_given_by_its_secret_and_by_a_parameter() -> None:
    more = {
        "Secret": resource("AWS::SecretsManager::Secret", "Secret"),
        "Attached": resource(
            "AWS::SecretsManager::SecretTargetAttachment",
            "Attached",
            {"SecretId": ref("Secret"), "TargetId": ref("Database")},
        ),
        "Config": resource(
            "AWS::SSM::Parameter",
            "Config",
            {"Name": "/shop/config", "Value": {"Fn::Join": ["", ['{"host": "', att("Database", "Endpoint.Address")]]}},
        ),
    }
    by_secret = role(("secretsmanager:GetSecretValue", ref("Secret")))
    path = {"Fn::Sub": "arn:aws:ssm:${AWS::Region}:${AWS::AccountId}:parameter/shop/config"}
    by_path = role(("ssm:GetParameter", path))
    for given in (by_secret, by_path):
        [text] = said(network(), database(), more, {"Role": given, "Worker": function()})
        assert "is given the Orders database" in text


def test_a_cache_is_given_by_the_secret_of_its_user() -> None:
    password = {"Fn::Join": ["", ["{{resolve:secretsmanager:", ref("Secret"), ":SecretString:password::}}"]]}
    parts = {
        "Secret": resource("AWS::SecretsManager::Secret", "Secret"),
        "User": resource("AWS::ElastiCache::User", "User", {"Passwords": [password]}),
        "Users": resource("AWS::ElastiCache::UserGroup", "Users", {"UserIds": [ref("User")]}),
        "Subnets": resource("AWS::ElastiCache::SubnetGroup", "Subnets", {"SubnetIds": [ref("Isolated")]}),
        "CacheGroup": group("CacheGroup"),
        "Cache": resource(
            "AWS::ElastiCache::ReplicationGroup",
            "Cache",
            {
                "CacheSubnetGroupName": ref("Subnets"),
                "SecurityGroupIds": [ref("CacheGroup")],
                "UserGroupIds": [ref("Users")],
            },
        ),
        "Role": role(("secretsmanager:GetSecretValue", ref("Secret"))),
    }
    found = look(network(), parts, tasks("Public", public=True))
    [missing] = found.missing
    assert "no ingress rule of the security group CacheGroup admits the security group Group on port 6379" in (
        missing.text
    )


# Several stacks


def test_a_path_is_followed_into_another_stack() -> None:
    """A function of a later stack in the network of an earlier one, with a policy on its role in yet another place."""
    earlier = {
        "Resources": {**network(), "S3": gateway_endpoint("s3", "Isolated")},
        "Outputs": {
            "PublishSubnet": {"Value": ref("Isolated")},
            "PublishGroup": {"Value": att("Group", "GroupId")},
            "PublishVpc": {"Value": ref("Vpc")},
        },
    }

    def of_earlier(name: str) -> dict[str, Any]:
        return {"Fn::GetStackOutput": {"StackName": "Earlier", "OutputName": name}}

    vpc_config = {"SubnetIds": [of_earlier("PublishSubnet")], "SecurityGroupIds": [of_earlier("PublishGroup")]}
    document = {"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "sns:Publish"], "Resource": "*"}]}
    later = {
        "Role": resource("AWS::IAM::Role", "Role"),
        "Policy": resource("AWS::IAM::Policy", "Policy", {"PolicyDocument": document, "Roles": [ref("Role")]}),
        "Worker": resource("AWS::Lambda::Function", "Worker", {"Role": att("Role", "Arn"), "VpcConfig": vpc_config}),
    }
    found = look(later, Earlier=earlier)
    assert [one.target for one in found.reached] == ["s3"]
    assert [one.target for one in found.missing] == ["sns"]
    door = {
        "Door": group("Door", ingress=[tcp(443, SourceSecurityGroupId=of_earlier("PublishGroup"))]),
        "Endpoint": interface_endpoint("sns", VpcId=of_earlier("PublishVpc"), SubnetIds=[of_earlier("PublishSubnet")]),
    }
    assert look({**later, **door}, Earlier=earlier).missing == []
