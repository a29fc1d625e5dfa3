"""API calls from inside a VPC and their paths (engines/api_paths.py, callers.py, function_networks.py)."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.local.stacks import Resources, Stack, allow, att, ref, role, stack, typed
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

EVERYWHERE = "0.0.0.0/0"
# What each event asks for; the SDK does not try again, so that a test need not wait for it.
CODE = """
    import boto3, botocore.config, socket
    once = botocore.config.Config(retries={"total_max_attempts": 1})
    def call(service, operation, client=boto3.client, **arguments):
        return getattr(client(service, config=once), operation)(**arguments)
    def handler(event, context):
        if "connect" in event:
            socket.create_connection(tuple(event["connect"]), timeout=3).close()
            return "connected"
        if "assume" in event:
            keys = call("sts", "assume_role", RoleArn=event["assume"], RoleSessionName="deeper")["Credentials"]
            client = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]).client
            return call(*event["call"], client=client)["ResponseMetadata"]["HTTPStatusCode"]
        return call(*event["call"], **event.get("with", {}))["ResponseMetadata"]["HTTPStatusCode"]
"""
TABLES = ["dynamodb", "list_tables"]
SECRETS = ["secretsmanager", "list_secrets"]


def network() -> Resources:
    """An isolated and a public subnet with what belongs to them."""
    vpc = {"VpcId": ref("Vpc")}
    return {
        "Vpc": typed("AWS::EC2::VPC", CidrBlock="10.3.0.0/16", EnableDnsSupport=True, EnableDnsHostnames=True),
        "Isolated": typed("AWS::EC2::Subnet", CidrBlock="10.3.1.0/24", **vpc),
        "Public": typed("AWS::EC2::Subnet", CidrBlock="10.3.2.0/24", **vpc),
        "Gateway": typed("AWS::EC2::InternetGateway"),
        "Attached": typed("AWS::EC2::VPCGatewayAttachment", InternetGatewayId=ref("Gateway"), **vpc),
        "IsolatedTable": typed("AWS::EC2::RouteTable", **vpc),
        "PublicTable": typed("AWS::EC2::RouteTable", **vpc),
        "Out": typed(
            "AWS::EC2::Route", RouteTableId=ref("PublicTable"), DestinationCidrBlock=EVERYWHERE,
            GatewayId=ref("Gateway"), DependsOn=["Attached"],
        ),
        **{
            f"{name}Association": typed(
                "AWS::EC2::SubnetRouteTableAssociation", RouteTableId=ref(f"{name}Table"), SubnetId=ref(name)
            )
            for name in ("Isolated", "Public")
        },
        "Group": typed("AWS::EC2::SecurityGroup", GroupDescription="programs", **vpc),
        "Door": typed(
            "AWS::EC2::SecurityGroup", GroupDescription="endpoints",
            SecurityGroupIngress=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.3.0.0/16"}],
            **vpc,
        ),
    }  # fmt: skip


def function(subnet: str | None, runtime: str = "python3.13", code: str = CODE) -> Resources:
    """A function that may do everything that IAM can forbid, in a subnet or outside of any VPC."""
    place = {} if subnet is None else {"SubnetIds": [ref(subnet)], "SecurityGroupIds": [ref("Group")]}
    everything = [{"PolicyName": "everything", "PolicyDocument": allow("*")}]
    return {
        "Role": role(Policies=everything),
        "Function": typed(
            "AWS::Lambda::Function", Runtime=runtime, Handler="index.handler", Role=att("Role", "Arn"), Timeout=20,
            Code={"ZipFile": textwrap.dedent(code)}, **({"VpcConfig": place} if place else {}),
        ),
    }  # fmt: skip


def gateway_endpoint(service: str, **more: Any) -> dict[str, Any]:
    return typed(
        "AWS::EC2::VPCEndpoint", VpcId=ref("Vpc"), ServiceName=f"com.amazonaws.us-east-1.{service}",
        VpcEndpointType="Gateway", RouteTableIds=[ref("IsolatedTable")], **more,
    )  # fmt: skip


def interface_endpoint(service: str, **more: Any) -> dict[str, Any]:
    named = {
        "VpcId": ref("Vpc"), "ServiceName": f"com.amazonaws.us-east-1.{service}", "VpcEndpointType": "Interface",
        "SubnetIds": [ref("Isolated")], "SecurityGroupIds": [ref("Door")], "PrivateDnsEnabled": True,
    }  # fmt: skip
    return typed("AWS::EC2::VPCEndpoint", **{**named, **more})


@pytest.fixture(scope="module")
def isolated(cloud: Cloud) -> Iterator[Stack]:
    """A function in an isolated subnet with a gateway endpoint for DynamoDB and an interface endpoint for SNS."""
    with stack(cloud) as made:
        endpoints = {"Tables": gateway_endpoint("dynamodb"), "Topics": interface_endpoint("sns")}
        made.create({**network(), **function("Isolated"), **endpoints})
        yield made


def invoke(made: Stack, **event: Any) -> Any:
    """What the function answers: a value, or an error's class and words."""
    name = made.physical_id("Function")
    answer = made.cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    body = json.loads(answer["Payload"].read())
    return (body["errorType"], body["errorMessage"]) if answer.get("FunctionError") else body


