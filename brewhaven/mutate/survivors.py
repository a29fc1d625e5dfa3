"""The list of mistakes that nobody notices and that may stay so, each with a reason, and whether the list is true."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from brewhaven.errors import BrewHavenError
from brewhaven.mutate.run import Outcome
from brewhaven.mutate.stack import Mutant

LIST = Path(__file__).parent / "survivors.toml"
FEWEST_WORDS = 10


@dataclass(frozen=True)
class Entry:
    """Mistakes in a stack that may survive: the name of one, or a pattern with ``*``, and why."""

    stack: str
    mistake: str
    reason: str

    def covers(self, stack: str, mutant: Mutant) -> bool:
        # A bracket in a name is a bracket.
        return stack == self.stack and fnmatchcase(mutant.id, self.mistake.replace("[", "[[]"))


def read(path: Path = LIST) -> list[Entry]:
    """The list.

    Raises:
        BrewHavenError: An entry does not explain.
    """
    entries = [Entry(**entry) for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("survivor", [])]
    for entry in entries:
        if len(entry.reason.split()) < FEWEST_WORDS:
            raise BrewHavenError(
                f"{path} lists '{entry.mistake}' without a reason that explains: '{entry.reason}'.",
                f"Say in {FEWEST_WORDS} words or more why nobody has to notice it, or write an assertion.",
            )
    return entries


def unlisted(entries: Sequence[Entry], outcome: Outcome) -> list[str]:
    """Mistakes that survived and are not in the list."""
    return [
        verdict.mutant.id
        for verdict in outcome.verdicts
        if not verdict.kind and not any(entry.covers(verdict.stack, verdict.mutant) for entry in entries)
    ]


def untrue(entries: Sequence[Entry], outcome: Outcome) -> list[str]:
    """Sentences about entries that are not true: what they name is noticed, or cannot be made any more."""
    found = []
    looked_at = {task.stack for task in outcome.possible}
    for entry in entries:
        if entry.stack in looked_at and not any(entry.covers(task.stack, task.mutant) for task in outcome.possible):
            found.append(f"'{entry.mistake}' is listed, and no such mistake can be made in {entry.stack} any more.")
        found += [
            f"'{verdict.mutant.id}' is listed as '{entry.mistake}', and {verdict.noticed_by} notices it."
            for verdict in outcome.verdicts
            if verdict.kind and entry.covers(verdict.stack, verdict.mutant)
        ]
    return found
