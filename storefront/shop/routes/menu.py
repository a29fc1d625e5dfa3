"""What the shop sells."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from shop.domain.catalog import Wish, on_the_menu
from shop.domain.errors import NotFound
from shop.routes import schemas, views
from shop.routes.deps import PUBLIC, Shop
from shop.routes.problems import documented

router = APIRouter(tags=["menu"])


@router.get(
    "/api/menu",
    response_model=schemas.Menu,
    responses=documented(422, 503),
    openapi_extra=PUBLIC,
    operation_id="getMenu",
    summary="The menu, or what of it fits a wish",
)
def get_menu(
    shop: Shop,
    category: Annotated[str | None, Query(max_length=40, description="Only this category.")] = None,
    q: Annotated[str, Query(max_length=60, description="Words in name or description; accents do not matter.")] = "",
    vegan: Annotated[bool, Query(description="Only what is vegan.")] = False,
    without: Annotated[
        list[Annotated[str, Query(max_length=40)]], Query(max_length=20, description="Allergens to avoid.")
    ] = [],  # noqa: B006  (FastAPI copies it)
    max_price_cents: Annotated[int | None, Query(ge=0, le=1_000_000, description="Cheapest size at most.")] = None,
) -> JSONResponse:
    wish = Wish(category=category, text=q, vegan=vegan, without=frozenset(without), max_price_cents=max_price_cents)
    return JSONResponse(views.menu(shop.catalog.board(), on_the_menu(shop.catalog.menu(category), wish)))


@router.get(
    "/api/menu/{product_id}",
    response_model=schemas.Product,
    responses=documented(404, 503),
    openapi_extra=PUBLIC,
    operation_id="getProduct",
    summary="One product",
)
def get_product(shop: Shop, product_id: str) -> JSONResponse:
    product = shop.catalog.get(product_id)
    if product is None:
        raise NotFound("There is no such product on the menu.")
    return JSONResponse(views.product(product))
