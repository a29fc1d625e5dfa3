"""What bills by the hour: each resource that costs money while it merely exists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from brewhaven.diff.facts.side import Side
from brewhaven.diff.model import Fact, Resource
from brewhaven.diff.names import is_helper
from brewhaven.diff.prices import PRICES, month
from brewhaven.diff.values import as_list, text

Item = tuple[str, float, str]
"""What it is, how many, and the price's name."""

_UNKNOWN_SIZE = "a size without a figure here"


def facts(side: Side) -> Iterator[Fact]:
    """One fact for each resource that bills by the hour or the month."""
    for resource in side.deployment:
        items = list(_items(side, resource))
        if not items:
            continue
        hourly = sum(number * PRICES[price].hourly for _, number, price in items if price in PRICES)
        known = all(price in PRICES for _, _, price in items)
        what = ", ".join(words for words, _, _ in items)
        value = f"{month(hourly)} (${hourly:.4f} an hour)" if known else _UNKNOWN_SIZE
        name = side.name(resource)
        yield Fact(
            topic="cost",
            key=("cost", resource.key, value, what),
            subject=("cost", resource.key),
            text=f"{name[:1].upper()}{name[1:]}: {value} for {what}.",
            about=(resource.key,),
            detail="; ".join(sorted({PRICES[price].page for _, _, price in items if price in PRICES})),
            amount=hourly,
            value=value,
            helper=is_helper(resource),
        )


def _items(side: Side, resource: Resource) -> Iterator[Item]:  # noqa: PLR0912, PLR0915  (one case per type)
    properties = resource.properties
    match resource.type:
        case "AWS::ElasticLoadBalancingV2::LoadBalancer":
            yield "a load balancer", 1, "nlb" if properties.get("Type") == "network" else "alb"
            subnets = len(as_list(properties.get("Subnets"))) or len(as_list(properties.get("SubnetMappings")))
            if properties.get("Scheme") == "internet-facing":
                yield f"{subnets} public IPv4 addresses", subnets, "ipv4"
        case "AWS::ECS::Service":
            yield from _fargate(side, resource)
        case "AWS::EC2::Instance":
            yield from _server(side, resource)
        case "AWS::EC2::EIP":
            yield "a public IPv4 address", 1, "ipv4"
        case "AWS::EC2::NatGateway":
            yield "a NAT gateway", 1, "nat"
        case "AWS::EC2::VPCEndpoint" if properties.get("VpcEndpointType") == "Interface":
            zones = max(1, len(as_list(properties.get("SubnetIds"))))
            yield f"an interface endpoint in {zones} zone{'s' * (zones > 1)}", zones, "interface-endpoint"
        case "AWS::SecretsManager::Secret":
            yield "a secret", 1, "secret"
        case "AWS::KMS::Key":
            yield "a key", 1, "kms-key"
        case "AWS::Route53::HostedZone":
            yield "a hosted zone", 1, "hosted-zone"
        case "AWS::ServiceDiscovery::PrivateDnsNamespace":
            yield "the hosted zone behind it", 1, "hosted-zone"
        case "AWS::CloudWatch::Alarm":
            yield "an alarm (the first ten of an account are free)", 1, "alarm"
        case "AWS::CloudWatch::Dashboard":
            yield "a dashboard (the first three of an account are free)", 1, "dashboard"
        case "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable":
            yield from _capacity(properties)
        case "AWS::RDS::DBInstance":
            yield from _database(properties)
        case "AWS::RDS::DBProxy":
            yield "2 vCPU, the least a proxy bills", 2, "rds-proxy-vcpu"
        case "AWS::ElastiCache::ReplicationGroup" | "AWS::ElastiCache::CacheCluster":
            size, engine = text(properties.get("CacheNodeType")), text(properties.get("Engine", "redis"))
            nodes = number_of(properties.get("NumCacheClusters") or properties.get("NumCacheNodes"), 1)
            yield f"{nodes} node{'s' * (nodes > 1)} {size}", nodes, f"cache-{engine}-{size}"
        case "AWS::Kinesis::Stream":
            shards = number_of(properties.get("ShardCount"), 0)
            if shards:
                yield f"{shards} shard{'s' * (shards > 1)}", shards, "kinesis-shard"
            else:
                yield "an on-demand stream", 1, "kinesis-on-demand"
        case "AWS::OpenSearchService::Domain":
            cluster = properties.get("ClusterConfig") or {}
            number, size = number_of(cluster.get("InstanceCount"), 1), text(cluster.get("InstanceType"))
            yield f"{number} node{'s' * (number > 1)} {size}", number, f"search-{size}"
            gigabytes = number_of((properties.get("EBSOptions") or {}).get("VolumeSize"), 0)
            if gigabytes:
                yield f"{gigabytes * number} GB of disk", gigabytes * number, "gp3-gb"
        case "AWS::WAFv2::WebACL":
            rules = len(as_list(properties.get("Rules")))
            yield "a web ACL", 1, "waf-acl"
            yield f"{rules} rules", rules, "waf-rule"
        case "AWS::CodePipeline::Pipeline" if properties.get("PipelineType", "V1") == "V1":
            yield "a pipeline", 1, "pipeline-v1"


