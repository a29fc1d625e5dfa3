"""What a deployment's functions, tasks and servers need: by which way each is reached, or which hop is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from brewhaven.diff.facts.network import Network
from brewhaven.diff.facts.side import Side
from brewhaven.diff.model import Deployment, Key
from brewhaven.diff.names import join_words, sentence
from brewhaven.diff.sources.assembly import make_stack
from brewhaven.reach import paths, template_network
from brewhaven.reach.destinations import Destinations
from brewhaven.reach.paths import Gap, Way
from brewhaven.reach.policies import EndpointPolicy, has_policy
from brewhaven.reach.topology import Endpoint, Place
from brewhaven.reach.workloads import Need, Workload, Workloads


@dataclass(frozen=True)
class Missing:
    """A hop that is missing.

    Attributes:
        workload: Key of what does not get there.
        target: The service, or the name of the database.
        text: The sentence.
        remedy: What closes the gap.
    """

    workload: Key
    target: str
    text: str
    remedy: str


@dataclass(frozen=True)
class Reached:
    """What something reaches by one way: `secretsmanager` and `sns` through the internet gateway."""

    workload: Key
    name: str
    target: str
    through: str


@dataclass
class Survey:
    """What was looked at and what was found."""

    reached: list[Reached] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    workloads: int = 0


def survey(deployment: Deployment) -> Survey:
    """Follow every path of a deployment."""
    side = Side(deployment)
    return survey_side(side, Network(side))


def survey_templates(templates: dict[str, dict[str, Any]]) -> Survey:
    """The same for plain templates by the names of their stacks."""
    stacks = {name: make_stack(name, template) for name, template in templates.items()}
    return survey(Deployment("the templates", stacks))


def survey_side(side: Side, network: Network) -> Survey:
    """The same where a side and its network have been read already."""
    return _Surveyor(side, network).survey()


class _Surveyor:
    def __init__(self, side: Side, network: Network) -> None:
        self.side = side
        self.topology = template_network.read(side, network)
        self.destinations = Destinations(side, self.topology)
        self.workloads = Workloads(side, network, self.topology, self.destinations)
        self.found = Survey()

    def survey(self) -> Survey:
        for workload in self.workloads:
            self.found.workloads += 1
            for need in workload.needs if workload.places else ():
                self._service(workload, need)
            for key in workload.given:
                self._database(workload, key)
        return self.found

    def _service(self, workload: Workload, need: Need) -> None:
        gaps: dict[tuple[str, str], list[Place]] = {}
        for place in workload.places:
            result = paths.to_service(self.topology, place, need.service)
            if isinstance(result, Gap):
                gaps.setdefault((result.reason, result.remedy), []).append(place)
            else:
                self._reached(workload, need.service, result)
                self._policy(workload, need, result.endpoint)
        for (reason, remedy), places in gaps.items():
            words = f"{workload.name} in {self._subnets(places)} calls {need.service} {need.because}, but {reason}"
            self._missing(workload, need.service, words, remedy)

    def _policy(self, workload: Workload, need: Need, endpoint: Endpoint | None) -> None:
        resource = self.side.deployment.get(_key(endpoint.id)) if endpoint else None
        if endpoint is None or resource is None or not has_policy(resource.properties):
            return
        policy = EndpointPolicy(one for one in self.workloads.permissions if one.holder == resource.key)
        refused: dict[str, None] = {f"{action} on {target.words}": None for action, target in policy.refused(need.asks)}
        if refused:
            words = (
                f"{workload.name} calls {need.service} through {endpoint.name}, whose policy does not admit "
                f"{join_words(refused)}"
            )
            self._missing(workload, need.service, words, "admit it in the policy of the endpoint")

    def _database(self, workload: Workload, key: Key) -> None:
        target = self.destinations.listening(key)
        places: Iterable[Place | None] = workload.places if workload.inside else [None]
        gaps: dict[tuple[str, str], list[Place]] = {}
        for place in places:
            result = paths.to_destination(self.topology, place, target)
            if isinstance(result, Way):
                self._reached(workload, target.name, result)
            else:
                gaps.setdefault((result.reason, result.remedy), []).extend([place] if place else [])
        for (reason, remedy), stuck in gaps.items():
            where = f" in {self._subnets(stuck)}" if stuck else ""
            self._missing(workload, target.name, f"{workload.name}{where} is given {target.name}, but {reason}", remedy)

    def _subnets(self, places: Iterable[Place]) -> str:
        return join_words(self.topology.subnets[place.subnet].name for place in places)

    def _reached(self, workload: Workload, target: str, way: Way) -> None:
        found = Reached(workload.resource.key, workload.name, target, way.through)
        if found not in self.found.reached:
            self.found.reached.append(found)

    def _missing(self, workload: Workload, target: str, words: str, remedy: str) -> None:
        found = Missing(workload.resource.key, target, sentence(words), remedy)
        if found not in self.found.missing:
            self.found.missing.append(found)


def _key(id_: str) -> Key:
    stack, _, logical_id = id_.rpartition("/")
    return stack, logical_id
