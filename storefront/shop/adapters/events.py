"""What happens to an order, as others are told: the payload of an outbox row, which is the body of the message.

{"id": "<uuid>", "type": "order.paid", "order_id": "...", "at": "2026-11-28T10:00:00.000Z", "order": {...}}
"""

import uuid
from typing import Any

from shop.domain.ids import to_text
from shop.domain.orders import Order, Status

_TYPES = {
    Status.AWAITING_PAYMENT: "order.placed",
    Status.NEW: "order.paid",
    Status.READY: "order.ready",
    Status.COLLECTED: "order.collected",
    Status.CANCELLED: "order.cancelled",
}


def event_of(before: Order | None, after: Order, customer_id: str | None) -> dict[str, Any] | None:
    """The event of a step; None when the step concerns nobody else.  `order.email` is for the database to add."""
    kind = _TYPES.get(after.status)
    if kind is None or (before is not None and before.status is after.status):
        return None
    return {
        "id": str(uuid.uuid4()),
        "type": kind,
        "order_id": after.id,
        "at": to_text(after.updated_at),
        "order": {
            "number": after.number,
            "owner": after.owner,
            "customer_id": customer_id,
            "email": None,
            "name": after.name,
            "total_cents": after.total_cents,
            "status": after.status.value,
            "lines": [
                {
                    "product_id": line.product_id,
                    "name": line.name,
                    "size": line.size_name,
                    "quantity": line.quantity,
                }
                for line in after.lines
            ],
        },
    }
