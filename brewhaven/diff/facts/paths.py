"""Which component talks to which, known from permissions, variables, events, security groups and load balancers."""

from __future__ import annotations

from collections.abc import Iterator

from brewhaven.diff.facts import verbs
from brewhaven.diff.facts.network import EVERYWHERE, Network
from brewhaven.diff.facts.settings import user_data
from brewhaven.diff.facts.side import Side, environment_of
from brewhaven.diff.facts.statements import permissions
from brewhaven.diff.model import Edge, Fact, Key, Resource
from brewhaven.diff.names import is_helper, sentence
from brewhaven.diff.values import as_list

INTERNET = "the internet"

_TRIGGERS = {
    "AWS::Lambda::EventSourceMapping": ("EventSourceArn", "FunctionName", "feeds its records"),
    "AWS::SNS::Subscription": ("TopicArn", "Endpoint", "delivers its messages"),
    "AWS::Pipes::Pipe": ("Source", "Target", "feeds its records"),
}


class Paths:
    """Data paths of one side, gathered as (source resource, target resource, way)."""

    def __init__(self, side: Side, network: Network) -> None:
        self.side = side
        self.network = network
        self._found: dict[tuple[str, str], dict[str, tuple[Key, ...]]] = {}
        for source, target, way, about in self._all():
            if source == target or not (source and target):
                continue
            self._found.setdefault((source, target), {}).setdefault(way, about)

    @property
    def edges(self) -> tuple[Edge, ...]:
        return tuple(Edge(source, target, tuple(ways)) for (source, target), ways in self._found.items())

    def facts(self) -> Iterator[Fact]:
        """One fact for each pair of components; its value is the ways, so that a new way reads as a change."""
        for (source, target), ways in self._found.items():
            about = tuple(dict.fromkeys(key for keys in ways.values() for key in keys))
            yield Fact(
                topic="data path",
                key=(source, target, tuple(sorted(ways))),
                subject=(source, target),
                text=sentence(f"{source} talks to {target}: {'; '.join(ways)}"),
                about=about,
                value="; ".join(ways),
            )

    def _all(self) -> Iterator[tuple[str, str, str, tuple[Key, ...]]]:
        yield from self._by_permission()
        yield from self._by_variable()
        yield from self._by_event()
        yield from self._by_network()

    def _by_permission(self) -> Iterator[tuple[str, str, str, tuple[Key, ...]]]:
        actions: dict[tuple[str, str], set[str]] = {}
        about: dict[tuple[str, str], list[Key]] = {}
        for permission in permissions(self.side):
            role = self.side.deployment.get(permission.principal) if permission.principal else None
            target = self.side.deployment.get(permission.target.key) if permission.target.key else None
            if permission.effect != "Allow" or permission.scope != "identity" or role is None or target is None:
                continue
            for source in self.side.bearers(role) or [role]:
                if not (is_helper(source) or is_helper(target)):
                    pair = source.component, target.component
                    actions.setdefault(pair, set()).add(permission.action)
                    about.setdefault(pair, []).extend([source.key, target.key, role.key])
        for (source_name, target_name), found in actions.items():
            words = verbs.summary(found)
            if words:
                yield source_name, target_name, f"may {words}", tuple(about[source_name, target_name])

    def _by_variable(self) -> Iterator[tuple[str, str, str, tuple[Key, ...]]]:
        for resource in self.side.deployment:
            if is_helper(resource):
                continue
            for name, value in environment_of(resource).items():
                for target in self.side.targets(resource.stack, value):
                    yield resource.component, target.component, f"knows it as {name}", (resource.key, target.key)
            for target in self.side.targets(resource.stack, user_data(resource)):
                yield resource.component, target.component, "knows it by its start script", (resource.key, target.key)

    def _by_event(self) -> Iterator[tuple[str, str, str, tuple[Key, ...]]]:
        side = self.side
        for type_, (source_name, target_name, way) in _TRIGGERS.items():
            for resource in side.deployment.of_type(type_):
                source = side.target(resource.stack, resource.properties.get(source_name))
                target = side.target(resource.stack, resource.properties.get(target_name))
                if source and target:
                    yield source.component, target.component, way, (resource.key, source.key, target.key)
        for rule in side.deployment.of_type("AWS::Events::Rule", "AWS::Scheduler::Schedule"):
            listed = as_list(rule.properties.get("Targets")) + as_list(rule.properties.get("Target"))
            for entry in listed:
                target = side.target(rule.stack, entry.get("Arn"))
                if target:
                    yield rule.component, target.component, "sends events", (rule.key, target.key)
        for permission in side.deployment.of_type("AWS::Lambda::Permission"):
            source = side.target(permission.stack, permission.properties.get("SourceArn"))
            target = side.target(permission.stack, permission.properties.get("FunctionName"))
            if source and target and not is_helper(target):
                yield source.component, target.component, "invokes it", (permission.key, source.key, target.key)

    def _by_network(self) -> Iterator[tuple[str, str, str, tuple[Key, ...]]]:
        for rule in self.network.rules:
            inside = self.network.members.get(rule.group.key, [])
            if rule.ingress and rule.peer is not None:
                for source in self.network.members.get(rule.peer.key, []):
                    for target in inside:
                        yield source.component, target.component, f"reaches it on {rule.ports}", (rule.about,)
            elif rule.ingress and rule.peer is None:
                for target in inside:
                    way = rule.ports if rule.where in EVERYWHERE else f"{rule.ports}, only from {rule.where}"
                    yield INTERNET, target.component, f"may reach it on {way}", (rule.about, target.key)
        yield from self._by_balancer()

    def _by_balancer(self) -> Iterator[tuple[str, str, str, tuple[Key, ...]]]:
        side = self.side
        for listener in side.deployment.of_type(
            "AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::ListenerRule"
        ):
            actions = listener.properties.get("DefaultActions") or listener.properties.get("Actions")
            for group in side.targets(listener.stack, actions):
                for service in self._behind(group):
                    yield listener.component, service.component, "forwards requests", (listener.key, group.key)

    def _behind(self, group: Resource) -> list[Resource]:
        return [
            service
            for service in self.side.deployment.of_type("AWS::ECS::Service")
            if group in self.side.targets(service.stack, service.properties.get("LoadBalancers"))
        ]
