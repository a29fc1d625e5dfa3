"""The connection to Valkey: short patience, and never a request that fails because of it.

Whatever stands in Valkey also stands somewhere else.  So a Valkey that does not answer makes the shop slower: `ask`
raises `Away`, and who asked goes to the source.  After a failure nobody waits for it for a second.

How a copy is never older than its source, although tasks hear of Valkey at different moments: until a quarter of a
minute after the parameter was written, when every task has read it, nothing is read from Valkey and no copy is put
there, but every change already takes away the copy that others may have made.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from shop.adapters.circuit import Circuit
from shop.adapters.switches import Switches, ValkeyPlace
from shop.domain import ids

logger = logging.getLogger(__name__)
T = TypeVar("T")
Client = Any  # a `valkey.Valkey`, whose own types say of each answer that it may have to be awaited
SETTLED = timedelta(seconds=15)
_REST = 1.0


class Away(Exception):  # noqa: N818  (what happened, not a mistake)
    """Valkey does not answer, or is not to be asked."""


class Connected(Protocol):
    """A client of Valkey, see `shop.adapters.valkey_client`."""

    client: Client
    failures: tuple[type[Exception], ...]

    def failed(self, error: Exception) -> None:
        """It did not answer, or refused."""
        ...


class ValkeyStore:
    """Valkey for sessions and the menu, each as the parameter says.

    `longest` is for how many seconds a copy may stand there.
    """

    def __init__(
        self,
        connect: Callable[[ValkeyPlace], Connected],
        *,
        longest: float,
        clock: Callable[[], datetime] = ids.now,
    ) -> None:
        self._connect = connect
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._place: ValkeyPlace | None = None
        self._connected: Connected | None = None
        self._circuit = Circuit("Valkey", _REST)
        self._switches = Switches()
        self._seen_at = clock()
        self._outdated: dict[str, float] = {}

    def turn(self, switches: Switches) -> None:
        """Do as the parameter says from now on."""
        wanted = "valkey" in {switches.sessions, switches.menu_cache}
        place = switches.valkey if wanted else None
        if switches != self._switches:
            self._seen_at = self._clock()
        if place != self._place:
            self._connected = self._connect(place) if place else None
            self._place = place
            self._circuit = Circuit(f"Valkey at {place.host}" if place else "Valkey", _REST)
        self._switches = switches
        if self._outdated:
            self.check()  # what could not be taken away is, even if no guest comes by

    def uses(self, what: str) -> bool:
        """Whether `sessions` or `menu_cache` are in Valkey, so that a change has to take its copy away."""
        return self._connected is not None and bool(getattr(self._switches, what) == "valkey")

    def serves(self, what: str) -> bool:
        """Whether `sessions` or `menu_cache` may be read from there."""
        return self.uses(what) and self._clock() >= (self._switches.since or self._seen_at) + SETTLED

    def name(self, key: str) -> str:
        """The key as it stands in Valkey.

        Another parameter is another name: what an earlier time of Valkey has left there is not read again.
        """
        since = self._switches.since
        return f"shop:{int(since.timestamp()) if since else 0}:{key}"

    def ask(self, call: Callable[[Client], T]) -> T:
        """What Valkey answers.  Raises `Away`, at once while it is known not to answer."""
        connected = self._connected
        if connected is None or not self._circuit.may_try():
            raise Away
        try:
            self._take_away_outdated(connected.client)
            answer = call(connected.client)
        except connected.failures as error:
            self._circuit.failed(error)
            connected.failed(error)
            raise Away from error
        self._circuit.succeeded()
        return answer

    def drop(self, *keys: str) -> None:
        """Take copies away.  While Valkey is away they are remembered, and taken away before anything else is asked."""
        names = [self.name(key) for key in keys]
        try:
            self.ask(lambda client: client.delete(*names))
        except Away:
            self.outdate(*keys)

    def outdate(self, *keys: str) -> None:
        """These copies could not be renewed: take them away as soon as Valkey answers."""
        until = time.monotonic() + self._longest
        with self._lock:
            self._outdated.update((self.name(key), until) for key in keys)

    def check(self) -> str | None:
        """For `/ready`: nothing, or a remark, since the shop goes on without it.

        It asks what the shop asks: a user may be let in, and not to the shop's keys.
        """
        try:
            self.ask(lambda client: client.get(self.name("ready")))
        except Away:
            return "does not answer; the shop goes on without it, slower"
        return None

    def checks(self) -> dict[str, Callable[[], object]]:
        """What `/ready` asks."""
        return {"cache": self.check} if self._connected else {}

    def _take_away_outdated(self, client: Client) -> None:
        if not self._outdated:
            return
        with self._lock:
            names = list(self._outdated)
            now = time.monotonic()
            still = [name for name in names if self._outdated[name] > now]  # the others have run out by themselves
            for start in range(0, len(still), 1000):
                client.delete(*still[start : start + 1000])
            for name in names:
                del self._outdated[name]
