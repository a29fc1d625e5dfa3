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

from stacks.course import PHASES

ASSET_HASH = re.compile(r"[0-9a-f]{64}")
# A version's id ends with a hash of its function, in which is the asset's hash.
VERSION_HASH = re.compile(r"(?<=CurrentVersion)[0-9A-F]{8}[0-9a-f]{32}")

LESSONS = [(phase, lesson) for phase in PHASES for lesson in phase.lessons]


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


@pytest.mark.parametrize(
    ("phase", "lesson"), LESSONS, ids=[f"BrewHaven-Phase{phase.phase}-{phase.title}-{one.id}" for phase, one in LESSONS]
)
def test_a_lesson(
    template: Callable[..., dict[str, Any]], snapshot_json: SnapshotAssertion, phase: Any, lesson: Any
) -> None:
    stack = f"BrewHaven-Phase{phase.phase}-{phase.title}"
    assert comparable(template(stack, lesson=lesson.id)) == snapshot_json


@pytest.mark.parametrize("phase", PHASES, ids=[f"BrewHaven-Phase{phase.phase}-{phase.title}" for phase in PHASES])
def test_the_whole_course_is_its_last_lesson(template: Callable[..., dict[str, Any]], phase: Any) -> None:
    stack = f"BrewHaven-Phase{phase.phase}-{phase.title}"
    whole = comparable(template(stack))
    assert whole == comparable(template(stack, lesson=phase.lessons[-1].id))