def kind_of(answer: Any) -> str:
    """The class of an error; nothing where there is none."""
    return answer[0] if isinstance(answer, tuple) else ""


def log_of(made: Stack) -> str:
    group = f"/aws/lambda/{made.physical_id('Function')}"
    events = made.cloud.client("logs").filter_log_events(logGroupName=group)["events"]
    return "\n".join(event["message"] for event in events)


def until(call: Any, wanted: Any, seconds: float = 5) -> Any:
    """Ask until the answer is as wanted: what was changed counts within a second."""
    deadline = time.monotonic() + seconds
    while (answer := call()) != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    return answer


def test_a_call_without_a_path_is_a_connection_that_fails_and_the_log_says_why(isolated: Stack) -> None:
    kind, words = invoke(isolated, call=SECRETS)
    assert kind == "ConnectionClosedError"
    assert "Connection was closed before we received a valid response" in words
    log = log_of(isolated)
    assert f"No path from the function {isolated.physical_id('Function')} to secretsmanager" in log
    assert "the subnet has no route to the internet and the VPC has no interface endpoint for it" in log
    assert "On AWS the call waits until it times out" in log


def test_endpoints_are_paths(isolated: Stack) -> None:
    assert invoke(isolated, call=TABLES) == 200
    assert invoke(isolated, call=["sns", "list_topics"]) == 200


def test_another_region_is_behind_no_endpoint(isolated: Stack) -> None:
    code = CODE.replace("config=once)", 'config=once, region_name="eu-central-1")')
    with stack(isolated.cloud) as made:
        made.create({**network(), **function("Isolated", code=code), "Tables": gateway_endpoint("dynamodb")})
        assert invoke(made, call=TABLES)[0] == "ConnectionClosedError"
        assert "to dynamodb of eu-central-1" in log_of(made)


def test_what_changes_counts_for_the_next_call(isolated: Stack) -> None:
    ec2 = isolated.cloud.client("ec2")
    endpoint, table = isolated.physical_id("Tables"), isolated.physical_id("IsolatedTable")
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, RemoveRouteTableIds=[table])
    try:
        cut_off = until(lambda: kind_of(invoke(isolated, call=TABLES)), "ConnectionClosedError")
        assert cut_off == "ConnectionClosedError"
        assert "is not attached to the subnet's route table" in log_of(isolated)
    finally:
        ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[table])
    assert until(lambda: invoke(isolated, call=TABLES), 200) == 200


def test_the_security_group_of_an_endpoint_decides(isolated: Stack) -> None:
    ec2, door = isolated.cloud.client("ec2"), isolated.physical_id("Door")
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.3.0.0/16"}]}
    ec2.revoke_security_group_ingress(GroupId=door, IpPermissions=[rule])
    try:
        cut_off = until(lambda: kind_of(invoke(isolated, call=["sns", "list_topics"])), "ConnectionClosedError")
        assert cut_off == "ConnectionClosedError"
        assert f"no ingress rule of the security group {door}" in log_of(isolated)
    finally:
        ec2.authorize_security_group_ingress(GroupId=door, IpPermissions=[rule])
    assert until(lambda: invoke(isolated, call=["sns", "list_topics"]), 200) == 200


