"""PostgreSQL as the shop meets it on bad days: away, restarted, with another password, or somebody else's server."""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import psycopg
import pytest

from shop.adapters.circuit import Circuit
from shop.adapters.postgres import CONNECTIONS, Connection, Database
from shop.adapters.secret import Login
from shop.adapters.switches import PostgresPlace
from shop.domain.customers import Caller
from shop.domain.errors import ShopError, Unavailable
from shop.domain.orders import Choice
from shop.services import Services
from tests.plugins.engines import PASSWORD, USER, Postgres
from tests.unit.shop.browser import Browser
from tests.unit.shop.conftest import until

in_postgres = pytest.mark.parametrize("way", ["postgresql"], indirect=True, scope="session")
PIECE = {"product_id": "croissant", "size": "piece"}
NewDatabase = Callable[..., Database]


class KnownLogin:
    """A login that nobody has to ask for."""

    def __init__(self, password: str = PASSWORD) -> None:
        self.known = USER, password
        self.asked = 0

    def __call__(self) -> tuple[str, str]:
        return self.known

    def refused(self) -> bool:
        self.asked += 1
        return False


@pytest.fixture
def connect(postgres: Postgres) -> Iterator[NewDatabase]:
    """Makes a `Database`, by default as the shop has it."""
    made: list[Database] = []

    def new(place: PostgresPlace = postgres.place, login: Any = None) -> Database:
        made.append(Database(place, login or KnownLogin()))
        return made[-1]

    yield new
    for database in made:
        database.close()


def one(connection: Connection) -> Any:
    return connection.execute("select 1").fetchone()


