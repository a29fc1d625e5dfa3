"""Whatever runs reaches what its role names and what it is given: followed through every lesson's templates.

What is followed, and that a missing hop is missed, is shown with small templates in tests/unit/reach.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brewhaven.reach.report import survey_templates
from tests.compliance.test_gates import EVERY_OTHER_WAY
from tests.phases import LESSONS, WHOLE

VARIANTS = [{"lesson": lesson.id} for lesson in LESSONS] + [{**WHOLE, **EVERY_OTHER_WAY}]


def templates(assembly: Path) -> dict[str, Any]:
    """The templates of an assembly by the names of their stacks."""
    found = assembly.glob("*.template.json")
    return {path.name.removesuffix(".template.json"): json.loads(path.read_text()) for path in found}


@pytest.mark.parametrize("switches", VARIANTS, ids=lambda switches: switches.get("lesson", "every-other-way"))
def test_every_part_of_the_shop_reaches_what_it_calls(assembly: Callable[..., Path], switches: dict[str, str]) -> None:
    found = survey_templates(templates(assembly(**switches)))
    assert [missing.text for missing in found.missing] == []


def test_the_whole_course_has_paths_to_follow(assembly: Callable[..., Path]) -> None:
    found = survey_templates(templates(assembly(**WHOLE)))
    reached = {(one.workload[1].rstrip("0123456789ABCDEF"), one.target) for one in found.reached}
    assert {"dynamodb", "s3", "secretsmanager", "ssm"} <= {target for _, target in reached}
    assert {"ecr.api", "ecr.dkr", "logs"} <= {target for workload, target in reached if workload.endswith("Service")}
