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


class Switches(Protocol):
    """Which way orders and sessions go; see `shop.adapters.switches`."""

    @property
    def orders(self) -> str: ...
    @property
    def sessions(self) -> str: ...
    def refresh(self) -> None: ...


@dataclass(frozen=True)
class Services:
    """The shop.  `order_books` and `session_stores` hold every way there is, by the name that the switches use."""

    zone: ZoneInfo
    catalog: Catalog
    order_books: Mapping[str, OrderBook]
    session_stores: Mapping[str, Sessions]
    people: People
    limiter: Limiter
    hasher: Hasher
    pictures: Pictures
    rejected_pictures: RejectedPictures
    signer: Signer
    switches: Switches
    checks: Mapping[str, Callable[[], object]]
    live: LiveReads = field(default_factory=LiveReads)

    @property
    def orders(self) -> OrderBook:
        return self.order_books[self.switches.orders]

    @property
    def ordering(self) -> Ordering:
        return Ordering(self.catalog, self.orders)

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.people, self.session_stores[self.switches.sessions], self.limiter, self.hasher)

    def cancel_lapsed(self) -> None:
        """Give back what unpaid orders hold for too long; every task of the shop may do it, each order goes once."""
        count = self.ordering.cancel_lapsed()
        if count:
            logger.info("cancelled %s orders that nobody paid", count)

    def changed(self, order: Order) -> None:
        """Tell everybody who watches this order, or the board."""
        self.live.poke((f"order {order.id}",), ("board",))

    def readiness(self) -> dict[str, str]:
        """`ok`, or what is wrong, for each thing the shop needs."""
        results = {}
        for name, check in self.checks.items():
            try:
                check()
                results[name] = "ok"
            except Unavailable as error:
                # Expected, and the adapter has noted it in one line.
                results[name] = f"does not answer ({type(error).__name__})"
            except Exception as error:
                logger.warning("%s is not ready", name, exc_info=True)
                results[name] = f"does not answer ({type(error).__name__})"
        return results