@in_postgres
def test_while_it_is_away_the_shop_says_so_and_comes_back_by_itself(
    guest: Browser, services: Services, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = guest.order(PIECE)
    assert guest.get("/api/menu/croissant")["stock"] == 4
    key = {"Idempotency-Key": str(uuid.uuid4())}
    postgres.stop()
    try:
        problem = guest.post("/api/orders", {"lines": [PIECE]}, expect=503, headers=key)
        assert problem["type"] == "unavailable"
        assert problem["detail"].startswith("The shop cannot reach its orders right now. Please try again")
        answer = guest.raw("GET", f"/api/orders/{before['id']}")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        # The menu is there, with the stock that was last seen.
        assert [product["stock"] for product in guest.get("/api/menu")["products"]] == [None, None, 4]
        begun = time.monotonic()
        for _ in range(5):
            guest.post("/api/orders", {"lines": [PIECE]}, expect=503, headers=key)
        assert time.monotonic() - begun < 5 * 3  # not each of them has waited for three seconds
        answer = guest.raw("GET", "/ready")
        assert answer.status_code == 503
        assert answer.json()["checks"]["orders"] == "does not answer (Unavailable)"
        assert guest.raw("GET", "/health").status_code == 200
    finally:
        postgres.start()
    until(lambda: guest.raw("GET", "/ready").status_code == 200, 15, "it did not come back")
    assert guest.get(f"/api/orders/{before['id']}") == before
    guest.post("/api/orders", {"lines": [PIECE]}, expect=201, headers=key)
    assert caplog.text.count("does not answer:") == 1  # said once, not with every request
    assert "PostgreSQL at localhost answers again" in caplog.text


@in_postgres
def test_a_restart_under_load_loses_and_doubles_nothing(services: Services, postgres: Postgres) -> None:
    """Guests who send the same order until it is taken, while every connection breaks again and again."""
    services.catalog.set_stock("croissant", 5_000, expected=None)
    stop = threading.Event()
    accepted: list[str] = []

    def guest(number: int) -> None:
        while not stop.is_set():
            key = str(uuid.uuid4())
            for _ in range(50):
                try:
                    order = services.ordering.place(Caller(f"guest-{number}"), [Choice("croissant", "piece")], key=key)
                except Unavailable:
                    time.sleep(0.1)
                    continue
                accepted.append(order.id)
                break
            else:
                pytest.fail("never accepted")

    with ThreadPoolExecutor(6) as pool:
        guests = [pool.submit(guest, number) for number in range(6)]
        for _ in range(8):
            time.sleep(0.1)
            postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'brew%'")
        postgres.stop()
        postgres.start()
        time.sleep(1.5)
        stop.set()
        for each in guests:
            each.result(30)
    assert len(accepted) == len(set(accepted))
    assert postgres.sql("select count(*) from orders") == [(len(accepted),)]
    assert postgres.sql("select stock from inventory") == [(5_000 - len(accepted),)]
    assert postgres.sql("select count(*) from outbox") == [(len(accepted),)]


def test_an_answer_that_is_lost_after_the_commit_takes_the_order_once(connect: NewDatabase, postgres: Postgres) -> None:
    """The work is done again, so it has to find what it has done."""
    database = connect()
    postgres.sql("create table if not exists done (id integer primary key)")
    tries: list[int] = []

    def work(connection: Connection) -> int:
        tries.append(1)
        taken = connection.execute("insert into done values (1) on conflict do nothing").rowcount
        if len(tries) == 1:
            connection.commit()
            raise psycopg.OperationalError("the connection is lost")
        return taken

    try:
        assert database.run(work) == 0
        assert len(tries) == 2
    finally:
        postgres.sql("drop table done")


def test_there_are_never_more_connections_than_said(connect: NewDatabase) -> None:
    database = connect()

    def server_process(_: int) -> int:
        row = database.run(lambda c: c.execute("select pg_backend_pid(), pg_sleep(0.02)").fetchone())
        assert row is not None
        return int(row[0])

    with ThreadPoolExecutor(40) as pool:
        processes = set(pool.map(server_process, range(120)))
    assert 1 < len(processes) <= CONNECTIONS


def test_a_server_that_hangs_holds_nobody_for_long(connect: NewDatabase, postgres: Postgres) -> None:
    """Its machine keeps every connection open and answers nothing."""
    database = connect()
    database.run(one)
    postgres.freeze()
    try:
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            database.run(one, patience=0.5, longest=1)
        assert time.monotonic() - begun < 5
    finally:
        postgres.thaw()
    until(lambda: _answers(database), 10, "it did not come back")


def _answers(database: Database) -> bool:
    try:
        return bool(database.run(one) == (1,))
    except Unavailable:
        return False


def test_a_statement_has_four_seconds_and_a_lock_three(connect: NewDatabase) -> None:
    limits = connect().run(
        lambda c: c.execute(
            "select current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('TimeZone')"
        ).fetchone()
    )
    assert limits == ("4s", "3s", "UTC")


def test_who_waits_too_long_for_a_lock_is_told_so(connect: NewDatabase, postgres: Postgres) -> None:
    database = connect()
    postgres.empty({"croissant": 1})

    def take(connection: Connection) -> None:
        connection.execute("set local lock_timeout = '100ms'")
        connection.execute("update inventory set stock = stock - 1")

    def hold(connection: Connection) -> None:
        connection.execute("update inventory set stock = stock")
        with pytest.raises(Unavailable, match="Many people"):
            database.run(take, patience=0.5)

    database.run(hold)
    assert database.run(one) == (1,)  # a crowd is no outage


@pytest.fixture
def rotated(settings: object, postgres: Postgres) -> Iterator[Callable[[str], None]]:
    """Changes the password in the database and in the secret `rotating`."""
    vault = boto3.client("secretsmanager")
    vault.create_secret(Name="rotating", SecretString=json.dumps({"username": "rotating", "password": "first"}))
    postgres.sql("create role rotating login password 'first'")

    def rotate(password: str) -> None:
        postgres.sql(f"alter role rotating password '{password}'")
        vault.put_secret_value(
            SecretId="rotating", SecretString=json.dumps({"username": "rotating", "password": password})
        )
        postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rotating'")

    yield rotate
    postgres.sql("drop role rotating")
    vault.delete_secret(SecretId="rotating", ForceDeleteWithoutRecovery=True)


def test_a_password_that_was_rotated_is_read_again(
    rotated: Callable[[str], None],
    connect: NewDatabase,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("shop.adapters.secret._REREAD_SECONDS", 0.0)
    login = Login(boto3.client("secretsmanager"), "rotating", "PostgreSQL")
    database = connect(login=login)
    assert database.run(one) == (1,)
    rotated("second")
    assert database.run(one) == (1,)
    assert login() == ("rotating", "second")
    assert "the login of PostgreSQL has changed" in caplog.text  # and the same connection was tried again at once


def test_a_login_is_read_once_and_again_only_when_it_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Vault:
        asked = 0
        value = '{"username": "a", "password": "1"}'

        def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803
            self.asked += 1
            return {"SecretString": self.value}

    vault: Any = Vault()
    login = Login(vault, "arn", "PostgreSQL")
    assert vault.asked == 0
    assert login() == login() == ("a", "1")
    assert not login.refused()  # just read: five seconds have not passed
    assert vault.asked == 1
    monkeypatch.setattr("shop.adapters.secret._REREAD_SECONDS", 0.0)
    vault.value = '{"username": "a", "password": "2"}'
    assert login.refused()
    assert login() == ("a", "2")
    vault.value = "not json, but a secret"
    assert not login.refused()
    assert login() == ("a", "2")  # the last known stays good


def test_a_secret_without_a_login_is_said_without_its_content(caplog: pytest.LogCaptureFixture) -> None:
    class Vault:
        def get_secret_value(self, **_: str) -> dict[str, str]:
            return {"SecretString": '{"pass word": "hunter2"}'}

    vault: Any = Vault()
    with pytest.raises(Unavailable, match="PostgreSQL"):
        Login(vault, "arn:login", "PostgreSQL")()
    assert "arn:login" in caplog.text and "hunter2" not in caplog.text


def test_a_wrong_password_is_an_outage_with_its_reason_in_the_log(
    connect: NewDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    login = KnownLogin("wrong")
    with pytest.raises(Unavailable, match="cannot reach its orders"):
        connect(login=login).run(one, patience=1)
    assert "password authentication failed" in caplog.text
    assert login.asked


def test_tables_that_are_missing_are_said(connect: NewDatabase, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unavailable, match="42P01"):
        connect().run(lambda c: c.execute("select from no_such_table"))
    assert "no_such_table" in caplog.text


def test_a_server_that_only_reads_is_left(connect: NewDatabase, postgres: Postgres) -> None:
    """After a failover the old connections lead to what is a replica now."""
    database = connect()
    seen: list[int] = []

    def write(connection: Connection) -> int:
        seen.append(connection.info.backend_pid)
        if len(seen) == 1:
            connection.execute("set transaction read only")
        connection.execute("update inventory set stock = stock")
        return connection.info.backend_pid

    assert database.run(write) != seen[0]


def test_the_shops_own_refusals_pass_through(connect: NewDatabase, postgres: Postgres) -> None:
    postgres.empty({"croissant": 5})

    def refuse(connection: Connection) -> None:
        connection.execute("update inventory set stock = 0")
        raise ShopError("sold out")

    with pytest.raises(ShopError, match="sold out"):
        connect().run(refuse)
    assert postgres.sql("select stock from inventory") == [(5,)]


def test_a_circuit_lets_one_try_at_a_time(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    circuit = Circuit("it", rest=1.0, clock=lambda: now[0])
    with caplog.at_level(logging.INFO):
        assert circuit.may_try() and circuit.may_try()
        circuit.failed(OSError("gone"))
        circuit.failed(OSError("gone"))
        assert not circuit.may_try()
        now[0] = 1.1
        assert [circuit.may_try() for _ in range(3)] == [True, False, False]
        circuit.failed(OSError("gone"))
        now[0] = 2.0
        assert not circuit.may_try()
        now[0] = 2.2
        assert circuit.may_try()
        circuit.succeeded()
        assert circuit.may_try() and circuit.may_try()
    assert [record.getMessage() for record in caplog.records] == ["it does not answer: gone", "it answers again"]
