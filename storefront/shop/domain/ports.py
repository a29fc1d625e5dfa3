"""What the domain needs from the world.  Adapters implement these; phase 2 brings others for orders and sessions."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from shop.domain.catalog import Board, Product
from shop.domain.customers import Customer
from shop.domain.orders import Order
from shop.domain.pictures import RejectedPicture
from shop.domain.sales import Sale
from shop.domain.sessions import Session


class Catalog(Protocol):
    """The products."""

    def board(self) -> Board: ...
    def menu(self, category: str | None = None) -> list[Product]:
        """All products that are not retired, or those of one category, in the order of the menu."""
        ...

    def retired(self) -> list[Product]: ...
    def get(self, product_id: str) -> Product | None: ...
    def get_many(self, product_ids: Collection[str]) -> dict[str, Product]: ...
    def add(self, product: Product, key: str, fingerprint: str) -> Product:
        """Add a product once.

        The same key and fingerprint again answers the product that is there; `KeyReused` for another fingerprint,
        `Conflict` when the id is taken.
        """
        ...

    def replace(self, product: Product) -> Product:
        """Store a product whose `version` is one higher than the stored one; `Conflict` otherwise.

        The stock is left as it is: orders take from it at any moment, so it is only ever changed by `set_stock`.
        """
        ...

    def set_stock(self, product_id: str, stock: int | None, *, expected: int | None) -> Product:
        """Set the stock; with `expected`, only if so much is there now (`Conflict` otherwise)."""
        ...


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that an idempotency key has already placed."""

    order: Order
    fingerprint: str


class OrderBook(Protocol):
    """The orders."""

    def find(self, order_id: str) -> Order | None: ...
    def of_owner(self, owner: str, limit: int) -> list[Order]:
        """The newest orders first."""
        ...

    def open_orders(self) -> list[Order]:
        """All that are not collected or cancelled, the oldest first."""
        ...

    def collected_on(self, day: str, limit: int) -> list[Order]:
        """Orders collected on that day of the shop's zone, the latest first."""
        ...

    def sales_on(self, day: str) -> list[Sale]: ...
    def placed_with(self, owner: str, key: str) -> Placed | None: ...
    def place(self, order: Order, key: str, fingerprint: str) -> Placed:
        """Take the order and the pieces it needs from the shelf, all or nothing.

        Answers the earlier order when the key is used already.  Raises `OutOfStock`, and `Unavailable` when too many
        people order the same piece at the same moment for too long.
        """
        ...

    def save(self, before: Order, after: Order) -> None:
        """Replace `before` by `after` if nobody was faster (`Conflict` otherwise), with what belongs to the step:

        the sale when it is paid, the shelf when it is cancelled, the day's list when it is collected.
        """
        ...


class People(Protocol):
    """Customers and staff."""

    def add(self, customer: Customer) -> None:
        """Raises `Conflict` when the e-mail address is taken."""
        ...

    def by_email(self, email: str) -> Customer | None: ...
    def staff(self) -> list[Customer]: ...


class Sessions(Protocol):
    """The server's side of the visits."""

    def load(self, session_id: str) -> Session | None: ...
    def save(self, session: Session) -> None:
        """Raises `SignInNeeded` when the session was revoked meanwhile."""
        ...

    def revoke(self, session_id: str) -> None: ...
    def revoke_all(self, customer_id: str) -> None:
        """Sign this person out everywhere."""
        ...


class Limiter(Protocol):
    """Counts attempts."""

    def count(self, what: str, who: str, *, limit: int, window: timedelta) -> None:
        """Count one attempt; raises `TooMany` once there are more than `limit` in the window."""
        ...

    def forget(self, what: str, who: str, *, window: timedelta) -> None: ...


class Hasher(Protocol):
    """Passwords."""

    def hash(self, password: str) -> str: ...
    def verify(self, password_hash: str | None, password: str) -> bool:
        """Takes as long for nobody (None) as for somebody, so that the time tells nothing."""
        ...


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """What a browser needs to send a file straight to S3: a form POST with these fields, then the file."""

    id: str
    url: str
    fields: dict[str, str]
    max_bytes: int
    expires_in: int


class Pictures(Protocol):
    """The pictures in the bucket."""

    def url(self, key: str) -> str:
        """An address at which a browser may read this picture for the next minutes."""
        ...

    def small_url(self, key: str) -> str:
        """The same for the picture's thumbnail, where somebody has made one; else for the picture itself."""
        ...

    def origins(self) -> tuple[str, ...]:
        """The origins that `url` and uploads use, for the content security policy."""
        ...

    def new_upload(self, content_type: str) -> UploadRequest: ...
    def accept(self, upload_id: str) -> str:
        """Look at the bytes that arrived; if they are a picture, keep a copy and answer its key.

        Raises `NotFound` when nothing arrived and `Invalid` when it is no picture.
        """
        ...

    def exists(self, key: str) -> bool: ...


class RejectedPictures(Protocol):
    """What was put aside by whoever looks at pictures once more after the shop. In phase 1 nobody does."""

    def all(self) -> list[RejectedPicture]:
        """Those that no manager has dismissed, the newest first."""
        ...

    def dismiss(self, picture_id: str) -> None:
        """Take one off the list; again it stays off. Raises `NotFound` for a picture that nobody has looked at."""
        ...
