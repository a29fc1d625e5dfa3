"""Load balancers: the door on this machine, security groups, what targets are told, errors (resources/elbv2.py)."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from brewhaven.local.engines.target_health import code_matches
from tests.plugins.containers import Service, until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


@pytest.fixture(scope="module")
def service(cloud: Cloud, images: Callable[..., str]) -> Iterator[Service]:
    """A steady service that finds itself by a Cloud Map name."""
    service = Service(
        cloud,
        "balanced",
        images(),
        resources={
            "Namespace": {
                "Type": "AWS::ServiceDiscovery::PrivateDnsNamespace",
                "Properties": {"Name": "shop.internal", "Vpc": {"Ref": "Vpc"}},
            },
            "Name": {
                "Type": "AWS::ServiceDiscovery::Service",
                "Properties": {
                    "Name": "web",
                    "NamespaceId": {"Ref": "Namespace"},
                    "DnsConfig": {"DnsRecords": [{"Type": "A", "TTL": 10}]},
                },
            },
        },
        service={
            "ServiceRegistries": [{"RegistryArn": {"Fn::GetAtt": ["Name", "Arn"]}}],
            "HealthCheckGracePeriodSeconds": 60,
        },
    )
    assert service.deploy() == "CREATE_COMPLETE", service.failures()
    yield service
    service.delete()


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def is_refused(url: str) -> bool:
    try:
        status_of(url)
    except urllib.error.URLError as error:
        return isinstance(error.reason, ConnectionRefusedError)
    return False


def rule(service: Service, group: str, verb: str, **permission: Any) -> None:
    """Authorize or revoke an ingress rule of one of the stack's groups."""
    ec2 = service.cloud.client("ec2")
    call = getattr(ec2, f"{verb}_security_group_ingress")
    call(GroupId=service.output(group), IpPermissions=[{"IpProtocol": "tcp", **permission}])


def test_the_api_names_the_address_that_answers(service: Service) -> None:
    [balancer] = [
        b
        for b in service.cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
        if b["LoadBalancerName"].startswith("balanced")
    ]
    assert balancer["DNSName"] == service.output("Address")
    assert status_of(f"http://{balancer['DNSName']}/") == 200


def test_targets_are_told_who_asks(service: Service) -> None:
    request = urllib.request.Request(service.url + "/headers", headers={"X-Forwarded-For": "203.0.113.7"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        headers = {name.lower(): value for name, value in json.load(answer).items()}
    assert headers["x-forwarded-for"] == "203.0.113.7, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-port"] == "80"
    assert headers["x-amzn-trace-id"].startswith("Root=1-")
    assert headers["host"] == service.output("Address")


def test_health_is_measured(service: Service) -> None:
    assert service.health() == [{"State": "healthy"}]


def test_a_closed_group_closes_the_door(service: Service) -> None:
    web = {"FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "127.0.0.1/32"}]}
    rule(service, "BalancerGroup", "revoke", **web)
    until(lambda: is_refused(service.url))
    rule(service, "BalancerGroup", "authorize", **web)
    until(lambda: status_of(service.url) == 200)


def test_a_group_of_the_tasks_that_admits_nobody_makes_them_unhealthy(service: Service) -> None:
    from_balancer = {
        "FromPort": 8080,
        "ToPort": 8080,
        "UserIdGroupPairs": [{"GroupId": service.output("BalancerGroup")}],
    }
    rule(service, "TaskGroup", "revoke", **from_balancer)
    until(lambda: status_of(service.url) == 504)
    [health] = until(lambda: [h for h in service.health() if h["State"] == "unhealthy"])
    assert health["Reason"] == "Target.Timeout"
    assert "no ingress rule of security group" in health["Description"]
    rule(service, "TaskGroup", "authorize", **from_balancer)
    until(lambda: status_of(service.url) == 200)


def test_cloud_map_knows_the_tasks(service: Service) -> None:
    discovery = service.cloud.client("servicediscovery")
    [record] = [s for s in discovery.list_services()["Services"] if s["Name"] == "web"]
    [instance] = discovery.list_instances(ServiceId=record["Id"])["Instances"]
    [task] = service.tasks()
    assert instance["Id"] == task["taskArn"].rsplit("/", 1)[-1]
    assert instance["Attributes"]["AWS_INSTANCE_IPV4"] == service.get("/environment")["BREWHAVEN_NETWORK_ADDRESS"]


def test_a_task_reaches_names_and_addresses_that_its_group_admits(service: Service) -> None:
    """Even its own address: on AWS a connection to it leaves the loopback interface alone, too."""
    assert "good morning" in service.get("/fetch?http://127.0.0.1:8080/")["body"]
    assert "good morning" in service.get("/fetch?http://web.shop.internal:8080/")["body"]
    assert "Name or service not known" in service.get("/fetch?http://nobody.shop.internal:8080/")["error"]
    assert "timed out" in service.get("/fetch?http://10.7.0.250:8080/")["error"]


def test_errors_have_the_pages_of_aws(service: Service) -> None:
    ecs = service.cloud.client("ecs")
    ecs.update_service(cluster="balanced", service="web", desiredCount=0)
    until(lambda: status_of(service.url) == 503)
    try:
        urllib.request.urlopen(service.url)
    except urllib.error.HTTPError as error:
        assert error.headers["Server"] == "awselb/2.0"
        assert b"<h1>503 Service Temporarily Unavailable</h1>" in error.read()
    ecs.update_service(cluster="balanced", service="web", desiredCount=1)
    until(lambda: status_of(service.url) == 200)


@pytest.mark.parametrize(
    ("matcher", "code", "matches"),
    [("200", 200, True), ("200", 404, False), ("200,302", 302, True), ("200-299", 204, True), ("200-299", 300, False)],
)
def test_matchers_count_as_on_aws(matcher: str, code: int, matches: bool) -> None:
    assert code_matches(matcher, code) is matches
