"""Phase 1's faults as they are declared; that each is felt, found and mended is proven on the local cloud."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from brewhaven.course import load
from brewhaven.course.faults import declared, rules
from brewhaven.course.faults.declared import Fault
from brewhaven.course.template import Template

COURSE = load()
FAULTS = declared.of_course(COURSE, 1)
STACK = "BrewHaven-Phase1-Foundation"
SNAPSHOTS = Path(__file__).parents[2] / "snapshot" / "__snapshots__" / "test_stacks"
CHANGED = {
    "idle-barista": "StaffRolesBoundary",
    "menu-stays-empty": "StorefrontTaskTaskRoleDefaultPolicy",
    "nobody-gets-in": "StorefrontLoadBalancerSecurityGroup",
    "restless-shop": "StorefrontLoadBalancerHttpShopGroup",
}


def test_every_fault_of_the_course_keeps_the_rules() -> None:
    assert rules.problems(COURSE) == []


def test_there_are_enough_and_of_both_kinds() -> None:
    assert len(FAULTS) >= 7
    assert {fault.id for fault in FAULTS if fault.change} == set(CHANGED)
    assert sum(fault.plan is not None for fault in FAULTS) >= 3


def test_all_but_one_can_be_had_on_aws() -> None:
    assert [fault.id for fault in FAULTS if fault.local_only] == ["boss-is-refused"]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.change], ids=lambda fault: fault.id)
def test_a_changed_template_differs_in_one_resource(fault: Fault) -> None:
    path = SNAPSHOTS / f"test_a_lesson[{STACK}-1.7].json"
    before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    after = copy.deepcopy(before)
    assert fault.change is not None
    fault.change(Template(STACK, after))
    changed = [name for name in before["Resources"] if before["Resources"][name] != after["Resources"].get(name)]
    assert len(changed) == 1
    assert changed[0].startswith(CHANGED[fault.id])
    assert {**before, "Resources": 0} == {**after, "Resources": 0}
