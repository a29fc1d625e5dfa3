"""The tool on a real local cloud: what a student types, with its exit codes, and what `destroy` proves."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from brewhaven.local.settings import HOST, REPOSITORY
from tests.plugins.local_cloud import Cloud, DeployedShop, brewhaven, free_port_pair

pytestmark = pytest.mark.local

STUDENT = "s09"
STACK = f"{STUDENT}-BrewHaven-Phase1-Foundation"


def _json(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_up_again_changes_nothing_and_keeps_the_accounts(shop: DeployedShop) -> None:
    shop.brewhaven("up", "--json")  # other tests may have changed the deployed stack
    again = _json(shop.brewhaven("up", "--json"))
    assert again["changed"] is False
    assert again["shop_url"] == shop.url
    assert {account["role"]: account["password"] for account in again["accounts"]} == {
        role: password for role, (_, password) in shop.staff.items()
    }
    assert again["seconds"] < 20


def test_status_tells_a_program_everything(shop: DeployedShop) -> None:
    answer = _json(shop.brewhaven("status", "--json"))
    assert (answer["target"], answer["problem"]) == ("local", None)
    assert answer["bootstrap_version"] >= 30
    first, *later = answer["phases"]
    assert first["stacks"]["BrewHaven-Phase1-Foundation"]["status"].endswith("_COMPLETE")
    assert first["stacks"]["BrewHaven-Phase1-Foundation"]["outputs"] == shop.outputs
    assert not any(phase["deployed"] for phase in later)
    assert answer["local"]["healthy"] is True
    assert shop.cloud.settings.port in answer["local"]["listening"]
    assert answer["next"].startswith(f"open {shop.url} and order a coffee")


def test_what_is_only_recorded_is_named(shop: DeployedShop) -> None:
    recorded = _json(shop.brewhaven("local", "status", "--json"))["recorded_only"]
    assert "AWS::ApplicationAutoScaling::ScalingPolicy" in recorded
    for kind in recorded:
        assert kind in shop.brewhaven("status").stdout


def test_env_gives_a_shell_in_which_aws_cdk_and_boto3_work(shop: DeployedShop) -> None:
    program = Path(sys.executable).with_name("brewhaven")
    ask = 'import boto3; print(boto3.client("dynamodb").list_tables()["TableNames"])'
    script = f"""
        eval "$({shlex.quote(str(program))} env)"
        aws sts get-caller-identity --query Arn --output text
        python -c {shlex.quote(ask)}
        cdk --version
    """
    settings = shop.cloud.settings
    done = subprocess.run(
        ["/bin/sh", "-ec", script],
        cwd=REPOSITORY,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "AWS_PROFILE": "a-company",
            "BREWHAVEN_HOME": str(settings.home),
            "BREWHAVEN_PORT": str(settings.port),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    who, tables, version = done.stdout.strip().splitlines()
    assert who == "arn:aws:iam::111122223333:user/student"
    assert shop.outputs["CatalogTableName"] in tables
    assert version.startswith("2.1148.1 ")


@pytest.fixture(scope="module")
def student(cloud: Cloud) -> Iterator[Cloud]:
    """Lesson 1.1 of a student beside whatever else is there."""
    deployed = _json(brewhaven(cloud, "deploy", "1.1", "--student", STUDENT, "--json"))
    assert deployed["outputs"]["CatalogTableName"].startswith(STACK)
    assert (deployed["lesson"], deployed["shop_url"]) == ("1.1", None)
    yield cloud
    brewhaven(cloud, "destroy", "--student", STUDENT)


def _destroy(cloud: Cloud) -> tuple[int, Any]:
    done = brewhaven(cloud, "destroy", "--student", STUDENT, "--json")
    return done.returncode, json.loads(done.stdout)


def test_destroy_proves_that_nothing_is_left_and_touches_nobody_else(student: Cloud, shop: DeployedShop) -> None:
    """First with something left that no stack knows: it is found, named, and the exit code is 3."""
    images = _share_the_shops_image(student)
    s3, logs = student.client("s3"), student.client("logs")
    before = set(student.client("dynamodb").list_tables()["TableNames"])
    left = f"{STUDENT}-brewhaven-phase1-foundation-left"
    s3.create_bucket(Bucket=left)
    logs.create_log_group(logGroupName=f"/aws/lambda/{STACK}-Late")

    code, answer = _destroy(student)
    assert (code, answer["deleted"]) == (3, [STACK])
    assert answer["left"] == [{"kind": "S3 bucket", "id": left}]
    assert logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{STACK}")["logGroups"] == []

    s3.delete_bucket(Bucket=left)
    code, answer = _destroy(student)
    assert (code, answer["deleted"], answer["left"], answer["unseen"]) == (0, [], [], {})

    after = set(student.client("dynamodb").list_tables()["TableNames"])
    assert {name for name in before if not name.startswith(STUDENT)} == after
    assert _images(student) == images, "the other student's tasks are made from them"


def _share_the_shops_image(cloud: Cloud) -> set[str]:
    """Record the image of the other student's shop as this one's too: the same content has the same tag."""
    images = _images(cloud)
    assert images
    record = cloud.settings.home / "record" / "local-111122223333-us-east-1.json"
    known = json.loads(record.read_text())
    known[STACK]["container image asset"] = sorted(images)
    record.write_text(json.dumps(known))
    return images


def _images(cloud: Cloud) -> set[str]:
    """Tags of the CDK's images in the registry."""
    ecr = cloud.client("ecr")
    (repository,) = [
        found["repositoryName"]
        for found in ecr.describe_repositories()["repositories"]
        if found["repositoryName"].startswith("cdk-")
    ]
    return {image["imageTag"] for image in ecr.list_images(repositoryName=repository)["imageIds"]}


def test_a_taken_port_is_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = {**os.environ, "BREWHAVEN_HOME": str(tmp_path), "BREWHAVEN_PORT": str(port)}
        done = subprocess.run(
            [Path(sys.executable).with_name("brewhaven"), "up"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken by another program." in done.stderr
    assert "BREWHAVEN_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_down_leaves_no_process_and_no_open_port(tmp_path: Path) -> None:
    environment = {**os.environ, "BREWHAVEN_HOME": str(tmp_path), "BREWHAVEN_PORT": str(free_port_pair())}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("brewhaven")
        return subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=True)

    run("local", "up")
    status = json.loads(run("local", "status", "--json").stdout)
    assert status["healthy"]
    run("down")
    listing = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listing
    for listening in status["listening"]:
        with socket.socket() as client:
            assert client.connect_ex((HOST, listening)) != 0
    assert json.loads(run("local", "status", "--json").stdout)["running"] is False
