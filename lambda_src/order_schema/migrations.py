"""What a migration is, and which of them a database needs. Plain Python: no AWS and no database.

A migration is a file `0001_orders.sql`: a number, a name, and SQL that runs once, in one transaction. It is never
changed after it was deployed: what has to be different comes in the next one.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_FILE = re.compile(r"(?P<version>[0-9]{4})_[a-z0-9_]+\.sql")
_BODY = re.compile(
    r"""--[^\n]* | /\*.*?\*/ | (?P<tag>\$[A-Za-z_]*\$).*?(?P=tag) | '(?:[^']|'')*' | "[^"]*" """, re.VERBOSE | re.DOTALL
)
_TRANSACTION = re.compile(
    r"(begin|start\s+transaction|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b", re.IGNORECASE
)


class MigrationError(Exception):
    """The schema cannot be brought up to date. The message says which file, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema: its number, its file's name without `.sql`, and its SQL."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """A stand-in for the SQL, by which a change after the fact is found."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be applied, in order, and which versions of the database are unknown here."""

    pending: tuple[Migration, ...]
    unknown: tuple[int, ...]


def load(folder: Path) -> tuple[Migration, ...]:
    """The migrations of a folder, in order.

    :raises MigrationError: with every problem at once: a name that says no number, a number that is missing or there
        twice, an empty file, or a file that ends its own transaction.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix == ".sql")
    problems = [
        f"{path.name}: a migration is called like 0002_what_it_does.sql"
        for path in files
        if not _FILE.fullmatch(path.name)
    ]
    named = [path for path in files if _FILE.fullmatch(path.name)]
    found = tuple(Migration(int(path.name[:4]), path.stem, path.read_text(encoding="utf-8")) for path in named)
    if not found:
        problems.append(f"there is no migration in {folder.name}")
    for expected, migration in enumerate(found, start=1):
        if migration.version != expected:
            problems.append(f"{migration.name}.sql: the next number is {expected:04d}; numbers begin at 0001, no gaps")
            break
    for migration in found:
        statements = [statement.strip() for statement in _BODY.sub(" ", migration.sql).split(";")]
        if not any(statements):
            problems.append(f"{migration.name}.sql: it says nothing")
        for statement in statements:
            if said := _TRANSACTION.match(statement):
                problems.append(
                    f"{migration.name}.sql: `{said[0].lower()}` must not be in it. It runs in one transaction, so that "
                    "nothing is half done"
                )
    if problems:
        raise MigrationError("The migrations cannot be used: " + "; ".join(problems))
    return found


def plan(known: Sequence[Migration], applied: Mapping[int, str]) -> Plan:
    """What a database needs whose applied versions and checksums are `applied`.

    :raises MigrationError: when a file was changed after it was applied, or an older one is missing in the database.
    """
    for migration in known:
        checksum = applied.get(migration.version)
        if checksum is not None and checksum != migration.checksum:
            raise MigrationError(
                f"{migration.name}.sql was changed after it was applied, and nothing was done. Put it back as it was, "
                f"and write what has to be different into a new file {len(known) + 1:04d}_....sql"
            )
    pending = tuple(migration for migration in known if migration.version not in applied)
    newest = max(applied, default=0)
    if pending and pending[0].version < newest:
        raise MigrationError(
            f"{pending[0].name}.sql is older than the database (version {newest}) and was never applied to it; nothing "
            f"was done. Give it the next number: {newest + 1:04d}"
        )
    return Plan(pending, tuple(sorted(version for version in applied if version > len(known))))


def line_at(sql: str, position: int) -> int:
    """The line of a character, both counted from 1, as PostgreSQL counts."""
    return sql.count("\n", 0, position - 1) + 1
