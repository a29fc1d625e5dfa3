"""What each lesson deploys, word for word: a change of a template is seen in review, and updated on purpose.

`pytest tests/snapshot --snapshot-update` writes the snapshots anew.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from stacks.lessons import Lesson
from stacks.phase_stack import PhaseStack
from tests.phases import LESSONS, PHASES, name_of, stack_of

ASSET_HASH = re.compile(r"[0-9a-f]{64}")
# A version's id ends with a hash of its function, in which is the asset's hash.
VERSION_HASH = re.compile(r"(?<=CurrentVersion)[0-9A-F]{8}[0-9a-f]{32}")


@pytest.fixture
def snapshot_json(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(JSONSnapshotExtension)


def comparable(template: dict[str, Any]) -> Any:
    """The template without hashes of assets, and without the outputs that later phases cause by reading them."""
    text = VERSION_HASH.sub("VERSION", ASSET_HASH.sub("ASSET", json.dumps(template)))
    result = json.loads(text)
    result["Outputs"] = {
        name: value for name, value in result.get("Outputs", {}).items() if not name.startswith("PublishOutput")
    }
    return result


@pytest.mark.parametrize("lesson", LESSONS, ids=[f"{stack_of(lesson)}-{lesson.id}" for lesson in LESSONS])
def test_a_lesson(template: Callable[..., dict[str, Any]], snapshot_json: SnapshotAssertion, lesson: Lesson) -> None:
    assert comparable(template(stack_of(lesson), lesson=lesson.id)) == snapshot_json


@pytest.mark.parametrize("phase", PHASES, ids=name_of)
def test_a_whole_phase_is_its_last_lesson(template: Callable[..., dict[str, Any]], phase: type[PhaseStack]) -> None:
    whole = comparable(template(name_of(phase), phase=str(phase.phase)))
    assert whole == comparable(template(name_of(phase), lesson=phase.lessons[-1].id))
