"""The shop on EC2 and on Fargate: the same shop twice, each in the way of its service."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk.assertions import Match, Template

from brew_constructs.asset_bucket import AssetBucket
from brew_constructs.catalog_table import BY_CATEGORY, OPEN_ORDERS, CatalogTable
from brew_constructs.shop_network import ShopNetwork
from brew_constructs.shop_runtime import ShopRuntime
from brew_constructs.storefront import Storefront
from brew_constructs.storefront_instance import StorefrontInstance

CIDR = "203.0.113.0/24"
VARIABLES = ("CATALOG_TABLE", "ASSET_BUCKET", "SESSION_SECRET_ARN", "SHOP_CONFIG_PARAMETER", "SHOP_TIME_ZONE")


def both(stack: Stack, *, least_tasks: int = 2) -> None:
    vpc = ShopNetwork(stack, "ShopNetwork").vpc
    catalog = CatalogTable(stack, "CatalogTable")
    for index in (BY_CATEGORY, OPEN_ORDERS):
        catalog.add_index(index)
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


def id_of(template: Template, kind: str, part: str) -> str:
    """The id of the only resource of a type whose id contains `part`."""
    (found,) = [name for name in template.find_resources(kind) if part in name]
    return found


def public_subnets(template: Template) -> list[dict[str, Any]]:
    return [{"Ref": name} for name in template.find_resources("AWS::EC2::Subnet") if "PublicSubnet" in name]


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
    disk = {"Encrypted": True, "VolumeSize": 8, "VolumeType": "gp3"}
    # By another name it would be a second disk, beside the one that the image brings, which is not encrypted.
    assert data["BlockDeviceMappings"] == [{"DeviceName": "/dev/xvda", "Ebs": disk}]
    assert "KeyName" not in data
    assert data["CreditSpecification"] == {"CpuCredits": "standard"}


def test_the_instance_admits_only_the_allowed_addresses_and_only_to_the_shop(shops: Template) -> None:
    ingress = only(shops, "AWS::EC2::SecurityGroup", "OnEc2")["SecurityGroupIngress"]
    assert [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in ingress] == [(CIDR, 8080, 8080)]


def test_the_instance_calls_anywhere_for_its_packages_and_for_aws(shops: Template) -> None:
    egress = only(shops, "AWS::EC2::SecurityGroup", "OnEc2")["SecurityGroupEgress"]
    assert [(rule["CidrIp"], rule["IpProtocol"]) for rule in egress] == [("0.0.0.0/0", "-1")]


def test_the_instance_starts_in_the_first_public_subnet_with_its_own_role_and_security_group(shops: Template) -> None:
    assert only(shops, "AWS::EC2::Instance")["SubnetId"] == public_subnets(shops)[0]
    data = only(shops, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    group = id_of(shops, "AWS::EC2::SecurityGroup", "OnEc2")
    assert data["SecurityGroupIds"] == [{"Fn::GetAtt": [group, "GroupId"]}]
    profile = id_of(shops, "AWS::IAM::InstanceProfile", "OnEc2")
    assert data["IamInstanceProfile"] == {"Arn": {"Fn::GetAtt": [profile, "Arn"]}}
    assert only(shops, "AWS::IAM::InstanceProfile")["Roles"] == [{"Ref": id_of(shops, "AWS::IAM::Role", "OnEc2Role")}]


def test_the_instance_may_open_session_manager_and_fetch_its_own_code(shops: Template) -> None:
    named = {right["Sid"]: right for right in statements(shops, "OnEc2Role") if "Sid" in right}
    assert named["SessionManager"] == {
        "Sid": "SessionManager",
        "Effect": "Allow",
        "Action": [
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ],
        "Resource": "*",
    }
    assert (named["FetchTheCode"]["Effect"], named["FetchTheCode"]["Action"]) == ("Allow", "s3:GetObject")
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


def test_the_shops_code_gets_its_own_role_and_ecs_another_one(shops: Template) -> None:
    """What fetches the image and writes the log is not what the shop may do."""
    task = only(shops, "AWS::ECS::TaskDefinition")
    for name, part in (("TaskRoleArn", "OnFargateTaskTaskRole"), ("ExecutionRoleArn", "OnFargateTaskExecutionRole")):
        assert task[name] == {"Fn::GetAtt": [id_of(shops, "AWS::IAM::Role", part), "Arn"]}


def test_ecs_may_fetch_this_image_and_write_this_log(shops: Template) -> None:
    pull, log_in, write = statements(shops, "OnFargateTaskExecutionRole")
    assert pull == {
        "Effect": "Allow",
        "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Resource": "arn:aws:ecr:us-east-1:111122223333:repository/"
        "cdk-hnb659fds-container-assets-111122223333-us-east-1",
    }
    assert log_in == {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
    group = id_of(shops, "AWS::Logs::LogGroup", "OnFargateLogs")
    assert write == {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": {"Fn::GetAtt": [group, "Arn"]},
    }


def test_a_task_says_itself_whether_it_is_healthy(shops: Template) -> None:
    check = container(shops)["HealthCheck"]
    assert check["Command"][:3] == ["CMD", "python", "-c"]
    assert "http://127.0.0.1:8080/health" in check["Command"][3]
    compile(check["Command"][3], "health check", "exec")


def test_a_task_that_hangs_is_replaced_within_a_minute_and_a_new_one_has_half_a_minute_to_start(
    shops: Template,
) -> None:
    check = container(shops)["HealthCheck"]
    assert check["Interval"] * check["Retries"] <= 60
    numbers = {name: check[name] for name in ("Interval", "Timeout", "Retries", "StartPeriod")}
    assert numbers == {"Interval": 15, "Timeout": 5, "Retries": 3, "StartPeriod": 30}


def test_what_a_task_writes_is_kept_for_a_week_and_goes_with_the_stack(shops: Template) -> None:
    group = id_of(shops, "AWS::Logs::LogGroup", "OnFargateLogs")
    assert container(shops)["LogConfiguration"] == {
        "LogDriver": "awslogs",
        "Options": {"awslogs-group": {"Ref": group}, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "shop"},
    }
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
            "HealthCheckGracePeriodSeconds": 60,
        },
    )


def test_a_task_is_in_a_public_subnet_behind_its_own_security_group(shops: Template) -> None:
    group = id_of(shops, "AWS::EC2::SecurityGroup", "OnFargateSecurityGroup")
    assert only(shops, "AWS::ECS::Service")["NetworkConfiguration"] == {
        "AwsvpcConfiguration": {
            "AssignPublicIp": "ENABLED",
            "SecurityGroups": [{"Fn::GetAtt": [group, "GroupId"]}],
            "Subnets": public_subnets(shops),
        }
    }


def test_the_service_runs_this_task_in_this_cluster_and_gives_it_the_tags_of_the_stack(shops: Template) -> None:
    service = only(shops, "AWS::ECS::Service")
    assert service["Cluster"] == {"Ref": id_of(shops, "AWS::ECS::Cluster", "OnFargate")}
    assert service["TaskDefinition"] == {"Ref": id_of(shops, "AWS::ECS::TaskDefinition", "OnFargate")}
    assert service["PropagateTags"] == "SERVICE"


def test_the_load_balancer_asks_the_shops_container(shops: Template) -> None:
    target = id_of(shops, "AWS::ElasticLoadBalancingV2::TargetGroup", "OnFargate")
    assert only(shops, "AWS::ECS::Service")["LoadBalancers"] == [
        {"ContainerName": container(shops)["Name"], "ContainerPort": 8080, "TargetGroupArn": {"Ref": target}}
    ]


def test_only_the_allowed_addresses_reach_the_load_balancer_and_only_it_reaches_a_task(shops: Template) -> None:
    ingress = only(shops, "AWS::EC2::SecurityGroup", "OnFargateLoadBalancer")["SecurityGroupIngress"]
    assert [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in ingress] == [(CIDR, 80, 80)]
    assert "SecurityGroupIngress" not in only(shops, "AWS::EC2::SecurityGroup", "OnFargateSecurityGroup")
    rule = only(shops, "AWS::EC2::SecurityGroupIngress")
    assert (rule["FromPort"], rule["ToPort"]) == (8080, 8080)
    balancer = id_of(shops, "AWS::EC2::SecurityGroup", "OnFargateLoadBalancer")
    task = id_of(shops, "AWS::EC2::SecurityGroup", "OnFargateSecurityGroup")
    assert rule["GroupId"] == {"Fn::GetAtt": [task, "GroupId"]}
    assert rule["SourceSecurityGroupId"] == {"Fn::GetAtt": [balancer, "GroupId"]}


def test_the_load_balancer_calls_its_tasks_and_nobody_else(shops: Template) -> None:
    assert "SecurityGroupEgress" not in only(shops, "AWS::EC2::SecurityGroup", "OnFargateLoadBalancer")
    rule = only(shops, "AWS::EC2::SecurityGroupEgress")
    assert (rule["FromPort"], rule["ToPort"]) == (8080, 8080)
    balancer = id_of(shops, "AWS::EC2::SecurityGroup", "OnFargateLoadBalancer")
    task = id_of(shops, "AWS::EC2::SecurityGroup", "OnFargateSecurityGroup")
    assert rule["GroupId"] == {"Fn::GetAtt": [balancer, "GroupId"]}
    assert rule["DestinationSecurityGroupId"] == {"Fn::GetAtt": [task, "GroupId"]}


def test_every_security_group_is_in_the_shops_network(shops: Template) -> None:
    vpc = id_of(shops, "AWS::EC2::VPC", "")
    groups = shops.find_resources("AWS::EC2::SecurityGroup").values()
    assert [group["Properties"]["VpcId"] for group in groups] == [{"Ref": vpc}] * 3


def test_a_task_may_call_anywhere_so_that_a_later_database_only_has_to_admit_it(shops: Template) -> None:
    egress = only(shops, "AWS::EC2::SecurityGroup", "OnFargateSecurityGroup")["SecurityGroupEgress"]
    assert [(rule["CidrIp"], rule["IpProtocol"]) for rule in egress] == [("0.0.0.0/0", "-1")]


def test_the_load_balancer_asks_for_health_and_waits_for_the_longest_answer(shops: Template) -> None:
    shops.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        {
            "Port": 8080,
            "TargetType": "ip",
            "Protocol": "HTTP",
            "HealthCheckPath": "/health",
            "HealthCheckIntervalSeconds": 15,
            "HealthCheckTimeoutSeconds": 5,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 3,
        },
    )
    assert attributes(only(shops, "AWS::ElasticLoadBalancingV2::TargetGroup")["TargetGroupAttributes"]) == {
        "deregistration_delay.timeout_seconds": "30",
        "stickiness.enabled": "false",  # every task can serve every guest: sessions are in the table
    }


def test_the_load_balancer_faces_the_internet_in_both_zones_and_goes_with_its_stack(shops: Template) -> None:
    balancer = only(shops, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    group = id_of(shops, "AWS::EC2::SecurityGroup", "OnFargateLoadBalancer")
    assert (balancer["Type"], balancer["Scheme"]) == ("application", "internet-facing")
    assert balancer["Subnets"] == public_subnets(shops)
    assert balancer["SecurityGroups"] == [{"Fn::GetAtt": [group, "GroupId"]}]
    assert attributes(balancer["LoadBalancerAttributes"]) == {
        "deletion_protection.enabled": "false",
        "routing.http.drop_invalid_header_fields.enabled": "true",
    }


def attributes(listed: list[dict[str, str]]) -> dict[str, str]:
    return {entry["Key"]: entry["Value"] for entry in listed}


def test_the_load_balancer_hands_what_comes_in_on_port_80_to_the_tasks(shops: Template) -> None:
    balancer = id_of(shops, "AWS::ElasticLoadBalancingV2::LoadBalancer", "OnFargate")
    target = id_of(shops, "AWS::ElasticLoadBalancingV2::TargetGroup", "OnFargate")
    assert only(shops, "AWS::ElasticLoadBalancingV2::Listener") == {
        "LoadBalancerArn": {"Ref": balancer},
        "Port": 80,
        "Protocol": "HTTP",
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": target}}],
    }


def test_other_services_find_the_tasks_by_name(shops: Template) -> None:
    namespace = id_of(shops, "AWS::ServiceDiscovery::PrivateDnsNamespace", "OnFargate")
    vpc = id_of(shops, "AWS::EC2::VPC", "")
    assert only(shops, "AWS::ServiceDiscovery::PrivateDnsNamespace") == {
        "Name": "s01-brew-haven.internal",
        "Vpc": {"Ref": vpc},
    }
    service = only(shops, "AWS::ServiceDiscovery::Service")
    assert (service["Name"], service["NamespaceId"]) == ("storefront", {"Fn::GetAtt": [namespace, "Id"]})
    assert service["DnsConfig"]["DnsRecords"] == [{"TTL": 10, "Type": "A"}]
    assert service["DnsConfig"]["RoutingPolicy"] == "MULTIVALUE", "every task, not one by chance"
    assert "HealthCheckCustomConfig" in service, "ECS says which tasks are healthy"
    registry = id_of(shops, "AWS::ServiceDiscovery::Service", "OnFargate")
    assert only(shops, "AWS::ECS::Service")["ServiceRegistries"] == [{"RegistryArn": {"Fn::GetAtt": [registry, "Arn"]}}]


def test_it_scales_between_the_least_and_four_tasks(shops: Template) -> None:
    cluster = id_of(shops, "AWS::ECS::Cluster", "OnFargate")
    service = {"Fn::GetAtt": [id_of(shops, "AWS::ECS::Service", "OnFargate"), "Name"]}
    shops.has_resource_properties(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        {
            "MinCapacity": 2,
            "MaxCapacity": 4,
            "ResourceId": {"Fn::Join": ["", ["service/", {"Ref": cluster}, "/", service]]},
        },
    )
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
