"""Snapshots and point-in-time recovery: base backups, and the write-ahead log since.

A snapshot is one compressed base backup. For recovery to any moment a database keeps two base backups and its log from
the older one on; when the log since the newer one has grown to 128 MB, a third is made and the oldest is dropped. So
the window that can be restored begins later than on AWS, and the disk stays bounded.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html
"""

from __future__ import annotations

import datetime
import json
import logging
import re
import secrets
import shutil
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

from brewhaven.local.engines.databases import FOLDER, Database
from brewhaven.local.engines.postgres_programs import hand_over
from brewhaven.local.engines.postgres_server import PostgresError, shell_quoted

logger = logging.getLogger("brewhaven.local.rds")

SNAPSHOTS = FOLDER / "snapshots"
_KEPT_BASES = 2
_LOG_BYTES = 128_000_000
_ARCHIVED_SECONDS = 20
_ARCHIVE = "base.tar.gz"
_SEGMENT = re.compile(r"START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)")


@dataclass(frozen=True)
class Backup:
    """A base backup on disk.

    Attributes:
        folder: Holds the archive and what is known of it.
        completed: Seconds since the epoch; the data can be restored as of then or later.
        segment: First file of the write-ahead log that a recovery from it needs.
        password: That of ``rdsadmin`` in it.
    """

    folder: Path
    completed: float
    segment: str
    password: str

    @classmethod
    def read(cls, folder: Path) -> Backup:
        """The backup in a folder."""
        known = json.loads((folder / "backup.json").read_text())
        return cls(folder, known["completed"], known["segment"], known["password"])


def make(database: Database, folder: Path) -> Backup:
    """Copy a running database into a folder, compressed.

    Raises:
        PostgresError: It does not run, or the copy failed.
    """
    draft = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        database.server.copy_to(
            draft, "--format=tar", "--wal-method=fetch", "--compress=client-gzip:1", "--no-manifest"
        )
        file = draft / "backup.json"
        file.touch(mode=0o600)
        known = {
            "completed": time.time(),
            "segment": _first_segment(draft / _ARCHIVE),
            "password": database.server.admin_password,
        }
        file.write_text(json.dumps(known))
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Backup.read(folder)


def _first_segment(archive: Path) -> str:
    with tarfile.open(archive) as opened:
        # It is the first file in the archive.
        for member in opened:
            if member.name == "backup_label":
                label = opened.extractfile(member)
                found = _SEGMENT.search(label.read().decode()) if label else None
                if found:
                    return found[1]
    raise PostgresError(f"{archive} holds no backup_label")


def unpack(backup: Backup, database: Database) -> None:
    """Lay a backup's data into the folder of a database that does not run yet."""
    if not (backup.folder / _ARCHIVE).exists():
        raise PostgresError(f"the backup is gone: {backup.folder} does not exist")
    database.server.keep_admin_password(backup.password)
    database.server.data.mkdir(mode=0o700)
    with tarfile.open(backup.folder / _ARCHIVE) as opened:
        opened.extractall(database.server.data, filter="fully_trusted")  # noqa: S202  (made by `make` above)
    hand_over(database.server.folder)


def backups(database: Database) -> list[Backup]:
    """The automated backups of a database, oldest first."""
    folders = (database.server.folder / "backups").glob("[0-9]*")
    return sorted((Backup.read(folder) for folder in folders), key=lambda backup: backup.completed)


def back_up(database: Database) -> Backup:
    """Make an automated backup, and drop what is no longer needed."""
    number = f"{time.time_ns():020d}"
    made = make(database, database.server.folder / "backups" / number)
    prune(database)
    return made


def prune(database: Database) -> None:
    """Drop all but the newest base backups, and the log from before the older of them."""
    kept = backups(database)[-_KEPT_BASES:]
    for backup in backups(database):
        if backup not in kept:
            shutil.rmtree(backup.folder, ignore_errors=True)
    # Names of segments are a timeline of eight digits and a position, which alone says what came first.
    for file in database.journal.glob("*"):
        if len(file.name) >= len(kept[0].segment) and file.name[8:24] < kept[0].segment[8:]:
            file.unlink(missing_ok=True)


def is_due(database: Database) -> bool:
    """Whether the log since the newest automated backup has grown so much that another one is wanted."""
    if not database.keeps_backups or not database.server.is_running:
        return False
    known = backups(database)
    if not known:
        return True
    since = [file for file in database.journal.glob("[0-9A-F]*") if file.name[8:24] >= known[-1].segment[8:]]
    return sum(file.stat().st_size for file in since) > _LOG_BYTES


def window(database: Database) -> tuple[float, float] | None:
    """The earliest and the latest moment to which a database can be restored; None without backups."""
    known = backups(database)
    if not known or not database.keeps_backups:
        return None
    if database.server.is_running:
        return known[0].completed, time.time()
    files = [file.stat().st_mtime for file in database.journal.glob("[0-9A-F]*")]
    return known[0].completed, max([known[-1].completed, *files])


def forget(database: Database) -> None:
    """Remove the automated backups of a database whose retention was set to zero."""
    for folder in (database.server.folder / "backups", database.journal):
        shutil.rmtree(folder, ignore_errors=True)


def finish_log(source: Database) -> None:
    """Let everything that was committed until now be in the kept log."""
    if not source.server.is_running:
        return
    # A transaction of its own, so that a commit after the wanted moment tells recovery where to stop.
    segment = source.server.sql("SELECT pg_current_xact_id() IS NULL; SELECT pg_walfile_name(pg_switch_wal());")
    wanted = segment.splitlines()[-1]
    deadline = time.monotonic() + _ARCHIVED_SECONDS
    while not (source.journal / wanted).exists():
        if time.monotonic() > deadline:
            raise PostgresError(f"the write-ahead log of {source.identifier} was not archived in time")
        time.sleep(0.05)


def recover(database: Database, source: Database, moment: float | None) -> None:
    """Bring a new database to the state that another one had at a moment; None is the latest.

    Args:
        moment: Seconds since the epoch.

    Raises:
        PostgresError: PostgreSQL could not recover; the text is its own.
    """
    finish_log(source)
    usable = [backup for backup in backups(source) if moment is None or backup.completed <= moment]
    if not usable:
        raise PostgresError("there is no backup from before that moment")
    unpack(usable[-1], database)
    try:
        _replay(database, source, moment)
    except PostgresError:
        if "before configured recovery target was reached" not in "\n".join(database.server.last_lines(30)):
            raise
        # Nothing was written after that moment: everything that there is, is wanted.
        shutil.rmtree(database.server.data)
        database.server.log_file.unlink(missing_ok=True)
        unpack(usable[-1], database)
        _replay(database, source, None)


def _replay(database: Database, source: Database, moment: float | None) -> None:
    target = {}
    if moment is not None:
        when = datetime.datetime.fromtimestamp(moment, datetime.UTC)
        target = {"recovery_target_time": when.strftime("%Y-%m-%d %H:%M:%S.%f+00")}
    (database.server.data / "recovery.signal").touch()
    hand_over(database.server.data / "recovery.signal")
    database.start(
        recovery={
            "restore_command": f"cp {shell_quoted(source.journal)}/%f %p",
            "recovery_target_action": "promote",
            # A server that only recovers need not admit as many connections as its source did.
            "hot_standby": "off",
            **target,
        }
    )
    database.reload()
