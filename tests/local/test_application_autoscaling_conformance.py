"""Application Auto Scaling as an API and as resources (resources/application_autoscaling.py)."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.stacks import Resources, allow, att, ref, stack, typed
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

WHERE = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/cluster/shop",
    "ScalableDimension": "ecs:service:DesiredCount",
}
TRACKING = {
    "TargetValue": 60.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
}


def test_the_api_keeps_targets_policies_and_schedules(cloud: Cloud) -> None:
    scaling = cloud.client("application-autoscaling")
    policy = {"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling", **WHERE}
    with pytest.raises(scaling.exceptions.ObjectNotFoundException, match="No scalable target registered"):
        scaling.put_scaling_policy(**policy, TargetTrackingScalingPolicyConfiguration=TRACKING)
    with pytest.raises(scaling.exceptions.ValidationException, match="Maximum capacity cannot be less"):
        scaling.register_scalable_target(**WHERE, MinCapacity=3, MaxCapacity=1)
    scaling.register_scalable_target(**WHERE, MinCapacity=1, MaxCapacity=3)
    scaling.register_scalable_target(**WHERE, MaxCapacity=5)
    scaling.put_scaling_policy(**policy, TargetTrackingScalingPolicyConfiguration=TRACKING)
    action = {"MinCapacity": 0, "MaxCapacity": 0}
    scaling.put_scheduled_action(
        **WHERE, ScheduledActionName="night", Schedule="cron(0 22 * * ? *)", ScalableTargetAction=action
    )
    [target] = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[WHERE["ResourceId"]])[
        "ScalableTargets"
    ]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 5)
    [found] = scaling.describe_scaling_policies(**WHERE)["ScalingPolicies"]
    assert found["TargetTrackingScalingPolicyConfiguration"] == TRACKING
    assert scaling.describe_scheduled_actions(**WHERE)["ScheduledActions"][0]["ScheduledActionName"] == "night"
    scaling.deregister_scalable_target(**WHERE)
    assert scaling.describe_scaling_policies(**WHERE)["ScalingPolicies"] == []
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.deregister_scalable_target(**WHERE)


def resources(most: int) -> Resources:
    target: dict[str, Any] = {**WHERE, "ResourceId": "service/cluster/stack", "MinCapacity": 1, "MaxCapacity": most}
    return {
        "Target": typed("AWS::ApplicationAutoScaling::ScalableTarget", **target),
        "Policy": typed(
            "AWS::ApplicationAutoScaling::ScalingPolicy", PolicyName="cpu", PolicyType="TargetTrackingScaling",
            ScalingTargetId=ref("Target"), TargetTrackingScalingPolicyConfiguration=TRACKING,
        ),
    }  # fmt: skip


def test_a_stack_registers_changes_and_removes(cloud: Cloud) -> None:
    scaling = cloud.client("application-autoscaling")
    where = {"ServiceNamespace": "ecs", "ResourceIds": ["service/cluster/stack"]}
    with stack(cloud) as made:
        outputs = made.create(resources(3), Target=ref("Target"), Policy=att("Policy", "Arn"))
        assert outputs["Target"] == "service/cluster/stack|ecs:service:DesiredCount|ecs"
        assert ":scalingPolicy:" in outputs["Policy"]
        made.update(resources(4))
        assert scaling.describe_scalable_targets(**where)["ScalableTargets"][0]["MaxCapacity"] == 4
        assert made.physical_id("Policy") == outputs["Policy"]
    assert scaling.describe_scalable_targets(**where)["ScalableTargets"] == []


def test_policies_apply_to_it(cloud: Cloud) -> None:
    user = {
        "User": typed(
            "AWS::IAM::User",
            Policies=[{"PolicyName": "p", "PolicyDocument": allow("application-autoscaling:Describe*")}],
        ),
        "Key": typed("AWS::IAM::AccessKey", UserName=ref("User")),
    }
    with stack(cloud) as made:
        outputs = made.create(user, Key=ref("Key"), Secret=att("Key", "SecretAccessKey"))
        credentials = {"aws_access_key_id": outputs["Key"], "aws_secret_access_key": outputs["Secret"]}
        scaling = cloud.client("application-autoscaling", **credentials)
        scaling.describe_scalable_targets(ServiceNamespace="ecs")
        with pytest.raises(ClientError, match="AccessDenied"):
            scaling.register_scalable_target(**WHERE, MinCapacity=1, MaxCapacity=3)
