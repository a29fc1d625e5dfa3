"""Which tests share a worker when they run on several (`make test`): those that share something expensive.

A worker that runs tests of the deployed shop deploys it once, so all of them go to one; likewise those that read the
synthesized templates. Tests of a bare local cloud are three groups, each with a cloud of its own, for they wait more
than they work. Every other file is a group of its own too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT

TEMPLATES = {"assertion", "snapshot", "compliance"}
WAITING = {
    "cloud of databases": ("test_rds_", "test_elasticache"),
    "cloud of queues": ("test_lambda_", "test_cloudwatch", "test_sqs", "test_sns"),
}
"""Beginnings of the names of files in tests/local that have a cloud of their own."""
LONGEST_FIRST = ("shop", *WAITING, "cloud", "templates")


def group_of(folder: str, file: str, fixtures: list[str]) -> str:
    """Name of the group of a test in ``tests/<folder>/<file>`` that uses these fixtures."""
    if folder in TEMPLATES:
        return "templates"
    if folder in {"local", "browser"}:
        if "shop_url" in fixtures:  # asks for the deployed shop while it runs, unless another one is given
            return "shop"
        if "shop" in fixtures:
            return "shop"
        if "cloud" in fixtures:
            return next((cloud for cloud, starts in WAITING.items() if file.startswith(starts)), "cloud")
    return f"{folder}/{file}"


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before xdist reads the marks, and once more after it has
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Mark every test with its group; with several workers the groups that take longest come first."""
    groups = {item: _group(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    is_worker = hasattr(config, "workerinput")
    if is_worker:
        items.sort(key=lambda item: _rank(groups[item]))
    yield
    if is_worker and config.getvalue("loadgroup"):
        refuse_without_groups(items)


def refuse_without_groups(items: Sequence[pytest.Item]) -> None:
    """Stop where xdist did not take the groups: tests of one cloud would be torn apart and fail for that alone.

    xdist hands a group on as a suffix of the test's id. https://github.com/pytest-dev/pytest-xdist/issues/1386

    Raises:
        UsageError: the pinned versions of pytest and pytest-xdist do not go together.
    """
    torn = [item.nodeid for item in items if "@" not in item.nodeid]
    if torn:
        raise pytest.UsageError(
            f"pytest-xdist did not take the groups of {len(torn)} tests, for example {torn[0]}: "
            "its version and pytest's do not go together; see the pins in requirements-dev.txt."
        )


def _group(item: pytest.Item) -> str:
    if not item.path.is_relative_to(ROOT / "tests"):
        return "elsewhere"  # a student's own tests, run with plain `pytest` in workspace/
    folder, file = _place(item.path)
    return group_of(folder, file, list(getattr(item, "fixturenames", [])))


def _rank(group: str) -> int:
    """What takes long comes early, so that no worker is left alone with it in the end: short unit tests come last."""
    if group in LONGEST_FIRST:
        return LONGEST_FIRST.index(group)
    return len(LONGEST_FIRST) + group.startswith("unit/")


def _place(path: Path) -> tuple[str, str]:
    parts = path.relative_to(ROOT / "tests").parts
    return parts[0], "/".join(parts[1:])
