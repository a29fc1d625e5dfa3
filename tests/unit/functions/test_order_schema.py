"""The function that brings the schema up to date: in order, once, one transaction each, and never half."""

import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pg8000.exceptions import DatabaseError

from order_schema import handler as handler_module
from order_schema import ledger as ledger_module
from order_schema import migrations
from order_schema.handler import MIGRATIONS, migrate
from order_schema.inventory import describe
from order_schema.ledger import LOCK, Ledger
from order_schema.migrations import MigrationError
from shop_database.connection import DatabaseAwayError
from tests.unit.functions.conftest import World

END_SLEEPERS = """
select pid, pg_terminate_backend(pid) from pg_stat_activity
where query like '%pg_sleep(30)%' and datname = current_database() and pid <> pg_backend_pid()
"""
TABLES = "select table_name from information_schema.tables where table_schema = 'public' order by table_name"


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """`folder("create table a ()", "create table b ()")`: migrations 0001 and 0002 with this SQL."""

    def make(*sql: str, **named: str) -> Path:
        where = tmp_path / "migrations"
        shutil.rmtree(where, ignore_errors=True)
        where.mkdir()
        for number, text in enumerate(sql, start=1):
            (where / f"{number:04d}_step.sql").write_text(text)
        for name, text in named.items():
            (where / f"{name}.sql").write_text(text)
        return where

    return make


def run(world: World, where: Path) -> dict[str, Any]:
    database = world.database()
    try:
        return migrate(Ledger(database), where)
    finally:
        database.close()


def tables(world: World) -> list[str]:
    return [row[0] for row in world.look(TABLES)]


# What is deployed


def test_the_deployed_migrations_make_the_tables_of_orders(world: World) -> None:
    assert run(world, MIGRATIONS)["applied"] == [path.stem for path in sorted(MIGRATIONS.glob("*.sql"))]
    assert set(tables(world)) >= {
        "carried_over", "customers", "idempotency_keys", "inventory", "order_lines", "orders", "outbox", "payments",
        "processed_events", "schema_migrations",
    }  # fmt: skip


def test_they_are_safe_to_run_twice(world: World) -> None:
    run(world, MIGRATIONS)
    before = world.look("select version, checksum, applied_at from schema_migrations order by 1")
    assert run(world, MIGRATIONS)["applied"] == []
    assert world.look("select version, checksum, applied_at from schema_migrations order by 1") == before


def test_described_the_tables_say_their_constraints_and_indexes(world: World) -> None:
    run(world, MIGRATIONS)
    database = world.database()
    try:
        tables = database.transaction(describe)
    finally:
        database.close()
    assert "PRIMARY KEY (owner, key)" in tables["idempotency_keys"]["constraints"]
    assert "CHECK ((stock >= 0))" in tables["inventory"]["constraints"]
    assert "outbox_unsent" in tables["outbox"]["indexes"]
    assert set(tables) >= {"orders", "order_lines", "payments", "processed_events"}


def test_asked_to_describe_the_function_applies_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_module, "Database", lambda *_, **__: world.database())
    for name in ("PGHOST", "PGDATABASE", "PGSSLROOTCERT", "DATABASE_SECRET_ARN"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PGPORT", "5432")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert handler_module.lambda_handler({"describe": True}, None) == {"tables": {}}
    assert tables(world) == []
    assert handler_module.lambda_handler({}, None)["version"] >= 1


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("insert into inventory values ('croissant', -1)", "inventory_stock_check"),
        ("update orders set status = 'eaten'", "orders_status_check"),
        ("update orders set total_cents = -1", "orders_total_cents_check"),
        ("update orders set version = 0", "orders_version_check"),
        ("update orders set payment = 'paid'", "orders_check1"),
        ("insert into order_lines values ('o1', 1, 'p', 'P', 's', 'S', 100, 21, '[]', '', false)", "quantity"),
        ("insert into order_lines values ('o2', 0, 'p', 'P', 's', 'S', 100, 1, '[]', '', false)", "order_id_fkey"),
        ("update orders set customer_id = 'nobody'", "orders_customer_id_fkey"),
        ("insert into payments values ('o2', 1, now(), 1, true, '')", "payments_order_id_fkey"),
        (
            "insert into outbox (id, order_id, type, payload) values (gen_random_uuid(), 'o1', 'order.lost', '{}')",
            "outbox_type_check",
        ),
    ],
)
def test_the_tables_refuse_what_an_order_cannot_be(orders: World, statement: str, constraint: str) -> None:
    orders.look(
        "insert into orders (id, owner, name, note, status, version, total_cents, payment, created_at, updated_at, "
        "document) values ('o1', 'guest:1', 'Ada', '', 'new', 1, 480, 'open', now(), now(), '{}')"
    )
    with pytest.raises(DatabaseError, match=constraint):
        orders.look(statement)


