"""One side with its names and references resolved: what every fact is read from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from brewhaven.diff.model import Deployment, Key, Resource
from brewhaven.diff.names import Names, is_helper, join_words
from brewhaven.diff.values import as_list, references, text

_ROLE_PROPERTIES = {
    "AWS::Lambda::Function": "Role",
    "AWS::StepFunctions::StateMachine": "RoleArn",
    "AWS::KinesisFirehose::DeliveryStream": "RoleARN",
    "AWS::Scheduler::Schedule": "Target",
    "AWS::Events::Rule": "Targets",
    "AWS::CodeBuild::Project": "ServiceRole",
    "AWS::CodePipeline::Pipeline": "RoleArn",
    "AWS::Pipes::Pipe": "RoleArn",
    "AWS::RDS::DBProxy": "RoleArn",
}


class Side:
    """One side of a comparison, ready to be asked."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.names = Names(deployment)

    def name(self, resource: Resource) -> str:
        return self.names.of(resource)

    def say(self, stack: str, value: Any) -> str:
        """A value of a stack on one line, with references said by name."""
        return text(value, self.names.reference(stack))

    def targets(self, stack: str, value: Any) -> list[Resource]:
        """The resources that a value refers to, in this stack or, through an output, in another; each once."""
        found: dict[Key, Resource] = {}
        for resource in self._targets(stack, value, depth=3):
            found.setdefault(resource.key, resource)
        return list(found.values())

    def target(self, stack: str, value: Any) -> Resource | None:
        return next(iter(self.targets(stack, value)), None)

    def _targets(self, stack: str, value: Any, depth: int) -> Iterator[Resource]:
        for logical_id, _ in references(value):
            resource = self.deployment.get((stack, logical_id))
            if resource:
                yield resource
        if depth:
            for other, output in self._cross_stack(value):
                yield from self._targets(other, output, depth - 1)

    def _cross_stack(self, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, list):
            for inner in value:
                yield from self._cross_stack(inner)
        elif isinstance(value, dict):
            for name, inner in value.items():
                if name == "Fn::GetStackOutput" and isinstance(inner, dict):
                    yield from self._output(str(inner.get("StackName")), str(inner.get("OutputName")))
                elif name == "Fn::ImportValue":
                    yield from self._exports.get(text(inner), [])
                else:
                    yield from self._cross_stack(inner)

    def _output(self, stack: str, name: str) -> Iterator[tuple[str, Any]]:
        found = self.deployment.stacks.get(stack)
        if found and name in found.outputs:
            yield stack, found.outputs[name].get("Value")

    @cached_property
    def _exports(self) -> dict[str, list[tuple[str, Any]]]:
        found: dict[str, list[tuple[str, Any]]] = {}
        for stack in self.deployment.stacks.values():
            for output in stack.outputs.values():
                if isinstance(output, dict) and "Export" in output:
                    found.setdefault(text(output["Export"].get("Name")), []).append((stack.name, output.get("Value")))
        return found

    @cached_property
    def _bearers(self) -> dict[Key, list[tuple[Resource, str]]]:
        """Who works with a role: the resource, and a sentence's subject."""
        found: dict[Key, list[tuple[Resource, str]]] = {}

        def add(holder: Resource, value: Any, words: str) -> None:
            for role in self.targets(holder.stack, value):
                if role.type == "AWS::IAM::Role":
                    found.setdefault(role.key, []).append((holder, words))

        for resource in self.deployment:
            if resource.type in _ROLE_PROPERTIES:
                add(resource, resource.properties.get(_ROLE_PROPERTIES[resource.type]), self.name(resource))
            elif resource.type == "AWS::ECS::TaskDefinition":
                name = self.name(resource)
                add(resource, resource.properties.get("TaskRoleArn"), name)
                add(resource, resource.properties.get("ExecutionRoleArn"), f"ECS, to start {name},")
        for server, role in self._servers():
            found.setdefault(role.key, []).append((server, self.name(server)))
        return found

    def _servers(self) -> Iterator[tuple[Resource, Resource]]:
        """Each server with its role, through instance profiles and launch templates."""
        for server in self.deployment.of_type("AWS::EC2::Instance", "AWS::AutoScaling::AutoScalingGroup"):
            templates = self.targets(server.stack, server.properties.get("LaunchTemplate"))
            for resource in (server, *templates):
                for profile in self.targets(resource.stack, profile_of(resource)):
                    if profile.type == "AWS::IAM::InstanceProfile":
                        for role in self.targets(profile.stack, profile.properties.get("Roles")):
                            yield server, role

    def bearers(self, role: Resource) -> list[Resource]:
        """The functions, tasks and servers that work with a role."""
        return [holder for holder, _ in self._bearers.get(role.key, [])]

    def principal(self, identity: Resource) -> str:
        """The subject of a sentence about what a role, user or group may do."""
        if identity.type == "AWS::IAM::User":
            return f"the user {self.names.bare(identity)}"
        if identity.type == "AWS::IAM::Group":
            return f"members of the group {self.names.bare(identity)}"
        found = list(dict.fromkeys(words for _, words in self._bearers.get(identity.key, [])))
        if found:
            return join_words(found)
        if is_helper(identity):
            return f"the CDK's helper {identity.component}"
        return f"whoever takes the role {self.names.bare(identity)}"


def profile_of(resource: Resource) -> Any:
    """Where an instance or a launch template names its instance profile."""
    data = resource.properties.get("LaunchTemplateData") or {}
    return [resource.properties.get("IamInstanceProfile"), data.get("IamInstanceProfile")]


def environment_of(resource: Resource) -> dict[str, Any]:
    """The environment variables that a function or a task definition gives to its code, by name."""
    if resource.type == "AWS::Lambda::Function":
        variables = (resource.properties.get("Environment") or {}).get("Variables") or {}
        return dict(variables)
    found: dict[str, Any] = {}
    if resource.type == "AWS::ECS::TaskDefinition":
        for container in as_list(resource.properties.get("ContainerDefinitions")):
            for pair in as_list(container.get("Environment")):
                found[str(pair.get("Name"))] = pair.get("Value")
            for pair in as_list(container.get("Secrets")):
                found[str(pair.get("Name"))] = pair.get("ValueFrom")
    return found
