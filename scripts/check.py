"""The gates of `make check`: fast ones first, each with its time, all of them even when one fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from brewhaven import console

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

# What has no place in what students read. This file names it and is therefore not looked at itself.
UNWANTED = {
    "a path of the machine it was written on": re.compile(r"(?<![\w.])/(?:work|farm|home/\w+|Users/\w+)/"),
    "a package registry's address": re.compile(r"registry\.npmjs\.org|files\.pythonhosted\.org|pypi\.org/simple"),
    "something left open": re.compile(r"\b(?:TODO|FIXME|XXX)\b"),
    "a merge conflict": re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE),
}


@dataclass(frozen=True)
class Gate:
    """One gate: what it holds, and how to find out. A command's output is shown only when it fails."""

    title: str
    check: list[str] | Callable[[], list[str]]
    remedy: str

    def problems(self) -> list[str]:
        """What is wrong; empty when the gate is passed."""
        if callable(self.check):
            return self.check()
        environment = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("constructs", "storefront", "lambda_src")),
        }
        done = subprocess.run(
            self.check, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        output = (done.stdout + done.stderr).strip().splitlines()
        return (output or [f"exit code {done.returncode}"]) if done.returncode else []


def unwanted_words() -> list[str]:
    """Lines of tracked text files that hold something of :data:`UNWANTED`."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = []
    for name in filter(None, listing.split("\0")):
        path = ROOT / name
        if path == Path(__file__).resolve() or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for what, pattern in UNWANTED.items():
            found += [f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {what}" for match in pattern.finditer(text)]
    return found


def hidden_constructs() -> list[str]:
    """The one file that would hide the package that aws_cdk imports."""
    unwanted = ROOT / "constructs" / "__init__.py"
    return [f"{unwanted} hides the PyPI package `constructs`, which aws_cdk imports"] if unwanted.exists() else []


GATES = (
    Gate("Layout", hidden_constructs, "Remove that file."),
    Gate("Words and paths", unwanted_words, "Say it without."),
    Gate("Lock agrees with pins", [str(BIN / "python"), "scripts/lock.py", "--check"], "Run `make lock`."),
    Gate("Formatter", [str(BIN / "ruff"), "format", "--check", "."], "Run `.venv/bin/ruff format .`"),
    Gate("Linter", [str(BIN / "ruff"), "check", "."], "Run `.venv/bin/ruff check --fix .`"),
    Gate("Import rules", [str(BIN / "lint-imports"), "--no-logo"], "See [tool.importlinter] in pyproject.toml."),
    Gate("Strict types", [str(BIN / "mypy")], "Correct the types."),
    Gate(
        "Templates: nag, rules, lint",
        [str(BIN / "python"), "-m", "pytest", "-q", "tests/compliance"],
        "Correct the construct, or acknowledge the finding with a reason.",
    ),
    Gate(
        "Mistakes are noticed: a sample",
        [str(BIN / "python"), "-m", "brewhaven.mutate", "--sample", "80"],
        "Assert what must hold; `make mutate PHASE=2` tries every mistake in a phase.",
    ),
)


def main() -> int:
    """Run every gate; return how many failed."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Gate", "Result", "Seconds"):
        table.add_column(heading, no_wrap=True)
    failed = 0
    for gate in GATES:
        with console.step(gate.title) as step:
            problems = gate.problems()
            if problems:
                step.fail(gate.remedy)
        for line in problems[:60]:
            print(f"    {line}", flush=True)
        if problems:
            failed += 1
        table.add_row(gate.title, "[red]failed[/red]" if problems else "[green]passed[/green]", f"{step.seconds:.1f}")
    console.out.print(table)
    return failed


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
