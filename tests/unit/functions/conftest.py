"""What tests of the functions share: a PostgreSQL, an event, and an environment like Lambda's."""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pg8000.native import Connection

from order_schema.handler import MIGRATIONS, migrate
from order_schema.ledger import Ledger
from shop_database.connection import Database, Place
from tests.plugins.engines import PASSWORD, USER, Postgres


@dataclass
class FakeSecrets:
    """Secrets Manager with one secret, which counts how often it is asked."""

    password: str = PASSWORD
    asked: int = field(default=0, init=False)

    def get_secret_value(self, **request: str) -> dict[str, str]:
        assert request == {"SecretId": "arn:secret"}
        self.asked += 1
        return {"SecretString": json.dumps({"username": USER, "password": self.password})}


@dataclass
class World:
    """A fresh database, and the way to it that a function has."""

    server: Postgres
    name: str
    place: Place
    secrets: FakeSecrets = field(default_factory=FakeSecrets)

    def database(self, **changes: Any) -> Database:
        secrets: Any = changes.pop("secrets", self.secrets)
        return Database(changes.pop("place", self.place), secrets, application="test", **changes)

    def connect(self) -> Connection:
        """A connection past the door and past the function."""
        return Connection(USER, password=PASSWORD, host="127.0.0.1", port=self.server.inner_port, database=self.name)

    def look(self, sql: str) -> list[Any]:
        """What a query answers, asked past the function."""
        connection = self.connect()
        try:
            rows: list[Any] = connection.run(sql) or []
            return rows
        finally:
            connection.close()


@contextmanager
def fresh_world(server: Postgres, authority: Path) -> Iterator[World]:
    name = f"test_{uuid.uuid4().hex[:8]}"
    server.sql(f"create database {name}", database="postgres")
    yield World(server, name, Place("localhost", server.door.port, name, str(authority), "arn:secret"))
    server.sql(f"drop database {name} with (force)", database="postgres")


@pytest.fixture
def world(postgres_engine: Postgres, engine_certificates: tuple[Path, Path, Path]) -> Iterator[World]:
    """An empty database."""
    with fresh_world(postgres_engine, engine_certificates[0]) as made:
        yield made


@pytest.fixture(scope="session")
def _tables_of_orders(postgres_engine: Postgres, engine_certificates: tuple[Path, Path, Path]) -> Iterator[World]:
    with fresh_world(postgres_engine, engine_certificates[0]) as made:
        database = made.database()
        migrate(Ledger(database), MIGRATIONS)
        database.close()
        yield made


@pytest.fixture
def orders(_tables_of_orders: World) -> World:
    """A database with the tables of orders, and nothing in them."""
    _tables_of_orders.look("truncate orders, customers, inventory, processed_events cascade")
    return _tables_of_orders


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    """`event(type="order.ready", total_cents=99)`: an event as the shop writes it, with these differences."""

    def make(**changes: Any) -> dict[str, Any]:
        order = {
            "number": "R2YB",
            "owner": "guest:1",
            "customer_id": None,
            "email": None,
            "name": "Ada",
            "total_cents": 480,
            "status": "new",
            "lines": [{"product_id": "flat-white", "name": "Flat White", "size": "regular", "quantity": 2}],
        }
        order |= {name: value for name, value in changes.items() if name in order}
        outside = {name: value for name, value in changes.items() if name not in order}
        return {
            "id": str(uuid.uuid4()),
            "type": "order.paid",
            "order_id": "01KAN8M3T6Q0X3D1V7C5W9R2YB",
            "at": "2026-11-28T10:00:00.000Z",
            "order": order,
            **outside,
        }

    return make
