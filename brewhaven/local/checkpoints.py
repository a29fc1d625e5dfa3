"""Save the cloud's state while it runs, so that a killed process loses seconds and not the account.

The emulator saves when it is stopped in order. Objects of S3 are written at once; everything else is written here
soon after a change: when nothing has changed for a second, and under steady load at least every fifteen. What a request
began may end later (a stack, a task), so the state is saved again five and fifteen seconds after the last request.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

from brewhaven.local.doors import Application, Receive, Scope, Send

QUIET_SECONDS = (1.0, 5.0, 15.0)
AT_LEAST_EVERY_SECONDS = 15.0
_READS = ("BatchGet", "Check", "Count", "Describe", "Discover", "Filter", "Get", "List", "Lookup", "Query", "Scan")
logger = logging.getLogger("brewhaven.local")


class Checkpoints:
    """Notices changes and writes the state of every service to the state folder."""

    def __init__(self) -> None:
        self._changed_at: float | None = None
        self._saved_at = time.monotonic()
        self._saved_since_change = 0

    def watch(self, application: Application) -> Application:
        """Wrap the emulator so that each request that may change something is noticed."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            await application(scope, receive, send)
            if scope["type"] == "http" and _may_change(scope):
                self.note_change(time.monotonic())

        return watched

    def note_change(self, now: float) -> None:
        """Something may have changed at this moment of the monotonic clock."""
        self._changed_at, self._saved_since_change = now, 0

    def is_due(self, now: float) -> bool:
        """Whether there are changes to save at this moment of the monotonic clock."""
        if self._changed_at is None:
            return False
        if self._saved_since_change == len(QUIET_SECONDS):
            return False
        quiet = QUIET_SECONDS[self._saved_since_change]
        never_since = self._saved_since_change == 0
        return now - self._changed_at >= quiet or (never_since and now - self._saved_at >= AT_LEAST_EVERY_SECONDS)

    async def run(self, stop: asyncio.Event) -> None:
        """Save when it is due, until ``stop`` is set; the last save is the emulator's own."""
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), timeout=0.5)
            except TimeoutError:
                if self.is_due(time.monotonic()):
                    await self.save()

    async def save(self) -> None:
        """Copy the state on the event loop, where nobody changes it meanwhile, and write it from a thread."""
        from ministack import app
        from ministack.core import persistence

        self._saved_since_change, self._saved_at = self._saved_since_change + 1, time.monotonic()
        states: dict[str, Any] = {}
        for name, get_state in app._build_persistence_save_dict().items():
            try:
                state = get_state()
                if state is not None:
                    states[name] = json.dumps(state, default=persistence._json_default)
            except (RuntimeError, TypeError, ValueError):
                # A worker thread changed the service's state under the copy: the next round takes it.
                logger.debug("The state of %s was busy", name, exc_info=True)
                self.note_change(time.monotonic())
        await asyncio.to_thread(_write, states)


def _write(states: dict[str, str]) -> None:
    from ministack.core import persistence

    folder = Path(persistence.STATE_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in states.items():
        draft = folder / f"{name}.json.draft"
        version = persistence._state_format_version(name)
        draft.write_text(f'{{"__ministack_format__": {version}, "payload": {text}}}')
        draft.replace(folder / f"{name}.json")


def _may_change(scope: Scope) -> bool:
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return False
    target = next((value for name, value in scope["headers"] if name.lower() == b"x-amz-target"), b"").decode("latin-1")
    return not target.rsplit(".", 1)[-1].startswith(_READS)
