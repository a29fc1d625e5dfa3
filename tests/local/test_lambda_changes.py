"""A function that is changed or deleted while it runs, or while its process is being started."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from tests.local.stacks import Resources, Stack, att, ref, role, stack, typed
from tests.plugins.containers import until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

CODE = """
import os, time
def handler(seconds, context):
    time.sleep(seconds)
    return os.environ["CUP"]
"""
MANY_FILES = 4_000
"""So many that the process is not there for a moment after the first invocation has begun."""


def function(cidr: str) -> Resources:
    """A function in a network of its own."""
    return {
        "Vpc": typed("AWS::EC2::VPC", CidrBlock=f"{cidr}.0.0/16"),
        "Subnet": typed("AWS::EC2::Subnet", VpcId=ref("Vpc"), CidrBlock=f"{cidr}.1.0/24"),
        "Group": typed("AWS::EC2::SecurityGroup", GroupDescription="function", VpcId=ref("Vpc")),
        "Role": role(),
        "Function": typed(
            "AWS::Lambda::Function", Runtime="python3.13", Handler="index.handler", Role=att("Role", "Arn"), Timeout=20,
            Code={"ZipFile": CODE}, Environment={"Variables": {"CUP": "small"}},
            VpcConfig={"SubnetIds": [ref("Subnet")], "SecurityGroupIds": [att("Group", "GroupId")]},
        ),
    }  # fmt: skip


def slow_to_start() -> bytes:
    """The same code among many files."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("index.py", CODE)
        for number in range(MANY_FILES):
            made.writestr(f"beans/{number}.txt", "a bean")
    return archive.getvalue()


@contextmanager
def invoked(cloud: Cloud, name: str, seconds: float) -> Iterator[list[Any]]:
    """An invocation that is under way; its answer, when there is one."""
    answers: list[Any] = []

    def invoke() -> None:
        answer = cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(seconds))
        answers.append(json.loads(answer["Payload"].read()))

    thread = threading.Thread(target=invoke)
    thread.start()
    try:
        yield answers
    finally:
        thread.join(60)


def processes(name: str) -> list[int]:
    """Processes of a function."""
    return [
        one.pid for one in psutil.process_iter(["cmdline"]) if f"-lambda-{name}-" in " ".join(one.info["cmdline"] or [])
    ]


def folders(cloud: Cloud, name: str) -> list[str]:
    """Folders in which processes of a function run, or are just being made ready."""
    return [one.name for one in (cloud.settings.folder / "tmp").glob(f"*-lambda-{name}-*")]


def interfaces(cloud: Cloud, name: str) -> list[str]:
    """Network interfaces of a function."""
    found = cloud.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    return [one["NetworkInterfaceId"] for one in found if f"-{name}-" in one.get("Description", "")]


def wants(cloud: Cloud, name: str, cup: str) -> None:
    """Change what the function answers."""
    cloud.client("lambda").update_function_configuration(FunctionName=name, Environment={"Variables": {"CUP": cup}})


def answer(cloud: Cloud, name: str) -> Any:
    with invoked(cloud, name, 0) as answers:
        pass
    return answers[0]


def test_what_runs_when_a_function_is_changed_runs_to_its_end(cloud: Cloud) -> None:
    with stack(cloud) as made:
        made.create(function("10.41"))
        name = made.physical_id("Function")
        assert answer(cloud, name) == "small"
        (old,), network = processes(name), interfaces(cloud, name)
        with invoked(cloud, name, 2) as answers:
            time.sleep(0.5)
            wants(cloud, name, "large")
            assert (processes(name), interfaces(cloud, name)) == ([old], network)
            assert answer(cloud, name) == "large"
        assert answers == ["small"]
        until(lambda: len(processes(name)) == 1 and len(interfaces(cloud, name)) == 1)
        assert old not in processes(name)


def test_what_still_runs_after_a_change_ends_with_the_function(cloud: Cloud) -> None:
    with stack(cloud) as made:
        made.create(function("10.43"))
        name = made.physical_id("Function")
        assert answer(cloud, name) == "small"
        with invoked(cloud, name, 15) as answers:
            time.sleep(0.5)
            wants(cloud, name, "large")
            made.delete()
            assert (processes(name), interfaces(cloud, name)) == ([], [])
        assert answers[0]["errorType"]


@pytest.fixture
def starting(cloud: Cloud) -> Iterator[tuple[Stack, str, list[Any]]]:
    """A stack whose function's first process is just being started for an invocation."""
    with stack(cloud) as made:
        made.create(function("10.42"))
        name = made.physical_id("Function")
        cloud.client("lambda").update_function_code(FunctionName=name, ZipFile=slow_to_start())
        with invoked(cloud, name, 0) as answers:
            until(lambda: folders(cloud, name))
            assert processes(name) == [], "it is being started"
            yield made, name, answers


def test_a_change_while_a_process_is_started_leaves_nothing_behind(
    cloud: Cloud, starting: tuple[Stack, str, list[Any]]
) -> None:
    made, name, answers = starting
    wants(cloud, name, "large")
    assert until(lambda: answers)[0] in ("small", "large")
    assert answer(cloud, name) == "large"
    until(lambda: len(processes(name)) == 1)
    assert len(interfaces(cloud, name)) == 1
    made.delete()
    assert (processes(name), interfaces(cloud, name), folders(cloud, name)) == ([], [], [])


def test_a_function_that_is_deleted_while_a_process_is_started_starts_none(
    cloud: Cloud, starting: tuple[Stack, str, list[Any]]
) -> None:
    made, name, answers = starting
    made.delete()
    said = until(lambda: answers)[0]
    assert "was deleted" in said["errorMessage"]
    assert (processes(name), interfaces(cloud, name), folders(cloud, name)) == ([], [], [])
