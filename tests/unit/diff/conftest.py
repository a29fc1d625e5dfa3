"""Two sides compared, and the small app built once for each of its variants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brewhaven.diff.compare import compare
from brewhaven.diff.model import Comparison, Deployment
from brewhaven.diff.sources import synth
from brewhaven.diff.sources.place import Place
from tests.unit.diff.sides import side

APP = Path(__file__).parent / "app"


@pytest.fixture
def difference(tmp_path: Path) -> Callable[..., Comparison]:
    """`difference(before, after)`: the comparison of two dictionaries of resources, or of two sides."""

    def between(before: Any, after: Any) -> Comparison:
        sides = [given if isinstance(given, Deployment) else side(given) for given in (before, after)]
        return compare(sides[0], sides[1], tmp_path)

    return between


@pytest.fixture(scope="session")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`variant("1.2")`: the assembly of the small app in this variant."""
    cache = tmp_path_factory.mktemp("synth") / "diff"

    def build(number: str) -> Path:
        return synth.synthesize_tree(APP, number, cache, Place("111122223333", "us-east-1"))

    return build
