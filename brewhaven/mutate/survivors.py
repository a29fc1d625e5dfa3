"""The list of mistakes that nobody notices and that may stay so, each with a reason, and whether the list is true."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from brewhaven.errors import BrewHavenError

LIST = Path(__file__).parent / "survivors.toml"
FEWEST_WORDS = 10


@dataclass(frozen=True)
class Entry:
    """Mistakes that may survive: a name of one, or a pattern with ``*``, and why."""

    mistake: str
    reason: str

    def covers(self, mutant_id: str) -> bool:
        # A bracket in a name is a bracket.
        return fnmatchcase(mutant_id, self.mistake.replace("[", "[[]"))


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


def unlisted(entries: Iterable[Entry], survived: Iterable[str]) -> list[str]:
    """Mistakes that survived and are not in the list."""
    known = list(entries)
    return [name for name in survived if not any(entry.covers(name) for entry in known)]


def untrue(
    entries: Iterable[Entry], tried: Collection[str], survived: Collection[str], *, all_tried: bool
) -> list[str]:
    """Sentences about entries that are not true: what they name is noticed, or cannot be made any more.

    Args:
        all_tried: Every mistake was tried, so that one that was not tried cannot be made.
    """
    found = []
    for entry in entries:
        covered = [name for name in tried if entry.covers(name)]
        if not covered and all_tried:
            found.append(f"'{entry.mistake}' is listed, and no such mistake can be made any more.")
        found += [
            f"'{name}' is listed as '{entry.mistake}', and it is noticed." for name in covered if name not in survived
        ]
    return found
