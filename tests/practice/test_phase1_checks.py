"""Each cloud check of phase 1 fails, and it alone, when what it proves is broken in the deployed shop."""

from __future__ import annotations

import time

import pytest

from brewhaven import target
from brewhaven.course import checks, load, verify
from brewhaven.course.cloud import Deployment
from tests.plugins.local_cloud import DeployedShop
from tests.practice.phase1_breaks import BREAKS, broken

pytestmark = [pytest.mark.local, pytest.mark.timeout(300)]

STACK = "BrewHaven-Phase1-Foundation"
CHECKS = list(checks.load(load().phase(1).folder))


@pytest.fixture(scope="module")
def deployment(shop: DeployedShop) -> Deployment:
    return Deployment(target.local(shop.cloud.settings), [STACK])


def failures(deployment: Deployment) -> dict[str, str]:
    """Every check that fails now, with what it says."""
    report = verify.run("1", CHECKS, deployment=deployment)
    for finding in report.findings:
        assert finding.passed or (finding.what and finding.where and finding.next)
    return {finding.check: finding.what for finding in report.findings if not finding.passed}


def test_every_check_of_a_deployment_has_a_break() -> None:
    assert sorted(BREAKS) == sorted(check.id for check in CHECKS if check.cloud)


def test_the_phase_as_it_is_passes_in_under_ten_seconds(deployment: Deployment) -> None:
    start = time.monotonic()
    assert failures(deployment) == {}
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("check", BREAKS)
def test_a_broken_deployment_fails_exactly_the_check_for_it(deployment: Deployment, check: str) -> None:
    with broken(deployment, check):
        failed = failures(deployment)
    assert list(failed) == [check]
    assert BREAKS[check][1] in failed[check]
    assert failures(deployment) == {}, "the break was not undone"
