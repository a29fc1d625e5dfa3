"""Databases and caches of a deployment: where they listen, and who is told of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from brewhaven.diff.facts.side import Side
from brewhaven.diff.facts.statements import Permission
from brewhaven.diff.model import Key, Resource
from brewhaven.reach.template_network import default_group, identity
from brewhaven.reach.topology import Destination, Topology

_PORTS = {
    "postgres": 5432,
    "postgresql": 5432,
    "aurora-postgresql": 5432,
    "mysql": 3306,
    "mariadb": 3306,
    "aurora-mysql": 3306,
}
_CACHE_PORT = 6379
_GROUPS = ("VPCSecurityGroups", "VpcSecurityGroupIds", "SecurityGroupIds", "VpcSecurityGroups")
_SUBNETS = ("DBSubnetGroupName", "CacheSubnetGroupName", "SubnetIds", "VpcSubnetIds")
_SECRETS = ("MasterUserPassword", "MasterUsername", "AuthToken", "UserGroupIds", "UserGroupId", "Auth")
_TYPES = (
    "AWS::RDS::DBInstance", "AWS::RDS::DBCluster", "AWS::RDS::DBProxy", "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ServerlessCache",
)  # fmt: skip
_MOST_STEPS = 4
"""From a parameter over an output of another stack to a secret, and from there to the database that it is for."""


class Destinations:
    """Every database and cache of a side."""

    def __init__(self, side: Side, topology: Topology) -> None:
        self.side = side
        self.topology = topology

    @cached_property
    def resources(self) -> dict[Key, Resource]:
        return {one.key: one for one in self.side.deployment.of_type(*_TYPES)}

    def listening(self, key: Key) -> Destination:
        """Where one listens."""
        resource = self.resources[key]
        properties = resource.properties
        subnets = self._subnets(resource)
        groups = tuple(
            identity(one)
            for name in _GROUPS
            for one in self.side.targets(resource.stack, properties.get(name))
            if one.type == "AWS::EC2::SecurityGroup"
        )
        if not groups and subnets and subnets[0] in self.topology.subnets:
            groups = (default_group(self.topology.subnets[subnets[0]].vpc),)
        return Destination(
            self.side.name(resource),
            subnets,
            groups,
            self._port(resource),
            public=properties.get("PubliclyAccessible") is True,
        )

    def _subnets(self, resource: Resource) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for name in _SUBNETS:
            for target in self.side.targets(resource.stack, resource.properties.get(name)):
                inner = [target]
                if target.type in {"AWS::RDS::DBSubnetGroup", "AWS::ElastiCache::SubnetGroup"}:
                    inner = self.side.targets(target.stack, target.properties.get("SubnetIds"))
                found.update({identity(one): None for one in inner if one.type == "AWS::EC2::Subnet"})
        return tuple(found)

    def _port(self, resource: Resource) -> int:
        written = resource.properties.get("Port")
        if written is not None and str(written).isdecimal():
            return int(written)
        if resource.type.startswith("AWS::ElastiCache::"):
            return _CACHE_PORT
        engine = resource.properties.get("Engine") or resource.properties.get("EngineFamily")
        return _PORTS[str(engine).lower()] if str(engine).lower() in _PORTS else _PORTS["postgres"]

    def told(self, values: list[tuple[str, Any]], allowed: list[Permission]) -> tuple[Key, ...]:
        """The databases that a program learns of: by its variables, by parameters and secrets that it may read."""
        found: dict[Key, None] = {}
        for stack, value in values:
            found.update(dict.fromkeys(self._meant(stack, value, _MOST_STEPS)))
        for permission in allowed:
            if permission.action in {"secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters"}:
                for resource in self._read(permission):
                    found.update(dict.fromkeys(self._told_by(resource, _MOST_STEPS)))
        return tuple(found)

    def _read(self, permission: Permission) -> Iterator[Resource]:
        """The parameter or secret that a permission is for, also where a policy names a parameter by its path."""
        if permission.target.key:
            found = self.side.deployment.get(permission.target.key)
            if found:
                yield found
            return
        _, _, path = permission.target.exact.partition(":parameter/")
        for parameter in self.side.deployment.of_type("AWS::SSM::Parameter"):
            name = self.side.say(parameter.stack, parameter.properties.get("Name"))
            if path and name.lstrip("/") == path:
                yield parameter

    def _meant(self, stack: str, value: Any, steps: int) -> Iterator[Key]:
        for target in self.side.targets(stack, value):
            yield from self._told_by(target, steps)

    def _told_by(self, resource: Resource, steps: int) -> Iterator[Key]:
        if resource.key in self.resources:
            yield resource.key
        elif resource.type == "AWS::SSM::Parameter" and steps:
            yield from self._meant(resource.stack, resource.properties.get("Value"), steps - 1)
        elif resource.type == "AWS::SecretsManager::Secret":
            yield from self._by_secret.get(resource.key, ())
        elif resource.type == "AWS::SecretsManager::SecretTargetAttachment":
            yield from self._meant(resource.stack, resource.properties.get("TargetId"), 0)

    @cached_property
    def _by_secret(self) -> dict[Key, list[Key]]:
        """The databases that each secret opens: it is attached to them, or they take a password from it."""
        found: dict[Key, list[Key]] = {}
        for attachment in self.side.deployment.of_type("AWS::SecretsManager::SecretTargetAttachment"):
            for secret in self.side.targets(attachment.stack, attachment.properties.get("SecretId")):
                for target in self.side.targets(attachment.stack, attachment.properties.get("TargetId")):
                    if target.key in self.resources:
                        found.setdefault(secret.key, []).append(target.key)
        for key, resource in self.resources.items():
            for secret in self._secrets(resource):
                found.setdefault(secret.key, []).append(key)
        return found

    def _secrets(self, resource: Resource) -> Iterator[Resource]:
        """Secrets in whose words a database opens: named by itself, or by the users of its user group."""
        for name in _SECRETS:
            for target in self.side.targets(resource.stack, resource.properties.get(name)):
                if target.type == "AWS::SecretsManager::Secret":
                    yield target
                elif target.type == "AWS::ElastiCache::UserGroup":
                    for user in self.side.targets(target.stack, target.properties.get("UserIds")):
                        yield from self._secrets_of_user(user)

    def _secrets_of_user(self, user: Resource) -> Iterator[Resource]:
        written = [user.properties.get("Passwords"), user.properties.get("AuthenticationMode")]
        for target in self.side.targets(user.stack, written):
            if target.type == "AWS::SecretsManager::Secret":
                yield target
