"""What to call things: `the Storefront tasks`, `CatalogTable`, `the CatalogTable/MenuSeeder function`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from brewhaven.diff.model import Deployment, Resource

NOUNS = {
    "AWS::ApiGateway::RestApi": "API",
    "AWS::ApiGatewayV2::Api": "API",
    "AWS::ApplicationAutoScaling::ScalableTarget": "scaling",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "scaling rule",
    "AWS::CloudFront::Distribution": "distribution",
    "AWS::CloudWatch::Alarm": "alarm",
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::Cognito::UserPool": "user pool",
    "AWS::Cognito::UserPoolClient": "client",
    "AWS::DynamoDB::GlobalTable": "table",
    "AWS::DynamoDB::Table": "table",
    "AWS::EC2::Instance": "server",
    "AWS::EC2::InternetGateway": "internet gateway",
    "AWS::EC2::LaunchTemplate": "launch template",
    "AWS::EC2::NatGateway": "NAT gateway",
    "AWS::EC2::SecurityGroup": "security group",
    "AWS::EC2::Subnet": "subnet",
    "AWS::EC2::VPC": "network",
    "AWS::EC2::VPCEndpoint": "endpoint",
    "AWS::ECS::Cluster": "cluster",
    "AWS::ECS::Service": "service",
    "AWS::ECS::TaskDefinition": "tasks",
    "AWS::ElastiCache::ReplicationGroup": "cache",
    "AWS::ElastiCache::ServerlessCache": "cache",
    "AWS::ElasticLoadBalancingV2::Listener": "listener",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "load balancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "target group",
    "AWS::Events::EventBus": "event bus",
    "AWS::Events::Rule": "rule",
    "AWS::IAM::Group": "group",
    "AWS::IAM::InstanceProfile": "instance profile",
    "AWS::IAM::ManagedPolicy": "managed policy",
    "AWS::IAM::Policy": "policy",
    "AWS::IAM::Role": "role",
    "AWS::IAM::User": "user",
    "AWS::Kinesis::Stream": "stream",
    "AWS::KMS::Key": "key",
    "AWS::Lambda::EventSourceMapping": "event source",
    "AWS::Lambda::Function": "function",
    "AWS::Lambda::LayerVersion": "layer",
    "AWS::Lambda::Version": "version",
    "AWS::Logs::LogGroup": "log group",
    "AWS::OpenSearchService::Domain": "search domain",
    "AWS::RDS::DBCluster": "database",
    "AWS::RDS::DBInstance": "database",
    "AWS::RDS::DBProxy": "database proxy",
    "AWS::S3::Bucket": "bucket",
    "AWS::S3::BucketPolicy": "bucket policy",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::SecretsManager::SecretTargetAttachment": "secret",
    "AWS::ServiceDiscovery::PrivateDnsNamespace": "private DNS zone",
    "AWS::ServiceDiscovery::Service": "DNS name",
    "AWS::SNS::Subscription": "subscription",
    "AWS::SNS::Topic": "topic",
    "AWS::SQS::Queue": "queue",
    "AWS::SSM::Parameter": "parameter",
    "AWS::StepFunctions::StateMachine": "state machine",
}
_SERVICES = {
    "ApiGateway": "API Gateway",
    "ApiGatewayV2": "API Gateway",
    "ApplicationAutoScaling": "Auto Scaling",
    "CertificateManager": "Certificate Manager",
    "ElasticLoadBalancingV2": "Load Balancing",
    "Events": "EventBridge",
    "Logs": "CloudWatch Logs",
    "OpenSearchService": "OpenSearch",
    "SecretsManager": "Secrets Manager",
    "ServiceDiscovery": "Cloud Map",
    "SSM": "Systems Manager",
    "StepFunctions": "Step Functions",
    "WAFv2": "WAF",
}
_SILENT = {
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::IAM::Role",
    "AWS::S3::Bucket",
}
"""Types whose construct is named so well that the noun would only repeat it; a role is said by its context."""

_REPEATS = {
    "Cluster", "Function", "Instance", "LoadBalancer", "Role", "SecurityGroup", "Service", "ServiceRole", "Subnet",
    "Table", "Bucket", "Task", "TaskDef", "TaskDefinition", "TaskRole", "ExecutionRole", "Vpc", "Topic", "Queue",
    "Handler", "Secret", "Logs", "LogGroup", "Database", "Default", "Resource", "LaunchTemplate", "Target", "Policy",
    "DefaultPolicy", "Profile", "InstanceRole", "Server", "DefaultRoute", "RouteTable", "RouteTableAssociation",
    "DefaultServiceDiscoveryNamespace", "IGW", "VPCGW", "CloudmapService",
}  # fmt: skip
"""Ids of constructs that say no more than the noun does."""

_GENERATED = re.compile(r"[A-Za-z0-9]{12,}[A-F0-9]{8}")
_HELPER = re.compile(
    r"^(AWSCDK|AWS[0-9a-f]{32}|Custom::|CustomResourceProvider|LogRetention|CdkHelper|framework-|AwsCliLayer)"
    r"|[0-9a-fA-F]{32}|CustomResourceProvider"
)


def is_helper(resource: Resource) -> bool:
    """Whether the CDK made it for its own use, beside the app's constructs: the functions of its custom resources."""
    return bool(_HELPER.search(resource.component))


