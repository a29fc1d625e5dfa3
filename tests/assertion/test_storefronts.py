"""The shop on EC2 and on Fargate: the same shop twice, each in the way of its service."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk.assertions import Match, Template

from brew_constructs.asset_bucket import AssetBucket
from brew_constructs.catalog_table import CatalogTable
from brew_constructs.shop_network import ShopNetwork
from brew_constructs.shop_runtime import ShopRuntime
from brew_constructs.storefront import Storefront
from brew_constructs.storefront_instance import StorefrontInstance

CIDR = "203.0.113.0/24"
VARIABLES = ("CATALOG_TABLE", "ASSET_BUCKET", "SESSION_SECRET_ARN", "SHOP_CONFIG_PARAMETER", "SHOP_TIME_ZONE")


def both(stack: Stack, *, least_tasks: int = 2) -> None:
    vpc = ShopNetwork(stack, "ShopNetwork").vpc
    catalog = CatalogTable(stack, "CatalogTable")
    assets = AssetBucket(stack, "AssetBucket")
    runtime = ShopRuntime(stack, "ShopRuntime", catalog=catalog, assets=assets, parameter_root="/brew-haven/s01")
    StorefrontInstance(stack, "OnEc2", vpc=vpc, runtime=runtime, allowed_cidr=CIDR)
    Storefront(
        stack,
        "OnFargate",
        vpc=vpc,
        runtime=runtime,
        allowed_cidr=CIDR,
        namespace_name="s01-brew-haven.internal",
        least_tasks=least_tasks,
    )


@pytest.fixture(scope="module")
def shops(synthesize_alone: Callable[..., Template]) -> Template:
    return synthesize_alone(both)


def only(template: Template, kind: str, part: str = "") -> dict[str, Any]:
    """The properties of the only resource of a type whose id contains `part`."""
    found = [resource for name, resource in template.find_resources(kind).items() if part in name]
    assert len(found) == 1
    return found[0]["Properties"]


def statements(template: Template, role: str) -> list[dict[str, Any]]:
    return only(template, "AWS::IAM::Policy", role)["PolicyDocument"]["Statement"]


def container(template: Template) -> dict[str, Any]:
    return only(template, "AWS::ECS::TaskDefinition")["ContainerDefinitions"][0]


def user_data(template: Template) -> str:
    encoded = only(template, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["UserData"]["Fn::Base64"]
    return "".join(part if isinstance(part, str) else json.dumps(part) for part in encoded["Fn::Join"][1])


# Both


def test_both_get_the_same_environment(shops: Template) -> None:
    on_fargate = {variable["Name"]: variable["Value"] for variable in container(shops)["Environment"]}
    assert tuple(on_fargate) == VARIABLES
    script = user_data(shops)
    for name, value in on_fargate.items():
        assert f"{name}={value if isinstance(value, str) else json.dumps(value)}" in script


def test_both_get_the_same_rights(shops: Template) -> None:
    only_ec2_needs = ("SessionManager", "FetchTheCode")
    on_ec2 = [right for right in statements(shops, "OnEc2Role") if right.get("Sid") not in only_ec2_needs]
    assert on_ec2 == statements(shops, "OnFargateTaskTaskRole")
    assert [statement["Action"] for statement in on_ec2][1:] == [
        "s3:GetObject",
        "s3:PutObject",
        ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
        "ssm:GetParameter",
    ]


def test_both_may_read_the_one_parameter_that_does_not_exist_yet(shops: Template) -> None:
    right = {
        "Effect": "Allow",
        "Action": "ssm:GetParameter",
        "Resource": "arn:aws:ssm:us-east-1:111122223333:parameter/brew-haven/s01/storefront/config",
    }
    assert right in statements(shops, "OnFargateTaskTaskRole")
    assert right in statements(shops, "OnEc2Role")
    shops.resource_count_is("AWS::SSM::Parameter", 0)


def test_the_cookie_key_is_generated_and_stands_nowhere(shops: Template) -> None:
    shops.has_resource_properties(
        "AWS::SecretsManager::Secret",
        {"GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": True}, "SecretString": Match.absent()},
    )


# On EC2


def test_the_instance_answers_metadata_version_2_only(shops: Template) -> None:
    options = only(shops, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["MetadataOptions"]
    assert options == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def test_the_instance_is_a_small_arm_one_with_an_encrypted_disk_and_no_key(shops: Template) -> None:
    data = only(shops, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert data["InstanceType"] == "t4g.micro"
    assert data["ImageId"].startswith("resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-")
    assert data["ImageId"].endswith("arm64")
    assert data["BlockDeviceMappings"][0]["Ebs"] == {"Encrypted": True, "VolumeSize": 8, "VolumeType": "gp3"}
    assert "KeyName" not in data
    assert data["CreditSpecification"] == {"CpuCredits": "standard"}


def test_the_instance_admits_only_the_allowed_addresses_and_only_to_the_shop(shops: Template) -> None:
    ingress = only(shops, "AWS::EC2::SecurityGroup", "OnEc2")["SecurityGroupIngress"]
    assert [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in ingress] == [(CIDR, 8080, 8080)]


def test_the_instance_may_open_session_manager_and_fetch_its_own_code(shops: Template) -> None:
    named = {right["Sid"]: right for right in statements(shops, "OnEc2Role") if "Sid" in right}
    assert all(action.split(":")[0] in {"ssm", "ssmmessages"} for action in named["SessionManager"]["Action"])
    assert named["FetchTheCode"]["Action"] == "s3:GetObject"
    assert named["FetchTheCode"]["Resource"].endswith(".zip"), "one object, not the bucket"


def test_new_code_is_a_new_template_version_and_so_a_new_instance(shops: Template) -> None:
    template, attribute = only(shops, "AWS::EC2::Instance")["LaunchTemplate"]["Version"]["Fn::GetAtt"]
    assert template.startswith("OnEc2LaunchTemplate")
    assert attribute == "LatestVersionNumber"


def test_the_script_stops_at_its_first_error_and_starts_the_shop_without_rights(shops: Template) -> None:
    script = user_data(shops)
    assert script.startswith("#!/bin/bash\nset -euo pipefail\n")
    for line in ("User=brew-haven", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="):
        assert f"\n{line}\n" in script
    assert "ExecStart=/opt/brew-haven/venv/bin/python -m shop\n" in script
    assert script.endswith("systemctl enable --now brew-haven")


# On Fargate


def test_a_task_is_small_runs_on_arm_and_cannot_write_its_image(shops: Template) -> None:
    shops.has_resource_properties(
        "AWS::ECS::TaskDefinition",
        {
            "Cpu": "256",
            "Memory": "512",
            "RuntimePlatform": {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"},
            "RequiresCompatibilities": ["FARGATE"],
        },
    )
    assert container(shops)["ReadonlyRootFilesystem"] is True
    assert container(shops)["PortMappings"] == [{"ContainerPort": 8080, "Protocol": "tcp"}]


def test_a_task_says_itself_whether_it_is_healthy(shops: Template) -> None:
    check = container(shops)["HealthCheck"]
    assert check["Command"][:3] == ["CMD", "python", "-c"]
    assert "http://127.0.0.1:8080/health" in check["Command"][3]
    compile(check["Command"][3], "health check", "exec")


def test_what_a_task_writes_is_kept_for_a_week_and_goes_with_the_stack(shops: Template) -> None:
    group = container(shops)["LogConfiguration"]["Options"]["awslogs-group"]["Ref"]
    resource = shops.find_resources("AWS::Logs::LogGroup")[group]
    assert resource["Properties"]["RetentionInDays"] == 7
    assert resource["DeletionPolicy"] == "Delete"


def test_a_deployment_keeps_the_shop_open_and_rolls_back_when_it_fails(shops: Template) -> None:
    shops.has_resource_properties(
        "AWS::ECS::Service",
        {
            "LaunchType": "FARGATE",
            "DesiredCount": Match.absent(),
            "DeploymentConfiguration": {
                "MinimumHealthyPercent": 100,
                "MaximumPercent": 200,
                "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
            },
            "NetworkConfiguration": {"AwsvpcConfiguration": Match.object_like({"AssignPublicIp": "ENABLED"})},
        },
    )


def test_only_the_allowed_addresses_reach_the_load_balancer_and_only_it_reaches_a_task(shops: Template) -> None:
    ingress = only(shops, "AWS::EC2::SecurityGroup", "OnFargateLoadBalancer")["SecurityGroupIngress"]
    assert [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in ingress] == [(CIDR, 80, 80)]
    assert "SecurityGroupIngress" not in only(shops, "AWS::EC2::SecurityGroup", "OnFargateSecurityGroup")
    rule = only(shops, "AWS::EC2::SecurityGroupIngress")
    assert (rule["FromPort"], rule["ToPort"]) == (8080, 8080)
    assert rule["SourceSecurityGroupId"]["Fn::GetAtt"][0].startswith("OnFargateLoadBalancer")


def test_a_task_may_call_anywhere_so_that_a_later_database_only_has_to_admit_it(shops: Template) -> None:
    egress = only(shops, "AWS::EC2::SecurityGroup", "OnFargateSecurityGroup")["SecurityGroupEgress"]
    assert [(rule["CidrIp"], rule["IpProtocol"]) for rule in egress] == [("0.0.0.0/0", "-1")]


def test_the_load_balancer_asks_for_health_and_waits_for_the_longest_answer(shops: Template) -> None:
    shops.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        {
            "Port": 8080,
            "TargetType": "ip",
            "HealthCheckPath": "/health",
            "TargetGroupAttributes": Match.array_with([{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]),
        },
    )
    shops.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        {
            "Scheme": "internet-facing",
            "LoadBalancerAttributes": Match.array_with(
                [{"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"}]
            ),
        },
    )


def test_other_services_find_the_tasks_by_name(shops: Template) -> None:
    shops.has_resource_properties("AWS::ServiceDiscovery::PrivateDnsNamespace", {"Name": "s01-brew-haven.internal"})
    shops.has_resource_properties(
        "AWS::ServiceDiscovery::Service",
        {"Name": "storefront", "DnsConfig": Match.object_like({"DnsRecords": [{"TTL": 10, "Type": "A"}]})},
    )


def test_it_scales_between_the_least_and_four_tasks(shops: Template) -> None:
    shops.has_resource_properties("AWS::ApplicationAutoScaling::ScalableTarget", {"MinCapacity": 2, "MaxCapacity": 4})
    shops.has_resource_properties(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        {
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": Match.object_like(
                {
                    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
                    "TargetValue": 60,
                }
            ),
        },
    )


@pytest.mark.parametrize("least_tasks", [0, 5])
def test_an_impossible_number_of_tasks_is_refused(synthesize_alone: Callable[..., Template], least_tasks: int) -> None:
    with pytest.raises(ValueError, match=f"least_tasks must be 1 to 4, got {least_tasks}"):
        synthesize_alone(lambda stack: both(stack, least_tasks=least_tasks))
