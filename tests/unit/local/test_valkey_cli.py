"""What `valkey-cli` takes for its tunnel and what it hands on (brewhaven/local/valkey_cli.py)."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from brewhaven.errors import BrewHavenError
from brewhaven.local import tls
from brewhaven.local.valkey_cli import Call, context_of, parse


def test_options_of_tls_are_taken_and_the_rest_is_handed_on() -> None:
    handed_on = ["--user", "shop", "-n", "2", "--raw", "GET", "shop:-h", "--tls"]
    call = parse(["--tls", "--cacert", "ca.pem", "--sni", "cache", "-h", "cup", "-p", "7000", *handed_on])
    assert (call.tls, call.host, call.port) == (True, "cup", 7000)
    assert (call.ours["--cacert"], call.ours["--sni"]) == ("ca.pem", "cache")
    assert call.arguments == handed_on


def test_without_tls_nothing_is_changed() -> None:
    call = parse(["--user", "shop", "PING"])
    assert (call.tls, call.host, call.port, call.arguments) == (False, "127.0.0.1", 6379, ["--user", "shop", "PING"])


def test_an_address_carries_everything() -> None:
    call = parse(["-u", "rediss://shop:p%40ss@cup:7000/3", "PING"])
    assert (call.tls, call.host, call.port) == (True, "cup", 7000)
    assert call.arguments == ["--user", "shop", "--no-auth-warning", "-a", "p@ss", "-n", "3", "PING"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tls", "--cert", "mine.pem"], "does not know --cert"),
        (["-h"], "-h needs a value"),
        (["-p", "tea"], "needs a port number, got 'tea'"),
        (["--user"], "--user needs a value"),
    ],
)
def test_what_it_cannot_do_is_said(words: list[str], sentence: str) -> None:
    with pytest.raises(BrewHavenError, match=sentence):
        parse(words)


def test_whom_it_trusts(tmp_path: Path) -> None:
    ours, _, _ = tls.ensure_certificates(tmp_path)

    def trusts(call: Call, **environment: str) -> bool:
        names = [dict(part[0] for part in ca["subject"]) for ca in context_of(call, environment).get_ca_certs()]
        return {"commonName": "Brew Haven local cloud CA"} in names

    assert not trusts(Call())
    assert trusts(Call(), AWS_CA_BUNDLE=str(ours))
    assert trusts(Call(ours={"--cacert": str(ours)}))
    assert context_of(Call(), {}).verify_mode is ssl.CERT_REQUIRED
    assert context_of(Call(insecure=True), {}).verify_mode is ssl.CERT_NONE
    with pytest.raises(BrewHavenError, match="does not exist"):
        context_of(Call(ours={"--cacert": str(tmp_path / "gone.pem")}), {})
