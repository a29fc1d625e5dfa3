"""Nothing outlives the local cloud, and what was deployed is back after a restart, on the same port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from brewhaven.local import lifecycle
from brewhaven.local.settings import CloudSettings
from tests.plugins.containers import REPOSITORY, TINY, Service, push_image, until
from tests.plugins.local_cloud import Cloud, free_port_pair

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud that may be stopped and killed."""
    home = tmp_path_factory.mktemp("restarted")
    settings = CloudSettings(home=home, port=free_port_pair())
    lifecycle.up(settings)
    try:
        yield Cloud(settings, lifecycle.environment(settings))
    finally:
        lifecycle.down(settings)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def service(own: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Service:
    own.client("ecr").create_repository(repositoryName=REPOSITORY)
    image = push_image(own, tmp_path_factory.mktemp("image"), "good", TINY)
    service = Service(own, "restarted", image, desired=2)
    assert service.deploy() == "CREATE_COMPLETE", service.failures()
    return service


def living(cloud: Cloud) -> str:
    """Processes whose command line names the cloud's folder."""
    listing = subprocess.run(["ps", "-axwwo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return "\n".join(line for line in listing.splitlines() if str(cloud.settings.folder) in line)


def is_open(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_nothing_is_left_after_down_and_all_is_back_after_up(own: Cloud, service: Service) -> None:
    url = service.url
    assert living(own).count("server.py") == 2
    lifecycle.down(own.settings)
    assert living(own) == ""
    assert not is_open(url)
    lifecycle.up(own.settings)
    until(lambda: service.get()["said"] == "good morning" and len(service.tasks()) == 2)
    assert service.output("Address") == url.removeprefix("http://")


def test_nothing_is_left_after_the_server_was_killed(own: Cloud, service: Service) -> None:
    pid = lifecycle.running_pid(own.settings)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: "nothing" if living(own) == "" else None)
    lifecycle.up(own.settings)
    until(lambda: service.get()["said"] == "good morning")


def test_what_server_and_watchdog_left_is_ended_at_the_next_start(own: Cloud, service: Service) -> None:
    pid = lifecycle.running_pid(own.settings)
    children = subprocess.run(["pgrep", "-P", str(pid), "-f", "watchdog"], capture_output=True, text=True, check=True)
    [watchdog] = children.stdout.split()
    for number in (watchdog, pid):
        os.kill(int(str(number)), signal.SIGKILL)
    orphans = [line.split()[0] for line in living(own).splitlines()]
    assert len(orphans) == 2
    lifecycle.up(own.settings)
    assert not any(line.split()[0] in orphans for line in living(own).splitlines())
    until(lambda: service.get()["said"] == "good morning")


def test_a_deployment_goes_on_after_a_restart(own: Cloud, service: Service) -> None:
    service.desired = 1
    assert service.deploy() == "UPDATE_COMPLETE", service.failures()
    assert len(until(lambda: [t for t in service.tasks() if t["lastStatus"] == "RUNNING"])) == 1
