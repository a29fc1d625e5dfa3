"""How stacks behave, and the smaller types of phase 1 (resources/logs.py, cognito.py, ec2_checks.py and others)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.stacks import Resources, Stack, StackError, att, ref, stack, typed
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def test_a_failed_update_leaves_everything_as_it_was(cloud: Cloud) -> None:
    def resources(value: str, **more: dict[str, Any]) -> Resources:
        return {"Parameter": typed("AWS::SSM::Parameter", Type="String", Value=value), **more}

    with stack(cloud) as made:
        made.create(resources("before"), Value=att("Parameter", "Value"))
        bad = typed(
            "AWS::EC2::SecurityGroupIngress", GroupId="sg-none", IpProtocol="tcp", FromPort=1, ToPort=1,
            CidrIp="10.0.0.0/8", DependsOn=["Parameter", "New"],
        )  # fmt: skip
        with pytest.raises(StackError) as failure:
            made.update(resources("after", New=typed("AWS::SNS::Topic"), Bad=bad), Value="changed")
        assert failure.value.status == "UPDATE_ROLLBACK_COMPLETE"
        assert "The security group 'sg-none' does not exist" in str(failure.value)
        parameter = cloud.client("ssm").get_parameter(Name=made.physical_id("Parameter"))["Parameter"]
        assert parameter["Value"] == "before"
        described = cloud.client("cloudformation").describe_stacks(StackName=made.name)["Stacks"][0]
        assert described["Outputs"][0]["OutputValue"] == "before"
        assert made.name not in str(cloud.client("sns").list_topics())


def test_an_unknown_type_is_named(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match=r"Unrecognized resource types: \[AWS::QLDB::Ledger\]"):
        Stack(cloud).create({"Ledger": typed("AWS::QLDB::Ledger")})


def test_weak_references_read_another_stacks_output(cloud: Cloud) -> None:
    def reading(output: str) -> Resources:
        value = {"Fn::GetStackOutput": {"StackName": producer.name, "OutputName": output}}
        return {"Parameter": typed("AWS::SSM::Parameter", Type="String", Value=value)}

    producer = Stack(cloud)
    producer.create({"Topic": typed("AWS::SNS::Topic")}, Topic=ref("Topic"))
    with stack(cloud) as consumer:
        outputs = consumer.create(reading("Topic"), Value=att("Parameter", "Value"))
        assert outputs["Value"] == producer.physical_id("Topic")
        producer.delete()  # the reference is weak: it holds nothing back
    with stack(cloud) as consumer, pytest.raises(StackError, match=producer.name):
        consumer.create(reading("Topic"))


def test_secrets_parameters_and_log_groups_change_in_place(cloud: Cloud) -> None:
    def resources(retention: int, description: str, value: str) -> Resources:
        generate = {"PasswordLength": 40, "ExcludePunctuation": True}
        return {
            "Secret": typed("AWS::SecretsManager::Secret", GenerateSecretString=generate, Description=description),
            "Logs": typed("AWS::Logs::LogGroup", RetentionInDays=retention),
            "Parameter": typed("AWS::SSM::Parameter", Type="String", Value=value),
        }

    logs, secrets = cloud.client("logs"), cloud.client("secretsmanager")
    with stack(cloud) as made:
        made.create(resources(7, "one", "a"))
        ids = {name: made.physical_id(name) for name in ("Secret", "Logs", "Parameter")}
        assert ids["Logs"].startswith(f"{made.name}-Logs-")
        generated = secrets.get_secret_value(SecretId=ids["Secret"])["SecretString"]
        assert len(generated) == 40
        assert generated.isalnum()
        made.update(resources(14, "two", "b"))
        assert {name: made.physical_id(name) for name in ids} == ids
        assert secrets.get_secret_value(SecretId=ids["Secret"])["SecretString"] == generated
        assert secrets.describe_secret(SecretId=ids["Secret"])["Description"] == "two"
        [group] = logs.describe_log_groups(logGroupNamePrefix=ids["Logs"])["logGroups"]
        assert group["retentionInDays"] == 14
        assert cloud.client("ssm").get_parameter(Name=ids["Parameter"])["Parameter"]["Version"] == 2
        with stack(cloud) as second, pytest.raises(StackError, match="already exists"):
            second.create({"Logs": typed("AWS::Logs::LogGroup", LogGroupName=ids["Logs"])})
        cloudformation = cloud.client("cloudformation")
        cloudformation.detect_stack_drift(StackName=made.name)
        drifts = cloudformation.describe_stack_resource_drifts(StackName=made.name)["StackResourceDrifts"]
        assert {item["StackResourceDriftStatus"] for item in drifts} == {"IN_SYNC"}
    assert logs.describe_log_groups(logGroupNamePrefix=ids["Logs"])["logGroups"] == []


def test_names_in_cloud_map_come_and_go(cloud: Cloud) -> None:
    discovery = cloud.client("servicediscovery")
    with stack(cloud) as made:
        made.create(
            {
                "Vpc": typed("AWS::EC2::VPC", CidrBlock="10.7.0.0/16"),
                "Names": typed("AWS::ServiceDiscovery::PrivateDnsNamespace", Name="shop.test", Vpc=ref("Vpc")),
                "Service": typed(
                    "AWS::ServiceDiscovery::Service", Name="web",
                    DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 60}], "NamespaceId": ref("Names")},
                ),
            }
        )  # fmt: skip
        service = discovery.get_service(Id=made.physical_id("Service"))["Service"]
        assert service["Name"] == "web"
        assert "shop.test" in str(discovery.list_namespaces()["Namespaces"])
    assert "shop.test" not in str(discovery.list_namespaces()["Namespaces"])


def test_a_user_pool_answers_its_issuer(cloud: Cloud) -> None:
    with stack(cloud) as made:
        outputs = made.create({"Pool": typed("AWS::Cognito::UserPool")}, Url=att("Pool", "ProviderURL"))
        assert outputs["Url"] == f"https://cognito-idp.us-east-1.amazonaws.com/{made.physical_id('Pool')}"


def test_a_gateway_endpoint_is_a_route(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    resources: Resources = {
        "Vpc": typed("AWS::EC2::VPC", CidrBlock="10.6.0.0/16"),
        "Table": typed("AWS::EC2::RouteTable", VpcId=ref("Vpc")),
        "Endpoint": typed(
            "AWS::EC2::VPCEndpoint", VpcId=ref("Vpc"), ServiceName="com.amazonaws.us-east-1.dynamodb",
            VpcEndpointType="Gateway", RouteTableIds=[ref("Table")],
        ),
    }  # fmt: skip

    def routed() -> list[str]:
        table = ec2.describe_route_tables(RouteTableIds=[made.physical_id("Table")])["RouteTables"][0]
        return [r["DestinationPrefixListId"] for r in table["Routes"] if r.get("DestinationPrefixListId")]

    with stack(cloud) as made:
        made.create(resources)
        [prefix_list] = routed()
        [listed] = ec2.describe_prefix_lists(PrefixListIds=[prefix_list])["PrefixLists"]
        assert listed["PrefixListName"] == "com.amazonaws.us-east-1.dynamodb"
        del resources["Endpoint"]
        made.update(resources)
        assert routed() == []


@pytest.mark.parametrize(
    ("cidr", "sentence"),
    [("10.9.0.0/24", "The CIDR '10.9.0.0/24' is invalid"), ("10.5.0.0/25", "conflicts with another subnet")],
)
def test_subnets_fit_their_vpc(cloud: Cloud, cidr: str, sentence: str) -> None:
    resources = {
        "Vpc": typed("AWS::EC2::VPC", CidrBlock="10.5.0.0/16"),
        "First": typed("AWS::EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.5.0.0/24"),
        "Second": typed("AWS::EC2::Subnet", VpcId=ref("Vpc"), CidrBlock=cidr, DependsOn="First"),
    }
    with stack(cloud) as made, pytest.raises(StackError, match=sentence):
        made.create(resources)


def test_a_change_set_without_changes_says_so(cloud: Cloud) -> None:
    cloudformation = cloud.client("cloudformation")
    with stack(cloud) as made:
        made.create({"Topic": typed("AWS::SNS::Topic")})
        body = cloudformation.get_template(StackName=made.name, TemplateStage="Original")["TemplateBody"]
        template = body if isinstance(body, str) else made.template({"Topic": typed("AWS::SNS::Topic")}, {})
        cloudformation.create_change_set(StackName=made.name, ChangeSetName="same", TemplateBody=template)
        for _ in range(100):
            found = cloudformation.describe_change_set(StackName=made.name, ChangeSetName="same")
            if not found["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
                break
            time.sleep(0.05)
        assert found["Status"] == "FAILED"
        assert "didn't contain changes" in found["StatusReason"]


def test_conditions_compute_what_they_compare(cloud: Cloud) -> None:
    """The bootstrap stack decides so over the policies with which CloudFormation deploys."""
    joined = {"Fn::Join": ["", ref("Policies")]}
    template = {
        "Parameters": {"Policies": {"Type": "CommaDelimitedList", "Default": ""}},
        "Conditions": {
            "Given": {"Fn::Not": [{"Fn::Equals": ["", joined]}]},
            "Here": {"Fn::Equals": [{"Fn::Sub": "in-${AWS::Region}"}, "in-us-east-1"]},
            "Region": {"Fn::Equals": [ref("AWS::Region"), "us-east-1"]},
        },
        "Resources": {"Topic": typed("AWS::SNS::Topic")},
        "Outputs": {name: {"Value": {"Fn::If": [name, "yes", "no"]}} for name in ("Given", "Here", "Region")},
    }
    with stack(cloud) as made:
        assert made.create_from(template) == {"Given": "no", "Here": "yes", "Region": "yes"}
