"""The local cloud ends promptly, whoever is still connected (brewhaven/local/server.py)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from brewhaven.local import lifecycle
from brewhaven.local.settings import CloudSettings
from tests.plugins.local_cloud import Cloud, free_port_pair

pytestmark = pytest.mark.local


def test_kept_connections_do_not_delay_the_end(tmp_path: Path) -> None:
    settings = CloudSettings(home=tmp_path, port=free_port_pair())
    lifecycle.up(settings)
    try:
        cloud = Cloud(settings, lifecycle.environment(settings))
        clients = [cloud.client(service) for service in ("dynamodb", "sts", "s3")]
        clients[0].list_tables()
        clients[1].get_caller_identity()
        clients[2].list_buckets()
    finally:
        begun = time.monotonic()
        lifecycle.down(settings)
    assert time.monotonic() - begun < 15  # asyncio's own patience with a silent TLS client is 30 s
