"""Every fault of phase 2 on the deployed shop: felt, found by its check, mended by a student, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from brewhaven.course import load
from brewhaven.course.faults import declared, template_change
from brewhaven.course.faults.declared import Fault
from brewhaven.course.faults.practice import Practice
from phases.phase2_orders.checks_database import instance_of
from phases.phase2_orders.checks_queue import mappings_of
from phases.phase2_orders.faults_pipeline import REGULAR
from phases.phase2_orders.probes import forget
from tests.plugins.local_cloud import DeployedShop
from tests.practice import fault_trials

pytestmark = [pytest.mark.local, pytest.mark.timeout(900)]

STACK = "BrewHaven-Phase2-Orders"
FAULTS = declared.of_course(load(), 2)
each = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)


@pytest.fixture(scope="module")
def practice(orders_shop: DeployedShop) -> Iterator[Practice]:
    with fault_trials.practising(orders_shop) as found:
        yield found
        forget(found.deployment(STACK), (f"LOYALTY#{REGULAR}", ""))


def state(practice: Practice) -> dict[str, Any]:
    """Everything that a fault of the phase changes or makes."""
    deployment = practice.deployment(STACK)
    client, outputs = deployment.client, deployment.outputs
    (group,) = instance_of(deployment)["DBParameterGroups"]
    pages = (
        client("rds")
        .get_paginator("describe_db_parameters")
        .paginate(DBParameterGroupName=group["DBParameterGroupName"])
    )
    return {
        "template": template_change.deployed(practice.cloud, STACK),
        "parameter group": {
            parameter["ParameterName"]: parameter.get("ParameterValue")
            for page in pages
            for parameter in page["Parameters"]
        },
        "shop's parameter": client("ssm").get_parameter(Name=outputs["ShopConfigParameter"])["Parameter"]["Value"],
        "cache's users": {u["UserName"]: u["AccessString"] for u in client("elasticache").describe_users()["Users"]},
        "event sources": {mapping["UUID"]: mapping["State"] for mapping in mappings_of(deployment)},
        "filter policies": {
            entry.physical_id: client("sns")
            .get_subscription_attributes(SubscriptionArn=entry.physical_id)["Attributes"]
            .get("FilterPolicy")
            for entry in deployment.resources("AWS::SNS::Subscription")
        },
        "mute alarms": [
            alarm["AlarmName"]
            for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]
            if not alarm["ActionsEnabled"]
        ],
        "queues": sorted(client("sqs").list_queues()["QueueUrls"]),
        "subscriptions": sorted(s["SubscriptionArn"] for s in client("sns").list_subscriptions()["Subscriptions"]),
        "staged": fault_trials.staged(practice),
    }


@each
def test_a_fault_is_felt_found_and_mended(practice: Practice, fault: Fault) -> None:
    fault_trials.prove(practice, fault)


@each
def test_giving_up_puts_everything_back(practice: Practice, fault: Fault) -> None:
    fault_trials.give_up(practice, fault, state=state)


# What is one call is over in a quarter of a second.
@pytest.mark.parametrize(
    ("id_", "delay"), [("silent-since-monday", 0.0), ("silent-since-monday", 0.25), ("order-not-found", 0.0)]
)
def test_what_a_killed_program_left_is_taken_back(
    practice: Practice, orders_shop: DeployedShop, id_: str, delay: float
) -> None:
    fault_trials.kill_and_take_back(practice, orders_shop, id_, delay, state=state)
