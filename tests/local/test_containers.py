"""Containers run: what a task is given, what it lacks, and what becomes of it (engines/containers.py, tasks.py)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.plugins.containers import Service, until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def service(cloud: Cloud, images: Callable[..., str]) -> Iterator[Service]:
    """A service of two tasks that is steady."""
    service = Service(cloud, "steady", images(), desired=2)
    assert service.deploy() == "CREATE_COMPLETE", service.failures()
    yield service
    service.delete()


def test_the_load_balancers_address_reaches_the_tasks(service: Service) -> None:
    assert service.get()["said"] == "good morning"
    assert {service.get()["pid"] for _ in range(30)} == set(pids(service))


def pids(service: Service) -> list[int]:
    """Process ids, asked of the tasks themselves."""
    return sorted({int(service.get()["pid"]) for _ in range(30)})


def test_the_desired_count_runs_with_addresses_of_the_subnets(service: Service) -> None:
    tasks = service.tasks()
    addresses = {d["value"] for t in tasks for d in t["attachments"][0]["details"] if d["name"] == "privateIPv4Address"}
    assert len(tasks) == len(addresses) == 2
    assert all(address.startswith(("10.7.0.", "10.7.1.")) for address in addresses)


def test_log_lines_arrive(service: Service) -> None:
    until(lambda: service.log().count("serving") == 2)


def test_nothing_of_the_host_leaks(service: Service) -> None:
    environment = service.get("/environment")
    assert environment["GREETING"] == "hello"
    assert environment["AWS_EXECUTION_ENV"] == "AWS_ECS_FARGATE"
    ours = {
        "HOME", "TMPDIR", "HOSTNAME", "PATH", "PYTHONPATH", "LANG", "GREETING", "AWS_REGION", "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE", "SSL_CERT_FILE", "AWS_EC2_METADATA_DISABLED",
        "ECS_CONTAINER_METADATA_URI_V4", "BREWHAVEN_NETWORK_TABLE", "BREWHAVEN_NETWORK_LOOKUP",
        "BREWHAVEN_NETWORK_ADDRESS", "AWS_DISABLE_HOST_PREFIX_INJECTION", "LC_CTYPE", "PGSSLROOTCERT",
    }  # fmt: skip
    assert set(environment) <= ours
    assert environment["HOME"] != os.environ["HOME"]


def test_the_image_names_authorities_for_postgresql_and_gets_the_local_one(service: Service, cloud: Cloud) -> None:
    assert service.get("/environment")["PGSSLROOTCERT"] == str(cloud.settings.ca_file)


def test_a_killed_process_is_back(service: Service) -> None:
    before = set(pids(service))
    os.kill(before.copy().pop(), signal.SIGKILL)
    until(lambda: len(set(pids(service)) - before) == 1 and len(pids(service)) == 2)
    stopped = service.tasks("STOPPED")
    assert stopped[0]["stoppedReason"] == "Essential container exited"
    assert stopped[0]["containers"][0]["exitCode"] == 137


def test_exec_is_refused_and_not_pretended(service: Service) -> None:
    ecs = service.cloud.client("ecs")
    with pytest.raises(ecs.exceptions.TargetNotConnectedException, match="not part of the local cloud"):
        ecs.execute_command(
            cluster=service.name, task=service.tasks()[0]["taskArn"], command="/bin/sh", interactive=True
        )
