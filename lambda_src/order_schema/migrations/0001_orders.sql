-- Orders, from the first table to the outbox.  Runs once, in one transaction, as the owner of the database.
--
-- Money is integer cents, a moment is timestamptz.  What the shop asks (storefront/shop/adapters/postgres_orders.py) and
-- the index that answers it stand side by side.  Constraints repeat the domain's rules: the code checks first and
-- says it kindly, the database checks last and lets nobody past.

-- Customers who ordered signed in.  Their passwords stay where they are (DynamoDB): the shop's, not the orders' business.
create table customers (
    id         text primary key,
    email      text not null,
    name       text not null,
    created_at timestamptz not null
);

-- Pieces on the shelf.  Only counted products have a row; what is made to order has none.
create table inventory (
    product_id text primary key,
    stock      integer not null check (stock >= 0)
);

-- `document` holds what nobody searches or adds up: {"steps": [{"status", "at"}], "payment_attempts", "payment_message"}.
create table orders (
    id          text primary key,
    owner       text not null,
    customer_id text references customers (id),
    name        text not null,
    note        text not null,
    status      text not null
        check (status in ('awaiting_payment', 'new', 'making', 'ready', 'collected', 'cancelled')),
    version     integer not null check (version > 0),
    total_cents integer not null check (total_cents >= 0),
    payment     text not null check (payment in ('open', 'declined', 'paid', 'refunded')),
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    paid_at     timestamptz,
    day_paid    date,  -- the day of `paid_at` in the shop's time zone
    document    jsonb not null,
    check ((paid_at is null) = (day_paid is null)),
    check (payment not in ('paid', 'refunded') or paid_at is not null)
);

create index orders_of_owner on orders (owner, id desc);                                   -- my orders, newest first
create index orders_open on orders (created_at, id) where status not in ('collected', 'cancelled');    -- the board
create index orders_collected on orders (updated_at desc) where status = 'collected';                  -- handed out
create index orders_sold on orders (day_paid, paid_at) where payment = 'paid';                         -- a day's sales

-- Names and prices are those of the moment of ordering: a later price change touches no order.
create table order_lines (
    order_id   text not null references orders (id) on delete cascade,
    position   integer not null check (position >= 0),
    product_id text not null,
    name       text not null,
    size_id    text not null,
    size_name  text not null,
    unit_cents integer not null check (unit_cents >= 0),
    quantity   integer not null check (quantity between 1 and 20),
    extras     jsonb not null default '[]',  -- [{"id", "name", "price_cents"}]
    note       text not null default '',
    counted    boolean not null,  -- whether it took pieces from `inventory`
    picture    text,
    primary key (order_id, position)
);

-- Every try to pay, the declined ones too.
create table payments (
    order_id     text not null references orders (id) on delete cascade,
    attempt      integer not null check (attempt > 0),
    at           timestamptz not null,
    amount_cents integer not null check (amount_cents >= 0),
    approved     boolean not null,
    message      text not null,
    primary key (order_id, attempt)
);

-- What an idempotency key has placed.  Remembered for a day, then taken again or tidied away.
create table idempotency_keys (
    owner       text not null,
    key         text not null,
    fingerprint text not null,
    order_id    text not null references orders (id) on delete cascade,
    created_at  timestamptz not null,
    primary key (owner, key)
);

create index idempotency_keys_by_age on idempotency_keys (created_at);

-- Events, written in the transaction of what they tell and sent afterwards: at least once, never for nothing.
create table outbox (
    id         uuid primary key,
    order_id   text not null references orders (id) on delete cascade,
    type       text not null
        check (type in ('order.placed', 'order.paid', 'order.ready', 'order.collected', 'order.cancelled')),
    payload    jsonb not null,
    created_at timestamptz not null default clock_timestamp(),
    sent_at    timestamptz
);

create index outbox_unsent on outbox (created_at) where sent_at is null;

-- Events whose effect has happened: the worker inserts here first, so that a message delivered twice works once.
create table processed_events (
    event_id     uuid primary key,
    order_id     text not null,
    type         text not null,
    processed_at timestamptz not null default clock_timestamp()
);

-- What was brought over from DynamoDB: a row for each closing of the old order book and each kind of thing.  The shop
-- reads its whole table for that, which phase 2 allows it (dynamodb:Scan) and phase 1 did not.
create table carried_over (
    closing text not null,
    what    text not null check (what in ('orders', 'keys', 'stock', 'customers')),
    at      timestamptz not null default clock_timestamp(),
    count   integer not null check (count >= 0),
    primary key (closing, what)
);
