"""Run the pinned CDK command line, with its whole output in a log and what matters of it on the screen."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from brewhaven import toolchain
from brewhaven.errors import BrewHavenError
from brewhaven.local.settings import REPOSITORY

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Stack | 3/20 | 8:45:00 AM | CREATE_FAILED | AWS::DynamoDB::Table | CatalogTable (CatalogTable1234) reason
_EVENT = re.compile(
    r"^(?P<stack>\S+) \|\s*(?P<done>\d+)(/(?P<of>\d+))? \|[^|]*\| "
    r"(?P<status>[A-Z_]+) +\| (?P<type>\S+) +\| (?P<rest>.*)$"
)
_NOISE = re.compile(
    r"^\s*(at |\[Info|ⓘ|Toolkit stack|.*Subprocess exited|[\w.-]*: (creating|deploying|start|success|check))"
)
_EXCEPTION = re.compile(r"^[\w.]*(Error|Exception)\b.*: ")
_PROBLEM = re.compile(
    r"(❌|\berror\b|\bfailed\b|cannot be used|refused|denied|not authorized|no bootstrap)", re.IGNORECASE
)
KEPT_LOGS = 30


class CdkError(BrewHavenError):
    """The CDK command line did not do what was asked."""


@dataclass
class Reader:
    """Understands the lines that the CDK command line prints.

    Attributes:
        failures: What CloudFormation said about resources that it could not make, change or delete.
        lines: Everything else.
    """

    on_note: Callable[[str], None]
    failures: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def read(self, line: str) -> None:
        text = _ANSI.sub("", line).rstrip()
        if not text:
            return
        event = _EVENT.match(text)
        if event is None:
            self.lines.append(text)
            if text.startswith(("Synthesis", "✨")) or "building" in text or "Building" in text:
                self.on_note(text.lstrip("✨ "))
            return
        if "FAILED" in event["status"] and "Resource creation cancelled" not in event["rest"]:
            self.failures.append(f"{event['type']} {event['rest'].strip()}")
        # The CLI counts only what it expects to change; an update can do more than that.
        within = event["of"] and int(event["done"]) <= int(event["of"])
        progress = f"{event['done']}/{event['of']}" if within else event["done"]
        self.on_note(f"{progress}  {event['type']}  {event['rest'].split(' (')[0].strip()}")

    def reasons(self, limit: int = 8) -> list[str]:
        """The lines that say why it failed: CloudFormation's own words, else the app's or the command line's."""
        if self.failures:
            return self.failures[:limit]
        spoken = [line for line in self.lines if not _NOISE.match(line)]
        raised = [number for number, line in enumerate(spoken) if _EXCEPTION.match(line)]
        if raised:
            return spoken[raised[-1] : raised[-1] + limit]
        for number, line in enumerate(spoken):
            if _PROBLEM.search(line):
                return [part.removeprefix("❌").rstrip() for part in spoken[number : number + limit]]
        return spoken[-limit:]


def new_log(home: Path, name: str) -> Path:
    """A fresh log file; the oldest ones go."""
    folder = home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("*.log"))[:-KEPT_LOGS]:
        old.unlink(missing_ok=True)
    return folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{name}.log"


def context_arguments(context: Mapping[str, str]) -> list[str]:
    """``-c name=value`` for each switch."""
    return [part for name, value in context.items() for part in ("-c", f"{name}={value}")]


def run(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    doing: str,
    on_note: Callable[[str], None],
    cwd: Path = REPOSITORY,
) -> list[str]:
    """Run ``cdk`` to its end and return its lines.

    Args:
        arguments: What follows ``cdk``.
        environment: The child's whole environment.
        log: Gets everything that is printed.
        doing: For the error: ``deploying BrewHaven-Phase1-Foundation``.
        on_note: Told where the work is, in a few words.
        cwd: Where cdk.json is.

    Raises:
        CdkError: It ended with another exit code than 0; the message carries the reason.
    """
    reader = Reader(on_note)
    command = [str(toolchain.cdk_command()), *arguments]
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ cdk {' '.join(arguments)}\n")
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        assert process.stdout is not None
        try:
            _drain(process.stdout, file.write, reader)
            code = process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    if code != 0:
        reasons = "\n".join(f"  {reason}" for reason in reader.reasons())
        raise CdkError(f"{doing} failed:\n{reasons}", f"The whole output is in {log}.")
    return reader.lines


def _drain(lines: Iterable[str], write: Callable[[str], object], reader: Reader) -> None:
    for line in lines:
        write(line)
        reader.read(line)
