"""Every fault of phase 1 on the deployed shop: felt, found by its check, mended by a student, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from brewhaven.course import load
from brewhaven.course.faults import declared, template_change
from brewhaven.course.faults.declared import Fault
from brewhaven.course.faults.practice import Practice
from phases.phase1_foundation.probes import service_of
from tests.plugins.local_cloud import DeployedShop
from tests.practice import fault_trials
from tests.practice.phase1_breaks import wait_until_stable

pytestmark = [pytest.mark.local, pytest.mark.timeout(400)]

STACK = "BrewHaven-Phase1-Foundation"
FAULTS = declared.of_course(load(), 1)
each = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)


@pytest.fixture(scope="module")
def practice(shop: DeployedShop) -> Iterator[Practice]:
    with fault_trials.practising(shop) as found:
        yield found


def state(practice: Practice) -> dict[str, Any]:
    """Everything that a fault of the phase changes or makes."""
    deployment = practice.deployment(STACK)
    client, outputs = deployment.client, deployment.outputs
    service, table = service_of(deployment), {"TableName": outputs["CatalogTableName"]}
    images = client("ecr").describe_repositories()["repositories"][0]["repositoryName"]
    listed = client("dynamodb").describe_table(**table)["Table"]
    return {
        "template": template_change.deployed(practice.cloud, STACK),
        "bucket policy": client("s3").get_bucket_policy(Bucket=outputs["AssetBucketName"])["Policy"],
        "policies of the student": client("iam").list_user_policies(UserName="student")["PolicyNames"],
        "runs": (service["taskDefinition"], service["deploymentConfiguration"], service["runningCount"]),
        "task definitions": client("ecs").list_task_definitions()["taskDefinitionArns"],
        "images": sorted(i.get("imageTag", "") for i in client("ecr").list_images(repositoryName=images)["imageIds"]),
        "billing": listed["BillingModeSummary"]["BillingMode"],
        "rush": client("dynamodb").get_item(**table, Key={"pk": {"S": "CHECK#noon"}, "sk": {"S": "CHECK"}}).get("Item"),
        "staged": fault_trials.staged(practice),
    }


def settle(practice: Practice) -> None:
    """Wait until the shop's service runs what it is told to run."""
    wait_until_stable(practice.deployment(STACK))


@each
def test_a_fault_is_felt_found_and_mended(practice: Practice, fault: Fault) -> None:
    fault_trials.prove(practice, fault)


@each
def test_giving_up_puts_everything_back(practice: Practice, fault: Fault) -> None:
    fault_trials.give_up(practice, fault, state=state, settle=lambda: settle(practice))


@pytest.mark.parametrize("delay", [0.0, 0.25])
@pytest.mark.parametrize("id_", ["nobody-gets-in", "slow-at-noon", "gone-since-four"])
def test_what_a_killed_program_left_is_taken_back(
    practice: Practice, shop: DeployedShop, id_: str, delay: float
) -> None:
    fault_trials.kill_and_take_back(practice, shop, id_, delay, state=state, settle=lambda: settle(practice))


def test_a_fault_by_hand_on_the_command_line(practice: Practice, shop: DeployedShop) -> None:
    broken = shop.brewhaven("break", "boss-is-refused")
    assert broken.returncode == 0, broken.stderr
    assert "AccessDenied" in broken.stdout
    assert "after-the-audit" not in broken.stdout + broken.stderr
    assert shop.brewhaven("break").returncode == 1, "one at a time"
    assert shop.brewhaven("fix", "--show").returncode == 1, "not before it is over"
    not_yet = shop.brewhaven("fix", "--check")
    assert (not_yet.returncode, "Not yet" in not_yet.stdout) == (1, True)
    assert "after-the-audit" not in not_yet.stdout + not_yet.stderr
    assert [f"hint {n} of 3" in shop.brewhaven("hint").stdout for n in (1, 2, 3)] == [True] * 3
    shop.cloud.client("iam").delete_user_policy(UserName="student", PolicyName="after-the-audit")
    mended = shop.brewhaven("fix", "--check")
    assert (mended.returncode, "Mended" in mended.stdout) == (0, True)
    assert "after-the-audit" in shop.brewhaven("fix", "--show").stdout
