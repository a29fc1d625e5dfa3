"""Everything the routes need, built once: the domain's services with the adapters behind them."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from zoneinfo import ZoneInfo

from shop.domain.accounts import Accounts
from shop.domain.errors import Unavailable
from shop.domain.ordering import Ordering
from shop.domain.orders import Order
from shop.domain.ports import Catalog, Hasher, Limiter, OrderBook, People, Pictures, RejectedPictures, Sessions
from shop.live import LiveReads

logger = logging.getLogger(__name__)


class Signer(Protocol):
    """Signs session ids, and makes the token that belongs to one."""

    def sign(self, session_id: str) -> str: ...
    def read(self, signed: str) -> str | None: ...
    def tokens(self, session_id: str) -> list[str]:
        """The valid tokens, the newest key's first."""
        ...


class Seam(Protocol):
    """Where a later phase takes over what phase 1 did in the table; see `shop.adapters.seam`."""

    def refresh(self) -> None:
        """Look whether something has been switched, and follow."""
        ...

    def checks(self) -> Mapping[str, Callable[[], object]]:
        """What the shop needs besides `Services.checks`, as it is switched now."""
        ...

    def close(self) -> None:
        """Finish what runs beside the requests, and hang up."""
        ...


@dataclass(frozen=True)
class Services:
    """The shop.

    `checks` are for `/ready`: each raises when what it asks does not answer.  One that answers a sentence has a remark
    to make, and the shop goes on without.
    """

    zone: ZoneInfo
    catalog: Catalog
    orders: OrderBook
    sessions: Sessions
    people: People
    limiter: Limiter
    hasher: Hasher
    pictures: Pictures
    rejected_pictures: RejectedPictures
    signer: Signer
    seam: Seam
    checks: Mapping[str, Callable[[], object]]
    live: LiveReads = field(default_factory=LiveReads)

    @property
    def ordering(self) -> Ordering:
        return Ordering(self.catalog, self.orders)

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.people, self.sessions, self.limiter, self.hasher)

    def cancel_lapsed(self) -> None:
        """Give back what unpaid orders hold for too long; every task of the shop may do it, each order goes once."""
        count = self.ordering.cancel_lapsed()
        if count:
            logger.info("cancelled %s orders that nobody paid", count)

    def changed(self, order: Order) -> None:
        """Tell everybody who watches this order, or the board."""
        self.live.poke((f"order {order.id}",), ("board",))

    def readiness(self) -> tuple[bool, dict[str, str]]:
        """Whether the shop is ready; and `ok`, what is wrong, or a remark, for each thing it uses."""
        ready = True
        results = {}
        for name, check in {**self.checks, **self.seam.checks()}.items():
            try:
                answer = check()
                results[name] = answer if isinstance(answer, str) else "ok"
            except Exception as error:
                if not isinstance(error, Unavailable):  # which is expected, and the adapter has noted it in one line
                    logger.warning("%s is not ready", name, exc_info=True)
                results[name] = f"does not answer ({type(error).__name__})"
                ready = False
        return ready, results
