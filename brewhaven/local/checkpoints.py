"""Save the cloud's state while it runs, so that a killed process loses seconds and not the account.

The emulator saves when it is stopped in order. Objects of S3 are written at once; everything else is written here
soon after a change: when nothing has changed for a second, and under steady load at least every fifteen. What a request
began may end later (a stack, a task), so the state is saved again five and fifteen seconds after the last request.

Saving holds the APIs up, and its bytes compete for the disk with the databases'. So one service after the other is
copied, requests come in between, what has not changed is not written again, and the packages of functions, which are
most of it, are only encoded when they are written.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brewhaven.local.doors import Application, Receive, Scope, Send

QUIET_SECONDS = (1.0, 5.0, 15.0)
AT_LEAST_EVERY_SECONDS = 15.0
_READS = ("BatchGet", "Check", "Count", "Describe", "Discover", "Filter", "Get", "List", "Lookup", "Query", "Scan")
# Stands in a service's text for bytes; no text that a client can send holds it.
_MARK = secrets.token_hex(16)
_BYTES = re.compile(f'{_MARK}:([^"]+)')
logger = logging.getLogger("brewhaven.local")


@dataclass
class State:
    """A service's state as JSON in the emulator's form, its bytes aside.

    Attributes:
        text: Equal for equal states.
        contents: What the marks in the text stand for.
    """

    text: str = ""
    contents: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, state: Any) -> State:
        """Copy a state."""
        from ministack.core import persistence

        made = cls()

        def default(value: Any) -> Any:
            if not isinstance(value, (bytes, bytearray)):
                return persistence._json_default(value)
            content = bytes(value)
            name = f"{len(content)}:{hash(content):x}"  # Python computes it once for each object
            made.contents[name] = content
            return {"__bytes__": f"{_MARK}:{name}"}

        made.text = json.dumps(state, default=default)
        return made

    def parts(self) -> Iterator[str]:
        """The JSON with its bytes, in pieces."""
        for position, part in enumerate(_BYTES.split(self.text)):
            yield b64encode(self.contents[part]).decode("ascii") if position % 2 else part


class Checkpoints:
    """Notices changes and writes the state of every service to the state folder."""

    def __init__(self) -> None:
        self._changed_at: float | None = None
        self._saved_at = time.monotonic()
        self._saved_since_change = 0
        self._written: dict[str, int] = {}

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

        self._saved_since_change, self._saved_at = self._saved_since_change + 1, time.monotonic()
        states: dict[str, State] = {}
        for name, get_state in app._build_persistence_save_dict().items():
            try:
                state = get_state()
                copy = None if state is None else State.of(state)
            except (RuntimeError, TypeError, ValueError):
                # A worker thread changed the service's state under the copy: the next round takes it.
                logger.debug("The state of %s was busy", name, exc_info=True)
                self.note_change(time.monotonic())
                continue
            if copy is not None and not (self._written.get(name) == hash(copy.text) and _file(name).exists()):
                states[name] = copy
            await asyncio.sleep(0)
        await asyncio.to_thread(_write, states)
        self._written |= {name: hash(state.text) for name, state in states.items()}


def _file(name: str) -> Path:
    from ministack.core import persistence

    return Path(persistence.STATE_DIR) / f"{name}.json"


def _write(states: dict[str, State]) -> None:
    from ministack.core import persistence

    Path(persistence.STATE_DIR).mkdir(parents=True, exist_ok=True)
    for name, state in states.items():
        draft = _file(name).with_suffix(".json.draft")
        version = persistence._state_format_version(name)
        with draft.open("w", encoding="ascii") as file:
            file.write(f'{{"__ministack_format__": {version}, "payload": ')
            file.writelines(state.parts())
            file.write("}")
        draft.replace(_file(name))


def _may_change(scope: Scope) -> bool:
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return False
    target = next((value for name, value in scope["headers"] if name.lower() == b"x-amz-target"), b"").decode("latin-1")
    return not target.rsplit(".", 1)[-1].startswith(_READS)
