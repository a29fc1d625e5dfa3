"""The AWS CLI reaches the local cloud with services whose address it would choose by itself (local/aws_cli.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


@pytest.mark.parametrize(
    "arguments",
    [
        ["rds", "describe-db-instances", "--query", "length(DBInstances[?DBInstanceIdentifier=='no-such'])"],
        ["sqs", "list-queues", "--queue-name-prefix", "no-such", "--query", "length(QueueUrls || `[]`)"],
        ["s3api", "list-buckets", "--query", "length(Buckets[?Name=='no-such'])"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_service_is_reached(cloud: Cloud, arguments: list[str]) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("aws")), *arguments, "--output", "text"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **cloud.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0"
