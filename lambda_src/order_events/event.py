"""An order event: its shape, and what is refused. Plain Python: no AWS.

    {"id": "6f1c...", "type": "order.paid", "order_id": "01KAN8...", "at": "2026-11-28T10:00:00.000Z",
     "order": {"number": "R2YB", "owner": "guest:...", "customer_id": null, "email": null, "name": "Ada",
               "total_cents": 480, "status": "new",
               "lines": [{"product_id": "flat-white", "name": "Flat White", "size": "regular", "quantity": 1}]}}

The shop writes it into its outbox in the transaction of what it tells, and sends it at least once: the same id can
arrive twice, and events of one order can arrive in another order than they happened.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

PLACED = "order.placed"
PAID = "order.paid"
READY = "order.ready"
COLLECTED = "order.collected"
CANCELLED = "order.cancelled"
TYPES = (PLACED, PAID, READY, COLLECTED, CANCELLED)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHOWN = 120


class MalformedEventError(ValueError):
    """The message is not an order event, so no second try will help. Names every place that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("this is not an order event: " + "; ".join(problems))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the order: how many of what."""

    product_id: str
    name: str
    size: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Order:
    """The order as it was at the moment of the event. Money is in cents."""

    number: str
    owner: str
    customer_id: str | None
    email: str | None
    name: str
    total_cents: int
    status: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """What happened to which order, and when."""

    id: str
    type: str
    order_id: str
    at: datetime
    order: Order


def read_event(text: str) -> OrderEvent:
    """The event in a message.

    :raises MalformedEventError: with every problem at once.

    >>> read_event("{}") Traceback (most recent call last): ... order_events.event.MalformedEventError: this is not an
    order event: id must be a UUID, got None; type must be one of \
order.placed, order.paid, order.ready, order.collected, order.cancelled, got None; order_id must be a text, got None; \
at must be a moment like 2026-11-28T10:00:00.000Z, got None; order must be an object, got None
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):  # the second for a hundred thousand brackets
        raise MalformedEventError([f"it must be JSON, got {_short(text)}"]) from None
    if not isinstance(said, dict):
        raise MalformedEventError([f"it must be a JSON object, got {_short(said)}"])
    problems: list[str] = []
    id_ = said.get("id")
    _expect(problems, isinstance(id_, str) and _UUID.fullmatch(id_), "id must be a UUID", id_)
    _expect(problems, said.get("type") in TYPES, f"type must be one of {', '.join(TYPES)}", said.get("type"))
    _expect(problems, _is_text(said.get("order_id")), "order_id must be a text", said.get("order_id"))
    at = _moment(said.get("at"))
    _expect(problems, at, "at must be a moment like 2026-11-28T10:00:00.000Z", said.get("at"))
    order = _order(said.get("order"), problems)
    if problems or order is None or at is None:
        raise MalformedEventError(problems)
    return OrderEvent(id=said["id"], type=said["type"], order_id=said["order_id"], at=at, order=order)


def _order(said: Any, problems: list[str]) -> Order | None:
    if not isinstance(said, dict):
        _expect(problems, False, "order must be an object", said)
        return None
    for name in ("number", "owner", "status"):
        _expect(problems, _is_text(said.get(name)), f"order.{name} must be a text", said.get(name))
    _expect(problems, isinstance(said.get("name"), str), "order.name must be a text", said.get("name"))
    for name in ("customer_id", "email"):
        value = said.get(name)
        _expect(problems, value is None or _is_text(value), f"order.{name} must be a text or null", value)
    total = said.get("total_cents")
    _expect(problems, _is_count(total, least=0), "order.total_cents must be 0 or more", total)
    lines = said.get("lines")
    _expect(problems, isinstance(lines, list), "order.lines must be a list", lines)
    read = [_line(line, f"order.lines.{number}", problems) for number, line in enumerate(lines or ())]
    if problems:
        return None
    return Order(
        number=said["number"],
        owner=said["owner"],
        customer_id=said.get("customer_id"),
        email=said.get("email"),
        name=said["name"],
        total_cents=said["total_cents"],
        status=said["status"],
        lines=tuple(line for line in read if line),
    )


def _line(said: Any, where: str, problems: list[str]) -> Line | None:
    if not isinstance(said, Mapping):
        _expect(problems, False, f"{where} must be an object", said)
        return None
    before = len(problems)
    for name in ("product_id", "name", "size"):
        _expect(problems, _is_text(said.get(name)), f"{where}.{name} must be a text", said.get(name))
    quantity = said.get("quantity")
    _expect(problems, _is_count(quantity, least=1), f"{where}.quantity must be 1 or more", quantity)
    if len(problems) > before:
        return None
    return Line(product_id=said["product_id"], name=said["name"], size=said["size"], quantity=said["quantity"])


def _moment(said: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None


def _expect(problems: list[str], holds: object, sentence: str, got: Any) -> None:
    if not holds:
        problems.append(f"{sentence}, got {_short(got)}")


def _short(value: Any) -> str:
    """A value as it stands in a message: cut, because nobody reads a megabyte of log."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_count(value: Any, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
