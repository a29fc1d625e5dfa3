"""The command `brewhaven diff A B`: parse, call one function."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    text = "text"
    markdown = "markdown"
    html = "html"
    json = "json"


def diff(
    before: Annotated[
        str,
        typer.Argument(
            metavar="A",
            help="A lesson (1.2), a phase (1; 0 is the empty account), a revision (git:HEAD~3, git:main@1.2), a "
            "deployed stack (its name, or deployed: for all), a folder with a cloud assembly, or a template.",
        ),
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="The same. What is said is what B has and A has not.")],
    *,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to print it.")] = Format.text,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")] = None,
    present: Annotated[
        bool, typer.Option("--present", help="Write a page for a projector, one change at a key press; print its path.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="In a terminal: every detail and logical id.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 1 if the two differ and 0 if not; an error is 2.")
    ] = False,
) -> None:
    """Say what B has that A has not: resources, permissions, openings, data paths, replacements and cost."""
    from brewhaven.diff import run

    wanted = "present" if present else form.value
    differs = run.diff(before, after, form=wanted, output=output, full=full)
    if exit_code and differs:
        raise typer.Exit(run.DIFFERENT)
