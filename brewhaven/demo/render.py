"""The summary of a journey: for people, or as JSON."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from brewhaven import console
from brewhaven.demo.journey import Hop, Journey


def summary(journey: Journey, cloud: str, *, json: bool = False) -> None:
    """Say which hops happened and how long each took, what is worth knowing, what stays, and what is missing."""
    if json:
        console.plain_json({"cloud": cloud, **journey.as_dict()})
    else:
        console.say()
        console.out.print(_table(journey))
        console.say()
        for note in journey.notes:
            console.say(f"[dim]{escape(note)}[/dim]")
        for what in journey.stays:
            console.say(f"[dim]Stays: {escape(what)}.[/dim]")
    for id_, error in journey.missing.items():
        console.complain(f"{journey.hops[id_].leg.title}: {error.message}", error.remedy)
    if journey.complete and not json:
        console.say(f"[bold green]All {len(journey.hops)} hops happened.[/bold green]")


def _table(journey: Journey) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column("Hop")
    table.add_column("Took", justify="right", no_wrap=True)
    table.add_column("Since the start", justify="right", no_wrap=True)
    for hop in journey.hops.values():
        since = journey.since_the_start(hop)
        table.add_row(_mark(hop), escape(hop.leg.title), _took(hop), "" if since is None else f"{since:.3f} s")
    return table


def _mark(hop: Hop) -> str:
    return {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "[dim]-[/dim]"}[hop.happened]


def _took(hop: Hop) -> str:
    """A hop that was not come to has no time; a word and not a colour says so."""
    if hop.happened is None:
        return "[dim]not reached[/dim]"
    if not hop.happened:
        return "[red]missing[/red]"
    return f"{hop.seconds:.3f} s" if hop.seconds is not None else ""
