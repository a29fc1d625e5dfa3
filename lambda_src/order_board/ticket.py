"""A ticket at the counter. Plain Python: no AWS."""

from dataclasses import dataclass
from datetime import datetime

from order_events.event import PAID, PLACED, OrderEvent

STAGES = {PLACED: (1, "waiting for payment"), PAID: (2, "to be made")}
"""How far an event brings a ticket, as a number that only grows, and in words."""


class NotForTheBoardError(ValueError):
    """The counter does not wait for this type of event; the subscription's filter should not let it through."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the barista reads: the number to call, the name, and what is in the order."""

    order_id: str
    number: str
    name: str
    lines: tuple[str, ...]
    stage: int
    says: str
    at: datetime


def ticket_of(event: OrderEvent) -> Ticket:
    """The ticket that an event makes.

    :raises NotForTheBoardError: for a type that the counter does not wait for.
    """
    if event.type not in STAGES:
        raise NotForTheBoardError(f"event {event.id}: the board shows {', '.join(STAGES)}, got {event.type}")
    stage, says = STAGES[event.type]
    return Ticket(
        order_id=event.order_id,
        number=event.order.number,
        name=event.order.name,
        lines=tuple(f"{line.quantity} x {line.name}, {line.size}" for line in event.order.lines),
        stage=stage,
        says=says,
        at=event.at,
    )
