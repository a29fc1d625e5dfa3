"""What runs in a deployment, where it runs, and what it calls: read from its role, its variables and its definition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from brewhaven.diff.facts.network import Network
from brewhaven.diff.facts.settings import user_data
from brewhaven.diff.facts.side import Side, environment_of, profile_of
from brewhaven.diff.facts.statements import Permission, Target, permissions
from brewhaven.diff.model import Key, Resource
from brewhaven.diff.values import as_list, text
from brewhaven.reach.destinations import Destinations
from brewhaven.reach.paths import INTERNET
from brewhaven.reach.services import service_of
from brewhaven.reach.template_network import default_group, identity
from brewhaven.reach.topology import Place, Topology

_OWN_LOG = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
_OWN_INTERFACE = ("ec2:*NetworkInterface*", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
                  "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcs")  # fmt: skip
_POLLED = (
    "sqs:ReceiveMessage", "sqs:DeleteMessage*", "sqs:ChangeMessageVisibility*", "sqs:GetQueue*",
    "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams",
    "kinesis:Get*", "kinesis:Describe*", "kinesis:List*", "kinesis:SubscribeToShard",
)  # fmt: skip
_DELIVERED = ("sqs:SendMessage*", "sqs:GetQueue*", "sns:Publish", "lambda:Invoke*", "events:PutEvents", "s3:PutObject*")
_MANAGED = {
    "AmazonSSMManagedInstanceCore": ("ssm", "ssmmessages", "ec2messages"),
    "CloudWatchAgentServerPolicy": ("monitoring", "logs", "ssm"),
    "AmazonDynamoDB*": ("dynamodb",),
    "AmazonS3*": ("s3",),
    "AmazonSNS*": ("sns",),
    "AmazonSQS*": ("sqs",),
    "AmazonRekognition*": ("rekognition",),
    "SecretsManagerReadWrite": ("secretsmanager",),
}
"""Managed policies by which a program calls services, and which. What AWS itself does by others needs no path."""

_LAYER_BUCKET = "arn:aws:s3:::prod-<region>-starport-layer-bucket/*"
_LAYERS = Target(_LAYER_BUCKET, "the layers of images", "", None, _LAYER_BUCKET, _LAYER_BUCKET)
"""Amazon's own bucket, from which every image of ECR is pulled."""


@dataclass(frozen=True)
class Need:
    """A service that something calls.

    Attributes:
        service: As endpoints are named.
        because: In words: the actions that its role names, or what it is needed for.
        asks: Actions and what they are for, which an endpoint's policy must admit.
    """

    service: str
    because: str
    asks: tuple[tuple[str, Target], ...] = ()


@dataclass(frozen=True)
class Workload:
    """Something that runs.

    Attributes:
        resource: A function, a service of ECS or an instance.
        name: `the OrderWorker function`.
        inside: It runs in a VPC.
        places: Where in it; none where its subnets are only known at deployment.
        needs: What it calls, a service only once.
        given: Databases and caches that it is told of: keys of their resources.
    """

    resource: Resource
    name: str
    inside: bool
    places: tuple[Place, ...]
    needs: tuple[Need, ...]
    given: tuple[Key, ...]


