"""The shapes of the HTTP contract.  `openapi.json` is generated from them and checked in, so that a change is seen."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StringConstraints

from shop.domain.orders import Payment, Status
from shop.domain.pictures import MAX_BYTES

# The patterns of short texts; `shop.routes.problems` says each of them in words.
SLUG = r"^[a-z0-9-]+$"
PRODUCT_ID = r"^[a-z0-9-]{2,40}$"
KEY = r"^[!-~]+$"
DAY = r"^\d{4}-\d{2}-\d{2}$"

Cents = Annotated[StrictInt, Field(description="Money in integer cents.", examples=[420])]
Slug = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=SLUG)]
Text60 = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Text300 = Annotated[str, StringConstraints(max_length=300)]
Name = Annotated[str, StringConstraints(max_length=60)]
Note = Annotated[str, StringConstraints(max_length=140)]
PickupName = Annotated[str, StringConstraints(max_length=40)]


class Sent(BaseModel):
    """What a client sends: an unknown field is an error, so that a typing mistake is not silently ignored."""

    model_config = ConfigDict(extra="forbid")


# -- errors ---------------------------------------------------------------------------------------------------------


class FieldProblem(BaseModel):
    field: str = Field(description="Where, with dots: `lines.0.quantity`.")
    message: str


class Problem(BaseModel):
    """Every error of the API, as RFC 9457 has it (`application/problem+json`)."""

    type: str = Field(description="A word for programs, e.g. `out-of-stock`.")
    title: str
    status: int
    detail: str = Field(description="A sentence for the person in front of the screen.")
    request_id: str = Field(description="Names this request in the log.")
    errors: list[FieldProblem] = []
    facts: dict[str, object] = Field(default={}, description="What a page may want to react: `left`, `version`, ...")


# -- menu -----------------------------------------------------------------------------------------------------------


class Size(BaseModel):
    id: Slug
    name: Text60
    detail: Annotated[str, StringConstraints(max_length=60)] = ""
    price_cents: Cents


class Extra(BaseModel):
    id: Slug
    name: Text60
    price_cents: Cents
    allergens: list[Slug] = []
    vegan: bool = True


class Category(BaseModel):
    id: str
    name: str
    description: str
    sort: int


class Allergen(BaseModel):
    id: str
    name: str


class Product(BaseModel):
    id: str
    category: str
    name: str
    description: str
    sizes: list[Size] = Field(description="The first is the default.")
    extras: list[Extra]
    allergens: list[str]
    vegan: bool
    from_cents: Cents
    stock: int | None = Field(description="Pieces left; null for what is made to order.")
    available: bool
    picture: str | None = Field(description="The picture's key, to send back when the product is edited.")
    picture_url: str | None = Field(description="Where the page finds the picture.", examples=["/media/menu/a.webp"])
    thumbnail_url: str | None = Field(description="Where it finds a small one, for cards and lists.")
    picture_alt: str
    sort: int
    retired: bool
    version: int


class Menu(BaseModel):
    currency: Literal["EUR"]
    categories: list[Category]
    allergens: list[Allergen]
    products: list[Product] = Field(description="In the order of the categories, then of `sort`.")


# -- people and sessions --------------------------------------------------------------------------------------------


class SignUp(Sent):
    name: Name
    email: Annotated[str, StringConstraints(max_length=254)]
    password: Annotated[str, StringConstraints(max_length=128)]


class SignIn(Sent):
    email: Annotated[str, StringConstraints(max_length=254)]
    password: Annotated[str, StringConstraints(max_length=128)]


class Person(BaseModel):
    id: str
    name: str
    email: str
    role: Literal["customer", "barista", "manager"]


class SessionView(BaseModel):
    customer: Person | None = Field(description="Who is signed in; null for a guest.")
    csrf_token: str = Field(description="Send it as `X-CSRF-Token` with every write. Signing in or out changes it.")
    expires_at: datetime


# -- cart and orders ------------------------------------------------------------------------------------------------


class Choice(Sent):
    product_id: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    size: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    extras: Annotated[list[Annotated[str, StringConstraints(max_length=40)]], Field(max_length=12)] = []
    quantity: Annotated[StrictInt, Field(ge=1, le=20)] = 1
    note: Note = ""


class NewCart(Sent):
    lines: Annotated[list[Choice], Field(max_length=20)]


class ChosenSize(BaseModel):
    id: str
    name: str


class ChosenExtra(BaseModel):
    id: str
    name: str
    price_cents: Cents


class CartLine(BaseModel):
    product_id: str
    name: str
    size: str
    size_name: str
    extras: list[str]
    extra_names: list[str]
    quantity: int
    note: str
    unit_price_cents: Cents | None = Field(description="Null when the line cannot be ordered any more.")
    total_cents: Cents | None
    picture_url: str | None
    thumbnail_url: str | None
    problem: str | None = Field(description="Why this line cannot be ordered now; null when it can.")


class Cart(BaseModel):
    lines: list[CartLine]
    total_cents: Cents = Field(description="Of the lines without a problem.")
    orderable: bool


class NewOrder(Sent):
    lines: Annotated[list[Choice], Field(min_length=1, max_length=20)]
    name: PickupName = Field(default="", description="The name we call out; the customer's own when left empty.")
    note: Note = ""
    expected_total_cents: Annotated[StrictInt, Field(ge=0)] | None = Field(
        default=None, description="What the guest was shown: another total is refused with 409 instead of charged."
    )
    empty_cart: bool = Field(default=False, description="Empty the cart of this session once the order is placed.")


class OrderLine(BaseModel):
    product_id: str
    name: str
    size: ChosenSize
    extras: list[ChosenExtra]
    quantity: int
    note: str
    unit_price_cents: Cents
    total_cents: Cents
    picture_url: str | None
    thumbnail_url: str | None


class OrderStep(BaseModel):
    status: Status
    at: datetime


class OrderPayment(BaseModel):
    status: Payment
    attempts: int
    message: str


class OrderMay(BaseModel):
    pay: bool
    cancel: bool
    move_to: Status | None = Field(description="The next step, when the caller is staff.")


class Order(BaseModel):
    id: str
    number: str = Field(description="What the barista calls out.")
    status: Status
    version: int = Field(description="Grows with every change; send it back to wait for, or make, the next one.")
    name: str
    note: str
    lines: list[OrderLine]
    total_cents: Cents
    currency: Literal["EUR"]
    created_at: datetime
    updated_at: datetime
    steps: list[OrderStep]
    payment: OrderPayment
    may: OrderMay


class Orders(BaseModel):
    orders: list[Order] = Field(description="The newest first.")


class Pay(Sent):
    token: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(examples=["tok_visa"])


class Move(Sent):
    status: Status
    version: Annotated[StrictInt, Field(ge=1)]


class StaffBoard(BaseModel):
    version: str = Field(description="Send it back as `version` to wait for a change.")
    orders: list[Order] = Field(description="New, making and ready, the oldest first.")
    collected: list[Order] = Field(description="The last ten collected today, the latest first.")


# -- manager --------------------------------------------------------------------------------------------------------


class EditedProduct(Sent):
    category: Slug
    name: Text60
    description: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    sizes: Annotated[list[Size], Field(min_length=1, max_length=6)]
    extras: Annotated[list[Extra], Field(max_length=12)] = []
    allergens: Annotated[list[Slug], Field(max_length=20)] = []
    vegan: bool = False
    picture: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        default=None, description="A key that a finished upload answered, or the product's own."
    )
    picture_alt: Text300 = ""
    sort: Annotated[StrictInt, Field(ge=0, le=99_999)] = 0


class NewProduct(EditedProduct):
    id: Annotated[str, StringConstraints(pattern=PRODUCT_ID)] | None = Field(
        default=None, description="Made of the name when left out. It never changes."
    )
    stock: Annotated[StrictInt, Field(ge=0, le=100_000)] | None = None


class ChangedProduct(EditedProduct):
    retired: bool = False
    version: Annotated[StrictInt, Field(ge=1)] = Field(description="The version that was edited.")


class NewStock(Sent):
    stock: Annotated[StrictInt, Field(ge=0, le=100_000)] | None = Field(description="Null: made to order, not counted.")
    expected: Annotated[StrictInt, Field(ge=0)] | None = Field(
        default=None, description="Only if so much is there now; otherwise 409, so that no sale is overwritten."
    )


class Products(BaseModel):
    products: list[Product] = Field(description="Retired ones last.")


class NewUpload(Sent):
    content_type: Literal["image/jpeg", "image/png", "image/webp"]
    size_bytes: Annotated[StrictInt, Field(ge=1, le=MAX_BYTES)]


class Upload(BaseModel):
    id: str
    method: Literal["POST"]
    url: str = Field(description="Send a multipart form here: the fields as they are, then the file as `file`.")
    fields: dict[str, str]
    max_bytes: int
    expires_in: int = Field(description="Seconds.")


class Picture(BaseModel):
    picture: str = Field(description="The key to give to a product.")
    picture_url: str


class RejectedPicture(BaseModel):
    id: str
    reasons: list[str] = Field(description="Sentences for the manager.")
    rejected_at: datetime


class RejectedPictures(BaseModel):
    pictures: list[RejectedPicture] = Field(description="The newest first.")


class ProductSales(BaseModel):
    product_id: str
    name: str
    quantity: int
    revenue_cents: Cents


class HourSales(BaseModel):
    hour: int
    orders: int
    revenue_cents: Cents


class Sales(BaseModel):
    day: str = Field(description="In the shop's time zone.")
    currency: Literal["EUR"]
    orders: int
    items: int
    revenue_cents: Cents
    by_product: list[ProductSales] = Field(description="The most revenue first.")
    by_hour: list[HourSales]


# -- the shop itself ------------------------------------------------------------------------------------------------


class SignInWay(BaseModel):
    mode: Literal["session", "bearer"]


class DayHours(BaseModel):
    day: str
    opens: str = Field(examples=["07:00"])
    closes: str = Field(examples=["19:00"])


class OpeningHours(BaseModel):
    week: list[DayHours] = Field(description="Monday first, in the shop's time zone.")
    open_now: bool
    next_change: datetime


class TestCard(BaseModel):
    __test__ = False

    token: str
    label: str


class Limits(BaseModel):
    quantity: int
    lines: int
    note: int
    pickup_name: int
    upload_bytes: int
    upload_types: list[str]
    wait_seconds: int


class ShopFacts(BaseModel):
    name: str
    time_zone: str
    currency: Literal["EUR"]


class Config(BaseModel):
    """What the pages need to know before anything else; no secret is in it."""

    api_base: str
    sign_in: SignInWay
    shop: ShopFacts
    opening_hours: OpeningHours
    order_states: list[Status]
    test_cards: list[TestCard]
    limits: Limits
    media_origins: list[str] = Field(description="Where pictures come from and uploads go to; also in the CSP header.")


class Health(BaseModel):
    status: Literal["ok"]


class Readiness(BaseModel):
    status: Literal["ready", "not ready"]
    checks: dict[str, str] = Field(description="`ok`, or what is wrong, for each thing the shop needs.")
