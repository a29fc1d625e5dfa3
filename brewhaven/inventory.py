"""Look for everything of the course that still exists in an account, without relying on tags.

A thing is the course's when its physical id was recorded while its stack existed (see :mod:`brewhaven.stacks`), or when
its name is one that only the course gives: names that CloudFormation derives from the stack's name, and the
``brew-haven`` of namespaces and parameter paths. So a stack that was deleted by hand, a log group that a function made
after its stack was gone, and a bucket that was retained are all found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from brewhaven.target import Target

Client = Callable[[str], Any]


@dataclass(frozen=True)
class Item:
    """One thing in the account: what it is, its id, and any further name by which it can be recognised."""

    kind: str
    id: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """What was found of the course.

    Attributes:
        unseen: Kinds of things that could not be looked at, with the reason.
        absent: Kinds of things that this cloud does not know, so that none can be there.
    """

    items: tuple[Item, ...]
    unseen: dict[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not self.items and not self.unseen


class Ownership:
    """Tells whether a thing is the course's.

    Args:
        stack_ids: The stacks whose things are meant, with a student's prefix if there is one.
        recorded_ids: Physical ids that these stacks had.
        whole_course: All phases are meant: then what carries the course's name without a stack's counts too.
        students: Prefixes of other students, whose names are not ours.
    """

    def __init__(
        self,
        stack_ids: Iterable[str],
        recorded_ids: Iterable[str],
        *,
        student: str | None = None,
        whole_course: bool = True,
        students: Iterable[str] = (),
    ) -> None:
        self._ids = {physical_id for physical_id in recorded_ids if not _is_generic(physical_id)}
        prefix = f"{re.escape(student)}-?" if student else ""
        # CloudFormation shortens the stack's name in names it derives, and the CDK leaves hyphens out of some:
        # the number of the phase is what can be relied on.
        numbers = {match[1] for stack_id in stack_ids if (match := re.search(r"BrewHaven-Phase(\d+)", stack_id))}
        patterns = [rf"{prefix}brew-?haven-?phase{number}(?!\d)" for number in sorted(numbers)]
        if whole_course:
            patterns.append(rf"{prefix}brew-?haven")
        others = "|".join(re.escape(other) for other in students)
        ours = (
            rf"brew-haven/{re.escape(student)}/"
            if student
            else rf"brew-haven/(?!(?:{others})/)"
            if others
            else r"brew-haven/"
        )
        self._name = re.compile(rf"(?:^|[/:])(?:{'|'.join(patterns)})", re.IGNORECASE) if patterns else None
        self._path = re.compile(rf"^/{ours}") if whole_course else None

    def covers(self, item: Item) -> bool:
        names = (item.id, *item.names)
        if self._ids.intersection(names):
            return True
        return any(self._is_our_name(name) for name in names)

    def _is_our_name(self, name: str) -> bool:
        if name.startswith("/brew-haven/"):
            return bool(self._path and self._path.search(name))
        # An ARN's last part carries the name: arn:aws:iam::111122223333:role/BrewHaven-Phase1-...
        tail = name.split(":", 5)[-1] if name.startswith("arn:") else name
        return bool(self._name and self._name.search(tail))


def _is_generic(physical_id: str) -> bool:
    """Ids that say nothing: CloudFormation's stand-ins for attachments, or numbers."""
    return len(physical_id) < 6 or physical_id.isdigit()


def take(client: Client, ownership: Ownership) -> Findings:
    """Look everywhere; a service that cannot be asked is reported and not passed over."""
    found: list[Item] = []
    unseen: dict[str, str] = {}
    absent: list[str] = []
    for kind, look in LOOKS.items():
        try:
            found += [item for item in look(client, kind) if ownership.covers(item)]
        except ClientError as error:
            if _is_no_such_service(error):
                absent.append(kind)
            else:
                unseen[kind] = error.response["Error"].get("Message") or str(error)
        except BotoCoreError as error:
            unseen[kind] = str(error)
    return Findings(tuple(dict.fromkeys(found)), unseen, tuple(absent))


def of_target(cloud: Target, ownership: Ownership) -> Findings:
    """:func:`take` on a cloud, with one client a service."""
    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in clients:
            clients[service] = cloud.client(service)
        return clients[service]

    return take(client, ownership)


def _is_no_such_service(error: ClientError) -> bool:
    """Whether the cloud has no such API at all, so that nothing can be in it (the local cloud knows fewer than AWS)."""
    code = error.response["Error"].get("Code", "")
    return code in (
        "InvalidAction",
        "UnknownOperationException",
        "UnsupportedOperation",
        "NotImplemented",
        "UnknownService",
    )


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page.get(key, [])


def _listed(service: str, operation: str, key: str, id_: str | None, *names: str, **arguments: Any) -> Any:
    """A look that lists things in pages and takes their id (None: the thing is its own id) and names."""

    def look(client: Client, kind: str) -> Iterator[Item]:
        for thing in _pages(client(service), operation, key, **arguments):
            if id_ is None:
                yield Item(kind, thing)
            else:
                yield Item(kind, thing[id_], tuple(str(thing[name]) for name in names if thing.get(name)))

    return look


