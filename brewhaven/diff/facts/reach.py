"""What each function, task and server reaches, and by which way; and what it calls without a path."""

from __future__ import annotations

from collections.abc import Iterator

from brewhaven.diff.facts.network import Network
from brewhaven.diff.facts.side import Side
from brewhaven.diff.model import Fact, Key
from brewhaven.diff.names import is_helper, join_words, sentence
from brewhaven.reach.report import Reached, survey_side

UNREACHED = "a call that waits until it times out"


def facts(side: Side, network: Network) -> Iterator[Fact]:
    """One fact for everything that runs in a network, and one for each path that it lacks."""
    found = survey_side(side, network)
    ways: dict[Key, list[Reached]] = {}
    for reached in found.reached:
        ways.setdefault(reached.workload, []).append(reached)
    for workload, listed in ways.items():
        by_way: dict[str, list[str]] = {}
        for reached in listed:
            by_way.setdefault(reached.through, []).append(reached.target)
        words = "; ".join(f"{join_words(targets)} through {through}" for through, targets in by_way.items())
        yield Fact(
            topic="network",
            key=("reach", workload, words),
            subject=("reach", workload),
            text=sentence(f"{listed[0].name} reaches {words}"),
            about=(workload,),
            value=words,
            helper=_is_helper(side, workload),
        )
    for missing in found.missing:
        yield Fact(
            topic="network",
            key=("no path", missing.workload, missing.target, missing.text),
            subject=("no path", missing.workload, missing.target),
            text=missing.text,
            about=(missing.workload,),
            detail=missing.remedy,
            warning=UNREACHED,
            helper=_is_helper(side, missing.workload),
        )


def _is_helper(side: Side, workload: Key) -> bool:
    resource = side.deployment.get(workload)
    return resource is not None and is_helper(resource)
