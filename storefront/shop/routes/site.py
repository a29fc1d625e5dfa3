"""The shop itself: how it is configured, whether it lives, and its pictures."""

from datetime import time
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from shop.domain import hours
from shop.domain.catalog import PICTURE_FOLDERS
from shop.domain.errors import NotFound
from shop.domain.ids import now
from shop.domain.ordering import MAX_PICKUP_NAME
from shop.domain.orders import MAX_LINES, MAX_NOTE, MAX_QUANTITY, Status
from shop.domain.payments import TEST_CARDS
from shop.domain.pictures import MAX_BYTES, TYPES
from shop.routes import schemas
from shop.routes.deps import PUBLIC, Shop
from shop.routes.orders import MOST_WAIT
from shop.routes.problems import documented

router = APIRouter(tags=["shop"])
_LONGEST_KEY = 200  # no picture has a longer one, see `schemas.EditedProduct`


@router.get(
    "/api/config",
    response_model=schemas.Config,
    responses=documented(503),
    openapi_extra=PUBLIC,
    operation_id="getConfig",
    summary="What the pages need to know first",
)
def get_config(shop: Shop) -> schemas.Config:
    moment = now()
    return schemas.Config(
        api_base="/api",
        sign_in=schemas.SignInWay(mode="session"),
        shop=schemas.ShopFacts(name="Brew Haven", time_zone=shop.zone.key, currency="EUR"),
        opening_hours=schemas.OpeningHours(
            week=[
                schemas.DayHours(day=day.name, opens=_clock(day.opens), closes=_clock(day.closes)) for day in hours.WEEK
            ],
            open_now=hours.is_open(moment, shop.zone),
            next_change=hours.next_change(moment, shop.zone),
        ),
        order_states=list(Status),
        test_cards=[schemas.TestCard(token=card.token, label=card.label) for card in TEST_CARDS],
        limits=schemas.Limits(
            quantity=MAX_QUANTITY,
            lines=MAX_LINES,
            note=MAX_NOTE,
            pickup_name=MAX_PICKUP_NAME,
            upload_bytes=MAX_BYTES,
            upload_types=list(TYPES),
            wait_seconds=MOST_WAIT,
        ),
        media_origins=list(shop.pictures.origins()),
    )


@router.get(
    "/media/{key:path}",
    status_code=302,
    response_class=RedirectResponse,
    responses={302: {"description": "Where the picture is for the next minutes."}, **documented(404, 422, 503)},
    openapi_extra=PUBLIC,
    operation_id="getPicture",
    summary="A picture, straight from the bucket",
)
def get_picture(
    shop: Shop,
    key: str,
    size: Annotated[
        Literal["full", "small"], Query(description="Small: a thumbnail where there is one, else the picture itself.")
    ] = "full",
) -> RedirectResponse:
    name = f"media/{key}"
    good = len(name) <= _LONGEST_KEY and name.isascii() and name.isprintable() and ".." not in name
    if not good or not name.startswith(PICTURE_FOLDERS):
        raise NotFound("There is no such picture.")
    url = shop.pictures.small_url(name) if size == "small" else shop.pictures.url(name)
    return RedirectResponse(url, 302, headers={"Cache-Control": "private, max-age=300"})


# Monitors and `curl --head` ask with HEAD; the answer is GET's without its body, so the contract does not repeat it.
@router.head("/health", include_in_schema=False)
@router.get(
    "/health", response_model=schemas.Health, openapi_extra=PUBLIC, operation_id="getHealth", summary="It lives"
)
async def get_health() -> schemas.Health:
    """Answers without asking anybody: a slow table must not make the load balancer kill a living task."""
    return schemas.Health(status="ok")


@router.head("/ready", include_in_schema=False)
@router.get(
    "/ready",
    response_model=schemas.Readiness,
    responses={503: {"model": schemas.Readiness, "description": "What is missing."}},
    openapi_extra=PUBLIC,
    operation_id="getReady",
    summary="Whether everything it needs answers",
)
def get_ready(shop: Shop, response: Response) -> schemas.Readiness:
    ready, checks = shop.readiness()
    response.status_code = 200 if ready else 503
    return schemas.Readiness(status="ready" if ready else "not ready", checks=checks)


def _clock(moment: time) -> str:
    return moment.isoformat("minutes")
