"""Today's sales: what was paid, by product and by hour."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Sale:
    """One paid order, as the till remembers it."""

    order_id: str
    at: datetime
    total_cents: int
    items: tuple[tuple[str, str, int, int], ...]  # product id, name, pieces, cents


@dataclass(frozen=True, slots=True)
class ProductSales:
    product_id: str
    name: str
    quantity: int
    revenue_cents: int


@dataclass(frozen=True, slots=True)
class DaySales:
    day: str
    orders: int
    items: int
    revenue_cents: int
    by_product: tuple[ProductSales, ...]
    by_hour: tuple[tuple[int, int, int], ...]  # hour, orders, cents


def add_up(day: str, sales: Iterable[Sale], zone: ZoneInfo) -> DaySales:
    """The day's figures; products with the most revenue first, hours in the shop's zone."""
    orders = revenue = 0
    pieces: Counter[str] = Counter()
    cents: Counter[str] = Counter()
    names: dict[str, str] = {}
    hour_orders: Counter[int] = Counter()
    hour_cents: Counter[int] = Counter()
    for sale in sales:
        orders += 1
        revenue += sale.total_cents
        hour = sale.at.astimezone(zone).hour
        hour_orders[hour] += 1
        hour_cents[hour] += sale.total_cents
        for product_id, name, quantity, amount in sale.items:
            names[product_id] = name
            pieces[product_id] += quantity
            cents[product_id] += amount
    best = sorted(names, key=lambda id_: (-cents[id_], id_))
    return DaySales(
        day=day,
        orders=orders,
        items=pieces.total(),
        revenue_cents=revenue,
        by_product=tuple(ProductSales(id_, names[id_], pieces[id_], cents[id_]) for id_ in best),
        by_hour=tuple((hour, hour_orders[hour], hour_cents[hour]) for hour in sorted(hour_orders)),
    )
