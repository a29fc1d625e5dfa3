"""The comparison as Markdown, for a pull request or a handout."""

from __future__ import annotations

import re

from brewhaven.diff.story import Item, Section, Story
from brewhaven.diff.values import shorten

LONGEST = 240
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")


def render(story: Story) -> str:
    """A document with a heading for each section."""
    lines = [f"# {plain(story.title)}", "", *(plain(line) + "  " for line in story.summary), ""]
    lines += [f"> {plain(note)}" for note in story.notes]
    if story.care:
        lines += ["## Look twice", "", *(line for item in story.care for line in _item(item)), ""]
    for section in story.sections:
        lines += _section(section)
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Section) -> list[str]:
    lines = [f"## {plain(section.title)}", ""]
    if section.lead:
        lines += [plain(section.lead), ""]
    for group in section.groups:
        if group.title:
            lines += [f"### {plain(group.title)}", ""]
        lines += [line for item in group.items for line in _item(item)]
        lines.append("")
    return lines


def _item(item: Item) -> list[str]:
    warning = f" **! {plain(item.warning)}**" if item.warning else ""
    service = f" ({plain(item.service)})" if item.service else ""
    place = f" ({code(item.code[0].place)})" if item.code else ""
    lines = [f"- **{plain(item.sign)} {item.word}** {plain(item.text)}{service}{warning}{place}"]
    return lines + [f"    - {code(shorten(detail, LONGEST))}" for detail in item.details]


def plain(words: str) -> str:
    """Words in which nothing is taken for markup."""
    return _SPECIAL.sub(r"\\\1", words)


def code(words: str) -> str:
    """Words as code, also when they hold backticks."""
    words = words.replace("\n", " ")
    fence = "``" if "`" in words else "`"
    return f"{fence} {words} {fence}" if fence == "``" else f"`{words}`"
