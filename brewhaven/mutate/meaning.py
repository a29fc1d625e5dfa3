"""Which changes of a template change nothing that matters: the one place that says so, each with its reason.

A mistake counts if the stack would be deployed and then be or do something else. What is listed here is not counted at
all, not even as survived.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from brewhaven.mutate.stack import REMOVED, Change, Path, Stack, at
from brewhaven.mutate.words import ends_with

OUTPUTS_OF_LATER_PHASES = "PublishOutput"
"""Outputs that appear when a later phase reads them; they are that phase's."""

OURS_IN_A_HELPER = "LoggingConfig"
HELPER = (
    "The CDK writes its own helper functions, their roles and policies, and writes them anew with each release: nobody "
    "here can get them wrong. Their log group is ours, and counts."
)


@dataclass(frozen=True)
class Ignored:
    """A property, and what is inside it, whose value matters to nobody or is looked after elsewhere."""

    type: str
    place: str
    reason: str


@dataclass(frozen=True)
class Default:
    """A value that AWS assumes where none is given, so that leaving it out changes nothing."""

    type: str
    place: str
    value: Any
    page: str


FOR_PEOPLE = "Text for people: nothing acts on it."
A_LABEL = "A label: nothing acts on it. The tags that matter are the stack's own, which are not in the template."
A_NAME = "A name that the CDK makes up and nothing refers to."
AN_ASSET = "Where an asset lies is a hash of what is in it. tests/assertion/test_assets.py looks inside."
A_CONNECTION = "The CDK connects its own resource types with its own functions."
A_SCRIPT = "A script is a program, not a property: tests/local/test_instances.py runs it and asks the shop it starts."

IGNORED = (
    Ignored("*", "Description", FOR_PEOPLE),
    Ignored("*", "GroupDescription", FOR_PEOPLE),
    Ignored("AWS::CloudWatch::Alarm", "AlarmDescription", FOR_PEOPLE),
    Ignored("AWS::ElastiCache::ReplicationGroup", "ReplicationGroupDescription", FOR_PEOPLE),
    Ignored("AWS::RDS::DBSubnetGroup", "DBSubnetGroupDescription", FOR_PEOPLE),
    Ignored("AWS::SNS::Topic", "DisplayName", FOR_PEOPLE),
    Ignored("*", "Tags", A_LABEL),
    Ignored("*", "TagSpecifications", A_LABEL),
    Ignored("AWS::S3::Bucket", "LifecycleConfiguration.Rules.*.Id", A_LABEL),
    Ignored("AWS::IAM::Policy", "PolicyName", A_NAME),
    Ignored("AWS::ApplicationAutoScaling::ScalingPolicy", "PolicyName", A_NAME),
    Ignored("AWS::ECS::TaskDefinition", "Family", A_NAME),
    Ignored("AWS::Events::Rule", "Targets.*.Id", A_NAME),
    Ignored("AWS::Lambda::Function", "Code", AN_ASSET),
    Ignored("AWS::Lambda::LayerVersion", "Content", AN_ASSET),
    Ignored("Custom::CDKBucketDeployment", "SourceBucketNames", AN_ASSET),
    Ignored("Custom::CDKBucketDeployment", "SourceObjectKeys", AN_ASSET),
    Ignored("AWS::ECS::TaskDefinition", "Image", AN_ASSET),
    Ignored("Custom::*", "ServiceToken", A_CONNECTION),
    Ignored("AWS::EC2::LaunchTemplate", "UserData", A_SCRIPT),
    Ignored(
        "AWS::ECS::Service",
        "EnableECSManagedTags",
        "More labels: ECS would add the names of cluster and service to those that a task has.",
    ),
    Ignored(
        "AWS::ServiceDiscovery::Service",
        "DnsConfig.NamespaceId",
        "AWS takes the namespace of the service itself, NamespaceId, and keeps this one for old templates.",
    ),
    Ignored(
        "AWS::ServiceDiscovery::Service",
        "HealthCheckCustomConfig.FailureThreshold",
        "AWS always takes 1, whatever is written here. What counts is that HealthCheckCustomConfig is there.",
    ),
    Ignored(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "RoleARN",
        "For ECS, Application Auto Scaling works with its service-linked role, whatever is written here.",
    ),
    Ignored(
        "Custom::S3BucketNotifications",
        "SkipDestinationValidation",
        "Queues, topics and functions are validated, and EventBridge is none of them.",
    ),
    Ignored(
        "Custom::CDKBucketDeployment",
        "WaitForDistributionInvalidation",
        "It is about a CloudFront distribution, and this deployment has none.",
    ),
    Ignored(
        "Custom::CDKBucketDeployment",
        "OutputObjectKeys",
        "Whether the CDK's function says which objects it has copied: nothing in the stack asks.",
    ),
)

_CFN = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-"
DEFAULTS = (
    Default("AWS::EC2::VPC", "EnableDnsSupport", True, f"{_CFN}resource-ec2-vpc.html"),
    Default("AWS::EC2::VPC", "InstanceTenancy", "default", f"{_CFN}resource-ec2-vpc.html"),
    Default("AWS::EC2::Subnet", "MapPublicIpOnLaunch", False, f"{_CFN}resource-ec2-subnet.html"),
    Default("AWS::EC2::VPCEndpoint", "VpcEndpointType", "Gateway", f"{_CFN}resource-ec2-vpcendpoint.html"),
    Default("AWS::IAM::Role", "MaxSessionDuration", 3600, f"{_CFN}resource-iam-role.html"),
    Default("AWS::IAM::ManagedPolicy", "Path", "/", f"{_CFN}resource-iam-managedpolicy.html"),
    Default(
        "AWS::ECS::TaskDefinition", "Essential", True, f"{_CFN}properties-ecs-taskdefinition-containerdefinition.html"
    ),
)


def why_harmless(stack: Stack, logical_id: str, change: Change) -> str:
    """The reason why a change does not count as a mistake; empty if it does."""
    path, _, value = change
    resource = stack.resources[logical_id]
    if logical_id in stack.helpers and OURS_IN_A_HELPER not in path:
        return HELPER
    for entry in IGNORED:
        if fnmatchcase(resource["Type"], entry.type) and _is_within(path, entry.place):
            return entry.reason
    if value is REMOVED and path:
        for default in DEFAULTS:
            found = fnmatchcase(resource["Type"], default.type) and ends_with(path, default.place)
            if found and at(resource, path) == default.value:
                return f"AWS assumes the same where nothing is given: {default.page}"
    return ""


def _is_within(path: Path, place: str) -> bool:
    return any(ends_with(path[: length + 1], place) for length in range(len(path)))
