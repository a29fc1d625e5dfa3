"""One task speaks to another: by name, and only where security groups admit it (engines/network.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.plugins.containers import Service, until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def services(cloud: Cloud, images: Callable[..., str]) -> Iterator[tuple[Service, Service]]:
    """Two services in stacks of their own, in networks that overlap in nothing."""
    asking, asked = Service(cloud, "asking", images()), Service(cloud, "asked", images())
    for service in (asking, asked):
        assert service.deploy() == "CREATE_COMPLETE", service.failures()
    yield asking, asked
    for service in (asked, asking):  # A rule of the one names the group of the other.
        service.delete()


def test_a_task_reaches_another_only_where_its_group_admits_it(services: tuple[Service, Service]) -> None:
    asking, asked = services
    address = asked.get("/environment")["BREWHAVEN_NETWORK_ADDRESS"]
    path = f"/fetch?http://{address}:8080/"
    refused = asking.get(path)["error"]
    assert "timed out" in refused
    assert asked.output("TaskGroup") in refused
    asked.cloud.client("ec2").authorize_security_group_ingress(
        GroupId=asked.output("TaskGroup"),
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 8080,
                "ToPort": 8080,
                "UserIdGroupPairs": [{"GroupId": asking.output("TaskGroup")}],
            }
        ],
    )
    assert "good morning" in until(lambda: asking.get(path).get("body"))


def test_what_nothing_listens_on_refuses(services: tuple[Service, Service]) -> None:
    asking, asked = services
    asked.cloud.client("ec2").authorize_security_group_ingress(
        GroupId=asked.output("TaskGroup"), IpProtocol="tcp", FromPort=9, ToPort=9, CidrIp="10.7.0.0/16"
    )
    address = asked.get("/environment")["BREWHAVEN_NETWORK_ADDRESS"]
    assert "Connection refused" in asking.get(f"/fetch?http://{address}:9/")["error"]
