"""Parts of the local databases that need no server running."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from brewhaven.local.engines import database_backups, postgres_parameters
from brewhaven.local.engines.databases import Database
from brewhaven.local.engines.postgres_parameters import ParameterError
from brewhaven.local.engines.trust import with_local_authority


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """A database that is only a folder: three automated backups, and a log of ten segments."""
    journal = tmp_path / "journal"
    journal.mkdir()
    for number in range(10):
        (journal / f"0000000100000000{number:08X}").write_bytes(b"x" * 100)
    (journal / "00000001.history").touch()
    for position in (2, 5, 8):
        folder = tmp_path / "backups" / f"{position:020d}"
        folder.mkdir(parents=True)
        known = {"completed": float(position), "segment": f"0000000100000000{position:08X}", "password": "-"}
        (folder / "backup.json").write_text(json.dumps(known))
    server = SimpleNamespace(folder=tmp_path, is_running=True)
    fake: Any = SimpleNamespace(server=server, journal=journal, keeps_backups=True)
    return cast("Database", fake)


def test_two_backups_and_the_log_since_the_older_one_are_kept(database: Database) -> None:
    database_backups.prune(database)
    assert [backup.completed for backup in database_backups.backups(database)] == [5.0, 8.0]
    left = sorted(file.name for file in database.journal.iterdir())
    assert left == ["00000001.history", *(f"0000000100000000{number:08X}" for number in range(5, 10))]


def test_a_backup_is_due_when_the_log_since_the_last_has_grown(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_backups, "_LOG_BYTES", 250)
    assert not database_backups.is_due(database)
    (database.journal / "00000001000000000000000A").write_bytes(b"x" * 100)
    assert database_backups.is_due(database)


@pytest.mark.parametrize(
    ("text", "instance_class", "value"),
    [
        ("LEAST({DBInstanceClassMemory/9531392},5000)", "db.t4g.micro", "112"),
        ("LEAST({DBInstanceClassMemory/9531392},5000)", "db.r6g.24xlarge", "5000"),
        ("GREATEST({DBInstanceClassMemory*1024/63963136},65536)", "db.t4g.small", "65536"),
        ("SUM({DBInstanceClassMemory/12038},-50003)", "db.t4g.micro", "39193"),
        ("250", "db.t4g.micro", "250"),
    ],
)
def test_formulas_are_computed_for_the_class(text: str, instance_class: str, value: str) -> None:
    assert postgres_parameters.evaluated(text, instance_class) == value


def test_tls_is_forced_and_connections_are_counted_where_a_group_says_nothing() -> None:
    settings, force_tls = postgres_parameters.settings({}, "db.t4g.micro")
    assert force_tls
    assert settings["max_connections"] == "112"
    settings, force_tls = postgres_parameters.settings({"rds.force_ssl": "0", "rds.other": "1"}, "db.t4g.micro")
    assert not force_tls
    assert not any(name.startswith("rds.") for name in settings)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("work_memory", "4MB", "Could not find parameter with name: work_memory"),
        ("listen_addresses", "*", "cannot be modified"),
        ("log_statement", "everything", "log_statement"),
        ("rds.force_ssl", "yes", "allowed values are: 0,1"),
        ("shared_preload_libraries", "pg_stat_statements,pgaudit", "no pgaudit here"),
    ],
)
def test_a_parameter_that_postgresql_does_not_take_is_refused(name: str, value: str, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        postgres_parameters.check(name, value)


def test_static_parameters_are_told_from_dynamic_ones() -> None:
    assert postgres_parameters.check("max_connections", "50")
    assert not postgres_parameters.check("log_min_duration_statement", "250")


def test_only_who_names_authorities_for_postgresql_gets_the_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/local/ca.pem")
    assert with_local_authority({"PGSSLROOTCERT": "/app/certs/bundle.pem", "A": "b"}) == {
        "PGSSLROOTCERT": "/local/ca.pem",
        "A": "b",
    }
    assert with_local_authority({"A": "b"}) == {"A": "b"}