# In order, and once


def test_a_new_migration_is_applied_after_those_that_are_there(world: World, folder: Callable[..., Path]) -> None:
    assert run(world, folder("create table a ()")) == {"applied": ["0001_step"], "version": 1}
    assert run(world, folder("create table a ()", "create table b ()"))["applied"] == ["0002_step"]
    assert tables(world) == ["a", "b", "schema_migrations"]


def test_one_file_may_hold_many_statements(world: World, folder: Callable[..., Path]) -> None:
    text = """
    create table a (at timestamptz);  -- begin; commit;
    comment on table a is 'do; commit; this';
    create function twice(n integer) returns integer language plpgsql as $$ begin return 2 * n; end $$;
    insert into a values ('2026-11-28T10:00:00Z');
    """
    run(world, folder(text))
    assert world.look("select twice(21), (select count(*) from a)") == [[42, 1]]


def test_two_deployments_at_once_apply_each_migration_once(world: World, folder: Callable[..., Path]) -> None:
    where = folder("create table a (); select pg_sleep(0.3)", "create table b (); select pg_sleep(0.3)")
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(run(world, where)["applied"])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for names in done for name in names) == ["0001_step", "0002_step"]
    assert len(done) == 3


# Nothing half done


def test_a_broken_migration_leaves_nothing_behind_and_says_where(world: World, folder: Callable[..., Path]) -> None:
    broken = "create table b ();\ninsert into b default values;\ncreate tabel c ();\n"
    with pytest.raises(MigrationError) as caught:
        run(world, folder("create table a ()", broken, "create table d ()"))
    assert str(caught.value) == (
        '0002_step.sql failed, line 3: syntax error at or near "tabel" (SQLSTATE 42601). Nothing of it was applied: '
        "the database is at version 1. Correct the file and deploy again"
    )
    assert tables(world) == ["a", "schema_migrations"]
    corrected = broken.replace("tabel", "table")
    assert run(world, folder("create table a ()", corrected, "create table d ()"))["applied"] == [
        "0002_step",
        "0003_step",
    ]


def test_a_migration_that_fails_on_the_data_leaves_nothing_behind(world: World, folder: Callable[..., Path]) -> None:
    first = "create table a (n integer); insert into a values (1), (1)"
    with pytest.raises(MigrationError, match=r"0002_step\.sql failed: could not create unique index .*SQLSTATE 23505"):
        run(world, folder(first, "alter table a add column m integer; create unique index one on a (n)"))
    assert world.look("select column_name from information_schema.columns where table_name = 'a'") == [["n"]]


def test_what_cannot_run_in_a_transaction_is_refused_by_the_database(world: World, folder: Callable[..., Path]) -> None:
    with pytest.raises(MigrationError, match="CREATE INDEX CONCURRENTLY cannot"):
        run(world, folder("create table a (n integer)", "create index concurrently quick on a (n)"))


