"""What `brewhaven doctor` finds, and that it says what to do."""

from __future__ import annotations

import socket
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from brew_constructs import order_database, order_pipeline, shop_cache
from brewhaven.course import doctor, engines, readiness, render
from brewhaven.course.doctor import Finding
from brewhaven.local.settings import HOST, CloudSettings
from brewhaven.target import Target
from tests.plugins.local_cloud import free_port_pair


class Client:
    """Answers each operation with what is given, or raises it."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def __getattr__(self, operation: str) -> Any:
        answer = self._answers[operation]

        def call(**_: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


class Session:
    def __init__(self, clients: dict[str, Client]) -> None:
        self._clients = clients

    def client(self, service: str, **_: Any) -> Client:
        return self._clients[service]


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, "Operation")


def zones(*names: str) -> Client:
    return Client(describe_availability_zones={"AvailabilityZones": [{"ZoneName": name} for name in names]})


def aws(region: str = "eu-central-1", path: str = "/nowhere", **clients: Client) -> Target:
    found = {
        "ssm": Client(get_parameter={"Parameter": {"Value": "33"}}),
        "ec2": zones("a", "b"),
        "service-quotas": Client(get_service_quota={"Quota": {"Value": 5.0}}),
        **{name.replace("_", "-"): client for name, client in clients.items()},
    }
    return Target("aws", "111122223333", region, {"PATH": path}, Session(found))


def states(target: Target) -> dict[str, str]:
    return {finding.what: finding.state for finding in readiness.cloud(target, 1)}


def test_an_account_that_has_everything_is_ready_but_for_the_image_builder() -> None:
    found = states(aws())
    assert {what for what, state in found.items() if state != "ok"} == {"Image builder"}
    assert found["Image builder"] == "note"


@pytest.mark.parametrize(
    ("clients", "what"),
    [
        ({"ssm": Client(get_parameter=error("ParameterNotFound"))}, "CDK bootstrap"),
        ({"ssm": Client(get_parameter={"Parameter": {"Value": "6"}})}, "CDK bootstrap"),
        ({"ec2": zones("a")}, "Zones"),
        ({"service_quotas": Client(get_service_quota={"Quota": {"Value": 0.0}})}, "Quota: Fargate processors"),
        ({"ec2": Client(describe_availability_zones=error("UnauthorizedOperation"))}, "Zones"),
    ],
)
def test_what_is_missing_fails_with_a_remedy(clients: dict[str, Client], what: str) -> None:
    found = {finding.what: finding for finding in readiness.cloud(aws(**clients), 1)}
    assert found[what].state == "fail"
    assert found[what].remedy


def test_a_quota_that_cannot_be_asked_is_no_failure() -> None:
    found = states(aws(service_quotas=Client(get_service_quota=error("AccessDenied"))))
    assert found["Quota: Load balancers"] == "note"


@pytest.mark.parametrize(
    ("answer", "state", "says"),
    [
        ({"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}, "note", "0 of 10 can be reserved"),
        ({"ConcurrentExecutions": 103, "UnreservedConcurrentExecutions": 103}, "note", "3 of 103 can be reserved"),
        ({"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 995}, "ok", "5 for the worker would fit"),
        (error("AccessDeniedException"), "note", "could not be asked"),
    ],
)
def test_how_much_concurrency_can_be_reserved_is_said_from_phase_2_on(answer: Any, state: str, says: str) -> None:
    settings = answer if isinstance(answer, Exception) else {"AccountLimit": answer}
    found = orders(**{"lambda": Client(get_account_settings=settings)})["Reserved concurrency"]
    assert (found.state, says in found.found) == (state, True)
    assert bool(found.remedy) is (state == "note")
    assert "Reserved concurrency" not in states(aws())


def orders(**clients: Client) -> dict[str, Any]:
    """What is found of phase 2's needs in an account that has everything but what is given."""
    everything = {
        "rds": Client(
            describe_db_engine_versions={"DBEngineVersions": [{"EngineVersion": "16.10"}]},
            describe_orderable_db_instance_options={"OrderableDBInstanceOptions": [{"EngineVersion": "16.10"}]},
        ),
        "elasticache": Client(describe_cache_engine_versions={"CacheEngineVersions": [{"EngineVersion": "8.0"}]}),
        "lambda": Client(
            get_account_settings={"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 995}}
        ),
        "service_quotas": Client(get_service_quota={"Quota": {"Value": 40.0}}),
        **clients,
    }
    return {finding.what: finding for finding in readiness.cloud(aws(**everything), 2)}


DATABASE, CACHE = f"RDS for PostgreSQL {engines.POSTGRES}", f"ElastiCache for Valkey {engines.VALKEY}"


def test_an_account_that_has_everything_of_phase_2_is_ready() -> None:
    found = orders()
    assert (found[DATABASE].state, found[DATABASE].found) == ("ok", "16.10 is the default, on db.t4g.micro")
    assert found[CACHE].state == "ok"
    assert found["Quota: ElastiCache nodes in the region"].found == "40, phase 2 needs 1"
    assert {what for what, finding in found.items() if finding.state == "fail"} == set()


@pytest.mark.parametrize(
    ("service", "answers", "what", "says"),
    [
        ("rds", {"describe_db_engine_versions": {"DBEngineVersions": []}}, DATABASE, "not in eu-central-1"),
        (
            "rds",
            {
                "describe_db_engine_versions": {"DBEngineVersions": [{"EngineVersion": "16.10"}]},
                "describe_orderable_db_instance_options": {"OrderableDBInstanceOptions": []},
            },
            DATABASE,
            "not on db.t4g.micro",
        ),
        ("elasticache", {"describe_cache_engine_versions": {"CacheEngineVersions": []}}, CACHE, "not in eu-central-1"),
        (
            "service_quotas",
            {"get_service_quota": {"Quota": {"Value": 0.0}}},
            "Quota: ElastiCache nodes in the region",
            "0",
        ),
    ],
)
def test_what_phase_2_lacks_fails_with_a_remedy(service: str, answers: Any, what: str, says: str) -> None:
    found = orders(**{service: Client(**answers)})[what]
    assert found.state == "fail"
    assert says in found.found
    assert found.remedy


def test_an_engine_that_cannot_be_asked_about_is_no_failure() -> None:
    found = orders(rds=Client(describe_db_engine_versions=error("AccessDenied")))[DATABASE]
    assert (found.state, bool(found.remedy)) == ("note", True)


def test_phase_1_needs_neither_database_nor_cache() -> None:
    found = states(aws())
    assert DATABASE not in found
    assert CACHE not in found


def test_the_engines_that_are_asked_about_are_those_of_the_stack() -> None:
    assert order_database._ENGINE.engine_version is not None
    assert order_database._ENGINE.engine_version.full_version == engines.POSTGRES
    assert f"db.{order_database._SIZE.to_string()}" == engines.INSTANCE_CLASS
    assert (shop_cache.ENGINE, shop_cache.ENGINE_VERSION) == ("valkey", engines.VALKEY)
    assert order_pipeline.WORKERS == readiness.WORKERS


def test_a_region_without_a_service_fails() -> None:
    found = {finding.what: finding for finding in readiness.cloud(aws(region="eu-nowhere-1"), 1)}
    assert "not in eu-nowhere-1" in found["Services"].found


@pytest.mark.parametrize(("command", "state"), [("docker", "ok"), ("podman", "fail")])
def test_an_image_builder_that_is_not_docker_must_be_named(tmp_path: Path, command: str, state: str) -> None:
    (tmp_path / command).touch(mode=0o755)
    assert states(aws(path=str(tmp_path)))["Image builder"] == state


def test_a_runtime_past_its_end_fails_and_one_near_it_is_noted() -> None:
    end = readiness.RUNTIMES[0].end
    name = readiness.RUNTIMES[0].name
    for today, state in ((date(2026, 11, 22), "ok"), (end, "note"), (date(end.year + 1, 1, 1), "fail")):
        found = {finding.what: finding.state for finding in readiness.runtimes(1, today)}
        assert found[name] == state


def test_the_course_deploys_only_runtimes_that_are_mended_today() -> None:
    assert [finding.what for finding in readiness.runtimes(5) if finding.state == "fail"] == []


def test_a_port_of_another_program_fails_with_the_way_out(tmp_path: Path) -> None:
    port = free_port_pair()
    with socket.socket() as other:
        other.bind((HOST, port))
        other.listen()
        findings = doctor.examine(CloudSettings(home=tmp_path, port=port), "local", 1)
    found = {finding.what: finding for finding in findings}
    assert found[f"Port {port}"].state == "fail"
    assert "BREWHAVEN_PORT" in found[f"Port {port}"].remedy
    assert found[f"Port {port + 1}"].state == "ok"
    assert found["Cloud"].state == "note"
    assert not doctor.is_ready(findings)


def test_the_table_shows_the_state_as_a_word() -> None:
    shown = render.to_text(doctor.table([Finding("Node", "fail", "v18", "Run `make setup`.")]))
    for part in ("FAIL", "Node", "v18", "make setup"):
        assert part in shown
