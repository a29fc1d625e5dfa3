"""The open fault and the ones before it, on this machine's disk.

The open fault is written whole before anything is changed in the cloud, and it holds everything that takes the fault
back. So a program or a machine that dies at any moment leaves behind what `brewhaven fix --undo` needs.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from brewhaven.errors import BrewHavenError

Stage = Literal["breaking", "open"]
Outcome = Literal["mended", "undone"]


@dataclass(frozen=True)
class OpenFault:
    """A fault that is in a deployment now.

    Attributes:
        stack_id: Of the very stack: one that was deleted and made again has another.
        stage: ``breaking`` until the whole change is made and its effect is seen.
        hints: How many were given.
        undo: Calls that put everything back; empty where a template was changed.
        tidy: Calls that remove what the fault made.
        template_before: The template that was deployed, and ``template_after`` the changed one.
    """

    fault: str
    phase: int
    lesson: str
    stack: str
    stack_id: str
    target: str
    account: str
    region: str
    student: str | None = None
    stage: Stage = "breaking"
    since: str = ""
    hints: int = 0
    undo: list[dict[str, Any]] = field(default_factory=list)
    tidy: list[dict[str, Any]] = field(default_factory=list)
    template_before: dict[str, Any] | None = None
    template_after: dict[str, Any] | None = None


class Book:
    """Which fault is open, and how the others ended."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "faults"
        self._open = self._folder / "open.json"
        self._history = self._folder / "history.json"

    def open_fault(self) -> OpenFault | None:
        """The open fault.

        Raises:
            BrewHavenError: The file cannot be read, so what it would take back is not known.
        """
        try:
            return OpenFault(**json.loads(self._open.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise BrewHavenError(
                f"{self._open} cannot be read ({error}), so the fault in it cannot be taken back.",
                f"Deploy again to put the stack right (`brewhaven destroy` and `deploy`), then delete {self._open}.",
            ) from error

    def write(self, fault: OpenFault) -> OpenFault:
        """Keep the open fault; it is on the disk when this returns."""
        self._save(self._open, asdict(fault))
        return fault

    def close(self, fault: OpenFault, outcome: Outcome | None) -> None:
        """Forget the open fault, and note how it ended; with None it went with its stack and counts as nothing."""
        if outcome is not None:
            everything = self.history()
            everything.setdefault(fault.fault, []).append(
                {"outcome": outcome, "at": now(), "since": fault.since, "hints": fault.hints, "on": fault.target}
            )
            self._save(self._history, everything)
        self._open.unlink(missing_ok=True)

    def history(self) -> dict[str, list[dict[str, Any]]]:
        """How each fault ended, each time: id -> outcome, times, hints. An unreadable file counts as empty."""
        try:
            found = json.loads(self._history.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    def last(self) -> str | None:
        """Id of the fault that ended last."""
        ended = [(entry["at"], id_) for id_, entries in self.history().items() for entry in entries]
        return max(ended)[1] if ended else None

    def _save(self, path: Path, content: object) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def now() -> str:
    """This moment, in words that sort by time."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
