"""One connection to PostgreSQL, made when it is first needed and kept for as long as the function's environment lives.

A connection costs the database some megabytes and the function three round trips, so it is not made for each message.
An environment handles one event at a time, so one is enough; how many environments there are is the event source's
business (its maximum concurrency).

TLS is not negotiable: the server's certificate must come from an authority in the file that PGSSLROOTCERT names, and be
made out to the host that was asked for.
"""

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

T = TypeVar("T")

CONNECT_SECONDS = 3.0
STATEMENT_SECONDS = 4.0
PAUSE_SECONDS = 2.0
"""How long nobody asks a database again that was just not there: the rest of a batch fails at once, not in turn."""
REFUSED_USER = "28P01"
NOT_NOW = frozenset({"57P01", "57P02", "57P03", "53300", "25006"})
"""Shutting down, crashed, starting up, too many connections, read only (a failover has just happened)."""


class DatabaseAwayError(Exception):
    """The database cannot be reached or does not take work right now. A later try may succeed."""


class DatabaseRefusedError(Exception):
    """The database does not accept this client: wrong password, or a certificate that is not to be trusted."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the database is: PostgreSQL's own variables, and the secret that holds its user."""

    host: str
    port: int
    database: str
    root_certificates: str
    secret_arn: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Place":
        """Read PGHOST, PGPORT, PGDATABASE, PGSSLROOTCERT and DATABASE_SECRET_ARN.

        :raises KeyError: for one that is missing; the function's configuration gives all of them.
        """
        return cls(
            host=environment["PGHOST"],
            port=int(environment["PGPORT"]),
            database=environment["PGDATABASE"],
            root_certificates=environment["PGSSLROOTCERT"],
            secret_arn=environment["DATABASE_SECRET_ARN"],
        )


class Database:
    """The database at `place`, opened with the user and password of its secret.

    :param application: the name under which the database lists the connection (`pg_stat_activity`).
    :param statement_seconds: how long one statement may take before the connection is given up.
    """

    def __init__(
        self,
        place: Place,
        secrets: "SecretsManagerClient",
        *,
        application: str,
        statement_seconds: float = STATEMENT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._place = place
        self._secrets = secrets
        self._application = application
        self._statement_seconds = statement_seconds
        self._clock = clock
        self._connection: Connection | None = None
        self._user: tuple[str, str] | None = None
        self._away_until = 0.0

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in one transaction: all of it, or nothing when it raises.

        A kept connection may have died while the environment was frozen, which shows only when it is used. Then the
        work is done once more over a new one; a new one that fails means that the database is away.

        :raises DatabaseAwayError: when the database cannot be used now.
        :raises DatabaseRefusedError: when it does not accept this client.
        """
        kept = self._connection is not None
        try:
            return self._attempt(work)
        except DatabaseAwayError:
            if not kept:
                raise
            self._away_until = 0.0
            return self._attempt(work)

    def close(self) -> None:
        """Give the connection back, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(InterfaceError, OSError):  # it may be gone already
                connection.close()

    def _attempt(self, work: Callable[[Connection], T]) -> T:
        connection = self._open()
        try:
            connection.run("begin")
            try:
                result = work(connection)
            except (InterfaceError, OSError):
                raise
            except BaseException:
                connection.run("rollback")
                raise
            connection.run("commit")
        except (InterfaceError, OSError) as error:
            raise self._away(error) from error
        except DatabaseError as error:
            if code_of(error) in NOT_NOW:
                raise self._away(error) from error
            raise
        return result

    def _open(self) -> Connection:
        if self._connection is None:
            if self._clock() < self._away_until:
                raise DatabaseAwayError(f"{self._place.host} was not there a moment ago")
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Connection:
        known = self._user is not None
        try:
            return self._connect_as(*self._user_and_password())
        except DatabaseError as error:
            if code_of(error) == REFUSED_USER and known:
                self._user = None  # the password was changed since it was read
                return self._connect()
            if code_of(error) in NOT_NOW:
                raise self._away(error) from error
            raise DatabaseRefusedError(
                f"{self._place.host} does not accept the user of {self._place.secret_arn}: {message_of(error)}"
            ) from error
        except ssl.SSLCertVerificationError as error:
            raise DatabaseRefusedError(
                f"the certificate of {self._place.host} is not to be trusted: {error.verify_message}. The authorities "
                f"are those in {self._place.root_certificates}"
            ) from error
        except (InterfaceError, OSError) as error:
            raise self._away(error) from error

    def _connect_as(self, user: str, password: str) -> Connection:
        wire = socket.create_connection((self._place.host, self._place.port), CONNECT_SECONDS)
        wire.settimeout(self._statement_seconds)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return Connection(
            user=user,
            password=password,
            host=self._place.host,  # the name that the certificate must have
            sock=wire,
            database=self._place.database,
            ssl_context=ssl.create_default_context(cafile=self._place.root_certificates),
            application_name=self._application,
        )

    def _user_and_password(self) -> tuple[str, str]:
        if self._user is None:
            secret: Any = json.loads(self._secrets.get_secret_value(SecretId=self._place.secret_arn)["SecretString"])
            self._user = (secret["username"], secret["password"])
        return self._user

    def _away(self, error: Exception) -> DatabaseAwayError:
        self.close()
        self._away_until = self._clock() + PAUSE_SECONDS
        reason = message_of(error) if isinstance(error, DatabaseError) else str(error)
        return DatabaseAwayError(f"{self._place.host} cannot be used now: {reason}")


def code_of(error: DatabaseError) -> str:
    """PostgreSQL's five letters for what went wrong (SQLSTATE)."""
    return str(_fields(error).get("C", ""))


def message_of(error: DatabaseError) -> str:
    """PostgreSQL's sentence for what went wrong."""
    return str(_fields(error).get("M", error))


def position_of(error: DatabaseError) -> int | None:
    """The character of the statement at which PostgreSQL gave up, counted from 1, if it says so."""
    position = _fields(error).get("P")
    return int(position) if position else None


def _fields(error: DatabaseError) -> Mapping[str, str]:
    fields = error.args[0] if error.args else None
    return fields if isinstance(fields, Mapping) else {}
