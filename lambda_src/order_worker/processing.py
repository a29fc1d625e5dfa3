"""What happens with an event: noted once, and announced. Plain Python: no AWS and no database."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from order_events.event import OrderEvent


class Outcome(StrEnum):
    """Whether the event had its effect now, or had it before."""

    PROCESSED = "processed"
    REPEATED = "repeated"


class Notes(Protocol):
    """Where processed events are noted."""

    def once(self, event: OrderEvent, effect: Callable[[], None]) -> bool:
        """Note an event and let it have its effect, both or neither. False when it was noted before."""
        ...


class Announcements(Protocol):
    """Where events are announced."""

    def announce(self, event: OrderEvent, text: str) -> None:
        """Tell everybody who wants to know of this event."""
        ...


def process(event: OrderEvent, text: str, notes: Notes, announcements: Announcements) -> Outcome:
    """Note an event and announce it, unless it was noted before.

    Whatever either of them raises leaves the event unnoted, so that a later try does both.

    :param text: the message as it came, which is announced unchanged.
    """
    first = notes.once(event, lambda: announcements.announce(event, text))
    return Outcome.PROCESSED if first else Outcome.REPEATED
