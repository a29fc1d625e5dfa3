"""What a student has done so far, kept in ``<BREWHAVEN_HOME>/progress.json`` on this machine and nowhere else."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Progress:
    """Read and written as a whole: the file is small, and one student has few terminals.

    It is replaced by a whole one, so that nobody reads half of what another terminal is writing. An unreadable file is
    treated as empty: it is a convenience, and losing it must not stop a lesson.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "progress.json"

    def lesson(self, id_: str) -> dict[str, Any]:
        """What is known about one lesson: when it was `read`, and the results of `lab`, `verify` and `quiz`."""
        known: dict[str, Any] = self._load().get(id_, {})
        return known

    def record(self, id_: str, what: str, **details: Any) -> None:
        """Note that something was done with a lesson now."""
        everything = self._load()
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        everything.setdefault(id_, {})[what] = {"at": moment, **details}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        whole = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        whole.write_text(json.dumps(everything, indent=2) + "\n", encoding="utf-8")
        whole.replace(self._path)

    def passed(self, id_: str, what: str) -> bool | None:
        """Whether the latest `lab`, `verify` or `quiz` of a lesson went well; None when it was never tried."""
        entry = self.lesson(id_).get(what)
        return None if entry is None else bool(entry.get("passed"))

    def _load(self) -> dict[str, Any]:
        try:
            everything = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return everything if isinstance(everything, dict) else {}
