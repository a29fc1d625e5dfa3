"""``python -m brewhaven.mutate``: make mistakes in the stacks, one at a time, and see who notices."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from brewhaven import console
from brewhaven.course import available_phases, phase_numbered
from brewhaven.errors import FAILURE, UsageError
from brewhaven.failures import in_words
from brewhaven.mutate import report, run, survivors

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: [bold]python -m brewhaven.mutate --phase 1 --only 'AWS::IAM::*'[/bold]")
def mutate(
    phase: Annotated[list[int] | None, typer.Option(help="A phase; several times for several. By default all.")] = None,
    only: Annotated[str, typer.Option(metavar="TYPE", help="CloudFormation types, with * for any part.")] = "*",
    sample: Annotated[int | None, typer.Option(min=1, help="How many mistakes to take by chance.")] = None,
    seed: Annotated[int | None, typer.Option(help="Chooses the sample; by default the templates do.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the verdicts for a program.")] = False,
) -> None:
    """Make mistakes in the synthesized stacks, one at a time, and see whether a check, a test or a rule notices.

    Exit code 1: a mistake survived that survivors.toml does not list, the list is not true, or too few were noticed.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it gets the same as by Ctrl-C
    with in_words():
        chosen = [phase_numbered(number) for number in phase] if phase else available_phases()
        if coming := [str(one.number) for one in chosen if not one.is_available]:
            raise UsageError(f"Phase {', '.join(coming)} has no stack yet.", "`--phase 1` has one.")
        entries = survivors.read()
        outcome = run.judge_all(chosen, only=only, sample=sample, seed=seed)
        found = report.Report(outcome, survivors.unlisted(entries, outcome), survivors.untrue(entries, outcome))
        if json:
            console.plain_json(found.as_json())
        else:
            report.show(found)
    if not found.passed:
        console.complain(
            "There are mistakes that nobody would notice, or the list of them is not true.",
            f"Write an assertion that says what must hold, or a reason into {survivors.LIST.name}.",
        )
        raise typer.Exit(FAILURE)


if __name__ == "__main__":
    sys.exit(app())
