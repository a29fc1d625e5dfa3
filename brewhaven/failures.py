"""No traceback ever reaches a student: errors become two lines and an exit code, the rest goes into a log."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from brewhaven import cdk, console
from brewhaven.errors import FAILURE, INTERRUPTED, BrewHavenError
from brewhaven.local.settings import REPOSITORY, CloudSettings


@contextmanager
def in_words() -> Iterator[None]:
    """Turn what goes wrong inside into words and an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        console.complain("Interrupted.", "Run the same command again: it goes on where it was.")
        raise typer.Exit(INTERRUPTED) from None
    except BrewHavenError as error:
        console.complain(error.message, error.remedy)
        raise typer.Exit(error.exit_code) from None
    except BrokenPipeError:
        raise typer.Exit(FAILURE) from None
    except Exception as error:
        if _is_typers_own(error):
            raise
        _explain(error)
        raise typer.Exit(FAILURE) from None


class Commands(TyperGroup):
    """The command line's root: every command runs in words."""

    def invoke(self, ctx: Any) -> Any:
        with in_words():
            return super().invoke(ctx)


def _is_typers_own(error: Exception) -> bool:
    """Exits and usage errors, which Typer itself prints."""
    return isinstance(error, (typer.Exit, typer.Abort)) or type(error).__module__.split(".")[0] in ("typer", "click")


def _explain(error: Exception) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    log = _write_traceback(error)
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        console.complain(
            f"{error.operation_name} was refused: {details.get('Message') or details.get('Code') or error}",
            f"The details are in {log}.",
        )
    elif isinstance(error, BotoCoreError):
        console.complain(f"The cloud did not answer: {error}", f"See `brewhaven status`. The details are in {log}.")
    elif isinstance(error, OSError) and error.filename:
        console.complain(f"{error.strerror}: {error.filename}", f"The details are in {log}.")
    else:
        said = str(error).strip().splitlines() or ["no further words"]
        console.complain(
            f"Something went wrong that should not ({type(error).__name__}: {said[0]}).",
            f"Please report it with {log}, which holds the details.",
        )


def _write_traceback(error: Exception) -> str:
    """Write the traceback where the tool's logs are, and return the path, or say that it could not be written."""
    text = "".join(traceback.format_exception(error))
    try:
        try:
            home = CloudSettings.from_environment().home
        except BrewHavenError:
            home = REPOSITORY / ".brewhaven"
        log = cdk.new_log(home, "error")
        log.write_text(f"$ {' '.join(sys.argv)}\n{text}", encoding="utf-8")
    except OSError as failure:
        return f"no file, because it could not be written ({failure})"
    return str(log)