def service_of(type_: str) -> str:
    """The AWS service of a CloudFormation type, as people call it."""
    if type_.startswith("Custom::") or type_ == "AWS::CloudFormation::CustomResource":
        return "Custom resource"
    parts = type_.split("::")
    return _SERVICES.get(parts[1], parts[1]) if len(parts) > 2 else type_


def noun_of(type_: str) -> str:
    """The word for one of this type: `load balancer`."""
    if type_ in NOUNS:
        return NOUNS[type_]
    last = type_.rpartition("::")[2]
    if type_.startswith("Custom::"):
        return f"custom resource {last}"
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", last.replace("VPC", "VPC "))
    return " ".join(word if word.isupper() else word.lower() for word in words.split())


def short_path(resource: Resource) -> str:
    """The construct path without the ids at its end that only repeat the noun."""
    parts = resource.path.split("/")
    while len(parts) > 1 and parts[-1] in _REPEATS:
        parts.pop()
    return "/".join(parts)


class Names:
    """The names of one side; a name that two resources of the same kind would share is written in full."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        counted = Counter((noun_of(resource.type), short_path(resource)) for resource in deployment)
        self._shared = {pair for pair, number in counted.items() if number > 1}

    def bare(self, resource: Resource) -> str:
        """`Storefront`; the whole path where that would be two things."""
        short = short_path(resource)
        return resource.path if (noun_of(resource.type), short) in self._shared else short

    def of(self, resource: Resource) -> str:
        """`CatalogTable`, `the Storefront load balancer`."""
        if is_helper(resource):
            return f"the CDK's helper {noun_of(resource.type)} {_helper_name(resource)}"
        name = self.bare(resource)
        if resource.type in _SILENT:
            return name
        noun = noun_of(resource.type)
        return name if name.lower().endswith(noun.replace(" ", "")) else f"the {name} {noun}"

    def below(self, resource: Resource) -> str:
        """The name inside its component; the component's own name for what it mainly is."""
        _, _, below = self.bare(resource).partition("/")
        return _GENERATED.sub("…", below or resource.component)

    def reference(self, stack: str) -> Namer:
        """A namer for the values of one stack: references become `CatalogTable`, `CatalogTable.StreamArn`."""
        return Namer(self, self._deployment, stack)


class Namer:
    """Says a reference of one stack's template by the name of what it refers to."""

    def __init__(self, names: Names, deployment: Deployment, stack: str) -> None:
        self._names = names
        self._deployment = deployment
        self._stack = stack

    def __call__(self, logical_id: str, attribute: str | None) -> str:
        resource = self._deployment.get((self._stack, logical_id))
        name = self._names.of(resource).removeprefix("the ") if resource else logical_id
        return f"{name}.{attribute}" if attribute and attribute != "Arn" else name


def _helper_name(resource: Resource) -> str:
    name = resource.component.removeprefix("Custom::").removeprefix("AWSCDK.").removeprefix("AWSCDK")
    name = re.sub(r"(CustomResourceProvider)+$", "", name)
    return re.sub(r"[0-9a-fA-F]{32}$", "", name) or "function"


def join_words(words: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    found = list(words)
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} {last} {found[-1]}" if found else ""


def sentence(text: str) -> str:
    """With a capital at the start, unless it starts with a name in mixed case, and a full stop."""
    start = text[:1].upper() + text[1:]
    return start if start.endswith((".", ":", "!")) else start + "."
