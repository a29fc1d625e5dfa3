"""A local cloud for measuring, with a shop in it; nothing of it is left afterwards."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from brewhaven import deploy, target
from brewhaven.local import lifecycle
from brewhaven.local.settings import HOST, CloudSettings
from brewhaven.target import Target


@contextmanager
def bootstrapped(settings: CloudSettings) -> Iterator[tuple[CloudSettings, Target]]:
    """A bootstrapped local cloud of its own."""
    home = settings.home / "bench" / "cloud"
    shutil.rmtree(home, ignore_errors=True)
    own = replace(settings, home=home, port=_free_port_pair())
    try:
        lifecycle.up(own)
        cloud = target.local(own)
        deploy.ensure_bootstrap(own, cloud)
        yield own, cloud
    finally:
        lifecycle.down(own)
        shutil.rmtree(home, ignore_errors=True)


def _free_port_pair() -> int:
    """A port that is free together with its successor, the S3 door."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind((HOST, 0))
            port = int(first.getsockname()[1])
            try:
                second.bind((HOST, port + 1))
            except OSError:
                continue
            if port < 65000:
                return port
