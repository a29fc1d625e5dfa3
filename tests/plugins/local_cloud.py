"""Fixtures with a local cloud of their own: a state folder of the session and free ports, never the student's cloud."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from brewhaven.local import lifecycle
from brewhaven.local.settings import HOST, REPOSITORY, CloudSettings


def free_port_pair() -> int:
    """A port that is free together with its successor (the S3 door).

    It is none that systems give to outgoing connections (Linux from 32768, macOS from 49152): a cloud that is down for
    a moment finds it free again.
    """
    for port in random.sample(range(20_000, 32_000, 2), 50):
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind((HOST, port))
                second.bind((HOST, port + 1))
            except OSError:
                continue
            return port
    raise RuntimeError("no two neighbouring free ports")


@dataclass(frozen=True)
class Cloud:
    """A running local cloud: its settings, and the environment of its operator."""

    settings: CloudSettings
    environment: dict[str, str]

    def client(self, service: str, **credentials: str) -> Any:
        """A boto3 client as the operator, or with the access key given."""
        s3 = service == "s3"
        return boto3.client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL_S3" if s3 else "AWS_ENDPOINT_URL"],
            region_name=self.settings.region,
            verify=self.environment["AWS_CA_BUNDLE"],
            **(
                credentials
                or {
                    "aws_access_key_id": self.environment["AWS_ACCESS_KEY_ID"],
                    "aws_secret_access_key": self.environment["AWS_SECRET_ACCESS_KEY"],
                }
            ),
        )


@contextmanager
def running(home: Path) -> Iterator[Cloud]:
    """A local cloud, stopped and removed afterwards."""
    settings = CloudSettings(home=home, port=free_port_pair())
    lifecycle.up(settings)
    try:
        yield Cloud(settings, lifecycle.environment(settings))
    finally:
        lifecycle.down(settings)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud for the whole session."""
    with running(tmp_path_factory.mktemp("brewhaven")) as found:
        yield found


@dataclass(frozen=True)
class DeployedShop:
    """Phase 1 on the session's local cloud, put there by `brewhaven up`.

    Attributes:
        url: Address of the load balancer.
        outputs: Of the stack, name -> value.
        staff: Role -> (e-mail, password).
    """

    cloud: Cloud
    url: str
    outputs: dict[str, str]
    staff: dict[str, tuple[str, str]] = field(repr=False)

    def brewhaven(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the tool on this cloud, as a student would."""
        return brewhaven(self.cloud, *arguments)


def brewhaven(cloud: Cloud, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tool on a local cloud of the tests."""
    settings = cloud.settings
    environment = {**os.environ, "BREWHAVEN_HOME": str(settings.home), "BREWHAVEN_PORT": str(settings.port)}
    return subprocess.run(
        [str(Path(sys.executable).with_name("brewhaven")), *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="session")
def shop(cloud: Cloud) -> DeployedShop:
    """The whole of phase 1, deployed once a session with the CDK command line."""
    return deployed(cloud)


@pytest.fixture(scope="session")
def orders_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedShop]:
    """Phases 1 and 2, deployed once a session on a cloud of their own: phase 2 changes how the shop works."""
    with running(tmp_path_factory.mktemp("brewhaven-orders")) as found:
        yield deployed(found, "--phase", "2")


def deployed(cloud: Cloud, *options: str) -> DeployedShop:
    """What `brewhaven up` deploys."""
    done = brewhaven(cloud, "up", "--json", *options)
    if done.returncode:
        pytest.fail(f"`brewhaven up` failed:\n{done.stdout}\n{done.stderr}")
    answer = json.loads(done.stdout)
    return DeployedShop(
        cloud=cloud,
        url=answer["shop_url"],
        outputs=answer["outputs"],
        staff={account["role"]: (account["email"], account["password"]) for account in answer["accounts"]},
    )