def number_of(value: Any, default: int) -> int:
    """A number of the template; the default when it is missing or only known at deployment."""
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else default


def _fargate(side: Side, service: Resource) -> Iterator[Item]:
    properties = service.properties
    providers = as_list(properties.get("CapacityProviderStrategy"))
    on_fargate = any("FARGATE" in text(one) for one in providers)
    if properties.get("LaunchType") != "FARGATE" and not on_fargate:
        return
    definition = side.target(service.stack, properties.get("TaskDefinition"))
    if definition is None:
        return
    task = definition.properties
    number = number_of(properties.get("DesiredCount"), _least(side, service))
    arm = (task.get("RuntimePlatform") or {}).get("CpuArchitecture") == "ARM64"
    family = "fargate-arm" if arm else "fargate-x86"
    cpus, gigabytes = number_of(task.get("Cpu"), 256) / 1024, number_of(task.get("Memory"), 512) / 1024
    tasks = f"{number} task{'s' * (number != 1)}"
    yield f"{tasks} of {cpus:g} vCPU ({'Arm' if arm else 'x86'})", number * cpus, f"{family}-vcpu"
    yield f"{gigabytes:g} GB of memory each", number * gigabytes, f"{family}-gb"
    network = (properties.get("NetworkConfiguration") or {}).get("AwsvpcConfiguration") or {}
    if network.get("AssignPublicIp") == "ENABLED":
        yield "a public IPv4 address each", number, "ipv4"


def _least(side: Side, service: Resource) -> int:
    """The tasks of a service without a number of its own: the least of its scaling, else one."""
    for target in side.deployment.of_type("AWS::ApplicationAutoScaling::ScalableTarget"):
        if service in side.targets(target.stack, target.properties.get("ResourceId")):
            return number_of(target.properties.get("MinCapacity"), 1)
    return 1


def _server(side: Side, server: Resource) -> Iterator[Item]:
    templates = side.targets(server.stack, server.properties.get("LaunchTemplate"))
    data: dict[str, Any] = {}
    for template in templates:
        data.update(template.properties.get("LaunchTemplateData") or {})
    data.update(server.properties)
    size = text(data.get("InstanceType"))
    yield size, 1, f"ec2-{size}"
    for device in as_list(data.get("BlockDeviceMappings")):
        gigabytes = number_of((device.get("Ebs") or {}).get("VolumeSize"), 0)
        if gigabytes:
            yield f"{gigabytes} GB of disk", gigabytes, "gp3-gb"
    subnet = side.target(server.stack, data.get("SubnetId"))
    interfaces = as_list(data.get("NetworkInterfaces"))
    public = any(one.get("AssociatePublicIpAddress") is True for one in interfaces)
    if public or (subnet is not None and subnet.properties.get("MapPublicIpOnLaunch") is True):
        yield "a public IPv4 address", 1, "ipv4"


def _capacity(properties: dict[str, Any]) -> Iterator[Item]:
    if properties.get("BillingMode", "PROVISIONED") == "PAY_PER_REQUEST":
        return
    units = properties.get("ProvisionedThroughput") or {}
    reads, writes = number_of(units.get("ReadCapacityUnits"), 0), number_of(units.get("WriteCapacityUnits"), 0)
    write_scaling = properties.get("WriteProvisionedThroughputSettings") or {}
    writes = writes or number_of((write_scaling.get("WriteCapacityAutoScalingSettings") or {}).get("MinCapacity"), 0)
    for replica in as_list(properties.get("Replicas"))[:1]:
        read_scaling = replica.get("ReadProvisionedThroughputSettings") or {}
        settings = read_scaling.get("ReadCapacityAutoScalingSettings") or {}
        reads = reads or number_of(settings.get("MinCapacity") or read_scaling.get("ReadCapacityUnits"), 0)
    tables = 1 + len(as_list(properties.get("GlobalSecondaryIndexes")))
    where = f" in the table and its {tables - 1} indexes" if tables > 1 else ""
    if reads:
        yield f"at least {reads * tables} read units{where}", reads * tables, "read-unit"
    if writes:
        yield f"at least {writes * tables} write units{where}", writes * tables, "write-unit"


def _database(properties: dict[str, Any]) -> Iterator[Item]:
    size = text(properties.get("DBInstanceClass"))
    zones = 2 if properties.get("MultiAZ") is True else 1
    yield f"{size}{' in two zones' if zones == 2 else ''}", zones, f"rds-{size}"
    gigabytes = number_of(properties.get("AllocatedStorage"), 0)
    if gigabytes:
        yield f"{gigabytes} GB of storage", gigabytes * zones, "rds-gp3-gb"
