"""A local cloud that is killed loses seconds, not the account (brewhaven/local/checkpoints.py)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from brewhaven.local import lifecycle
from brewhaven.local.settings import CloudSettings
from tests.plugins.local_cloud import Cloud, free_port_pair

pytestmark = pytest.mark.local


def test_what_was_made_is_there_after_the_cloud_was_killed(tmp_path: Path) -> None:
    settings = CloudSettings(home=tmp_path, port=free_port_pair())
    lifecycle.up(settings)
    try:
        cloud = Cloud(settings, lifecycle.environment(settings))
        cloud.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument='{"Statement": []}')
        cloud.client("s3").create_bucket(Bucket="kept-bucket")
        cloud.client("s3").put_object(Bucket="kept-bucket", Key="a", Body=b"cup")
        cloud.client("ssm").put_parameter(Name="/kept", Value="1", Type="String")
        _wait_for_checkpoint(settings)
        pid = lifecycle.running_pid(settings)
        assert pid
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert lifecycle.up(settings) is True
        assert cloud.client("iam").get_role(RoleName="kept")["Role"]["RoleName"] == "kept"
        assert cloud.client("s3").get_object(Bucket="kept-bucket", Key="a")["Body"].read() == b"cup"
        assert cloud.client("ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == "1"
    finally:
        lifecycle.down(settings)


def _wait_for_checkpoint(settings: CloudSettings) -> None:
    saved = settings.folder / "state" / "ssm.json"
    deadline = time.monotonic() + 20
    while not (saved.exists() and "/kept" in saved.read_text()):
        assert time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.1)


def test_the_client_says_what_to_do_when_the_cloud_is_gone(tmp_path: Path) -> None:
    settings = CloudSettings(home=tmp_path, port=free_port_pair())
    assert not lifecycle.is_healthy(settings)
    with pytest.raises(lifecycle.LocalCloudError, match="brewhaven local up"):
        lifecycle.environment(settings)
