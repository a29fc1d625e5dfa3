"""Options that several commands share, each checked before anything is started."""

from __future__ import annotations

from typing import Annotated

import typer

from brewhaven.errors import UsageError
from stacks.settings import VARIANTS, student_problem


def _student(name: str | None) -> str | None:
    problem = student_problem(name) if name is not None else None
    if problem:
        raise typer.BadParameter(problem)
    return name


Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Student = Annotated[
    str | None,
    typer.Option(
        callback=_student, help="A student's prefix for every name, so that a class can share an account, like s01."
    ),
]
Context = Annotated[
    list[str] | None,
    typer.Option("--context", "-c", help="A further switch of the app, name=value; may be given several times."),
]


def switches(pairs: list[str] | None) -> dict[str, str]:
    """The switches that were given with ``-c name=value``.

    Raises:
        UsageError: One is none.
    """
    context = {}
    for pair in pairs or []:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise UsageError(f"{pair!r} is no switch.", "Write it like catalog_capacity=provisioned.")
        if name in ("lesson", "phase", "student", "allowed_cidr"):
            raise UsageError(f"The switch {name} has a place of its own here.", "See `brewhaven deploy --help`.")
        if name not in VARIANTS:
            raise UsageError(f"There is no switch {name}.", f"The switches are {', '.join(VARIANTS)}.")
        context[name] = value
    return context
