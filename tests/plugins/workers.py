"""Which tests share a worker when they run on several (`make test`): those that share something expensive.

A worker that runs tests of the deployed shop deploys it once, so all of them go to one; likewise those that need a bare
local cloud, and those that read the synthesized templates. Every other file is a group of its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT

TEMPLATES = {"assertion", "snapshot", "compliance"}
LONGEST_FIRST = ("shop", "cloud", "templates")


def group_of(folder: str, file: str, fixtures: list[str]) -> str:
    """Name of the group of a test in ``tests/<folder>/<file>`` that uses these fixtures."""
    if folder in TEMPLATES:
        return "templates"
    if folder in {"local", "browser"}:
        for shared in ("shop", "cloud"):
            if shared in fixtures:
                return shared
    return f"{folder}/{file}"


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark every test with its group; with several workers the groups that take longest come first."""
    groups = {item: _group(item) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _rank(groups[item]))


def _group(item: pytest.Item) -> str:
    folder, file = _place(item.path)
    return group_of(folder, file, list(getattr(item, "fixturenames", [])))


def _rank(group: str) -> int:
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST)


def _place(path: Path) -> tuple[str, str]:
    parts = path.relative_to(ROOT / "tests").parts
    return parts[0], "/".join(parts[1:])
