"""Tests that share something expensive run on one worker."""

from __future__ import annotations

import pytest

from tests.plugins.workers import group_of


@pytest.mark.parametrize(
    ("folder", "fixtures", "group"),
    [
        ("local", ["cloud", "shop"], "shop"),
        ("browser", ["page", "shop"], "shop"),
        ("local", ["cloud", "tmp_path"], "cloud"),
        ("local", ["tmp_path"], "local/test_it.py"),
        ("unit", ["shop"], "unit/test_it.py"),
        ("assertion", [], "templates"),
    ],
)
def test_a_group_shares_what_is_expensive(folder: str, fixtures: list[str], group: str) -> None:
    assert group_of(folder, "test_it.py", fixtures) == group


def test_every_test_has_its_group(request: pytest.FixtureRequest) -> None:
    (mark,) = request.node.iter_markers("xdist_group")
    assert mark.args == ("unit/tool/test_workers.py",)
