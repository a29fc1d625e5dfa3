"""``python -m brewhaven.bench [--section ...]``: measure, print a table, keep the figures as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from brewhaven import console
from brewhaven.bench import clouds, events, functions, practice, sections
from brewhaven.bench.sections import Row
from brewhaven.course import available_phases, find
from brewhaven.deploy import Request, deploy
from brewhaven.errors import FAILURE
from brewhaven.failures import in_words
from brewhaven.local.settings import CloudSettings
from brewhaven.target import Target

ON_PHASE_1 = ("web", "rush")
ON_ALL = ("verify", "functions", "orders", "worker", "cache")
SECTIONS = ("synth", "exercise", "deploy", *ON_PHASE_1, *ON_ALL)
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
    if {"deploy", *ON_PHASE_1, *ON_ALL} & set(chosen):
        with clouds.bootstrapped(settings) as (own, cloud):
            if "deploy" in chosen:
                rows += sections.rollout(own, cloud)
            rows += _on_phase_1(chosen, own, cloud, seconds)
            rows += _on_all(chosen, own, cloud, seconds, rounds)
    _print(rows)
    _keep(settings, rows)
    return rows


def _on_phase_1(chosen: list[str], own: CloudSettings, cloud: Target, seconds: float) -> Iterator[Row]:
    """What is measured before orders have moved, so that it can be compared with earlier figures."""
    if not set(ON_PHASE_1) & set(chosen):
        return
    deployed = deploy(own, cloud, Request(find("1")))
    if "web" in chosen:
        yield from sections.web(cloud, deployed, seconds)
    if "rush" in chosen:
        yield from sections.rush_hour(cloud, deployed)


def _on_all(chosen: list[str], own: CloudSettings, cloud: Target, seconds: float, rounds: int) -> Iterator[Row]:
    """What is measured with every phase deployed."""
    if not set(ON_ALL) & set(chosen):
        return
    request = Request(find(str(available_phases()[-1].number)))
    deployed = deploy(own, cloud, request)
    if "verify" in chosen:
        yield from sections.proving(cloud)
    if "functions" in chosen:
        yield from functions.starts(cloud, request.stack_ids, rounds)
    if "orders" in chosen:
        yield from events.notifications(cloud, deployed, seconds)
    if "worker" in chosen:
        yield from events.worker(own, cloud, deployed)
    if "cache" in chosen:
        yield from events.menu(cloud, deployed, seconds)


def _print(rows: list[Row]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Measured", overflow="fold")
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
