"""From the domain to the shapes of the contract."""

from typing import Any

from shop.domain import cart as carts
from shop.domain import catalog, orders
from shop.domain.customers import Caller
from shop.routes import schemas


def picture_url(key: str | None) -> str | None:
    """Where a page finds a picture: relative, so that it works on every host."""
    return f"/{key}" if key else None


def thumbnail_url(key: str | None) -> str | None:
    """Where a page finds a small one. The menu's own pictures are small enough as they are."""
    return f"/{key}?size=small" if key and key.startswith(catalog.CHECKED_PICTURES) else picture_url(key)


def product(item: catalog.Product) -> dict[str, Any]:
    """As plain dictionaries: the menu is the shop's busiest answer, and this is several times faster than models."""
    return {
        "id": item.id,
        "category": item.category,
        "name": item.name,
        "description": item.description,
        "sizes": [
            {"id": size.id, "name": size.name, "detail": size.detail, "price_cents": size.price_cents}
            for size in item.sizes
        ],
        "extras": [
            {
                "id": extra.id,
                "name": extra.name,
                "price_cents": extra.price_cents,
                "allergens": list(extra.allergens),
                "vegan": extra.vegan,
            }
            for extra in item.extras
        ],
        "allergens": list(item.allergens),
        "vegan": item.vegan,
        "from_cents": item.from_cents,
        "stock": item.stock,
        "available": item.available,
        "picture": item.picture,
        "picture_url": picture_url(item.picture),
        "thumbnail_url": thumbnail_url(item.picture),
        "picture_alt": item.picture_alt,
        "sort": item.sort,
        "retired": item.retired,
        "version": item.version,
    }


def menu(board: catalog.Board, products: list[catalog.Product]) -> dict[str, Any]:
    place = {category.id: category.sort for category in board.categories}
    ordered = sorted(products, key=lambda item: (place.get(item.category, 1_000_000), item.sort, item.id))
    return {
        "currency": "EUR",
        "categories": [
            {"id": each.id, "name": each.name, "description": each.description, "sort": each.sort}
            for each in sorted(board.categories, key=lambda each: each.sort)
        ],
        "allergens": [{"id": each.id, "name": each.name} for each in board.allergens],
        "products": [product(item) for item in ordered],
    }


def order(item: orders.Order, caller: Caller) -> schemas.Order:
    mine = item.owner in caller.owners
    return schemas.Order(
        id=item.id,
        number=item.number,
        status=item.status,
        version=item.version,
        name=item.name,
        note=item.note,
        lines=[_order_line(line) for line in item.lines],
        total_cents=item.total_cents,
        currency="EUR",
        created_at=item.created_at,
        updated_at=item.updated_at,
        steps=[schemas.OrderStep(status=step.status, at=step.at) for step in item.steps],
        payment=schemas.OrderPayment(status=item.payment, attempts=item.payment_attempts, message=item.payment_message),
        may=schemas.OrderMay(
            pay=mine and item.status is orders.Status.AWAITING_PAYMENT,
            cancel=item.is_open if caller.is_staff else mine and item.guest_may_cancel,
            move_to=item.next_step if caller.is_staff else None,
        ),
    )


def _order_line(line: orders.Line) -> schemas.OrderLine:
    return schemas.OrderLine(
        product_id=line.product_id,
        name=line.name,
        size=schemas.ChosenSize(id=line.size_id, name=line.size_name),
        extras=[schemas.ChosenExtra(id=e.id, name=e.name, price_cents=e.price_cents) for e in line.extras],
        quantity=line.quantity,
        note=line.note,
        unit_price_cents=line.unit_price_cents,
        total_cents=line.total_cents,
        picture_url=picture_url(line.picture),
        thumbnail_url=thumbnail_url(line.picture),
    )


def cart(item: carts.Cart) -> schemas.Cart:
    return schemas.Cart(
        lines=[
            schemas.CartLine(
                product_id=each.choice.product_id,
                name=each.name,
                size=each.choice.size_id,
                size_name=each.line.size_name if each.line else each.choice.size_id,
                extras=list(each.choice.extra_ids),
                extra_names=[extra.name for extra in each.line.extras] if each.line else [],
                quantity=each.choice.quantity,
                note=each.choice.note,
                unit_price_cents=each.line.unit_price_cents if each.line else None,
                total_cents=each.line.total_cents if each.line else None,
                picture_url=picture_url(each.line.picture) if each.line else None,
                thumbnail_url=thumbnail_url(each.line.picture) if each.line else None,
                problem=each.problem,
            )
            for each in item.lines
        ],
        total_cents=item.total_cents,
        orderable=item.orderable,
    )


def choices(lines: list[schemas.Choice]) -> tuple[orders.Choice, ...]:
    """What a client chose, as the domain has it."""
    return tuple(
        orders.Choice(line.product_id, line.size, tuple(line.extras), line.quantity, line.note) for line in lines
    )


def edited(sent: schemas.EditedProduct, product_id: str, **more: Any) -> catalog.Product:
    """The product that a manager's form describes."""
    return catalog.Product(
        id=product_id,
        category=sent.category,
        name=sent.name,
        description=sent.description,
        sizes=tuple(catalog.Size(s.id, s.name, s.detail, s.price_cents) for s in sent.sizes),
        extras=tuple(catalog.Extra(e.id, e.name, e.price_cents, tuple(e.allergens), e.vegan) for e in sent.extras),
        allergens=tuple(sent.allergens),
        vegan=sent.vegan,
        picture=sent.picture,
        picture_alt=sent.picture_alt,
        sort=sent.sort,
        **more,
    )
