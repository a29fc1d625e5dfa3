"""Addresses of a function's code and a layer's content: fetched without credentials, signed, good for ten minutes.

AWS hands out presigned addresses of S3 for this. The emulator's say so as well, but name plain HTTP on a port that
speaks TLS alone, and look at no signature. https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCodeLocation.html
"""

from __future__ import annotations

import hmac
import secrets
import time
from urllib.parse import parse_qs, urlencode

from brewhaven.local.settings import CloudSettings

PATHS = ("/_ministack/lambda-code/", "/_ministack/lambda-layers/")
GOOD_SECONDS = 600
_KEY = secrets.token_bytes(32)
"""Of this process: an address does not outlive the cloud that gave it."""


def signed(path: str) -> str:
    """The whole address of a path of :data:`PATHS`, good from now on for :data:`GOOD_SECONDS`."""
    until = str(int(time.time()) + GOOD_SECONDS)
    query = urlencode({"Expires": until, "Signature": _signature(path, until)})
    return f"{CloudSettings.from_environment().endpoint}{path}?{query}"


def is_good(path: str, query: str) -> bool:
    """Whether a request's path and query are an address of :func:`signed` whose time has not passed."""
    given = {name: values[0] for name, values in parse_qs(query).items()}
    until, signature = given.get("Expires", ""), given.get("Signature", "")
    return (
        path.startswith(PATHS)
        and hmac.compare_digest(signature.encode(), _signature(path, until).encode())
        and int(until) >= time.time()
    )


def _signature(path: str, until: str) -> str:
    return hmac.new(_KEY, f"{path}\n{until}".encode(), "sha256").hexdigest()
