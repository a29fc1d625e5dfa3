"""What counts as the course's, and what an inventory may never pass over in silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from brewhaven import inventory
from brewhaven.inventory import Item, Ownership
from tests.unit.tool.conftest import FakeSession, refusal

FOUNDATION = "BrewHaven-Phase1-Foundation"


def _ownership(**options: Any) -> Ownership:
    return Ownership([FOUNDATION], ["vpc-0abc1234", "1", "sg-0def5678"], **options)


@pytest.mark.parametrize(
    "item",
    [
        Item("CloudFormation stack", FOUNDATION),
        Item("DynamoDB table", f"{FOUNDATION}-CatalogTable6B92FEBE-A14A7"),
        Item("S3 bucket", "brewhaven-phase1-foundation-assetbucket1d025086-x1"),
        Item("IAM role", "BrewHaven-Phase1-Foundat-StorefrontTaskRole-abc"),
        Item("CloudWatch log group", f"/aws/lambda/{FOUNDATION}-Seeder"),
        Item("CloudWatch log group", f"/aws/ecs/containerinsights/{FOUNDATION}-Cluster/performance"),
        Item("IAM policy", f"arn:aws:iam::111122223333:policy/{FOUNDATION}-Boundary"),
        Item("parameter", "/brew-haven/storefront/config"),
        Item("Cloud Map namespace", "ns-1", ("brew-haven.internal",)),
        Item("ECS task definition", "arn:aws:ecs:us-east-1:1:task-definition/BrewHavenPhase1FoundationTask1A2B:7"),
        Item("VPC", "vpc-0abc1234"),
        Item("network interface", "eni-1", ("vpc-0abc1234",)),
        Item(
            "load balancer",
            "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/BrewHa-Store/1",
            ("sg-0def5678",),
        ),
    ],
)
def test_the_courses_things_are_recognised(item: Item) -> None:
    assert _ownership().covers(item)


@pytest.mark.parametrize(
    "item",
    [
        Item("CloudFormation stack", "CDKToolkit"),
        Item("CloudFormation stack", "s01-BrewHaven-Phase1-Foundation"),
        Item("S3 bucket", "s01-brewhaven-phase1-foundation-assetbucket"),
        Item("S3 bucket", "cdk-hnb659fds-assets-111122223333-us-east-1"),
        Item("IAM role", "MyBrewHaven-Phase1-Copy"),
        Item("VPC", "vpc-default"),
        Item("parameter", "/cdk-bootstrap/hnb659fds/version"),
        Item("parameter", "/brew-haven/s01/storefront/config"),
        Item("anything", "1"),
    ],
)
def test_what_belongs_to_others_is_left_alone(item: Item) -> None:
    assert not _ownership(students=["s01"]).covers(item)
    assert not _ownership(whole_course=False).covers(item)


def test_a_student_sees_the_own_things_only() -> None:
    own = Ownership([f"s01-{FOUNDATION}"], [], student="s01")
    assert own.covers(Item("parameter", "/brew-haven/s01/storefront/config"))
    assert own.covers(Item("S3 bucket", "s01-brewhaven-phase1-foundation-assets"))
    assert own.covers(Item("ECS task definition", "arn:aws:ecs:us-east-1:1:task-definition/s01BrewHavenPhase1Task:7"))
    assert not own.covers(Item("parameter", "/brew-haven/storefront/config"))
    assert not own.covers(Item("S3 bucket", "brewhaven-phase1-foundation-assets"))


def test_a_later_phase_alone_leaves_the_first_alone() -> None:
    later = Ownership(["BrewHaven-Phase2-Orders"], [], whole_course=False)
    assert later.covers(Item("IAM role", "BrewHaven-Phase2-Orders-Role"))
    assert not later.covers(Item("IAM role", "BrewHaven-Phase1-Foundation-Role"))
    assert not later.covers(Item("IAM role", "BrewHaven-Phase20-Other"))
    assert not later.covers(Item("parameter", "/brew-haven/storefront/config"))


def _client(**services: Any) -> Callable[[str], Any]:
    return FakeSession(services).client


def test_a_refused_look_is_reported_and_not_passed_over() -> None:
    denied = refusal("AccessDeniedException", "not authorized to perform: kms:ListKeys")
    findings = inventory.take(_client(kms={"list_aliases": denied}), _ownership())
    assert findings.unseen == {"KMS key": "not authorized to perform: kms:ListKeys"}
    assert not findings.is_empty


def test_a_service_that_the_cloud_does_not_know_can_hold_nothing() -> None:
    unknown = refusal("UnknownOperationException", "unknown")
    findings = inventory.take(_client(servicediscovery={"list_namespaces": unknown}), _ownership())
    assert findings.absent == ("Cloud Map namespace",)
    assert findings.is_empty


EVERYTHING: dict[str, dict[str, Any]] = {
    "cloudformation": {
        "list_stacks": {
            "StackSummaries": [
                {"StackName": FOUNDATION, "StackStatus": "DELETE_FAILED"},
                {"StackName": FOUNDATION, "StackStatus": "DELETE_COMPLETE"},
            ]
        }
    },
    "dynamodb": {"list_tables": {"TableNames": [f"{FOUNDATION}-T"]}},
    "s3": {"list_buckets": {"Buckets": [{"Name": "brewhaven-phase1-foundation-b"}]}},
    "logs": {"describe_log_groups": {"logGroups": [{"logGroupName": f"/aws/lambda/{FOUNDATION}-F"}]}},
    "cloudwatch": {
        "describe_alarms": lambda AlarmTypes: {  # noqa: N803 - the API's own name
            "MetricAlarms": [{"AlarmName": f"{FOUNDATION}-A"}],
            "CompositeAlarms": [{"AlarmName": f"{FOUNDATION}-B"}],
        },
        "list_dashboards": {"DashboardEntries": [{"DashboardName": f"{FOUNDATION}-D"}]},
    },
    "iam": {
        "list_roles": {"Roles": [{"RoleName": f"{FOUNDATION}-R"}]},
        "list_policies": {"Policies": [{"Arn": "arn:aws:iam::1:policy/x", "PolicyName": f"{FOUNDATION}-P"}]},
        "list_instance_profiles": {"InstanceProfiles": [{"InstanceProfileName": f"{FOUNDATION}-I"}]},
    },
    "secretsmanager": {
        "list_secrets": {
            "SecretList": [
                {"ARN": "arn:s", "Name": f"{FOUNDATION}-S"},
                {"ARN": "arn:gone", "Name": f"{FOUNDATION}-G", "DeletedDate": "2026-01-01"},
            ]
        }
    },
    "ssm": {"describe_parameters": {"Parameters": [{"Name": "/brew-haven/storefront/config"}]}},
    "lambda": {
        "list_functions": {"Functions": [{"FunctionName": f"{FOUNDATION}-F"}]},
        "list_layers": {"Layers": [{"LayerName": "BrewHavenPhase1Layer"}]},
        "list_event_source_mappings": {
            "EventSourceMappings": [{"UUID": "uuid-1", "FunctionArn": f"arn:aws:lambda:r:1:function:{FOUNDATION}-F"}]
        },
    },
    "sqs": {"list_queues": {"QueueUrls": [f"https://sqs.r.amazonaws.com/1/{FOUNDATION}-Q"]}},
    "sns": {
        "list_topics": {"Topics": [{"TopicArn": f"arn:aws:sns:r:1:{FOUNDATION}-T"}]},
        "list_platform_applications": {
            "PlatformApplications": [{"PlatformApplicationArn": f"arn:aws:sns:r:1:app/GCM/{FOUNDATION}-A"}]
        },
    },
    "elasticache": {
        "describe_replication_groups": {"ReplicationGroups": [{"ReplicationGroupId": "brewhaven-phase1-cache"}]},
        "describe_users": {"Users": [{"UserId": "brewhaven-phase1-shop"}, {"UserId": "default"}]},
        "describe_user_groups": {"UserGroups": [{"UserGroupId": "brewhaven-phase1-users"}]},
        "describe_cache_subnet_groups": {"CacheSubnetGroups": [{"CacheSubnetGroupName": "x", "VpcId": "vpc-0abc1234"}]},
        "describe_cache_parameter_groups": {
            "CacheParameterGroups": [
                {"CacheParameterGroupName": "default.valkey8"},
                {"CacheParameterGroupName": "brewhaven-phase1-parameters"},
            ]
        },
        "describe_snapshots": {"Snapshots": [{"SnapshotName": "last", "ReplicationGroupId": "brewhaven-phase1-cache"}]},
    },
    "ecs": {
        "list_clusters": {"clusterArns": [f"arn:aws:ecs:r:1:cluster/{FOUNDATION}-C"]},
        "describe_clusters": {"clusters": [{"status": "ACTIVE"}]},
        "list_services": {"serviceArns": [f"arn:aws:ecs:r:1:service/{FOUNDATION}-C/{FOUNDATION}-S"]},
        "list_task_definitions": lambda status: {
            "taskDefinitionArns": [f"arn:aws:ecs:r:1:task-definition/BrewHavenPhase1:{1 if status == 'ACTIVE' else 2}"]
        },
    },
    "ecr": {
        "describe_repositories": {"repositories": [{"repositoryName": "cdk-hnb659fds-container-assets-1-r"}]},
        "list_images": {"imageIds": [{"imageTag": "5a" * 32}, {"imageTag": "other" * 12}, {"imageDigest": "x"}]},
    },
    "elbv2": {
        "describe_load_balancers": {"LoadBalancers": [{"LoadBalancerArn": "arn:lb", "LoadBalancerName": "x"}]},
        "describe_target_groups": {"TargetGroups": [{"TargetGroupArn": "arn:tg", "TargetGroupName": "x"}]},
    },
    "servicediscovery": {"list_namespaces": {"Namespaces": [{"Id": "ns-1", "Name": "brew-haven.internal"}]}},
    "application-autoscaling": {
        "describe_scalable_targets": {"ScalableTargets": [{"ResourceId": f"table/{FOUNDATION}-T"}]}
    },
    "ec2": {
        "describe_instances": {
            "Reservations": [
                {"Instances": [{"InstanceId": "i-0running1", "State": {"Name": "running"}, "VpcId": "vpc-0abc1234"}]},
                {
                    "Instances": [
                        {"InstanceId": "i-0gone1234", "State": {"Name": "terminated"}, "VpcId": "vpc-0abc1234"}
                    ]
                },
            ]
        },
        "describe_launch_templates": {
            "LaunchTemplates": [{"LaunchTemplateId": "lt-1", "LaunchTemplateName": f"{FOUNDATION}-L"}]
        },
        "describe_volumes": {"Volumes": [{"VolumeId": "vol-0abc1234"}]},
        "describe_snapshots": {"Snapshots": [{"SnapshotId": "snap-0abc1234", "VolumeId": "vol-0abc1234"}]},
        "describe_network_interfaces": {
            "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-0abc1234"}]
        },
        "describe_security_groups": {
            "SecurityGroups": [{"GroupId": "sg-1", "VpcId": "vpc-0abc1234", "GroupName": "x"}]
        },
        "describe_subnets": {"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-0abc1234"}]},
        "describe_internet_gateways": {
            "InternetGateways": [{"InternetGatewayId": "igw-1", "Attachments": [{"VpcId": "vpc-0abc1234"}]}]
        },
        "describe_vpcs": {"Vpcs": [{"VpcId": "vpc-0abc1234"}]},
    },
    "rds": {
        "describe_db_instances": {
            "DBInstances": [{"DBInstanceIdentifier": "brewhaven-phase1-db", "DbiResourceId": "db-1"}]
        },
        "describe_db_snapshots": lambda SnapshotType: {  # noqa: N803  (the API's name)
            "DBSnapshots": [{"DBSnapshotIdentifier": SnapshotType, "DBInstanceIdentifier": "brewhaven-phase1-db"}]
        },
        "describe_db_instance_automated_backups": {
            "DBInstanceAutomatedBackups": [
                {"DbiResourceId": "db-old", "DBInstanceIdentifier": "brewhaven-phase1-db", "Status": "retained"},
                {"DbiResourceId": "db-1", "DBInstanceIdentifier": "brewhaven-phase1-db", "Status": "active"},
            ]
        },
        "describe_db_proxies": {"DBProxies": [{"DBProxyName": "x", "DBProxyArn": "arn:p", "VpcId": "vpc-0abc1234"}]},
        "describe_db_subnet_groups": {
            "DBSubnetGroups": [
                {"DBSubnetGroupName": "x", "VpcId": "vpc-0abc1234"},
                {"DBSubnetGroupName": "default", "VpcId": "vpc-0abc1234"},
            ]
        },
        "describe_db_parameter_groups": {
            "DBParameterGroups": [
                {"DBParameterGroupName": "brewhaven-phase1-group"},
                {"DBParameterGroupName": "default.postgres16"},
            ]
        },
    },
    "kms": {
        "list_aliases": {"Aliases": [{"TargetKeyId": "key-1", "AliasName": f"alias/{FOUNDATION}-K"}]},
        "list_keys": {"Keys": [{"KeyId": "key-1"}]},
        "describe_key": {"KeyMetadata": {"KeyState": "Enabled", "KeyManager": "CUSTOMER"}},
    },
}
RECORDED = ["vpc-0abc1234", "vol-0abc1234", "arn:lb", "arn:tg", "5a" * 32]


def test_one_thing_of_every_kind_is_found() -> None:
    findings = inventory.take(FakeSession(EVERYTHING).client, Ownership([FOUNDATION], RECORDED))
    assert {item.kind for item in findings.items} == set(inventory.LOOKS)
    found = {item.id for item in findings.items}
    assert "arn:aws:ecs:r:1:task-definition/BrewHavenPhase1:2" in found, "deregistered ones are listed too"
    assert found.isdisjoint({"i-0gone1234", "arn:gone", "other" * 12, "db-1", "default", "default.postgres16"})
    assert findings.unseen == {}


def test_without_the_record_names_alone_still_find_most() -> None:
    """A stack that was deleted by hand, on a machine that never deployed it."""
    findings = inventory.take(FakeSession(EVERYTHING).client, Ownership([FOUNDATION], []))
    assert {item.kind for item in findings.items} >= {
        "DynamoDB table", "S3 bucket", "CloudWatch log group", "IAM role", "parameter", "secret", "ECS cluster",
        "Cloud Map namespace", "Lambda function", "ECS task definition",
    }  # fmt: skip