def test_a_client_that_dies_in_the_middle_leaves_nothing_behind(world: World, folder: Callable[..., Path]) -> None:
    where = folder("create table a (); select pg_sleep(30)")
    outcome: list[str] = []

    def deploy() -> None:
        try:
            run(world, where)
        except DatabaseAwayError as error:
            outcome.append(str(error))

    thread = threading.Thread(target=deploy)
    thread.start()
    killed: set[int] = set()
    while len(killed) < 2:  # the function makes a connection that is gone anew, once
        for row in world.look(END_SLEEPERS):
            killed.add(row[0])
    thread.join(20)
    assert [sentence.split(":")[0] for sentence in outcome] == ["localhost cannot be used now"]
    assert tables(world) == ["schema_migrations"]
    assert world.look("select count(*) from schema_migrations") == [[0]]


def test_a_deployment_that_does_not_end_is_not_waited_for_for_ever(
    world: World, folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "LOCK_SECONDS", 1)
    other = world.server.connect(world.name)
    other.run(f"select pg_advisory_lock({LOCK})")
    try:
        with pytest.raises(MigrationError, match="another deployment has been changing the schema for 1 seconds"):
            run(world, folder("create table a ()"))
    finally:
        other.close()
    assert tables(world) == []


def test_a_table_that_somebody_holds_is_named_as_the_reason(
    world: World, folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "LOCK_SECONDS", 1)
    run(world, folder("create table a ()"))
    other = world.server.connect(world.name)
    other.run("begin")
    other.run("lock table a")
    try:
        with pytest.raises(MigrationError, match=r"0002_step\.sql failed: canceling .*: something else has held"):
            run(world, folder("create table a ()", "alter table a add column n integer"))
    finally:
        other.close()


# What is refused before anything is done


@pytest.mark.parametrize("word", ["commit", "BEGIN", "rollback", "start transaction", "savepoint here", "End"])
def test_a_migration_must_not_end_its_own_transaction(word: str, folder: Callable[..., Path]) -> None:
    with pytest.raises(
        MigrationError, match=rf"0001_step\.sql: `{word.removesuffix(' here').lower()}` must not be in it"
    ):
        migrations.load(folder(f"create table a ();\n{word};\ncreate table b ()"))


def test_a_word_that_only_looks_like_one_is_fine(folder: Callable[..., Path]) -> None:
    text = """/* commit; */ create table commits ("end" text); insert into commits values ('rollback; commit')"""
    assert migrations.load(folder(text))[0].version == 1


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "there is no migration in migrations"),
        ({"orders": "select 1"}, "orders.sql: a migration is called like 0002_what_it_does.sql"),
        ({"0002_later": "select 1"}, "0002_later.sql: the next number is 0001"),
        ({"0001_a": "select 1", "0001_b": "select 1"}, "0001_b.sql: the next number is 0002"),
        ({"0001_a": " -- nothing\n"}, "0001_a.sql: it says nothing"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(
    folder: Callable[..., Path], files: dict[str, str], sentence: str
) -> None:
    with pytest.raises(MigrationError, match=sentence.replace(".", r"\.")):
        migrations.load(folder(**files))


def test_a_migration_that_was_changed_after_the_fact_is_refused(world: World, folder: Callable[..., Path]) -> None:
    run(world, folder("create table a ()"))
    with pytest.raises(MigrationError, match=r"0001_step\.sql was changed after it was applied.* new file 0003_"):
        run(world, folder("create table a (n integer)", "create table b ()"))
    assert tables(world) == ["a", "schema_migrations"]


def test_a_migration_that_was_put_in_between_is_refused(folder: Callable[..., Path]) -> None:
    known = migrations.load(folder("select 1", "select 2", "select 3"))
    applied = {1: known[0].checksum, 3: known[2].checksum}
    with pytest.raises(MigrationError, match=r"0002_step\.sql is older than the database \(version 3\).*number: 0004"):
        migrations.plan(known, applied)


def test_a_rollback_meets_a_newer_schema_and_lives_with_it(
    world: World, folder: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    run(world, folder("create table a ()", "create table b ()"))
    with caplog.at_level(logging.WARNING):
        assert run(world, folder("create table a ()")) == {"applied": [], "version": 2}
    assert "the database has migration 0002, which this version of the course does not know" in caplog.text
    assert tables(world) == ["a", "b", "schema_migrations"]