def _instances(client: Client, kind: str) -> Iterator[Item]:
    for reservation in _pages(client("ec2"), "describe_instances", "Reservations"):
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] not in ("terminated", "shutting-down"):
                yield Item(kind, instance["InstanceId"], (instance.get("VpcId", ""),))


def _policies(client: Client, kind: str) -> Iterator[Item]:
    for policy in _pages(client("iam"), "list_policies", "Policies", Scope="Local"):
        yield Item(kind, policy["Arn"], (policy["PolicyName"],))


def _services(client: Client, kind: str) -> Iterator[Item]:
    ecs = client("ecs")
    for cluster in _pages(ecs, "list_clusters", "clusterArns"):
        for arn in _pages(ecs, "list_services", "serviceArns", cluster=cluster):
            yield Item(kind, arn, (cluster, arn.rsplit("/", 1)[-1]))


def _clusters(client: Client, kind: str) -> Iterator[Item]:
    ecs = client("ecs")
    for arn in _pages(ecs, "list_clusters", "clusterArns"):
        if any(found["status"] == "ACTIVE" for found in ecs.describe_clusters(clusters=[arn])["clusters"]):
            yield Item(kind, arn, (arn.rsplit("/", 1)[-1],))


def _task_definitions(client: Client, kind: str) -> Iterator[Item]:
    """Also those that CloudFormation only deregistered: AWS keeps listing them until they are deleted."""
    for status in ("ACTIVE", "INACTIVE"):
        for arn in _pages(client("ecs"), "list_task_definitions", "taskDefinitionArns", status=status):
            yield Item(kind, arn, (arn.rsplit("/", 1)[-1],))


def bootstrap_repository(client: Client) -> str | None:
    """The repository in which the CDK keeps the images it built; None where there is none."""
    for repository in _pages(client("ecr"), "describe_repositories", "repositories"):
        if repository["repositoryName"].startswith("cdk-hnb659fds-container-assets-"):
            return str(repository["repositoryName"])
    return None


def _images(client: Client, kind: str) -> Iterator[Item]:
    """Images in the CDK's own repository: they stay when the stack goes, and cost by the gigabyte."""
    repository = bootstrap_repository(client)
    if repository:
        for image in _pages(client("ecr"), "list_images", "imageIds", repositoryName=repository):
            if image.get("imageTag"):
                yield Item(kind, image["imageTag"])


def _namespaces(client: Client, kind: str) -> Iterator[Item]:
    for namespace in _pages(client("servicediscovery"), "list_namespaces", "Namespaces"):
        yield Item(kind, namespace["Id"], (namespace["Name"],))


def _scalable_targets(client: Client, kind: str) -> Iterator[Item]:
    for service in ("ecs", "dynamodb"):
        scaling = client("application-autoscaling")
        for target in _pages(scaling, "describe_scalable_targets", "ScalableTargets", ServiceNamespace=service):
            yield Item(kind, target["ResourceId"])


def _secrets(client: Client, kind: str) -> Iterator[Item]:
    for secret in _pages(client("secretsmanager"), "list_secrets", "SecretList"):
        if not secret.get("DeletedDate"):
            yield Item(kind, secret["ARN"], (secret["Name"],))


def _db_snapshots(client: Client, kind: str) -> Iterator[Item]:
    """Those made by hand, by a deletion policy or as the last of an instance; automated ones go with it."""
    for snapshot in _pages(client("rds"), "describe_db_snapshots", "DBSnapshots", SnapshotType="manual"):
        yield Item(kind, snapshot["DBSnapshotIdentifier"], (snapshot["DBInstanceIdentifier"],))


def _automated_backups(client: Client, kind: str) -> Iterator[Item]:
    """Kept on purpose after their instance was deleted; they cost like snapshots."""
    backups = _pages(client("rds"), "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups")
    for backup in backups:
        if backup["Status"] == "retained":
            yield Item(kind, backup["DbiResourceId"], (backup["DBInstanceIdentifier"],))


def _db_groups(operation: str, key: str, id_: str) -> Any:
    """A look for groups of RDS; those that RDS itself makes are called default and belong to nobody."""

    def look(client: Client, kind: str) -> Iterator[Item]:
        for group in _pages(client("rds"), operation, key):
            if not group[id_].startswith("default"):
                yield Item(kind, group[id_], (group.get("VpcId", ""),))

    return look


def _keys(client: Client, kind: str) -> Iterator[Item]:
    kms = client("kms")
    aliases = {alias.get("TargetKeyId"): alias["AliasName"] for alias in _pages(kms, "list_aliases", "Aliases")}
    for key in _pages(kms, "list_keys", "Keys"):
        metadata = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if metadata["KeyState"] != "PendingDeletion" and metadata.get("KeyManager") != "AWS":
            yield Item(kind, key["KeyId"], (aliases.get(key["KeyId"], "").removeprefix("alias/"),))


