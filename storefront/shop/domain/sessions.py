"""A visit: who is signed in, and the cart, kept on the server.  The browser holds only a signed random id."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shop.domain.customers import STAFF, Caller, Role
from shop.domain.orders import Choice

LIFETIME = timedelta(days=30)
STAFF_LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Session:
    """What the server remembers of one session id.  `revoked` outlives signing out, so that a copied id stays dead."""

    id: str
    caller: Caller
    expires_at: datetime
    cart: tuple[Choice, ...] = ()
    revoked: bool = False

    def alive(self, at: datetime) -> bool:
        return not self.revoked and at < self.expires_at


def lifetime(role: Role | None) -> timedelta:
    """Staff sign in for a shift, guests for a month."""
    return STAFF_LIFETIME if role in STAFF else LIFETIME
