"""Addresses for downloads are good for what they were made for, for a while (brewhaven/local/downloads.py)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from brewhaven.local import downloads

CODE = "/_ministack/lambda-code/111122223333/us-east-1/worker"


def test_an_address_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads.time, "time", lambda: 1_000.0)
    address = urlsplit(downloads.signed(CODE))
    assert (address.scheme, address.path) == ("https", CODE)
    for now, good in ((1_000, True), (1_000 + downloads.GOOD_SECONDS, True), (1_001 + downloads.GOOD_SECONDS, False)):
        monkeypatch.setattr(downloads.time, "time", lambda now=now: now)
        assert downloads.is_good(address.path, address.query) is good


@pytest.mark.parametrize("query", ["", "Expires=&Signature=", "Expires=99999999999&Signature=guess", "Signature=%FF"])
def test_what_was_not_signed_is_not_good(query: str) -> None:
    assert not downloads.is_good(CODE, query)


def test_nothing_else_is_opened_by_a_signature() -> None:
    address = urlsplit(downloads.signed("/_ministack/reset"))
    assert not downloads.is_good(address.path, address.query)
