"""Who makes an API call: the function, task or instance whose temporary keys sign it, and where that runs.

Keys are what tells callers of one machine apart. A function's process gets keys of its own; a task's and an instance's
sessions carry its id as their name. A session that such a caller opens with AssumeRole is its own as well. Presigned
requests are not attributed: whoever holds the URL sends them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from brewhaven.reach.topology import Place

if TYPE_CHECKING:
    from brewhaven.local.engines.network import Interface

SAID_AGAIN_SECONDS = 5.0


@dataclass(eq=False)
class Caller:
    """Something that runs in a VPC.

    Attributes:
        name: `the function Worker`.
        interface: Its network interface.
        say: Writes a line to its log.
    """

    name: str
    interface: Interface
    say: Callable[[str], None]
    _said: dict[str, float] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return Place(self.interface.subnet, self.interface.groups, self.interface.public)

    def say_once(self, service: str, text: str) -> None:
        """Say it, but not for every retry of the SDK."""
        now = time.monotonic()
        if self._said.get(service, -SAID_AGAIN_SECONDS) + SAID_AGAIN_SECONDS <= now:
            self._said[service] = now
            self.say(text)


class Callers:
    """All of them, by access key or by the name of their session; safe to use from any thread."""

    def __init__(self) -> None:
        self._by_key: dict[str, Caller] = {}
        self._by_session: dict[str, Caller] = {}

    def add(self, caller: Caller, *, key: str = "", session: str = "") -> None:
        """Make a caller known by its access key or by the name of its sessions."""
        if key:
            self._by_key[key] = caller
        if session:
            self._by_session[session] = caller

    def remove(self, interface: Interface) -> None:
        """Forget who spoke through an interface, with every session that it opened."""
        for known in (self._by_key, self._by_session):
            for name in [name for name, caller in list(known.items()) if caller.interface is interface]:
                known.pop(name, None)

    def clear(self) -> None:
        """Forget everybody."""
        self._by_key.clear()
        self._by_session.clear()

    def of(self, key: str) -> Caller | None:
        """Who signs with an access key; None for everybody who is outside of any VPC."""
        found = self._by_key.get(key)
        if found is not None or not self._by_session:
            return found
        from ministack.services import sts

        session = sts._sessions.get(key)
        return self._by_session.get(str(session.get("Arn", "")).rpartition("/")[2]) if session else None


CALLERS = Callers()
