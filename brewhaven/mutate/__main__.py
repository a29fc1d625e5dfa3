"""``python -m brewhaven.mutate``: make mistakes in the stacks, one at a time, and see who notices."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from brewhaven import console
from brewhaven.errors import FAILURE
from brewhaven.failures import in_words
from brewhaven.mutate import report, run, survivors

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: [bold]python -m brewhaven.mutate --only 'AWS::IAM::*'[/bold]")
def mutate(
    only: Annotated[str, typer.Option(metavar="TYPE", help="CloudFormation types, with * for any part.")] = "*",
    sample: Annotated[int | None, typer.Option(min=1, help="How many mistakes to take by chance.")] = None,
    seed: Annotated[int | None, typer.Option(help="Chooses the sample; by default the templates do.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the verdicts for a program.")] = False,
) -> None:
    """Make mistakes in the synthesized stacks, one at a time, and see whether a check, a test or a rule notices.

    Exit code 1: a mistake survived that survivors.toml does not list, the list is not true, or too few were noticed.
    """
    with in_words():
        entries = survivors.read()
        verdicts, all_tried = run.judge_all(only=only, sample=sample, seed=seed)
        tried = [verdict.mutant.id for verdict in verdicts]
        survived = [verdict.mutant.id for verdict in verdicts if not verdict.kind]
        found = report.Report(
            verdicts,
            all_tried,
            survivors.unlisted(entries, survived),
            survivors.untrue(entries, tried, survived, all_tried=all_tried),
        )
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
