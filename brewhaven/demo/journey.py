"""A journey through the system: its hops, which of them happened, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from brewhaven import console
from brewhaven.errors import BrewHavenError

Found = TypeVar("Found")
LOOK_EVERY = 0.25


class MissingHopError(BrewHavenError):
    """A hop did not happen: what was waited for and why it may be missing, and what to do about it."""


@dataclass(frozen=True)
class Leg:
    """A hop that a journey is to make: a name for programs, and words for people."""

    id: str
    title: str


@dataclass
class Hop:
    """A hop of a journey.

    Attributes:
        happened: None as long as the journey has not come to it.
        seconds: How long it took from the hop that caused it, by the clocks of the services; None where nobody knows.
        at: When it was done, by the clock of the service that did it.
        saw: What proves that it happened, or what is missing.
    """

    leg: Leg
    happened: bool | None = None
    seconds: float | None = None
    at: datetime | None = None
    saw: str = ""
    _step: console.Step | None = field(default=None, repr=False)

    def waits(self, what: str) -> None:
        """Say what is waited for, as long as it is."""
        if self._step:
            self._step.note(what)

    def proves(self, saw: str, *, since: datetime | None = None, at: datetime | None = None) -> None:
        """Say what was seen of it, and from when to when it took; without that, nobody knows how long it took."""
        self.saw, self.at = saw, at
        if since and at:
            self.seconds = between(since, at)
        if self._step:
            self._step.measure(self.seconds)
            self._step.result(saw)


class Journey:
    """Hops one after the other, each shown while it happens."""

    def __init__(self, name: str, legs: Sequence[Leg]) -> None:
        self.name = name
        self.hops = {leg.id: Hop(leg) for leg in legs}
        self.missing: dict[str, MissingHopError] = {}
        self.notes: list[str] = []
        self.stays: list[str] = []

    def since_the_start(self, hop: Hop) -> float | None:
        """Seconds from the end of the first hop to the end of this one; None where its moment is not known."""
        first = next((each.at for each in self.hops.values() if each.at), None)
        return between(first, hop.at) if first and hop.at else None

    @property
    def complete(self) -> bool:
        """Whether every hop happened."""
        return all(hop.happened for hop in self.hops.values())

    @contextmanager
    def hop(self, id_: str) -> Iterator[Hop]:
        """Show a hop; what the block raises as `MissingHopError` is noted with it, and raised."""
        hop = self.hops[id_]
        with console.step(hop.leg.title) as step:
            hop._step = step
            try:
                yield hop
            except MissingHopError as missing:
                hop.happened, hop.saw = False, missing.message
                self.missing[id_] = missing
                step.fail("did not happen")
                raise
            hop.happened = True

    def as_dict(self) -> dict[str, Any]:
        """For a program."""
        return {
            "demo": self.name,
            "happened": self.complete,
            "hops": [
                {
                    "id": hop.leg.id,
                    "title": hop.leg.title,
                    "happened": hop.happened,
                    "seconds": _rounded(hop.seconds),
                    "since_the_start": _rounded(self.since_the_start(hop)),
                    "saw": hop.saw,
                }
                for hop in self.hops.values()
            ],
            "missing": [
                {"hop": id_, "what": error.message, "next": error.remedy} for id_, error in self.missing.items()
            ],
            "notes": self.notes,
            "stays": self.stays,
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def wait_for(look: Callable[[], Found | None], seconds: float) -> Found | None:
    """Look until there is something to see; None when it did not come in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            return None
        time.sleep(LOOK_EVERY)


def between(earlier: datetime, later: datetime) -> float:
    """Seconds from one moment to the other; none when two clocks disagree about which was first."""
    return max(0.0, (later - earlier).total_seconds())


def now() -> datetime:
    return datetime.now(UTC)
