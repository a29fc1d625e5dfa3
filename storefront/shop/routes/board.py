"""The barista's board."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from shop.domain.hours import day_of
from shop.domain.ids import now
from shop.domain.orders import Order, Status
from shop.routes import schemas, views
from shop.routes.deps import READS, Shop, StaffReads
from shop.routes.orders import Wait
from shop.routes.problems import documented

router = APIRouter(tags=["staff"])
SHOWN_COLLECTED = 10


@router.get(
    "/api/board",
    response_model=schemas.StaffBoard,
    responses=documented(401, 403, 422, 503),
    openapi_extra=READS,
    operation_id="getBoard",
    summary="Orders to make and to hand out; with wait and version, as soon as something changes",
)
async def get_board(
    request: Request,
    shop: Shop,
    session: StaffReads,
    wait: Wait = 0,
    version: Annotated[str, Query(max_length=64, description="The version you have.")] = "",
) -> schemas.StaffBoard:
    def read() -> tuple[list[Order], str]:
        shown = [order for order in shop.orders.open_orders() if order.status is not Status.AWAITING_PAYMENT]
        marks = "".join(f"{order.id}{order.version}" for order in shown)
        return shown, hashlib.sha256(marks.encode()).hexdigest()[:16]

    first = await run_in_threadpool(read)
    shown, mark = await shop.live.wait(("board",), first, read, version, wait, request.is_disconnected)
    # An order that is collected leaves the open ones, so the list of collected ones is read only when that changed.
    collected = await run_in_threadpool(shop.orders.collected_on, day_of(now(), shop.zone), SHOWN_COLLECTED)
    return schemas.StaffBoard(
        version=mark,
        orders=[views.order(order, session.caller) for order in shown],
        collected=[views.order(order, session.caller) for order in collected],
    )
