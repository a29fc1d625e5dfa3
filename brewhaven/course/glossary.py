"""The course's words: ``GLOSSARY.md``, one ``##`` heading a word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from brewhaven.local.settings import REPOSITORY

GLOSSARY_FILE = REPOSITORY / "GLOSSARY.md"
_HEADING = re.compile(r"^## +(?P<word>.+?) *$")
_SHORT = re.compile(r"\b[A-Z][A-Z0-9]{1,6}\b")


@dataclass
class Entry:
    """A word, the anchor that GitHub gives its heading, and what it means."""

    word: str
    line: int
    text: str = ""

    @property
    def anchor(self) -> str:
        kept = re.sub(r"[^\w\- ]", "", self.word.lower())
        return kept.replace(" ", "-")

    @property
    def short_forms(self) -> set[str]:
        """The abbreviations in the heading: ``Application Load Balancer (ALB)`` explains ``ALB``."""
        return set(_SHORT.findall(self.word))

    @property
    def names(self) -> set[str]:
        """Spellings that mean the word and nothing else: abbreviations, and names of several words."""
        plain = re.sub(r"\s*\(.*?\)", "", self.word).strip()
        return self.short_forms | ({plain} if " " in plain else set())


def read(path: Path = GLOSSARY_FILE) -> dict[str, Entry]:
    """Every entry by its anchor; an absent file is an empty glossary."""
    entries: list[Entry] = []
    if path.exists():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            heading = _HEADING.match(line)
            if heading:
                entries.append(Entry(heading["word"], number))
            elif entries:
                entries[-1].text += line + "\n"
    return {entry.anchor: entry for entry in entries}
