"""The manager's page: products, stock, pictures and today's sales."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from shop.domain import catalog, sales
from shop.domain.hours import checked_day, day_of
from shop.domain.ids import now
from shop.domain.managing import Managing
from shop.routes import schemas, views
from shop.routes.deps import READS, WRITES, ManagerReads, ManagerWrites, Shop
from shop.routes.orders import IdempotencyKey
from shop.routes.problems import documented
from shop.services import Services

router = APIRouter(tags=["manager"])
ProductId = Annotated[str, Path(max_length=40)]


@router.get(
    "/api/products",
    response_model=schemas.Products,
    responses=documented(401, 403, 503),
    openapi_extra=READS,
    operation_id="getProducts",
    summary="All products, retired ones too",
)
def get_products(shop: Shop, _: ManagerReads) -> dict[str, object]:
    products = views.menu(shop.catalog.board(), shop.catalog.menu())["products"]
    return {"products": products + [views.product(product) for product in shop.catalog.retired()]}


@router.post(
    "/api/products",
    status_code=201,
    response_model=schemas.Product,
    responses=documented(400, 401, 403, 409, 413, 415, 422, 503),
    openapi_extra=WRITES,
    operation_id="addProduct",
    summary="Add a product, once per idempotency key",
)
def add_product(body: schemas.NewProduct, shop: Shop, session: ManagerWrites, key: IdempotencyKey) -> dict[str, object]:
    product = views.edited(body, body.id or catalog.slug(body.name), stock=body.stock)
    return views.product(_managing(shop).add(session.caller, product, key))


@router.put(
    "/api/products/{product_id}",
    response_model=schemas.Product,
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
    openapi_extra=WRITES,
    operation_id="editProduct",
    summary="Edit, price, retire or bring back a product; its stock is left as it is",
)
def edit_product(
    product_id: ProductId, body: schemas.ChangedProduct, shop: Shop, _: ManagerWrites
) -> dict[str, object]:
    product = views.edited(body, product_id, retired=body.retired, version=body.version + 1)
    return views.product(_managing(shop).edit(product))


@router.delete(
    "/api/products/{product_id}",
    response_model=schemas.Product,
    responses=documented(401, 403, 404, 409, 422, 503),
    openapi_extra=WRITES,
    operation_id="retireProduct",
    summary="Retire a product: it leaves the menu and keeps its id",
)
def retire_product(product_id: ProductId, shop: Shop, _: ManagerWrites) -> dict[str, object]:
    return views.product(_managing(shop).retire(product_id))


@router.put(
    "/api/products/{product_id}/stock",
    response_model=schemas.Product,
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
    openapi_extra=WRITES,
    operation_id="setStock",
    summary="Say how many pieces there are",
)
def set_stock(product_id: ProductId, body: schemas.NewStock, shop: Shop, _: ManagerWrites) -> dict[str, object]:
    return views.product(_managing(shop).set_stock(product_id, body.stock, expected=body.expected))


@router.post(
    "/api/uploads",
    status_code=201,
    response_model=schemas.Upload,
    responses=documented(400, 401, 403, 413, 415, 422, 503),
    openapi_extra=WRITES,
    operation_id="newUpload",
    summary="Ask to upload a picture straight to S3",
)
def new_upload(body: schemas.NewUpload, shop: Shop, _: ManagerWrites) -> schemas.Upload:
    """Stores nothing; asked again it answers another place to upload to."""
    upload = shop.pictures.new_upload(body.content_type)
    return schemas.Upload(
        id=upload.id,
        method="POST",
        url=upload.url,
        fields=upload.fields,
        max_bytes=upload.max_bytes,
        expires_in=upload.expires_in,
    )


@router.post(
    "/api/uploads/{upload_id}/complete",
    response_model=schemas.Picture,
    responses=documented(401, 403, 404, 422, 503),
    openapi_extra=WRITES,
    operation_id="completeUpload",
    summary="Have the uploaded bytes checked; answers the key to give to a product",
)
def complete_upload(upload_id: Annotated[str, Path(max_length=40)], shop: Shop, _: ManagerWrites) -> schemas.Picture:
    key = shop.pictures.accept(upload_id)
    return schemas.Picture(picture=key, picture_url=views.picture_url(key) or "")


@router.get(
    "/api/pictures/rejected",
    response_model=schemas.RejectedPictures,
    responses=documented(401, 403, 503),
    openapi_extra=READS,
    operation_id="getRejectedPictures",
    summary="Pictures that a closer look has put aside; none until something looks",
)
def get_rejected_pictures(shop: Shop, _: ManagerReads) -> schemas.RejectedPictures:
    return _rejected(shop)


@router.delete(
    "/api/pictures/rejected/{picture_id:path}",
    response_model=schemas.RejectedPictures,
    responses=documented(401, 403, 404, 422, 503),
    openapi_extra=WRITES,
    operation_id="dismissRejectedPicture",
    summary="Take a rejected picture off the list, and answer the rest; the picture stays where it was put",
)
def dismiss_rejected_picture(
    picture_id: Annotated[str, Path(max_length=200)], shop: Shop, _: ManagerWrites
) -> schemas.RejectedPictures:
    shop.rejected_pictures.dismiss(picture_id)
    return _rejected(shop)


@router.get(
    "/api/sales/today",
    response_model=schemas.Sales,
    responses=documented(401, 403, 422, 503),
    openapi_extra=READS,
    operation_id="getSalesToday",
    summary="What was sold today",
)
def get_sales_today(
    shop: Shop,
    _: ManagerReads,
    day: Annotated[
        str | None,
        Query(pattern=schemas.DAY, description="Another day of the calendar.", json_schema_extra={"format": "date"}),
    ] = None,
) -> schemas.Sales:
    which = checked_day(day) if day is not None else day_of(now(), shop.zone)
    total = sales.add_up(which, shop.orders.sales_on(which), shop.zone)
    return schemas.Sales(
        day=which,
        currency="EUR",
        orders=total.orders,
        items=total.items,
        revenue_cents=total.revenue_cents,
        by_product=[
            schemas.ProductSales(
                product_id=each.product_id, name=each.name, quantity=each.quantity, revenue_cents=each.revenue_cents
            )
            for each in total.by_product
        ],
        by_hour=[schemas.HourSales(hour=h, orders=count, revenue_cents=cents) for h, count, cents in total.by_hour],
    )


def _rejected(shop: Services) -> schemas.RejectedPictures:
    return schemas.RejectedPictures(
        pictures=[
            schemas.RejectedPicture(id=each.id, reasons=list(each.reasons), rejected_at=each.rejected_at)
            for each in shop.rejected_pictures.all()
        ]
    )


def _managing(shop: Services) -> Managing:
    return Managing(shop.catalog, shop.pictures)
