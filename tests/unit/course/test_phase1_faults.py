"""Phase 1's faults as they are declared; that each is felt, found and mended is proven on the local cloud."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from brewhaven.course import load
from brewhaven.course.cloud import Answer as HttpAnswer
from brewhaven.course.faults import declared, rules
from brewhaven.course.faults.declared import Fault
from brewhaven.course.template import Template
from phases.phase1_foundation import hotfix

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


class Registry:
    """The ECR of an account with one image, which is for two kinds of machines if it has an index."""

    def __init__(self, *, index: bool) -> None:
        self.images = {
            "good": {"schemaVersion": 2, "config": {"digest": "sha256:old", "size": 9}, "layers": [{"n": 1}]}
        }
        if index:
            arm = {"digest": "sha256:arm", "platform": {"architecture": "arm64"}}
            intel = {"digest": "sha256:intel", "platform": {"architecture": "amd64"}}
            self.images = {"good": {"manifests": [intel, arm]}, "sha256:arm": self.images["good"], "sha256:intel": {}}

    def client(self, _service: str) -> Registry:
        return self

    def batch_get_image(self, imageIds: list[dict[str, str]], **_: Any) -> Any:  # noqa: N803
        found = self.images.get(next(iter(imageIds[0].values())))
        return {"images": [{"imageManifest": json.dumps(found)}] if found else []}

    def get_download_url_for_layer(self, layerDigest: str, **_: Any) -> Any:  # noqa: N803
        return {"downloadUrl": f"https://layers.example/{layerDigest}"}


@pytest.mark.parametrize("index", [False, True])
def test_the_hotfix_differs_from_the_image_in_its_command_alone(monkeypatch: pytest.MonkeyPatch, index: bool) -> None:
    before = {"config": {"Cmd": ["python", "-m", "shop"], "User": "10001"}, "rootfs": {"diff_ids": ["sha256:x"]}}
    monkeypatch.setattr(hotfix, "ask", lambda url: HttpAnswer(200, {}, json.dumps(before).encode()))
    made = hotfix.of_image(Registry(index=index), "registry.example/shop:good")  # type: ignore[arg-type]
    _begin, part, complete, put = made.push
    after = json.loads(part.arguments["layerPartBlob"])
    assert after.pop("config") == {"Cmd": hotfix.COMMAND, "User": "10001"}
    assert after == {"rootfs": before["rootfs"]}
    manifest = json.loads(put.arguments["imageManifest"])
    assert manifest["config"]["digest"] == complete.arguments["layerDigests"][0] != "sha256:old"
    assert manifest["layers"] == [{"n": 1}]
    assert made.name == f"registry.example/shop:{made.tag}"
    assert made.remove.arguments["imageIds"] == [{"imageTag": made.tag}]


def test_an_image_that_is_not_there_cannot_be_the_base_of_a_hotfix() -> None:
    with pytest.raises(LookupError, match="other"):
        hotfix.of_image(Registry(index=False), "registry.example/shop:other")  # type: ignore[arg-type]
