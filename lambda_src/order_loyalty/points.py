"""How many points an order is worth. Plain Python: no AWS."""

from order_events.event import PAID, OrderEvent

CENTS_A_POINT = 100


class NoPointsError(ValueError):
    """Only a paid order makes points; the subscription's filter should not let anything else through."""


def points_of(event: OrderEvent) -> int:
    """A point for each whole euro.

    :raises NoPointsError: for an event that is not a payment.
    """
    if event.type != PAID:
        raise NoPointsError(f"event {event.id}: points are for {PAID}, got {event.type}")
    return event.order.total_cents // CENTS_A_POINT
