"""The connection to PostgreSQL: a small pool, short patience, and the shop's words for what goes wrong.

A task of the shop keeps at most seven connections, whatever the number of its guests: what matters for a database is
how many people talk to it at once, and the transaction of an order takes a few milliseconds.
See https://www.psycopg.org/psycopg3/docs/advanced/pool.html
"""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolTimeout

from shop.adapters.circuit import Circuit
from shop.adapters.secret import Login
from shop.adapters.switches import PostgresPlace
from shop.adapters.watch import Watch
from shop.domain.errors import Unavailable

logger = logging.getLogger(__name__)
logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of each connection that fails; the shop does, once

Connection = psycopg.Connection[TupleRow]
T = TypeVar("T")
CONNECTIONS = 7  # six for requests, one for the relay of the outbox
_PATIENCE = 3.0  # seconds: for a connection, and altogether for trying again
_LONGEST = 5.0  # seconds of one transaction
_REST = 1.0
_AWAY = "The shop cannot reach its orders right now. Please try again in a moment; no order is taken twice."
_CROWDED = "Many people want the same thing at this very moment. Please try again."
_OTHERS_HOLD_IT = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)
# Limits of every statement.  Set on the connection, because a proxy in between takes no options at the start.
_LIMITS = {
    "statement_timeout": "4s",
    "lock_timeout": "3s",
    "idle_in_transaction_session_timeout": "20s",
    "TimeZone": "UTC",
}


class Database:
    """PostgreSQL at one place.

    The certificate of the server and its name are verified against the authorities in the file that the environment
    variable PGSSLROOTCERT names; without that file no connection is made.
    See https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
    """

    def __init__(self, place: PostgresPlace, login: Login) -> None:
        self._place = place
        self._login = login
        self._circuit = Circuit(f"PostgreSQL at {place.host}", _REST)
        self._refusal: Exception | None = None
        self._watch = Watch()
        self._pool = ConnectionPool(
            kwargs=self._parameters,
            connection_class=self._connecting(),
            configure=_limit,
            min_size=1,
            max_size=CONNECTIONS,
            timeout=_PATIENCE,
            max_lifetime=30 * 60,
            max_idle=5 * 60,
            reconnect_timeout=_PATIENCE,
            name="orders",
            open=True,
        )

    def run(self, work: Callable[[Connection], T], *, patience: float = _PATIENCE, longest: float = _LONGEST) -> T:
        """Do `work` in one transaction: committed when it returns, rolled back when it raises.

        It has `longest` seconds, then the connection is broken.

        `work` may be done more than once: again when the connection breaks (even if only the answer to the commit was
        lost), and when others hold what it needs.  So it has to recognise what it has done already.  Raises
        `Unavailable` when PostgreSQL does not answer, at once while that is known.
        """
        deadline = time.monotonic() + patience
        while True:
            if not self._circuit.may_try():
                raise Unavailable(_AWAY)
            try:
                with self._pool.connection(timeout=patience) as connection, self._watch.over(connection, longest):
                    answer = _work_on(connection, work)
            except PoolTimeout as error:
                self._circuit.failed(self._refusal or error)
                raise Unavailable(_AWAY) from error
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self._expect_another_try(error, time.monotonic() < deadline)
            except psycopg.Error as error:
                logger.error("PostgreSQL refused (%s): %s", error.sqlstate, _first_line(error))
                raise Unavailable(f"The shop could not write that down ({error.sqlstate}).") from error
            else:
                self._circuit.succeeded()
                return answer

    def close(self) -> None:
        """Close the pool; what runs now still ends."""
        self._pool.close(timeout=_PATIENCE)
        self._watch.end()

    def _expect_another_try(self, error: psycopg.Error, in_time: bool) -> None:
        """Return if it is worth it.  Raises `Unavailable`."""
        if isinstance(error, _OTHERS_HOLD_IT):
            if not in_time:
                raise Unavailable(_CROWDED) from error
        elif isinstance(error, errors.QueryCanceled):
            logger.error("a statement took too long: %s", _first_line(error))
            raise Unavailable(_AWAY) from error
        elif not in_time:
            self._circuit.failed(error)
            raise Unavailable(_AWAY) from error
        # A database that has restarted leaves up to a whole pool of broken connections: each try finds one, which is
        # thrown away at once.
        logger.info("a transaction is tried again: %s", _first_line(error))

    def _parameters(self) -> dict[str, Any]:
        """How to connect, asked for each connection, so that a new password is used as soon as it is known."""
        user, password = self._login()
        return {
            "host": self._place.host,
            "port": self._place.port,
            "dbname": self._place.database,
            "user": user,
            "password": password,
            "sslmode": "verify-full",
            "application_name": "brew-haven-shop",
            "connect_timeout": 3,
            "tcp_user_timeout": 5_000,
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
        }

    def _connecting(database) -> type[Connection]:  # noqa: N805  (`cls` is what has another meaning inside)
        """A connection that is made once more when it is refused and there is a new password."""

        class Connecting(psycopg.Connection[TupleRow]):
            @classmethod
            def connect(cls, conninfo: str = "", **parameters: Any) -> Any:
                try:
                    return super().connect(conninfo, **parameters)
                except psycopg.OperationalError as error:
                    database._refusal = error
                    if not database._login.refused():
                        raise
                    logger.info("the login of PostgreSQL has changed")
                    return super().connect(conninfo, **database._parameters())

        return Connecting


def _work_on(connection: Connection, work: Callable[[Connection], T]) -> T:
    try:
        answer = work(connection)
        connection.commit()
        return answer
    except errors.ReadOnlySqlTransaction as error:
        connection.close()  # what was the primary before a failover; the name leads to the new one
        raise psycopg.OperationalError("this server only reads") from error


def _limit(connection: Connection) -> None:
    settings = ", ".join(["set_config(%s, %s, false)"] * len(_LIMITS))
    connection.execute(f"select {settings}", [word for pair in _LIMITS.items() for word in pair])
    connection.commit()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
