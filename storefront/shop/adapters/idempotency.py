"""Idempotency records: what a key has made, so that a second try of the same request finds it."""

from dataclasses import dataclass
from datetime import timedelta

from shop.adapters import keys
from shop.adapters.table import Item, Table, put
from shop.domain.ids import now

_NOT_USED = "attribute_not_exists(pk) OR #expires_at < :now"  # TTL deletes late, sometimes by days


@dataclass(frozen=True, slots=True)
class Record:
    fingerprint: str
    made: str


class Records:
    """The records of one kind of request.  Each is written in the same transaction as what the request makes."""

    def __init__(self, table: Table, what: str) -> None:
        self._table = table
        self._what = what

    def new(self, owner: str, key: str, fingerprint: str, made: str, kept: timedelta) -> Item:
        """The write that takes the key; its condition fails when the key is taken."""
        pk, sk = keys.idempotency(self._what, owner, key)
        at = int(now().timestamp())
        item = {
            "pk": pk,
            "sk": sk,
            "type": "idempotency",
            "fingerprint": fingerprint,
            "made": made,
            "expires_at": at + int(kept.total_seconds()),
        }
        return put(self._table.name, item, _NOT_USED, {":now": at})

    def find(self, owner: str, key: str) -> Record | None:
        """What the key has made; None when it is not taken."""
        item = self._table.get(keys.idempotency(self._what, owner, key))
        if item is None or item["expires_at"] < now().timestamp():
            return None
        return Record(item["fingerprint"], item["made"])
