"""The comparison in a terminal: a sign and a word beside every colour, the code's line beside every change."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from brewhaven.diff.model import Kind
from brewhaven.diff.story import Item, Section, Story
from brewhaven.diff.values import shorten

COLOURS: dict[Kind, str] = {"added": "green", "removed": "red", "changed": "yellow", "renamed": "cyan"}
DETAILS_SHOWN = 12


def show(story: Story, console: Console, *, full: bool = False) -> None:
    """Print a story.

    Args:
        full: Every detail and every logical id, and values in full length.
    """
    console.print(Panel(Text(story.title, style="bold"), expand=False, padding=(0, 2)))
    for line in story.summary:
        console.print(Text(line))
    for note in story.notes:
        console.print(Text(note, style="dim"))
    if story.care:
        console.print()
        console.print(Text("Look twice", style="bold red"))
        for item in story.care:
            _item(item, console, full, indent=2)
    for section in story.sections:
        _section(section, console, full)
    console.print()


def _section(section: Section, console: Console, full: bool) -> None:
    console.print()
    console.print(Text(section.title, style="bold underline"))
    if section.lead:
        console.print(Padding(Text(section.lead, style="dim"), (0, 0, 0, 2)))
    for group in section.groups:
        if group.title:
            console.print(Padding(Text(group.title, style="bold"), (0, 0, 0, 2)))
        for item in group.items:
            _item(item, console, full, indent=4 if group.title else 2)


def _item(item: Item, console: Console, full: bool, indent: int) -> None:
    colour = COLOURS[item.kind]
    line = Text(f"{item.sign} ", style=f"bold {colour}")
    line.append(f"{item.word:<8}", style=colour)
    line.append(item.text if full or len(item.text) < 600 else shorten(item.text, 600))
    if item.warning:
        line.append(f"  ! {item.warning}", style="bold red")
    if item.code:
        line.append(f"  {item.code[0].place}", style="dim")
    console.print(_hanging(line, indent, 10))
    width = console.width - indent - 14
    shown = item.details if full else item.details[:DETAILS_SHOWN]
    for detail in shown:
        words = detail if full else shorten(detail, max(60, 2 * width))
        console.print(_hanging(Text(words, style="dim"), indent + 10, 2))
    if len(shown) < len(item.details):
        rest = len(item.details) - len(shown)
        console.print(_hanging(Text(f"and {rest} more (--full shows them)", style="dim italic"), indent + 10, 2))
    if full and item.names:
        for path, logical_id in item.names:
            console.print(_hanging(Text(f"{path}  {logical_id}", style="dim"), indent + 10, 2))


def _hanging(text: Text, indent: int, hang: int) -> Padding:
    """Wrapped lines begin below the words, not below the sign."""
    return Padding(_Hanging(text, hang), (0, 0, 0, indent))


class _Hanging:
    """Text whose further lines are indented."""

    def __init__(self, text: Text, hang: int) -> None:
        self._text = text
        self._hang = hang

    def __rich_console__(self, console, options):  # type: ignore[no-untyped-def]
        lines = self._text.wrap(console, max(20, options.max_width - self._hang))
        for place, line in enumerate(lines):
            if place:
                line.pad_left(self._hang)
            line.end = "\n"
            yield line
