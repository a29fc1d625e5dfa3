"""Tests that share something expensive run on one worker."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT
from tests.plugins.workers import WAITING, _rank, group_of, refuse_without_groups


@pytest.mark.parametrize(
    ("folder", "fixtures", "group"),
    [
        ("local", ["cloud", "shop"], "shop"),
        ("browser", ["page", "shop"], "shop"),
        ("browser", ["page", "shop_url"], "shop"),
        ("local", ["cloud", "tmp_path"], "cloud"),
        ("local", ["tmp_path"], "local/test_it.py"),
        ("unit", ["shop"], "unit/test_it.py"),
        ("assertion", [], "templates"),
    ],
)
def test_a_group_shares_what_is_expensive(folder: str, fixtures: list[str], group: str) -> None:
    assert group_of(folder, "test_it.py", fixtures) == group


def test_files_that_wait_have_a_cloud_of_their_own() -> None:
    assert group_of("local", "test_rds_copies.py", ["cloud"]) == "cloud of databases"
    assert group_of("local", "test_sqs.py", ["cloud"]) == "cloud of queues"
    assert group_of("local", "test_sqs.py", ["cloud", "shop"]) == "shop"


@pytest.mark.parametrize("start", [start for starts in WAITING.values() for start in starts])
def test_each_such_file_is_there(start: str) -> None:
    assert list((ROOT / "tests" / "local").glob(f"{start}*.py"))


def test_short_tests_come_last() -> None:
    groups = ["unit/test_it.py", "browser/test_it.py", "templates", "cloud", "local/test_it.py", "shop"]
    assert sorted(groups, key=_rank) == [
        "shop", "cloud", "templates", "browser/test_it.py", "local/test_it.py", "unit/test_it.py"
    ]  # fmt: skip


def test_every_test_has_its_group(request: pytest.FixtureRequest) -> None:
    (mark,) = request.node.iter_markers("xdist_group")
    assert mark.args == ("unit/tool/test_workers.py",)


class _Test:
    def __init__(self, nodeid: str) -> None:
        self.nodeid = nodeid


def test_tests_whose_groups_are_lost_are_refused() -> None:
    refuse_without_groups([_Test("tests/local/test_it.py::test_it@cloud")])  # type: ignore[list-item]
    with pytest.raises(pytest.UsageError, match="did not take the groups of 1 tests"):
        refuse_without_groups([_Test("tests/local/test_it.py::test_it")])  # type: ignore[list-item]
