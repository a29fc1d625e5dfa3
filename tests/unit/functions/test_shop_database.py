"""The way from a function to the database: verified, one connection, and what happens when it is not there."""

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pg8000.native import Connection

from brewhaven.local.tls import ensure_certificates
from shop_database.connection import DatabaseAwayError, DatabaseRefusedError, Place
from tests.plugins.engines import PASSWORD, free_port
from tests.unit.functions.conftest import FakeSecrets, World


def one(connection: Connection) -> int:
    return int(connection.run("select 1")[0][0])


def pid(connection: Connection) -> int:
    return int(connection.run("select pg_backend_pid()")[0][0])


class Clock:
    """Time that stands still until it is told to pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_place_is_read_from_postgresqls_own_variables() -> None:
    environment = {
        "PGHOST": "db.example",
        "PGPORT": "5432",
        "PGDATABASE": "brewhaven",
        "PGSSLROOTCERT": "/opt/certs/rds-global-bundle.pem",
        "DATABASE_SECRET_ARN": "arn:secret",
    }
    place = Place.from_environment(environment)
    assert place == Place("db.example", 5432, "brewhaven", "/opt/certs/rds-global-bundle.pem", "arn:secret")


def test_one_connection_and_one_look_at_the_secret_serve_all_work(world: World) -> None:
    database = world.database()
    assert len({database.transaction(pid) for _ in range(5)}) == 1
    assert world.secrets.asked == 1
    database.close()


def test_the_database_sees_who_is_connected(world: World) -> None:
    database = world.database()
    name = database.transaction(lambda connection: connection.run("select current_setting('application_name')"))
    assert name == [["test"]]
    database.close()


def test_work_that_raises_leaves_nothing_and_the_connection_goes_on(world: World) -> None:
    world.look("create table t (n integer)")
    database = world.database()
    before = database.transaction(pid)

    def fail(connection: Connection) -> None:
        connection.run("insert into t values (1)")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        database.transaction(fail)
    assert world.look("select count(*) from t") == [[0]]
    assert database.transaction(pid) == before
    database.close()


def test_a_kept_connection_that_died_is_made_anew_without_anybody_noticing(world: World) -> None:
    database = world.database()
    first = database.transaction(pid)
    world.look(f"select pg_terminate_backend({first})")
    assert database.transaction(pid) != first
    world.server.door.cut()
    assert database.transaction(one) == 1
    database.close()


# Verified


def test_an_authority_that_is_not_known_is_refused(world: World, tmp_path: Path) -> None:
    stranger = ensure_certificates(tmp_path / "stranger")[0]
    database = world.database(place=replace(world.place, root_certificates=str(stranger)))
    with pytest.raises(DatabaseRefusedError, match=r"the certificate of localhost is not to be trusted: .*stranger"):
        database.transaction(one)


def test_a_certificate_of_somebody_else_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda place, timeout: connect(("localhost", place[1]), timeout))
    database = world.database(place=replace(world.place, host="db.example"))
    with pytest.raises(
        DatabaseRefusedError, match=r"the certificate of db\.example is not to be trusted: Hostname mis"
    ):
        database.transaction(one)


def test_a_server_without_tls_is_refused(world: World) -> None:
    database = world.database(place=replace(world.place, port=world.server.inner_port))
    with pytest.raises(DatabaseAwayError, match="Server refuses SSL"):
        database.transaction(one)


def test_a_wrong_secret_is_said_with_its_name(world: World) -> None:
    database = world.database(secrets=FakeSecrets("wrong"))
    with pytest.raises(
        DatabaseRefusedError, match="localhost does not accept the user of arn:secret: password authentication failed"
    ):
        database.transaction(one)


def test_a_password_that_was_changed_is_read_again(world: World) -> None:
    secrets = FakeSecrets("the old one")
    database = world.database(secrets=secrets)
    with pytest.raises(DatabaseRefusedError):
        database.transaction(one)
    secrets.password = PASSWORD
    assert database.transaction(one) == 1
    assert secrets.asked == 2
    database.close()


# Not there


def test_a_database_that_is_away_is_not_asked_for_each_message(world: World) -> None:
    clock = Clock()
    database = world.database(place=replace(world.place, port=free_port()), clock=clock)
    with pytest.raises(DatabaseAwayError, match="localhost cannot be used now"):
        database.transaction(one)
    with pytest.raises(DatabaseAwayError, match="localhost was not there a moment ago"):
        database.transaction(one)
    clock.now += 2.1
    with pytest.raises(DatabaseAwayError, match="localhost cannot be used now"):
        database.transaction(one)


def test_a_database_that_comes_back_is_used_again(world: World) -> None:
    clock = Clock()
    database = world.database(clock=clock)
    assert database.transaction(one) == 1
    world.server.stop()
    try:
        with pytest.raises(DatabaseAwayError):
            database.transaction(one)
    finally:
        world.server.start()
    clock.now += 2.1
    assert database.transaction(one) == 1
    database.close()


@pytest.mark.parametrize("code", ["57P03", "53300"])
def test_a_database_that_cannot_just_now_is_away_and_not_broken(world: World, code: str) -> None:
    database = world.database()

    def fail(connection: Connection) -> Any:
        return connection.run(f"do $$ begin raise exception 'not now' using errcode = '{code}'; end $$")

    with pytest.raises(DatabaseAwayError, match="not now"):
        database.transaction(fail)
