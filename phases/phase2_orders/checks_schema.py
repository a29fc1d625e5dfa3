"""Checks of lesson 2.1: the tables of the orders, as the database itself says them."""

from __future__ import annotations

import re

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.cloud import Deployment
from brewhaven.local.settings import REPOSITORY
from phases.phase2_orders.probes import call_schema, described_tables

CHECKS = CheckList()

MIGRATIONS = REPOSITORY / "lambda_src/order_schema/migrations"

current = CHECKS.check(
    "schema-current",
    lesson="2.1",
    objective="schema-migrations",
    proves="Every migration was applied, once: applied again they change nothing",
)


@current.on_cloud
def _(cloud: Deployment) -> str:
    function = cloud.outputs["SchemaFunctionName"]
    files = sorted(path.name for path in MIGRATIONS.glob("*.sql"))
    answer = call_schema(cloud, {})
    expect(
        "version" in answer,
        f"the migrations cannot be applied: {answer.get('errorMessage', answer)}",
        where=f"the log of {function}, and the table schema_migrations",
        next_step="the sentence says which file; what was applied is never changed, a correction is a new file",
    )
    expect(
        not answer["applied"],
        f"{', '.join(answer['applied'])} was still to be applied, and has been just now",
        where=f"OrderSchema in the stack: the deployment calls {function} when the migrations change",
        next_step="deploy again, and see in the events that the trigger waits for the database",
    )
    newest = int(files[-1][:4])
    expect(
        answer["version"] >= newest,
        f"the database is at version {answer['version']}, and the newest file is {files[-1]}",
        where=f"{MIGRATIONS.relative_to(REPOSITORY)}",
        next_step="deploy again, so that the function gets the file",
    )
    return f"version {answer['version']}, nothing applied twice"


constrained = CHECKS.check(
    "tables-constrained",
    lesson="2.1",
    objective="rds-relational-design",
    proves="The tables themselves refuse an order without its parts, stock below nothing, and the same thing twice",
)

# Table, what its constraints must say, and what would be possible without.
MUST = (
    ("orders", r"PRIMARY KEY \(id\)", "two orders of one number"),
    ("orders", r"FOREIGN KEY \(customer_id\) REFERENCES customers\(id\)", "an order of a customer who never was"),
    ("orders", r"CHECK .*status = ANY", "an order in a state that nobody knows"),
    ("orders", r"CHECK \(\(total_cents >= 0\)\)", "an order that pays its customer"),
    ("order_lines", r"FOREIGN KEY \(order_id\) REFERENCES orders\(id\)", "a line without its order"),
    ("order_lines", r"CHECK .*quantity >= 1.*quantity <= 20", "a million lattes in one line"),
    ("payments", r"FOREIGN KEY \(order_id\) REFERENCES orders\(id\)", "a payment for nothing"),
    ("inventory", r"CHECK \(\(stock >= 0\)\)", "the last croissant sold twice"),
    ("idempotency_keys", r"PRIMARY KEY \(owner, key\)", "one key that places two orders"),
    ("outbox", r"FOREIGN KEY \(order_id\) REFERENCES orders\(id\)", "an event of an order that is not there"),
    ("processed_events", r"PRIMARY KEY \(event_id\)", "one event that has its effect twice"),
)
INDEXES = {"orders": ("orders_of_owner", "orders_open", "orders_sold"), "outbox": ("outbox_unsent",)}


@constrained.on_cloud
def _(cloud: Deployment) -> str:
    tables = cloud.shared(described_tables).tables
    for table, said, otherwise in MUST:
        constraints = tables.get(table, {}).get("constraints", [])
        expect(
            any(re.search(said, constraint) for constraint in constraints),
            f"the table {table} does not keep out {otherwise}: none of its {len(constraints)} constraints says so",
            where=f"{MIGRATIONS.relative_to(REPOSITORY)}, and `\\d {table}` in `brewhaven local psql`",
            next_step="add the constraint in a new migration (`alter table ... add constraint ...`) and deploy",
        )
    missing = [
        name
        for table, names in INDEXES.items()
        for name in names
        if name not in tables.get(table, {}).get("indexes", [])
    ]
    expect(
        not missing,
        f"there is no index {', '.join(missing)}, so the question that it answers reads the whole table",
        where=f"{MIGRATIONS.relative_to(REPOSITORY)}, and `\\di` in `brewhaven local psql`",
        next_step="make it again in a new migration (`create index ...`) and deploy",
    )
    return f"{len(MUST)} constraints in {len(tables)} tables, {sum(map(len, INDEXES.values()))} indexes"
