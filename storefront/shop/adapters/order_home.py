"""Where the orders live now, and how they move while guests go on ordering.

Tasks look at the parameter at different moments, so for some seconds they believe different things.  They never act
on it, because the gate of the table decides:

- A task that reads `postgresql` closes the gate, carries everything over (once, whoever comes first) and goes on there.
- A task that has not heard of it yet meets `Closed` with the very next thing it does with an order, asks where orders
  live now, and goes on there, all within the same request.
- A task that reads that the parameter is gone opens the gate again.  What was ordered in PostgreSQL is gone with it.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from shop.adapters.order_gate import Closed, Closing, OrderGate
from shop.adapters.switches import Parameter, PostgresPlace, Switches
from shop.domain import ids
from shop.domain.errors import Unavailable

if TYPE_CHECKING:
    from shop.adapters.outbox import Relay
    from shop.adapters.postgres_orders import PostgresOrders

    _Book = tuple[PostgresPlace, PostgresOrders]

logger = logging.getLogger(__name__)
T = TypeVar("T")
# A closing this old was not made by a task that has just read a newer parameter than we have.
_HEARD_BY_ALL = timedelta(seconds=10)
_LONGEST_MOVE = 20.0  # seconds that a request waits for another one that carries over
_PAUSES = (0.0, 0.0, 0.2, 0.5, 1.0, 1.5)
_TIDY_EVERY = 3600.0
_MOVING = "The shop is moving its orders to a new place. Please try again in a moment; no order is taken twice."


class OrderHome:
    """Knows whether orders live in the table or in PostgreSQL, and moves them.

    `open_postgres` makes the order book at a place; `carry_over` fills it, unless that was done for this closing, and
    `may_carry_over` raises `Unavailable` when that is not allowed; `relay` sends what it leaves in its outbox.
    """

    def __init__(
        self,
        parameter: Parameter,
        gate: OrderGate,
        open_postgres: Callable[[PostgresPlace], "PostgresOrders"],
        carry_over: Callable[["PostgresOrders", Closing], object],
        *,
        may_carry_over: Callable[[], object],
        relay: "Relay",
        clock: Callable[[], datetime] = ids.now,
    ) -> None:
        self._parameter = parameter
        self._gate = gate
        self._open_postgres = open_postgres
        self._carry_over = carry_over
        self._may_carry_over = may_carry_over
        self._relay = relay
        self._clock = clock
        self._lock = threading.Lock()
        self._turns = 0
        self._here: _Book | None = None
        self._next: _Book | None = None
        self._left: list[_Book] = []
        self._tidied = time.monotonic()

    @property
    def postgres(self) -> "PostgresOrders | None":
        """The order book in PostgreSQL; None while orders live in the table."""
        here = self._here
        return here[1] if here else None

    def refresh(self) -> None:
        """Look at the parameter and follow it.  Raises `Unavailable` when it leads to a PostgreSQL that is away."""
        with self._lock:
            self._refresh()
        postgres = self.postgres
        if postgres and time.monotonic() - self._tidied > _TIDY_EVERY:
            self._tidied = time.monotonic()
            postgres.tidy()

    def do(self, at_table: Callable[[], T], at_postgres: Callable[["PostgresOrders"], T]) -> T:
        """Do it where the orders live; when they have just moved, there.

        Raises `Unavailable` when it cannot be found out where that is.
        """
        for pause in _PAUSES:
            if pause:
                time.sleep(pause)
            turn, postgres = self._turns, self.postgres
            try:
                return at_postgres(postgres) if postgres else at_table()
            except Closed:
                self._catch_up(turn)
        raise Unavailable(_MOVING)

    def checks(self) -> Mapping[str, Callable[[], object]]:
        """What `/ready` asks."""
        return {"orders": self._check} if self._parameter.now.orders == "postgresql" else {}

    def close(self) -> None:
        """Send what is in the outbox, and close the connections."""
        self._relay.stop()
        for book in (self._here, self._next):
            self._leave(book)
        self._close_left()

    def _check(self) -> None:
        postgres = self.postgres
        if postgres is None:
            raise Unavailable(_MOVING)
        postgres.answers(patience=1)

    def _catch_up(self, turn: int) -> None:
        if not self._lock.acquire(timeout=_LONGEST_MOVE):
            raise Unavailable(_MOVING)
        try:
            if self._turns != turn:
                return  # another request has just done it
            closing = self._gate.closing()  # before the parameter is read, so that it is the older of the two
            self._refresh()
            if closing and self.postgres is None:
                self._open_gate(closing)
        finally:
            self._lock.release()

    def _refresh(self) -> None:
        switches = self._parameter.read()
        try:
            self._turn(switches)
        finally:
            self._turns += 1
            postgres = self.postgres
            self._relay.turn(postgres.database if postgres else None, switches.order_queue_url)

    def _turn(self, switches: Switches) -> None:
        self._close_left()
        place = switches.postgresql if switches.orders == "postgresql" else None
        if place is None:
            self._leave(self._next)
            self._next = None
            if self._here:
                self._go_back()
            return
        if self._here and self._here[0] == place:
            return
        if self._next is None or self._next[0] != place:
            self._leave(self._next)
            self._next = place, self._open_postgres(place)
        postgres = self._next[1]
        # Before the gate closes: what is not there yet must not keep the shop from selling.
        postgres.answers()
        if self._gate.closing() is None:
            self._may_carry_over()
        self._carry_over(postgres, self._gate.close())
        before, self._here, self._next = self._here, self._next, None
        self._leave(before)
        logger.info("orders now live in PostgreSQL at %s", place.host)

    def _go_back(self) -> None:
        before, self._here = self._here, None
        self._leave(before)
        closing = self._gate.closing()
        if closing:
            self._open_gate(closing)
        logger.warning("orders live in the table again; what was ordered in PostgreSQL meanwhile is not in it")

    def _open_gate(self, closing: Closing) -> None:
        """Open it if that is certain: the parameter was read, and does not say otherwise since before the closing."""
        if not self._parameter.problem and self._clock() - closing.at >= _HEARD_BY_ALL:
            self._gate.reopen(closing.at)

    def _leave(self, book: "_Book | None") -> None:
        """Requests may still be at it, so its connections are closed with the next turn."""
        if book:
            self._left.append(book)

    def _close_left(self) -> None:
        while self._left:
            self._left.pop()[1].database.close()
