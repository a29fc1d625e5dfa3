"""``python -m brewhaven.bench [--section ...]``: measure, print a table, keep the figures as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from brewhaven import console
from brewhaven.bench import clouds, practice, sections
from brewhaven.bench.sections import Row
from brewhaven.course import available_phases, find
from brewhaven.deploy import Request, deploy
from brewhaven.errors import FAILURE
from brewhaven.failures import in_words
from brewhaven.local.settings import CloudSettings

SECTIONS = ("synth", "exercise", "deploy", "verify", "web", "rush")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: [bold]python -m brewhaven.bench --section web --seconds 3[/bold]")
def bench(
    section: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(SECTIONS)}; all by default.")] = None,
    seconds: Annotated[float, typer.Option(min=0.2, help="How long each load is measured.")] = 4.0,
    rounds: Annotated[int, typer.Option(min=1, help="How often each synth and each save is measured.")] = 3,
) -> None:
    """Measure the course on this machine, in a local cloud of its own."""
    chosen = section or list(SECTIONS)
    unknown = [name for name in chosen if name not in SECTIONS]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is no section; the sections are {', '.join(SECTIONS)}.")
    with in_words():
        wrong = [row.name for row in _measure(chosen, seconds, rounds) if row.must and not row.is_met]
    if wrong:
        console.say(f"[red]Wrong, whatever the speed:[/red] {', '.join(wrong)}")
        raise typer.Exit(FAILURE)


def _measure(chosen: list[str], seconds: float, rounds: int) -> list[Row]:
    settings = CloudSettings.from_environment()
    rows: list[Row] = []
    if "synth" in chosen:
        with console.step("Synthesizing the course and an empty app"):
            rows += sections.synth(settings, rounds)
    if "exercise" in chosen:
        with console.step("Watching every exercise of the course"):
            rows += practice.waits(rounds)
    if {"deploy", "verify", "web", "rush"} & set(chosen):
        with clouds.bootstrapped(settings) as (own, cloud):
            if "deploy" in chosen:
                rows += sections.rollout(own, cloud)
            if {"verify", "web", "rush"} & set(chosen):
                deployed = deploy(own, cloud, Request(find(str(available_phases()[-1].number))))
            if "verify" in chosen:
                rows += sections.proving(cloud)
            if "web" in chosen:
                rows += sections.web(cloud, deployed, seconds)
            if "rush" in chosen:
                rows += sections.rush_hour(cloud, deployed)
    _print(rows)
    _keep(settings, rows)
    return rows


def _print(rows: list[Row]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Measured", no_wrap=True)
    table.add_column("Value", justify="right", no_wrap=True)
    table.add_column("Unit", no_wrap=True)
    table.add_column("Target", no_wrap=True)
    for row in rows:
        sign = "at most" if row.better == "lower" else "at least"
        target = "" if row.target is None else f"{sign} {row.target:g} {'met' if row.is_met else 'MISSED'}"
        table.add_row(row.name, f"{row.value:g}", row.unit, target)
    console.out.print(table)


def _keep(settings: CloudSettings, rows: list[Row]) -> None:
    now = datetime.now(UTC)
    path = settings.home / "bench" / f"{now:%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "at": now.isoformat(timespec="seconds"),
        "machine": {"system": platform.platform(), "python": platform.python_version(), "cpus": os.cpu_count()},
        "rows": [row.as_dict() for row in rows],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    console.say(f"The figures are in {path}")


if __name__ == "__main__":
    sys.exit(app())
