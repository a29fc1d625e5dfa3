"""Ordering, paying, and watching an order become a coffee."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.concurrency import run_in_threadpool

from shop.routes import schemas, views
from shop.routes.deps import READS, WRITES, Guest, GuestWrites, Shop, StaffWrites
from shop.routes.problems import documented

router = APIRouter(tags=["orders"])

MOST_WAIT = 24
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=100,
        pattern=schemas.KEY,
        description="A fresh UUID for each new order; the same one when the same order is sent again.",
    ),
]
OrderId = Annotated[str, Path(max_length=40)]
Wait = Annotated[int, Query(ge=0, le=MOST_WAIT, description="Seconds to wait for a change; 0 answers at once.")]


@router.post(
    "/api/orders",
    status_code=201,
    response_model=schemas.Order,
    responses=documented(400, 401, 403, 409, 413, 415, 422, 503),
    openapi_extra=WRITES,
    operation_id="placeOrder",
    summary="Place an order, once per idempotency key",
)
def place_order(body: schemas.NewOrder, shop: Shop, session: GuestWrites, key: IdempotencyKey) -> schemas.Order:
    order = shop.ordering.place(
        session.caller,
        views.choices(body.lines),
        key=key,
        name=body.name,
        note=body.note,
        expected_total_cents=body.expected_total_cents,
    )
    if body.empty_cart and session.cart:
        shop.accounts.keep_cart(session, ())
    shop.changed(order)
    return views.order(order, session.caller)


@router.get(
    "/api/orders",
    response_model=schemas.Orders,
    responses=documented(401, 422, 503),
    openapi_extra=READS,
    operation_id="getOrders",
    summary="My orders, the newest first",
)
def get_orders(shop: Shop, session: Guest, limit: Annotated[int, Query(ge=1, le=50)] = 20) -> schemas.Orders:
    orders = shop.ordering.mine(session.caller, limit)
    return schemas.Orders(orders=[views.order(order, session.caller) for order in orders])


@router.get(
    "/api/orders/{order_id}",
    response_model=schemas.Order,
    responses=documented(401, 404, 422, 503),
    openapi_extra=READS,
    operation_id="getOrder",
    summary="One order; with wait and version, as soon as it changes",
)
async def get_order(
    request: Request,
    order_id: OrderId,
    shop: Shop,
    session: Guest,
    wait: Wait = 0,
    version: Annotated[int, Query(ge=0, le=1_000_000, description="The version you have.")] = 0,
) -> schemas.Order:
    """Answers at once unless the order is still at `version`; then as soon as it changes, or after `wait` seconds."""

    def read() -> tuple[schemas.Order, str]:
        order = shop.ordering.find(session.caller, order_id)
        return views.order(order, session.caller), str(order.version)

    first = await run_in_threadpool(read)
    topic = (f"order {order_id}", session.caller.owner)
    order, _ = await shop.live.wait(topic, first, read, str(version), wait, request.is_disconnected)
    return order


@router.post(
    "/api/orders/{order_id}/payment",
    response_model=schemas.Order,
    responses=documented(400, 401, 402, 403, 404, 409, 413, 415, 422, 503),
    openapi_extra=WRITES,
    operation_id="payOrder",
    summary="Pay an order; paid again, it answers the same and charges nothing",
)
def pay_order(order_id: OrderId, body: schemas.Pay, shop: Shop, session: GuestWrites) -> schemas.Order:
    order = shop.ordering.pay(session.caller, order_id, body.token)
    shop.changed(order)
    return views.order(order, session.caller)


@router.post(
    "/api/orders/{order_id}/cancel",
    response_model=schemas.Order,
    responses=documented(401, 403, 404, 409, 422, 503),
    openapi_extra=WRITES,
    operation_id="cancelOrder",
    summary="Cancel an order: guests until it is being made, staff until it is collected",
)
def cancel_order(order_id: OrderId, shop: Shop, session: GuestWrites) -> schemas.Order:
    order = shop.ordering.cancel(session.caller, order_id)
    shop.changed(order)
    return views.order(order, session.caller)


@router.post(
    "/api/orders/{order_id}/status",
    response_model=schemas.Order,
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
    openapi_extra=WRITES,
    operation_id="moveOrder",
    summary="Move an order along (staff)",
    tags=["staff"],
)
def move_order(order_id: OrderId, body: schemas.Move, shop: Shop, session: StaffWrites) -> schemas.Order:
    order = shop.ordering.move(session.caller, order_id, body.status, body.version)
    shop.changed(order)
    return views.order(order, session.caller)
