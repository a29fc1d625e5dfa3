"""The inventory finds what phase 2 makes, and nothing of it is left afterwards (brewhaven/inventory.py)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from brewhaven import inventory
from brewhaven.inventory import Ownership
from tests.local.stacks import Resources, Stack, att, ref, role, typed
from tests.plugins.caches import NETWORK, replication_group, user
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

NAME = "BrewHaven-Phase9-Kinds"
RESOURCES: Resources = {
    **NETWORK,
    "User": user("brewhaven-phase9-shop", "shop", "on ~* +@all"),
    "Users": typed(
        "AWS::ElastiCache::UserGroup", UserGroupId="brewhaven-phase9-users", Engine="valkey", UserIds=[ref("User")]
    ),
    "Parameters": typed(
        "AWS::ElastiCache::ParameterGroup", CacheParameterGroupFamily="valkey8", Description="kinds"
    ),
    "Cache": replication_group(UserGroupIds=[ref("Users")], CacheParameterGroupName=ref("Parameters")),
    "Queue": typed("AWS::SQS::Queue"),
    "Topic": typed("AWS::SNS::Topic"),
    "Role": role(
        Policies=[
            {
                "PolicyName": "it",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": att("Queue", "Arn")}],
                },
            }
        ]
    ),
    "Function": typed(
        "AWS::Lambda::Function", Runtime="python3.13", Handler="index.handler", Role=att("Role", "Arn"),
        Code={"ZipFile": "def handler(event, context): pass"},
    ),
    "Mapping": typed(
        "AWS::Lambda::EventSourceMapping", FunctionName=ref("Function"), EventSourceArn=att("Queue", "Arn")
    ),
    "Alarm": typed(
        "AWS::CloudWatch::Alarm", Namespace="Shop", MetricName="Orders", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
    ),
    "Composite": typed("AWS::CloudWatch::CompositeAlarm", AlarmRule={"Fn::Sub": 'ALARM("${Alarm}")'}),
    "Dashboard": typed("AWS::CloudWatch::Dashboard", DashboardBody='{"widgets": []}'),
}  # fmt: skip
KINDS = {
    "CloudWatch alarm": 2, "CloudWatch dashboard": 1, "event source mapping": 1, "SQS queue": 1, "SNS topic": 1,
    "mobile push application": 1, "ElastiCache replication group": 1, "ElastiCache user": 1,
    "ElastiCache user group": 1, "ElastiCache subnet group": 1, "ElastiCache parameter group": 1,
}  # fmt: skip


@pytest.fixture
def deployed(cloud: Cloud) -> Iterator[Stack]:
    """A stack of the course's name, and an application that some custom resource of it would make."""
    made = Stack(cloud, NAME)
    made.create(RESOURCES)
    application = cloud.client("sns").create_platform_application(
        Name=f"{NAME}-app", Platform="GCM", Attributes={"PlatformCredential": "key"}
    )["PlatformApplicationArn"]
    yield made
    cloud.client("sns").delete_platform_application(PlatformApplicationArn=application)


def found(cloud: Cloud) -> dict[str, int]:
    """How many there are of each kind, by their names alone: as if nobody had recorded their ids."""
    findings = inventory.take(cloud.client, Ownership([NAME], [], whole_course=False))
    assert findings.unseen == {}
    kinds = [item.kind for item in findings.items]
    return {kind: kinds.count(kind) for kind in KINDS if kind in kinds}


def test_what_phase_2_makes_is_found_by_name_and_gone_with_its_stack(cloud: Cloud, deployed: Stack) -> None:
    assert found(cloud) == KINDS
    deployed.delete()
    assert found(cloud) == {"mobile push application": 1}