class Workloads:
    """Everything that runs in a side."""

    def __init__(self, side: Side, network: Network, topology: Topology, destinations: Destinations) -> None:
        self.side = side
        self.network = network
        self.topology = topology
        self.destinations = destinations

    @cached_property
    def permissions(self) -> tuple[Permission, ...]:
        """Every permission of the side, once."""
        return tuple(permissions(self.side))

    def __iter__(self) -> Iterator[Workload]:
        deployment = self.side.deployment
        for function in deployment.of_type("AWS::Lambda::Function"):
            yield self._function(function)
        for service in deployment.of_type("AWS::ECS::Service"):
            found = self._service(service)
            if found:
                yield found
        for server in deployment.of_type("AWS::EC2::Instance"):
            yield self._server(server)

    # Functions

    def _function(self, function: Resource) -> Workload:
        vpc = function.properties.get("VpcConfig") or {}
        subnets = self._ids(function.stack, vpc.get("SubnetIds"), "AWS::EC2::Subnet")
        groups = self._ids(function.stack, vpc.get("SecurityGroupIds"), "AWS::EC2::SecurityGroup")
        roles = self._roles(function.stack, function.properties.get("Role"))
        asked = [one for one in self._allowed(roles) if not self._done_by_lambda(function, one)]
        return Workload(
            function,
            self.side.name(function),
            "SubnetIds" in vpc,
            self._places(subnets, groups, public=False),  # in a VPC a function never has a public address
            _joined([*_by_service(asked), *self._managed(roles)]),
            self._given(function, [function], roles),
        )

    def _done_by_lambda(self, function: Resource, permission: Permission) -> bool:
        """What Lambda does with the function's role from outside of its VPC: logs, traces, polling, failed events."""
        action = permission.action
        if _is_one_of(action, _OWN_LOG):
            return permission.target.key in {None, *self._log_groups(function)}
        if _is_one_of(action, _OWN_INTERFACE) or action.startswith("xray:"):
            return True
        if _is_one_of(action, _POLLED) and permission.target.key in self._sources(function):
            return True
        return _is_one_of(action, _DELIVERED) and permission.target.key in self._failure_targets(function)

    def _log_groups(self, function: Resource) -> set[Key]:
        named = (function.properties.get("LoggingConfig") or {}).get("LogGroup")
        return {target.key for target in self.side.targets(function.stack, named)}

    def _mappings(self, function: Resource) -> Iterator[Resource]:
        for mapping in self.side.deployment.of_type("AWS::Lambda::EventSourceMapping"):
            if function in self.side.targets(mapping.stack, mapping.properties.get("FunctionName")):
                yield mapping

    def _sources(self, function: Resource) -> set[Key]:
        return {
            target.key
            for mapping in self._mappings(function)
            for target in self.side.targets(mapping.stack, mapping.properties.get("EventSourceArn"))
        }

    def _failure_targets(self, function: Resource) -> set[Key]:
        """Dead-letter queue and destinations: Lambda delivers there, not the function."""
        named = [(function.stack, function.properties.get("DeadLetterConfig"))]
        named += [(one.stack, one.properties.get("DestinationConfig")) for one in self._mappings(function)]
        for configuration in self.side.deployment.of_type("AWS::Lambda::EventInvokeConfig"):
            if function in self.side.targets(configuration.stack, configuration.properties.get("FunctionName")):
                named.append((configuration.stack, configuration.properties.get("DestinationConfig")))
        return {target.key for stack, value in named for target in self.side.targets(stack, value)}

    # Tasks

    def _service(self, service: Resource) -> Workload | None:
        properties = service.properties
        awsvpc = (properties.get("NetworkConfiguration") or {}).get("AwsvpcConfiguration") or {}
        definition = self.side.target(service.stack, properties.get("TaskDefinition"))
        if definition is None or not awsvpc:
            return None  # a task on a container instance of another network mode shares the instance's network
        roles = self._roles(definition.stack, definition.properties.get("TaskRoleArn"))
        needs = [*self._to_start(definition), *_by_service(self._allowed(roles)), *self._managed(roles)]
        return Workload(
            service,
            f"each task of {self.side.name(service)}",
            True,
            self._places(
                self._ids(service.stack, awsvpc.get("Subnets"), "AWS::EC2::Subnet"),
                self._ids(service.stack, awsvpc.get("SecurityGroups"), "AWS::EC2::SecurityGroup"),
                public=awsvpc.get("AssignPublicIp") == "ENABLED",
            ),
            _joined(needs),
            self._given(service, [definition], roles),
        )

    def _to_start(self, definition: Resource) -> Iterator[Need]:
        """What ECS does through the task's own network interface before its program starts.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html
        """
        roles = self._roles(definition.stack, definition.properties.get("ExecutionRoleArn"))
        allowed = list(self._allowed(roles))
        for container in as_list(definition.properties.get("ContainerDefinitions")):
            image = self.side.say(definition.stack, container.get("Image"))
            if ".dkr.ecr." in image or self.side.targets(definition.stack, container.get("Image")):
                pulled = _asks(one for one in allowed if one.action.startswith("ecr:"))
                yield Need("ecr.api", "to pull its image", pulled)
                yield Need("ecr.dkr", "to pull its image")
                yield Need("s3", "to pull its image, whose layers are there", (("s3:GetObject", _LAYERS),))
            else:
                yield Need(INTERNET, f"to pull its image {image}")
            for secret in as_list(container.get("Secrets")):
                kind = "ssm" if self._is_parameter(definition.stack, secret.get("ValueFrom")) else "secretsmanager"
                given = _asks(one for one in allowed if service_of(one.action) == kind)
                yield Need(kind, f"to be given {text(secret.get('Name'))}", given)
            if (container.get("LogConfiguration") or {}).get("LogDriver") == "awslogs":
                written = _asks(one for one in allowed if one.action.startswith("logs:"))
                yield Need("logs", "to write its log", written)

    def _is_parameter(self, stack: str, value: Any) -> bool:
        target = self.side.target(stack, value)
        if target is not None:
            return target.type == "AWS::SSM::Parameter"
        return ":secretsmanager:" not in self.side.say(stack, value)

    # Servers

    def _server(self, server: Resource) -> Workload:
        templates = self.side.targets(server.stack, server.properties.get("LaunchTemplate"))
        holders = [server, *(one for one in templates if one.type == "AWS::EC2::LaunchTemplate")]
        roles = [
            role
            for holder in holders
            for profile in self.side.targets(holder.stack, profile_of(holder))
            if profile.type == "AWS::IAM::InstanceProfile"
            for role in self._roles(profile.stack, profile.properties.get("Roles"))
        ]
        interfaces = [
            interface
            for holder in holders
            for data in (holder.properties, holder.properties.get("LaunchTemplateData") or {})
            for interface in as_list(data.get("NetworkInterfaces"))
        ]
        subnets = self._ids(server.stack, server.properties.get("SubnetId"), "AWS::EC2::Subnet") or self._ids(
            server.stack, [one.get("SubnetId") for one in interfaces], "AWS::EC2::Subnet"
        )
        groups = tuple(key for key, members in self.network.members.items() if server in members)
        asked = next(
            (one["AssociatePublicIpAddress"] for one in interfaces if one.get("AssociatePublicIpAddress") is not None),
            None,
        )
        public = asked if isinstance(asked, bool) else self._gives_addresses(subnets) or self._has_address(server)
        return Workload(
            server,
            self.side.name(server),
            True,
            self._places(subnets, tuple("/".join(key) for key in groups), public=public),
            _joined([*_by_service(self._allowed(roles)), *self._managed(roles)]),
            self._given(server, holders, roles),
        )

    def _gives_addresses(self, subnets: Iterable[str]) -> bool:
        return any(
            subnet.properties.get("MapPublicIpOnLaunch") is True
            for subnet in self.side.deployment.of_type("AWS::EC2::Subnet")
            if identity(subnet) in subnets
        )

    def _has_address(self, server: Resource) -> bool:
        return any(
            server in self.side.targets(address.stack, address.properties.get("InstanceId"))
            for address in self.side.deployment.of_type("AWS::EC2::EIP", "AWS::EC2::EIPAssociation")
        )

    # What all have in common

    def _ids(self, stack: str, value: Any, type_: str) -> tuple[str, ...]:
        return tuple(identity(one) for one in self.side.targets(stack, value) if one.type == type_)

    def _roles(self, stack: str, value: Any) -> list[Resource]:
        return [one for one in self.side.targets(stack, value) if one.type == "AWS::IAM::Role"]

    def _places(self, subnets: Iterable[str], groups: tuple[str, ...], *, public: bool) -> tuple[Place, ...]:
        known = [self.topology.subnets[id_] for id_ in subnets if id_ in self.topology.subnets]
        return tuple(Place(one.id, groups or (default_group(one.vpc),), public) for one in known)

    def _allowed(self, roles: list[Resource]) -> Iterator[Permission]:
        keys = {role.key for role in roles}
        for permission in self.permissions:
            is_theirs = permission.principal in keys and permission.scope == "identity"
            if is_theirs and permission.effect == "Allow" and not self._asked_by_a_service(permission):
                yield permission

    def _asked_by_a_service(self, permission: Permission) -> bool:
        """A key is used by the service whose data it encrypts, in the caller's name: the caller does not call KMS."""
        if not permission.action.startswith("kms:"):
            return False
        if "kms:ViaService" in permission.condition:
            return True
        return permission.target.key in self._keys_of_services

    @cached_property
    def _keys_of_services(self) -> frozenset[Key]:
        found = {
            target.key
            for resource in self.side.deployment
            if not resource.type.startswith(("AWS::IAM::", "AWS::KMS::", "AWS::Lambda::"))
            for name, value in resource.properties.items()
            if "Key" in name or "Encryption" in name or name.startswith("SSE")
            for target in self.side.targets(resource.stack, value)
            if target.type == "AWS::KMS::Key"
        }
        return frozenset(found)

    def _managed(self, roles: list[Resource]) -> Iterator[Need]:
        for role in roles:
            for value in as_list(role.properties.get("ManagedPolicyArns")):
                name = self.side.say(role.stack, value).rpartition("/")[2]
                for pattern, services in _MANAGED.items():
                    if fnmatchcase(name, pattern):
                        yield from (Need(service, f"by the AWS managed policy {name}") for service in services)

    def _given(self, workload: Resource, holders: list[Resource], roles: list[Resource]) -> tuple[Key, ...]:
        values = [(one.stack, value) for one in holders for value in environment_of(one).values()]
        values += [(one.stack, user_data(one)) for one in holders]
        return self.destinations.told(values, list(self._allowed(roles)))


def _is_one_of(action: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in patterns)


def _by_service(asked: Iterable[Permission]) -> tuple[Need, ...]:
    found: dict[str, list[Permission]] = {}
    for permission in asked:
        service = service_of(permission.action)
        if service:
            found.setdefault(service, []).append(permission)
    needs = []
    for service, listed in found.items():
        actions = list(dict.fromkeys(permission.action for permission in listed))
        more = f" and {len(actions) - 2} more actions" if len(actions) > 3 else ""
        shown = ", ".join(actions[:2] if more else actions)
        needs.append(Need(service, f"with {shown}{more}", _asks(listed)))
    return tuple(needs)


def _asks(listed: Iterable[Permission]) -> tuple[tuple[str, Target], ...]:
    return tuple((permission.action, permission.target) for permission in listed)


def _joined(needs: Iterable[Need]) -> tuple[Need, ...]:
    """A service that is needed for several reasons is one need."""
    found: dict[str, list[Need]] = {}
    for need in needs:
        found.setdefault(need.service, []).append(need)
    return tuple(
        Need(
            service,
            ", ".join(dict.fromkeys(one.because for one in listed)),
            tuple(asked for one in listed for asked in one.asks),
        )
        for service, listed in found.items()
    )
