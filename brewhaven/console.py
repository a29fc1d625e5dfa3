"""What a person sees: steps with the time they take, and errors in two lines.

Progress goes to stderr and results to stdout, so that a program can read the one without the other.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status

# Without emoji, or `:secret:` of an ARN becomes a picture.
out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)

HEARTBEAT_SECONDS = 10.0


class Step:
    """One piece of work that is under way."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.detail = ""
        self.started = time.monotonic()
        self.failed = False
        self.timed = True
        self.measured: float | None = None
        self._status: Status | None = None
        self._said = self.started

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def took(self) -> str:
        """The time behind a finished step, with a space before it; empty where nobody knows it."""
        if not self.timed:
            return ""
        return f" [dim]{self.seconds:.1f} s[/dim]" if self.measured is None else f" [dim]{self.measured:.3f} s[/dim]"

    def note(self, detail: str) -> None:
        """Say where the work is; what was noted last stays beside the finished step."""
        self.detail = detail
        self.tick()

    def result(self, detail: str) -> None:
        """Say what came of the work, shown beside the finished step."""
        self.detail = detail

    def fail(self, detail: str) -> None:
        """Mark the step as failed without an exception."""
        self.failed = True
        self.detail = detail

    def measure(self, seconds: float | None) -> None:
        """Show this time instead of how long was watched; None where nobody knows."""
        self.timed, self.measured = seconds is not None, seconds

    def tick(self) -> None:
        """Show elapsed time and detail: in place on a terminal, else a line now and then."""
        text = f"{escape(self.title)} [dim]{self.seconds:.0f} s  {escape(self.detail)}[/dim]"
        if self._status is not None:
            self._status.update(text)
        elif time.monotonic() - self._said >= HEARTBEAT_SECONDS:
            self._said = time.monotonic()
            err.print(f"  … {text}", soft_wrap=True)

    def attach(self, status: Status) -> None:
        self._status = status


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Show a piece of work while it runs, and its time when it is done or has failed."""
    work = Step(title)
    over = threading.Event()

    def keep_ticking() -> None:
        while not over.wait(0.5):
            work.tick()

    status = err.status(escape(title)) if err.is_terminal else None
    if status is not None:
        work.attach(status)
        status.start()
    ticker = threading.Thread(target=keep_ticking, daemon=True)
    ticker.start()
    mark = "[red]✗[/red]"
    try:
        yield work
        mark = mark if work.failed else "[green]✓[/green]"
    finally:
        over.set()
        ticker.join()
        if status is not None:
            status.stop()
        line = f"{mark} {escape(title)}{work.took}"
        err.print(f"{line}  [dim]{escape(work.detail)}[/dim]" if work.detail else line, soft_wrap=True)


def say(text: str = "") -> None:
    """Print a line of the result; Rich markup is understood."""
    out.print(text, soft_wrap=True)


def complain(message: str, remedy: str | None = None) -> None:
    """Print an error: what happened, and what to do next."""
    err.print(f"[bold red]Error:[/bold red] {escape(message)}", soft_wrap=True)
    if remedy:
        err.print(f"[bold]Next:[/bold]  {escape(remedy)}", soft_wrap=True)


def warn(message: str) -> None:
    """Print a warning."""
    err.print(f"[yellow]Note:[/yellow]  {escape(message)}", soft_wrap=True)


def plain_json(value: object) -> None:
    """Print a value as JSON for a program: no wrapping, no colour, nothing else on stdout."""
    print(json.dumps(value, indent=2, default=str))
