"""The layout of the one table: every item, its keys, and which question it answers.

| item | pk | sk | ByCategory (gsi1) | OpenOrders (gsi2, sparse) |
|---|---|---|---|---|
| categories and allergens | `MENU` | `CATEGORIES` | | |
| product | `PRODUCT#<id>` | `PRODUCT` | `MENU` or `RETIRED` / `<category>#<sort>#<id>` | |
| order | `ORDER#<id>` | `ORDER` | | `OPEN` / `<created>#<id>`, until collected or cancelled |
| order of a guest or customer | `CUSTOMER#<owner>` | `ORDER#<created>#<id>` | | |
| customer | `CUSTOMER#<id>` | `PROFILE` | | |
| sign-in name | `EMAIL#<lower case>` | `CUSTOMER` | | |
| member of staff | `STAFF` | `<e-mail>` | | |
| session | `SESSION#<hash>` | `SESSION` | | |
| session of a customer | `CUSTOMER#<id>` | `SESSION#<hash>` | | |
| idempotency record | `IDEMPOTENCY#<what>#<owner>#<key>` | `IDEMPOTENCY` | | |
| attempts | `RATE#<what>#<hash of who>` | `<start of the window>` | | |
| sale | `SALES#<day>` | `<paid at>#<order>` | | |
| collected order | `COLLECTED#<day>` | `<collected at>#<order>` | | |
| whether orders are taken here | `ORDERBOOK` | `STATE#<00 to 15>` | | |
| picture, looked at | `PICTURE#<name>` | `PICTURE` | `REJECTED_PICTURE` / `<at>#<name>`, until dismissed | |

| question | answered by |
|---|---|
| the whole menu | one Query of ByCategory, `gsi1pk = MENU` |
| one category | the same with `begins_with(gsi1sk, '<category>#')` |
| a product, an order, a session | GetItem |
| the products of a cart | BatchGetItem |
| the barista's board | one Query of OpenOrders: as long as what is open, however many orders there ever were |
| my orders | Query `CUSTOMER#<owner>`, newest first, then BatchGetItem |
| who is staff | Query `STAFF` |
| today's sales | Query `SALES#<day>` |
| rejected pictures | one Query of ByCategory, `gsi1pk = REJECTED_PICTURE` |
| sign out everywhere | Query `CUSTOMER#<id>`, `begins_with(sk, 'SESSION#')` |

The menu is one partition of the index because it is small (tens of products, some 30 kB) and read as a whole: one
request instead of one for each category.  A partition serves 3,000 read units a second, some hundreds of menus; a shop
that outgrows that puts a cache in front (phase 2), it does not need more partitions.  No question needs a Scan; only
moving the orders to PostgreSQL does, once (`shop.adapters.carry_over`).
"""

from hashlib import sha256

from shop.adapters.table import Key

BY_CATEGORY = ("ByCategory", "gsi1pk", "gsi1sk")
OPEN_ORDERS = ("OpenOrders", "gsi2pk", "gsi2sk")
MENU = "MENU"
RETIRED = "RETIRED"
REJECTED_PICTURE = "REJECTED_PICTURE"
OPEN = "OPEN"
STAFF = "STAFF"
BOARD: Key = (MENU, "CATEGORIES")
ORDER_PREFIX = "ORDER#"
SESSION_PREFIX = "SESSION#"
ORDER_KEYS = "IDEMPOTENCY#order#"
ORDER_BOOK_SHARDS = 16


def product(product_id: str) -> Key:
    return f"PRODUCT#{product_id}", "PRODUCT"


def place_on_menu(category: str, sort: int, product_id: str) -> str:
    """The sort key of ByCategory: `coffee#000010#espresso`."""
    return f"{category}#{sort:06d}#{product_id}"


def order(order_id: str) -> Key:
    return f"ORDER#{order_id}", "ORDER"


def order_of(owner: str, created: str, order_id: str) -> Key:
    return f"CUSTOMER#{owner}", f"{ORDER_PREFIX}{created}#{order_id}"


def customer(customer_id: str) -> Key:
    return f"CUSTOMER#{customer_id}", "PROFILE"


def email(address: str) -> Key:
    return f"EMAIL#{address}", "CUSTOMER"


def session(session_id: str) -> Key:
    """Only the hash is stored: who reads the table cannot become its guests."""
    return f"{SESSION_PREFIX}{sha256(session_id.encode()).hexdigest()}", "SESSION"


def idempotency(what: str, owner: str, key: str) -> Key:
    return f"IDEMPOTENCY#{what}#{owner}#{key}", "IDEMPOTENCY"


def rate(what: str, who: str, window: str) -> Key:
    return f"RATE#{what}#{sha256(who.encode()).hexdigest()}", window


def sale(day: str, paid: str, order_id: str) -> Key:
    return f"SALES#{day}", f"{paid}#{order_id}"


def collected(day: str, at: str, order_id: str) -> Key:
    return f"COLLECTED#{day}", f"{at}#{order_id}"


def order_book(shard: int) -> Key:
    """One of the items that say whether orders are taken in this table, see `shop.adapters.order_gate`."""
    return "ORDERBOOK", f"STATE#{shard:02}"


def picture(picture_id: str) -> Key:
    return f"PICTURE#{picture_id}", "PICTURE"


def picture_id(pk: str) -> str:
    return pk.removeprefix("PICTURE#")
