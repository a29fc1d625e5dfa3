"""The shop talks to PostgreSQL and Valkey only over TLS, and only to servers that are who they say."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from brewhaven.local.tls import ensure_certificates
from shop.adapters.postgres import Database
from shop.adapters.switches import PostgresPlace, ValkeyPlace
from shop.adapters.valkey_client import ValkeyClient
from shop.domain.errors import Unavailable
from tests.plugins.engines import PASSWORD, USER, Door, Engine, Postgres, Valkey


class KnownLogin:
    """A login that nobody has to ask for."""

    def __init__(self, user: str) -> None:
        self._user = user

    def __call__(self) -> tuple[str, str]:
        return self._user, PASSWORD

    def refused(self) -> bool:
        return False


@contextmanager
def door(engine: Engine, certificate: Path, key: Path) -> Iterator[int]:
    """Another door to the same server, with another certificate."""
    opened = Door(engine.inner_port, certificate, key, postgres=isinstance(engine, Postgres))
    try:
        yield opened.port
    finally:
        opened.close()


def postgres_refuses(place: PostgresPlace, caplog: pytest.LogCaptureFixture) -> str:
    """What the log says when the shop does not talk to this server."""
    login: Any = KnownLogin(USER)
    database = Database(place, login)
    try:
        with pytest.raises(Unavailable):
            database.run(lambda connection: connection.execute("select 1"), patience=1)
    finally:
        database.close()
    return caplog.text


def valkey_refuses(place: ValkeyPlace) -> str:
    """Why the shop does not talk to this server."""
    login: Any = KnownLogin("shop")
    client = ValkeyClient(place, login, connections=2)
    with pytest.raises(client.failures) as refused:
        client.client.ping()
    return str(refused.value)


def test_a_certificate_of_another_authority(
    postgres: Postgres, valkey: Valkey, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair = ensure_certificates(tmp_path)[1:]
    with door(postgres, *pair) as port:
        assert "certificate verify failed" in postgres_refuses(replace(postgres.place, port=port), caplog)
    with door(valkey, *pair) as port:
        assert "certificate verify failed" in valkey_refuses(replace(valkey.place, port=port))


def test_a_certificate_of_another_name(
    postgres: Postgres,
    valkey: Valkey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    certificate, key = _certificate_of("another.example.org", tmp_path)
    monkeypatch.setenv("PGSSLROOTCERT", str(certificate))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with door(postgres, certificate, key) as port:
        place = replace(postgres.place, port=port)
        assert 'does not match host name "localhost"' in postgres_refuses(place, caplog)
    with door(valkey, certificate, key) as port:
        assert "Hostname mismatch" in valkey_refuses(replace(valkey.place, port=port))


def _certificate_of(name: str, folder: Path) -> tuple[Path, Path]:
    """A certificate of that name, which is its own authority, and its key."""
    _, certificate_file, key_file = ensure_certificates(folder)
    key: Any = serialization.load_pem_private_key(key_file.read_bytes(), None)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate_file, key_file


def test_a_server_without_tls(postgres: Postgres, valkey: Valkey, caplog: pytest.LogCaptureFixture) -> None:
    bare = replace(postgres.place, port=postgres.inner_port)
    assert "does not support SSL" in postgres_refuses(bare, caplog)
    # It takes the first bytes of TLS for a command, and hangs up or says nothing.
    assert valkey_refuses(replace(valkey.place, port=valkey.inner_port))


def test_without_authorities_there_is_no_connection(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", "/nowhere/bundle.pem")
    assert "/nowhere/bundle.pem" in postgres_refuses(postgres.place, caplog)


def test_the_same_servers_by_their_right_names(postgres: Postgres, valkey: Valkey) -> None:
    logins: Any = KnownLogin(USER), KnownLogin("shop")
    database = Database(postgres.place, logins[0])
    try:
        assert database.run(lambda connection: connection.execute("select 1").fetchone()) == (1,)
    finally:
        database.close()
    assert ValkeyClient(valkey.place, logins[1], connections=2).client.ping()