def _in_vpc(operation: str, key: str, id_: str) -> Any:
    """A look for parts of a network: they are the course's when their network was."""

    def look(client: Client, kind: str) -> Iterator[Item]:
        for thing in _pages(client("ec2"), operation, key):
            attached = [attachment.get("VpcId", "") for attachment in thing.get("Attachments", [])]
            yield Item(
                kind,
                thing[id_],
                tuple(name for name in (thing.get("VpcId", ""), thing.get("GroupName", ""), *attached) if name),
            )

    return look


def _alarms(client: Client, kind: str) -> Iterator[Item]:
    """Metric alarms and composite ones."""
    pages = client("cloudwatch").get_paginator("describe_alarms")
    for page in pages.paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"]):
        for alarm in (*page.get("MetricAlarms", []), *page.get("CompositeAlarms", [])):
            yield Item(kind, alarm["AlarmName"])


def _stacks(client: Client, kind: str) -> Iterator[Item]:
    for stack in _pages(client("cloudformation"), "list_stacks", "StackSummaries"):
        if stack["StackStatus"] != "DELETE_COMPLETE":
            yield Item(kind, stack["StackName"])


LOOKS: dict[str, Callable[[Client, str], Iterable[Item]]] = {
    "CloudFormation stack": _stacks,
    "DynamoDB table": _listed("dynamodb", "list_tables", "TableNames", None),
    "S3 bucket": _listed("s3", "list_buckets", "Buckets", "Name"),
    "CloudWatch log group": _listed("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "CloudWatch alarm": _alarms,
    "CloudWatch dashboard": _listed("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    "IAM role": _listed("iam", "list_roles", "Roles", "RoleName"),
    "IAM policy": _policies,
    "IAM instance profile": _listed("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    "secret": _secrets,
    "parameter": _listed("ssm", "describe_parameters", "Parameters", "Name"),
    "Lambda function": _listed("lambda", "list_functions", "Functions", "FunctionName"),
    "Lambda layer": _listed("lambda", "list_layers", "Layers", "LayerName"),
    "event source mapping": _listed(
        "lambda", "list_event_source_mappings", "EventSourceMappings", "UUID", "FunctionArn", "EventSourceArn"
    ),
    "SQS queue": _listed("sqs", "list_queues", "QueueUrls", None),
    "SNS topic": _listed("sns", "list_topics", "Topics", "TopicArn"),
    "mobile push application": _listed(
        "sns", "list_platform_applications", "PlatformApplications", "PlatformApplicationArn"
    ),
    "ElastiCache replication group": _listed(
        "elasticache", "describe_replication_groups", "ReplicationGroups", "ReplicationGroupId"
    ),
    "ElastiCache user": _listed("elasticache", "describe_users", "Users", "UserId"),
    "ElastiCache user group": _listed("elasticache", "describe_user_groups", "UserGroups", "UserGroupId"),
    "ElastiCache subnet group": _listed(
        "elasticache", "describe_cache_subnet_groups", "CacheSubnetGroups", "CacheSubnetGroupName", "VpcId"
    ),
    "ElastiCache parameter group": _listed(
        "elasticache", "describe_cache_parameter_groups", "CacheParameterGroups", "CacheParameterGroupName"
    ),
    "ElastiCache snapshot": _listed(
        "elasticache", "describe_snapshots", "Snapshots", "SnapshotName", "ReplicationGroupId", "CacheClusterId"
    ),
    "ECS cluster": _clusters,
    "ECS service": _services,
    "ECS task definition": _task_definitions,
    "image in the CDK's repository": _images,
    "load balancer": _listed(
        "elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn", "LoadBalancerName", "VpcId"
    ),
    "target group": _listed(
        "elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn", "TargetGroupName", "VpcId"
    ),
    "Cloud Map namespace": _namespaces,
    "scalable target": _scalable_targets,
    "RDS instance": _listed("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier", "DbiResourceId"),
    "RDS snapshot": _db_snapshots,
    "RDS automated backup": _automated_backups,
    "RDS proxy": _listed("rds", "describe_db_proxies", "DBProxies", "DBProxyName", "DBProxyArn", "VpcId"),
    "RDS subnet group": _db_groups("describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    "RDS parameter group": _db_groups("describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"),
    "EC2 instance": _instances,
    "launch template": _listed(
        "ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId", "LaunchTemplateName"
    ),
    "EBS volume": _listed("ec2", "describe_volumes", "Volumes", "VolumeId"),
    "EBS snapshot": _listed("ec2", "describe_snapshots", "Snapshots", "SnapshotId", "VolumeId", OwnerIds=["self"]),
    "network interface": _in_vpc("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    "security group": _in_vpc("describe_security_groups", "SecurityGroups", "GroupId"),
    "subnet": _in_vpc("describe_subnets", "Subnets", "SubnetId"),
    "internet gateway": _in_vpc("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    "VPC": _in_vpc("describe_vpcs", "Vpcs", "VpcId"),
    "KMS key": _keys,
}
