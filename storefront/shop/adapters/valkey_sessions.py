"""Sessions (with their carts) and counted attempts in Valkey, with DynamoDB behind it.

Every request asks for its session, few change one.  So Valkey answers, and DynamoDB keeps: a change is written there
first and then to Valkey.  A Valkey that is emptied or away signs nobody out and loses no cart, and a session that began
in phase 1 is found in the table once and moves over.

What a copy can be: the session, the mark of a revoked one, or the mark that there is none (most guests only look).  No
copy lives longer than five minutes, so whatever should go wrong with it rights itself.
"""

import json
from datetime import timedelta

from shop.adapters import keys
from shop.adapters.limits import DynamoLimiter, expect_few, window_of
from shop.adapters.sessions import DynamoSessions, to_item, to_session
from shop.adapters.valkey_store import Away, ValkeyStore
from shop.domain.ids import now, to_text
from shop.domain.sessions import Session

COPY_SECONDS = 5 * 60
_NOBODY_SECONDS = 60
_NOBODY = b"{}"
_REVOKED = b'{"revoked": true}'
# A save that is slower than signing out must not bring the session back to life.
_SET_UNLESS_REVOKED = """
if redis.call('GET', KEYS[1]) == ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return 1
"""
# One script and not a transaction: MULTI is none of the commands that the cache allows the shop.
_COUNT = """
local attempts = redis.call('INCR', KEYS[1])
redis.call('EXPIREAT', KEYS[1], ARGV[1])
return attempts
"""


class ValkeySessions:
    """Implements `shop.domain.ports.Sessions`."""

    def __init__(self, store: ValkeyStore, table: DynamoSessions) -> None:
        self._store = store
        self._table = table

    def load(self, session_id: str) -> Session | None:
        if not self._store.serves("sessions"):
            return self._table.load(session_id)
        key = _key(session_id)
        name = self._store.name(key)
        try:
            copy = self._store.ask(lambda client: client.get(name))
        except Away:
            return self._table.load(session_id)
        if copy is not None:
            return _from_copy(session_id, copy)
        session = self._table.load(session_id)
        text, seconds = _to_copy(session)
        if seconds > 0:
            self._fill(name, text, seconds)
        return session

    def save(self, session: Session) -> None:
        self._table.save(session)
        if not self._store.uses("sessions"):
            return
        key = _key(session.id)
        text, seconds = _to_copy(session)
        if not self._store.serves("sessions") or seconds <= 0:
            self._store.drop(key)
            return
        name = self._store.name(key)
        try:
            self._store.ask(lambda client: client.eval(_SET_UNLESS_REVOKED, 1, name, text, _REVOKED, seconds))
        except Away:
            self._store.outdate(key)

    def revoke(self, session_id: str) -> None:
        self._table.revoke(session_id)
        self._mark_revoked(_key(session_id))

    def revoke_all(self, customer_id: str) -> None:
        theirs = self._table.of_customer(customer_id)
        self._table.revoke_all(customer_id)
        for pk in theirs:
            self._mark_revoked(pk)

    def _fill(self, name: str, text: bytes, seconds: int) -> None:
        """Only where there is nothing: a change that came in between is newer than what was read."""
        try:
            self._store.ask(lambda client: client.set(name, text, ex=seconds, nx=True))
        except Away:
            return

    def _mark_revoked(self, key: str) -> None:
        if not self._store.uses("sessions"):
            return
        name = self._store.name(key)
        try:
            self._store.ask(lambda client: client.set(name, _REVOKED, ex=COPY_SECONDS))
        except Away:
            self._store.outdate(key)


class ValkeyLimiter:
    """Implements `shop.domain.ports.Limiter`: counts where the sessions are, and in the table while Valkey is away."""

    def __init__(self, store: ValkeyStore, table: DynamoLimiter) -> None:
        self._store = store
        self._table = table

    def count(self, what: str, who: str, *, limit: int, window: timedelta) -> None:
        start, ends = window_of(window)
        name = self._name(what, who, to_text(start))
        if not self._store.serves("sessions"):
            self._table.count(what, who, limit=limit, window=window)
            return
        try:
            attempts = self._store.ask(lambda client: client.eval(_COUNT, 1, name, int(ends.timestamp()) + 1))
        except Away:
            self._table.count(what, who, limit=limit, window=window)
        else:
            expect_few(attempts, limit, ends)

    def forget(self, what: str, who: str, *, window: timedelta) -> None:
        self._table.forget(what, who, window=window)
        if self._store.uses("sessions"):
            name = self._name(what, who, to_text(window_of(window)[0]))
            try:
                self._store.ask(lambda client: client.delete(name))
            except Away:
                return

    def _name(self, what: str, who: str, window: str) -> str:
        return self._store.name("#".join(keys.rate(what, who, window)))


def _key(session_id: str) -> str:
    return keys.session(session_id)[0]


def _to_copy(session: Session | None) -> tuple[bytes, int]:
    """The copy, and for how many seconds it is good."""
    if session is None:
        return _NOBODY, _NOBODY_SECONDS
    if session.revoked:
        return _REVOKED, COPY_SECONDS
    left = int((session.expires_at - now()).total_seconds())
    return json.dumps(to_item(session)).encode(), min(COPY_SECONDS, left)


def _from_copy(session_id: str, copy: bytes) -> Session | None:
    if copy == _NOBODY:
        return None
    item = json.loads(copy)
    if item.get("revoked"):
        item["expires_at"] = int(now().timestamp()) + COPY_SECONDS
    return to_session(session_id, item)
