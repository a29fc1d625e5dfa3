"""The comparison in a terminal: a sign and a word beside every colour, the code's line beside every change."""

from __future__ import annotations

from rich.console import Console
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
        _print(Text(section.lead, style="dim"), console, 2, 0)
    for group in section.groups:
        if group.title:
            _print(Text(group.title, style="bold"), console, 2, 2)
        place = ""
        for item in group.items:
            _item(item, console, full, indent=4 if group.title else 2, known=place, details=section.shows_details)
            place = item.code[0].place if item.code else place


def _item(item: Item, console: Console, full: bool, *, indent: int, known: str = "", details: bool = True) -> None:
    colour = COLOURS[item.kind]
    line = Text(f"{item.sign} ", style=f"bold {colour}")
    line.append(f"{item.word:<8}", style=colour)
    line.append(item.text)
    if item.service:
        line.append(f" ({item.service})", style="dim")
    if item.warning:
        line.append(f"  ! {item.warning}", style="bold red")
    if item.code and item.code[0].place != known:
        line.append(f"  {item.code[0].place}", style="dim")
    _print(line, console, indent, 10)
    width = console.width - indent - 14
    wanted = item.details if details or full else ()
    shown = wanted if full else wanted[:DETAILS_SHOWN]
    for detail in shown:
        words = detail if full else shorten(detail, max(60, 2 * width))
        _print(Text(words, style="dim"), console, indent + 10, 2)
    if len(shown) < len(wanted):
        rest = len(wanted) - len(shown)
        _print(Text(f"and {rest} more (--full shows them)", style="dim italic"), console, indent + 10, 2)
    if full:
        for path, logical_id in item.names:
            _print(Text(f"{path}  {logical_id}", style="dim"), console, indent + 10, 2)


def _print(text: Text, console: Console, indent: int, hang: int) -> None:
    """Wrap by hand: further lines begin below the words, not below the sign, and no line ends in blanks."""
    for place, line in enumerate(text.wrap(console, max(24, console.width - indent - hang))):
        line.rstrip()
        line.pad_left(indent + (hang if place else 0))
        console.print(line, soft_wrap=True)
