"""Identifiers and times.

Ids sort by the time they were made (a ULID: 48 bits of milliseconds, then 80 random bits, in Crockford's base 32), so
that a sort key built on them reads in order.  Times are UTC everywhere; the shop's zone is only for showing them and
for saying where a day begins.
"""

import secrets
import time
from datetime import UTC, datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ID_LENGTH = 26


def new_id() -> str:
    """A new id of 26 characters, e.g. `01KAN8M3T6Q0X3D1V7C5W9R2YB`."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (ID_LENGTH - 1), -1, -5))


def is_id(text: str) -> bool:
    """Whether `text` has the shape of an id; saves a read for what cannot exist."""
    return len(text) == ID_LENGTH and all(letter in _ALPHABET for letter in text)


def now() -> datetime:
    """The present moment in UTC, cut to milliseconds, as it is stored."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def to_text(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds: `2026-11-22T08:45:12.345Z`.  All of one length, so that they sort as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """The moment that `to_text` wrote."""
    return datetime.fromisoformat(text)
