"""The command `brewhaven diff A B`; registered with `app.command("diff")(command.diff)`."""

from __future__ import annotations

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from brewhaven.diff.compare import compare
from brewhaven.diff.errors import DiffError
from brewhaven.diff.model import Comparison, Deployment
from brewhaven.diff.render import data, markdown, page, projector, terminal
from brewhaven.diff.sources import load, parse
from brewhaven.diff.story import tell
from brewhaven.local.settings import REPOSITORY, CloudSettings

SAME, DIFFERENT = 0, 1


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
    after: Annotated[str, typer.Argument(metavar="B", help="The same; what is said is what B has and A has not.")],
    *,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to print it.")] = Format.text,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    present: Annotated[
        bool, typer.Option("--present", help="Write a page for a projector, one change at a key press; print its path.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="In a terminal: every detail and logical id.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 1 if the two differ, 0 if they are the same, 2 on an error.")
    ] = False,
) -> None:
    """Say what B has that A has not: resources, permissions, openings, data paths, replacements and cost."""
    comparison = compare_specs(before, after, REPOSITORY, cache_folder())
    story = tell(comparison)
    if present:
        _write(projector.render(comparison, story), output, "present.html")
    elif form is Format.html:
        _write(page.render(comparison, story), output, "diff.html")
    elif form is Format.text and output is None:
        terminal.show(story, Console(highlight=False), full=full)
    else:
        words = {
            Format.markdown: lambda: markdown.render(story),
            Format.json: lambda: data.render(comparison, story) + "\n",
            Format.text: lambda: _captured(comparison, full),
        }[form]()
        if output is None:
            sys.stdout.write(words)
        else:
            _save(words, output)
    if exit_code and comparison.differs:
        raise typer.Exit(DIFFERENT)


def compare_specs(before: str, after: str, root: Path, cache: Path) -> Comparison:
    """Read two sides, at the same time where both must be built, and compare them.

    Raises:
        DiffError: A side cannot be read.
    """
    specs = parse(before, root), parse(after, root)
    with ThreadPoolExecutor(2) as pool:
        sides: list[Deployment] = list(pool.map(lambda spec: load(spec, root, cache), specs))
    return compare(sides[0], sides[1], root)


def cache_folder() -> Path:
    """Where assemblies are kept: with the tool's other state."""
    return CloudSettings.from_environment().home / "diff"


def _captured(comparison: Comparison, full: bool) -> str:
    console = Console(highlight=False, width=120, force_terminal=False, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    with console.capture() as capture:
        terminal.show(tell(comparison), console, full=full)
    return capture.get()


def _write(words: str, output: Path | None, name: str) -> None:
    """Save a page; without `--output` it goes to a folder of its own."""
    path = output or Path(tempfile.mkdtemp(prefix="brewhaven-diff-")) / name
    _save(words, path)


def _save(words: str, path: Path) -> None:
    try:
        path.write_text(words, encoding="utf-8")
    except OSError as error:
        raise DiffError(f"The file cannot be written: {path} ({error.strerror}).") from None
    typer.echo(str(path.resolve()))
