"""The table of applied migrations, and how one is applied: with a lock, in one transaction."""

from typing import NoReturn

from pg8000.exceptions import DatabaseError
from pg8000.native import Connection

from order_schema.migrations import Migration, MigrationError, line_at
from shop_database.connection import Database, code_of, message_of, position_of

LOCK = 0x42726577  # "Brew": the number that all deployments to one database agree on
LOCK_SECONDS = 20
NOT_AVAILABLE = "55P03"
TABLE = """
create table if not exists schema_migrations (
    version    integer primary key,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default clock_timestamp()
)
"""


class Ledger:
    """What a database says about its own schema."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prepare(self) -> None:
        """Make the table of applied migrations, unless it is there."""

        def work(connection: Connection) -> None:
            self._lock(connection)
            connection.run(TABLE)

        self._database.transaction(work)

    def applied(self) -> dict[int, str]:
        """The checksum of each version that the database has."""
        rows = self._database.transaction(lambda one: one.run("select version, checksum from schema_migrations"))
        return {row[0]: row[1] for row in rows}

    def apply(self, migration: Migration) -> bool:
        """Apply a migration and write it down, both or neither. Answers whether it still had to be done.

        :raises MigrationError: when its SQL fails. The database is then as it was before.
        """

        def work(connection: Connection) -> bool:
            self._lock(connection)
            there = connection.run(
                "select 1 from schema_migrations where version = :version", version=migration.version
            )
            if there:
                return False  # another deployment was faster, while this one waited for the lock
            try:
                connection.run(migration.sql)
            except DatabaseError as error:
                _refuse(migration, error)
            connection.run(
                "insert into schema_migrations (version, name, checksum) values (:version, :name, :checksum)",
                version=migration.version,
                name=migration.name,
                checksum=migration.checksum,
            )
            return True

        return self._database.transaction(work)

    def _lock(self, connection: Connection) -> None:
        """Let one deployment at a time change the schema. The lock ends with the transaction."""
        connection.run(f"set local lock_timeout = '{LOCK_SECONDS}s'")
        try:
            connection.run("select pg_advisory_xact_lock(:lock)", lock=LOCK)
        except DatabaseError as error:
            if code_of(error) != NOT_AVAILABLE:
                raise
            raise MigrationError(
                f"another deployment has been changing the schema for {LOCK_SECONDS} seconds, and nothing was done. "
                "Deploy again when it has ended"
            ) from error


def _refuse(migration: Migration, error: DatabaseError) -> NoReturn:
    position = position_of(error)
    where = f", line {line_at(migration.sql, position)}" if position else ""
    reason = message_of(error)
    if code_of(error) == NOT_AVAILABLE:
        reason += f": something else has held a table for {LOCK_SECONDS} seconds"
    raise MigrationError(
        f"{migration.name}.sql failed{where}: {reason} (SQLSTATE {code_of(error)}). Nothing of it was applied: the "
        f"database is at version {migration.version - 1}. Correct the file and deploy again"
    ) from error
