-- Gift cards pay orders.
alter table gift_cards
    add column spent_cents integer not null default 0,
    add check (spent_cents between 0 and cents);

create table redemptions (
    code     text not null references gift_cards (code),
    order_id text not null references orders (id) on delete cascade,
    cents    integer not null check (cents > 0),
    at       timestamptz not null default now(),
    primary key (code, order_id)
);