def test_the_policy_of_an_endpoint_refuses_in_the_words_of_iam(isolated: Stack) -> None:
    ec2, endpoint = isolated.cloud.client("ec2"), isolated.physical_id("Tables")
    only = {"Effect": "Allow", "Principal": "*", "Action": "dynamodb:GetItem", "Resource": "*"}
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=json.dumps({"Statement": [only]}))
    try:
        kind, words = invoke(isolated, call=TABLES)
        assert kind == "ClientError"
        assert "AccessDenied" in words
        assert "because no VPC endpoint policy allows the dynamodb:ListTables action" in words
    finally:
        ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, ResetPolicy=True)
    assert invoke(isolated, call=TABLES) == 200


def test_the_policy_of_an_endpoint_knows_secrets_by_their_arn_and_callers_by_their_account(cloud: Cloud) -> None:
    def admits(resource: Any) -> dict[str, Any]:
        account = {"StringEquals": {"aws:PrincipalAccount": ref("AWS::AccountId")}}
        reading = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["secretsmanager:GetSecretValue"]}
        return {"Version": "2012-10-17", "Statement": [{**reading, "Resource": resource, "Condition": account}]}

    all_of_ours = {"Fn::Sub": "arn:aws:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:*"}
    with stack(cloud) as made:
        secret = {"Secret": typed("AWS::SecretsManager::Secret", SecretString="beans")}
        behind = {**network(), **function("Isolated"), **secret}
        made.create({**behind, "Secrets": interface_endpoint("secretsmanager", PolicyDocument=admits(all_of_ours))})
        read = {"call": ["secretsmanager", "get_secret_value"], "with": {"SecretId": made.physical_id("Secret")}}
        assert invoke(made, **read) == 200
        made.update(
            {**behind, "Secrets": interface_endpoint("secretsmanager", PolicyDocument=admits("arn:aws:s3:::x"))}
        )
        assert "because no VPC endpoint policy allows the secretsmanager:GetSecretValue" in invoke(made, **read)[1]


def test_a_role_that_a_function_assumes_is_in_the_same_place(isolated: Stack) -> None:
    """STS itself is behind an endpoint here, so that the second hop is what fails."""
    with stack(isolated.cloud) as made:
        deeper = role(Policies=[{"PolicyName": "all", "PolicyDocument": allow("*")}])
        deeper["Properties"]["AssumeRolePolicyDocument"]["Statement"] = [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": {"Ref": "AWS::AccountId"}}}
        ]
        made.create({**network(), **function("Isolated"), "Sts": interface_endpoint("sts"), "Deeper": deeper},
                    Deeper=att("Deeper", "Arn"))  # fmt: skip
        name = made.physical_id("Deeper")
        arn = made.cloud.client("iam").get_role(RoleName=name)["Role"]["Arn"]
        assert invoke(made, assume=arn, call=SECRETS)[0] == "ConnectionClosedError"


def test_a_function_outside_of_any_vpc_reaches_every_service(cloud: Cloud) -> None:
    with stack(cloud) as made:
        made.create(function(None))
        assert invoke(made, call=SECRETS) == 200


def test_a_function_in_a_public_subnet_has_no_public_address(cloud: Cloud) -> None:
    with stack(cloud) as made:
        made.create({**network(), **function("Public")})
        assert invoke(made, call=SECRETS)[0] == "ConnectionClosedError"
        assert "it has no public address" in log_of(made)


def test_a_nat_gateway_leads_out(cloud: Cloud) -> None:
    with stack(cloud) as made:
        nat = {
            "Address": typed("AWS::EC2::EIP", Domain="vpc"),
            "Nat": typed(
                "AWS::EC2::NatGateway", SubnetId=ref("Public"), AllocationId=att("Address", "AllocationId"),
                DependsOn=["Attached"],
            ),
            "NatRoute": typed(
                "AWS::EC2::Route", RouteTableId=ref("IsolatedTable"), DestinationCidrBlock=EVERYWHERE,
                NatGatewayId=ref("Nat"),
            ),
        }  # fmt: skip
        made.create({**network(), **function("Isolated"), **nat})
        assert invoke(made, call=SECRETS) == 200


