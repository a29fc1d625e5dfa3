"""Protected load balancers, target groups and clusters in use (resources/elbv2_deletes.py)."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.local.stacks import Resources, StackError, ref, stack, typed
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def balancer(protected: str) -> Resources:
    subnets = {
        f"Subnet{n}": typed("AWS::EC2::Subnet", VpcId=ref("Vpc"), CidrBlock=f"10.4.{n}.0/24") for n in ("1", "2")
    }
    return {
        "Vpc": typed("AWS::EC2::VPC", CidrBlock="10.4.0.0/16"),
        **subnets,
        "Balancer": typed(
            "AWS::ElasticLoadBalancingV2::LoadBalancer", Subnets=[ref(name) for name in subnets], Type="network",
            LoadBalancerAttributes=[{"Key": "deletion_protection.enabled", "Value": protected}],
        ),
        "Group": typed("AWS::ElasticLoadBalancingV2::TargetGroup", VpcId=ref("Vpc"), Port=80, Protocol="TCP"),
        "Listener": typed(
            "AWS::ElasticLoadBalancingV2::Listener", LoadBalancerArn=ref("Balancer"), Port=80, Protocol="TCP",
            DefaultActions=[{"Type": "forward", "TargetGroupArn": ref("Group")}],
        ),
    }  # fmt: skip


def test_a_protected_balancer_and_a_used_group_stay(cloud: Cloud) -> None:
    elb = cloud.client("elbv2")
    with stack(cloud) as made:
        made.create(balancer("true"))
        with pytest.raises(ClientError, match="ResourceInUse"):
            elb.delete_target_group(TargetGroupArn=made.physical_id("Group"))
        with pytest.raises(ClientError, match="OperationNotPermitted"):
            elb.delete_load_balancer(LoadBalancerArn=made.physical_id("Balancer"))
        with pytest.raises(StackError, match="cannot be deleted because deletion protection is enabled"):
            made.delete()
        arn = made.physical_id("Balancer")
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=arn, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}]
        )


def test_a_cluster_with_a_service_stays(cloud: Cloud) -> None:
    ecs = cloud.client("ecs")
    with stack(cloud) as made:
        made.create({"Cluster": typed("AWS::ECS::Cluster")})
        cluster = made.physical_id("Cluster")
        container = {"name": "a", "image": "none", "essential": True}
        family = ecs.register_task_definition(family=made.name, containerDefinitions=[container])
        task = family["taskDefinition"]["taskDefinitionArn"]
        ecs.create_service(cluster=cluster, serviceName="none", taskDefinition=task, desiredCount=0)
        with pytest.raises(ecs.exceptions.ClusterContainsServicesException):
            ecs.delete_cluster(cluster=cluster)
        with pytest.raises(StackError, match="The Cluster cannot be deleted while Services are active"):
            made.delete()
        ecs.delete_service(cluster=cluster, service="none", force=True)
