"""The ways to a customer, each on its own: one that fails does not keep the others from being served."""

from collections.abc import Sequence
from typing import Protocol

from order_notification.notice import Notice


class Channel(Protocol):
    """One way to a customer."""

    name: str

    def send(self, notice: Notice) -> int:
        """Send a notice; how many addresses of the customer it went to, 0 when there is none."""
        ...


class NotToldError(Exception):
    """One or more channels failed; the others have told the customer."""


def tell(notice: Notice, channels: Sequence[Channel]) -> dict[str, int]:
    """Send a notice over every channel, and say how many addresses each reached.

    :raises NotToldError: with every channel that failed, after all were tried.
    """
    told: dict[str, int] = {}
    failures: list[str] = []
    for channel in channels:
        try:
            told[channel.name] = channel.send(notice)
        except Exception as error:  # whatever it is, the next channel is not to suffer
            failures.append(f"{channel.name}: {error}")
    if failures:
        raise NotToldError(f"event {notice.event_id} of order {notice.order_id}: " + "; ".join(failures))
    return told