def test_node_is_cut_off_as_well(cloud: Cloud) -> None:
    code = """
        const { S3Client, ListBucketsCommand } = require("@aws-sdk/client-s3");
        exports.handler = async () => {
          return (await new S3Client({ maxAttempts: 1 }).send(new ListBucketsCommand({}))).Buckets.length;
        };
    """
    with stack(cloud) as made:
        made.create({**network(), **function("Isolated", "nodejs22.x", code)})
        assert invoke(made)[0] not in {"AccessDenied", None}
        assert "to s3: the subnet has no route" in log_of(made)
        made.update({**network(), **function("Isolated", "nodejs22.x", code), "S3": gateway_endpoint("s3")})
        assert until(lambda: type(invoke(made)), int) is int


def test_a_process_has_an_interface_until_its_function_goes(cloud: Cloud) -> None:
    def interfaces() -> list[dict[str, Any]]:
        found = cloud.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
        return [one for one in found if one["Description"].startswith(f"AWS Lambda VPC ENI-{name}")]

    with stack(cloud) as made:
        made.create({**network(), **function("Isolated"), "Tables": gateway_endpoint("dynamodb")})
        name = made.physical_id("Function")
        assert interfaces() == []
        invoke(made, call=TABLES)
        [one] = interfaces()
        assert one["SubnetId"] == made.physical_id("Isolated")
        assert one["PrivateIpAddress"].startswith("10.3.1.")
        made.delete()
        assert interfaces() == []


def test_a_function_whose_network_changes_moves(cloud: Cloud) -> None:
    with stack(cloud) as made:
        made.create({**network(), **function("Isolated")})
        assert invoke(made, call=SECRETS)[0] == "ConnectionClosedError"
        made.update({**network(), **function(None)})
        assert invoke(made, call=SECRETS) == 200


def test_the_api_keeps_what_an_endpoint_is_made_of(isolated: Stack) -> None:
    ec2 = isolated.cloud.client("ec2")
    vpc, door, subnet = (isolated.physical_id(name) for name in ("Vpc", "Door", "Isolated"))
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ssm:GetParameter", "Resource": "*"}]}
    made = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.ssm", VpcEndpointType="Interface", SubnetIds=[subnet],
        SecurityGroupIds=[door], PrivateDnsEnabled=True, PolicyDocument=json.dumps(policy),
    )["VpcEndpoint"]  # fmt: skip
    try:
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "service-name", "Values": [made["ServiceName"]]}]
        [found] = ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
        assert [group["GroupId"] for group in found["Groups"]] == [door]
        assert found["PrivateDnsEnabled"] is True
        assert json.loads(found["PolicyDocument"]) == policy
        call = ["ssm", "describe_parameters"]
        assert until(lambda: kind_of(invoke(isolated, call=call)), "AccessDeniedException") == "AccessDeniedException"
        assert (
            "because no VPC endpoint policy allows the ssm:DescribeParameters action" in invoke(isolated, call=call)[1]
        )
    finally:
        ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])


def test_a_gateway_endpoint_of_the_api_is_a_route(isolated: Stack) -> None:
    ec2 = isolated.cloud.client("ec2")
    table = isolated.physical_id("IsolatedTable")
    made = ec2.create_vpc_endpoint(
        VpcId=isolated.physical_id("Vpc"), ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table]
    )["VpcEndpoint"]["VpcEndpointId"]

    def through() -> list[str]:
        routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        return [route["GatewayId"] for route in routes if route.get("GatewayId") == made]

    assert through() == [made]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
    assert through() == []


def test_the_default_vpc_leads_to_its_internet_gateway(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    [vpc] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["RouteTables"]
    routes = [route for table in tables for route in table["Routes"]]
    assert any(route.get("DestinationCidrBlock") == EVERYWHERE and route.get("GatewayId", "").startswith("igw-")
               for route in routes)  # fmt: skip
