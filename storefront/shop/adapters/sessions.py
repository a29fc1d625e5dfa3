"""Sessions in the one table, and the signature on the cookie that names one."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

import itsdangerous

from shop.adapters import keys
from shop.adapters.table import ConditionFailed, Item, Table
from shop.domain.customers import Caller, Role
from shop.domain.errors import SignInNeeded
from shop.domain.ids import now
from shop.domain.orders import Choice
from shop.domain.sessions import LIFETIME, Session


class DynamoSessions:
    """Implements `shop.domain.ports.Sessions`.  A revoked session leaves a mark for as long as a cookie may live."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def load(self, session_id: str) -> Session | None:
        item = self._table.get(keys.session(session_id))
        return to_session(session_id, item) if item else None

    def save(self, session: Session) -> None:
        item = to_item(session)
        try:
            self._table.put(item, condition="attribute_not_exists(#revoked)")
        except ConditionFailed:
            raise SignInNeeded("This session has ended. Please reload the page.") from None
        if session.caller.customer_id:
            mine = keys.customer(session.caller.customer_id)[0]
            pointer = {"pk": mine, "sk": item["pk"], "type": "session-of-customer", "expires_at": item["expires_at"]}
            self._table.put(pointer)

    def revoke(self, session_id: str) -> None:
        self._revoke(keys.session(session_id)[0])

    def revoke_all(self, customer_id: str) -> None:
        mine = keys.customer(customer_id)[0]
        for pk in self.of_customer(customer_id):
            self._revoke(pk)
            self._table.delete((mine, pk))

    def of_customer(self, customer_id: str) -> list[str]:
        """This person's sessions, by their partition keys: the table does not know the ids."""
        pointers = self._table.query(keys.customer(customer_id)[0], begins=keys.SESSION_PREFIX)
        return [pointer["sk"] for pointer in pointers]

    def _revoke(self, pk: str) -> None:
        expires_at = int((now() + LIFETIME).timestamp())
        self._table.put({"pk": pk, "sk": "SESSION", "type": "session", "revoked": True, "expires_at": expires_at})


def to_item(session: Session) -> Item:
    """A session as it is stored."""
    pk, sk = keys.session(session.id)
    caller = session.caller
    return {
        "pk": pk,
        "sk": sk,
        "type": "session",
        "guest_id": caller.guest_id,
        "customer_id": caller.customer_id,
        "name": caller.name,
        "email": caller.email,
        "role": caller.role.value if caller.role else None,
        "cart": [_choice_to_item(choice) for choice in session.cart],
        "expires_at": int(session.expires_at.timestamp()),
    }


def to_session(session_id: str, item: Item) -> Session:
    """A session as it was stored; of a revoked one only that is left."""
    role = item.get("role")
    return Session(
        id=session_id,
        caller=Caller(
            guest_id=item.get("guest_id", ""),
            customer_id=item.get("customer_id"),
            name=item.get("name", ""),
            email=item.get("email", ""),
            role=Role(role) if role else None,
        ),
        expires_at=datetime.fromtimestamp(item["expires_at"], UTC),
        cart=tuple(
            Choice(line["product_id"], line["size_id"], tuple(line["extra_ids"]), line["quantity"], line["note"])
            for line in item.get("cart", ())
        ),
        revoked=item.get("revoked", False),
    )


def _choice_to_item(choice: Choice) -> Item:
    return {
        "product_id": choice.product_id,
        "size_id": choice.size_id,
        "extra_ids": choice.extra_ids,
        "quantity": choice.quantity,
        "note": choice.note,
    }


class CookieSigner:
    """Implements `shop.services.Signer`.

    `secrets` answers the keys, the newest first; older ones still read cookies, so that a rotated secret signs nobody
    out.  The signature proves only that this shop made the id; whether it means anybody is the table's business.
    """

    def __init__(self, secrets: Callable[[], list[str]]) -> None:
        self._secrets = secrets

    def sign(self, session_id: str) -> str:
        return self._signer().sign(session_id).decode()

    def read(self, signed: str) -> str | None:
        try:
            return self._signer().unsign(signed, max_age=int(LIFETIME.total_seconds())).decode()
        except (itsdangerous.BadSignature, UnicodeError):
            return None

    def tokens(self, session_id: str) -> list[str]:
        return [
            hmac.new(secret.encode(), f"csrf {session_id}".encode(), hashlib.sha256).hexdigest()
            for secret in self._secrets()
        ]

    def _signer(self) -> itsdangerous.TimestampSigner:
        oldest_first = list(reversed(self._secrets()))
        return itsdangerous.TimestampSigner(oldest_first, salt="shop-session", digest_method=hashlib.sha256)
