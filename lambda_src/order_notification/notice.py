"""What a customer is told. Plain Python: no AWS."""

from dataclasses import dataclass
from datetime import datetime

from order_events.event import CANCELLED, PAID, READY, OrderEvent


@dataclass(frozen=True, slots=True)
class Notice:
    """A few words for the customer of an order, and to whom they go."""

    event_id: str
    order_id: str
    at: datetime
    owner: str
    email: str | None
    subject: str
    text: str


class NothingToTellError(ValueError):
    """Customers do not hear of this type of event; the subscription's filter should not let it through."""


def notice_of(event: OrderEvent) -> Notice:
    """The words for an event.

    :raises NothingToTellError: for a type that customers do not hear of.
    """
    order = event.order
    hello = f"Hello {order.name}, " if order.name else "Hello, "
    cups = sum(line.quantity for line in order.lines)
    match event.type:
        case "order.paid":
            subject = f"Order {order.number} is paid"
            text = f"thank you! We make {_things(cups)} for {_money(order.total_cents)} and call you by {order.number}."
        case "order.ready":
            subject = f"Order {order.number} is ready"
            text = f"your order {order.number} is ready at the counter."
        case "order.cancelled":
            subject = f"Order {order.number} is cancelled"
            text = f"your order {order.number} is cancelled. What was paid goes back to your card."
        case other:
            raise NothingToTellError(
                f"event {event.id}: customers hear of {PAID}, {READY} and {CANCELLED}, got {other}"
            )
    return Notice(
        event_id=event.id,
        order_id=event.order_id,
        at=event.at,
        owner=order.owner,
        email=order.email,
        subject=subject,
        text=hello + text,
    )


def _things(count: int) -> str:
    return "one thing" if count == 1 else f"{count} things"


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d} EUR"
