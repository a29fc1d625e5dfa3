"""Each cloud check of phase 2 fails, and it alone, when what it proves is broken in the deployed shop."""

from __future__ import annotations

import json
from typing import Any

import pytest

from brewhaven import target
from brewhaven.course import checks, load, verify
from brewhaven.course.cloud import Deployment
from phases.phase2_orders import probes
from phases.phase2_orders.checks_fan_out import ENOUGH, Told
from phases.phase2_orders.probes import follow_ups, foundation
from tests.plugins.databases import wait_until
from tests.plugins.local_cloud import DeployedShop
from tests.practice.phase2_breaks import BREAKS, connect, valkey

pytestmark = [pytest.mark.local, pytest.mark.timeout(600)]

STACK = "BrewHaven-Phase2-Orders"
CHECKS = list(checks.load(load().phase(2).folder))
IN_VAIN = {"subscribers-hear", "push-gone-phone"}
"""Checks whose break is that something never comes, for which a student waits longer than this test."""


@pytest.fixture(scope="module")
def deployment(orders_shop: DeployedShop) -> Deployment:
    """What is deployed, when everything has come up: caches and metrics take a moment."""
    found = Deployment(target.local(orders_shop.cloud.settings), [STACK])
    wait_until(lambda: not failures(found), 240)
    return found


def failures(deployment: Deployment) -> dict[str, str]:
    """Every check that fails now, with what it says."""
    report = verify.run("2", CHECKS, deployment=deployment)
    for finding in report.findings:
        assert finding.passed or (finding.what and finding.where and finding.next)
    return {finding.check: finding.what for finding in report.findings if not finding.passed}


def test_every_check_of_a_deployment_has_a_break() -> None:
    assert sorted(BREAKS) == sorted(check.id for check in CHECKS if check.cloud)


@pytest.mark.parametrize("check", BREAKS)
def test_a_broken_deployment_fails_exactly_the_check_for_it(
    deployment: Deployment, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if check in IN_VAIN:
        monkeypatch.setattr(probes, "PATIENCE_SECONDS", 30)
    break_it, says = BREAKS[check]
    with break_it(deployment):
        failed = failures(deployment)
    assert list(failed) == [check]
    assert says in failed[check]


def left(deployment: Deployment) -> dict[str, Any]:
    """Everything that a check could leave behind, by the name that they all have."""
    dynamodb, s3 = deployment.client("dynamodb"), deployment.client("s3")
    tables = (foundation(deployment).outputs["CatalogTableName"], deployment.outputs["FollowUpTableName"])
    written = [item for table in tables for item in dynamodb.scan(TableName=table)["Items"]]
    items = [item for item in written if "expires_at" not in item]
    versions = s3.list_object_versions(Bucket=foundation(deployment).outputs["AssetBucketName"])
    kept = [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]
    connection = connect(deployment)
    try:
        (open_orders,) = connection.run("select count(*) from orders where name = 'check' and status <> 'cancelled'")
    finally:
        connection.close()
    return {
        "items": [item for item in items if "check" in json.dumps([item["pk"], item["sk"], item.get("name")])],
        "sessions": [item for item in written if item["pk"]["S"].startswith("SESSION#")],
        "tickets and notices": [item for item in items if item.get("name", {}).get("S") == "check"],
        "objects": [version["Key"] for version in kept if "check-" in version["Key"]],
        "open orders": open_orders,
        "phones": deployment.client("sns").list_platform_applications()["PlatformApplications"],
    }


def test_nothing_is_left_behind(deployment: Deployment) -> None:
    """After all breaks above a run that passes, and the shop is as it was.

    What a run set going that failed may arrive after it, so one that passes comes first.
    """
    assert failures(deployment) == {}, "a break was not undone"
    before = left(deployment)
    assert failures(deployment) == {}
    after = left(deployment)
    assert after.pop("open orders") == before.pop("open orders")
    assert [one for what, things in after.items() for one in things if one not in before[what]] == []
    keys = list(valkey(deployment).scan_iter(match="shop:check*"))
    assert keys == []


def test_events_of_a_check_that_come_again_leave_nothing(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that loyalty was not to hear of, too: its filter may have been broken when they were published."""
    told: list[Told] = []
    forget = Told.forget

    def noting(self: Told, cloud: Deployment) -> None:
        told.append(self)
        forget(self, cloud)

    monkeypatch.setattr(Told, "forget", noting)
    report = verify.run("2", [check for check in CHECKS if check.id == "filters-choose"], deployment=deployment)
    assert [finding.passed for finding in report.findings] == [True]
    assert len(told) == 3
    (group,) = deployment.resources("AWS::Logs::LogGroup", of="OrderSubscribersLoyaltyLogs")

    def heard(one: Told) -> int:
        pages = deployment.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=group.physical_id, filterPattern=f'"points of order {one.order}"')
        return sum(len(page["events"]) for page in found)

    before = [heard(one) for one in told]
    for one in told:
        probes.publish(deployment, one.event, kind="order.paid", cents=ENOUGH)
    wait_until(lambda: [heard(one) for one in told] == [number + 1 for number in before], 120)
    assert [one for one in told if follow_ups(deployment, f"LOYALTY#{one.customer}", "POINTS")] == []


def test_a_phone_of_a_platform_application_is_kept_and_its_endpoint_removed(deployment: Deployment) -> None:
    sns = deployment.client("sns")
    application = sns.create_platform_application(
        Name="brew-haven-test", Platform="GCM", Attributes={"PlatformCredential": "none"}
    )["PlatformApplicationArn"]
    try:
        report = verify.run("2", [check for check in CHECKS if check.id == "push-gone-phone"], deployment=deployment)
        endpoints = sns.list_endpoints_by_platform_application(PlatformApplicationArn=application)["Endpoints"]
    finally:
        sns.delete_platform_application(PlatformApplicationArn=application)
    (finding,) = report.findings
    assert finding.evidence.endswith("one that is there is kept"), finding.what
    assert endpoints == []
