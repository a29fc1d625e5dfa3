"""Options that several commands share, each checked before anything is started."""

from __future__ import annotations

from typing import Annotated

import typer

from stacks.settings import student_problem


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
