"""The cart of a visit; it survives a reload, and signing in."""

from fastapi import APIRouter

from shop.domain import cart as carts
from shop.domain.orders import Choice
from shop.routes import schemas, views
from shop.routes.deps import GUEST_READS, WRITES, Guest, GuestWrites, Shop
from shop.routes.problems import documented
from shop.services import Services

router = APIRouter(tags=["cart"])


@router.get(
    "/api/cart",
    response_model=schemas.Cart,
    responses=documented(401, 503),
    openapi_extra=GUEST_READS,
    operation_id="getCart",
    summary="The cart at today's prices",
)
def get_cart(shop: Shop, session: Guest) -> schemas.Cart:
    return _cart(shop, session.cart)


@router.put(
    "/api/cart",
    response_model=schemas.Cart,
    responses=documented(400, 401, 403, 413, 415, 422, 503),
    openapi_extra=WRITES,
    operation_id="putCart",
    summary="Replace the cart",
)
def put_cart(body: schemas.NewCart, shop: Shop, session: GuestWrites) -> schemas.Cart:
    """Equal lines are joined. A line that cannot be ordered is kept and says why in `problem`."""
    choices = carts.tidy(views.choices(body.lines))
    shop.accounts.keep_cart(session, choices)
    return _cart(shop, choices)


def _cart(shop: Services, choices: tuple[Choice, ...]) -> schemas.Cart:
    products = shop.catalog.get_many({choice.product_id for choice in choices})
    return views.cart(carts.look_at(choices, products))
