"""The line of CDK code beside each change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from brewhaven.diff.code import lesson_title
from brewhaven.diff.compare import compare
from brewhaven.diff.model import Comparison, Deployment, Frame
from tests.unit.diff.sides import resource, side

STACK = """class Shop(Stack):
    @lesson("1.1", "The menu")
    def menu(self) -> None:
        self.catalog = CatalogTable(self, "CatalogTable")

    @lesson("1.2", "Access patterns")
    def patterns(self) -> None:
        self.catalog.add_index(BY_CATEGORY)

    @lesson("1.3", "More")
    def more(self) -> None:
        self.catalog.add_index(OPEN_ORDERS)
"""
FRAMES = (Frame("stacks/shop.py", 4, "menu"),)


def table(indexes: int, code: str = STACK, lesson: str | None = None, frames: Any = FRAMES) -> Deployment:
    properties = {"GlobalSecondaryIndexes": [{"IndexName": str(number)} for number in range(indexes)]}
    found = side({"T": resource("AWS::DynamoDB::Table", "CatalogTable/Table", properties)})
    stack = found.stacks["Shop"]
    traced = {"T": replace(stack.resources["T"], frames=frames)}
    sources = {"stacks/shop.py": code} if code else {}
    return Deployment("x", {"Shop": replace(stack, resources=traced)}, sources, lesson)


def test_a_lesson_is_called_by_its_title() -> None:
    assert lesson_title({"stacks/shop.py": STACK}, "1.2") == "Access patterns"
    assert lesson_title({"stacks/shop.py": STACK}, "1.9") == ""


def lines(comparison: Comparison) -> list[str]:
    (change,) = comparison.resources
    return [line.place for line in change.code]


def test_what_is_new_shows_the_line_that_made_it(tmp_path: Path) -> None:
    found = compare(side({}), table(0), tmp_path)
    assert lines(found) == ["stacks/shop.py:4"]
    assert found.resources[0].code[0].text == 'self.catalog = CatalogTable(self, "CatalogTable")'


def test_what_a_lesson_changes_shows_the_line_of_that_lesson(tmp_path: Path) -> None:
    found = compare(table(1, lesson="1.2"), table(2, lesson="1.3"), tmp_path)
    assert lines(found) == ["stacks/shop.py:12", "stacks/shop.py:4"]


def test_going_back_shows_the_line_that_is_taken_away(tmp_path: Path) -> None:
    found = compare(table(2, lesson="1.3"), table(1, lesson="1.2"), tmp_path)
    assert lines(found)[0] == "stacks/shop.py:12"


def test_between_revisions_the_line_that_differs_is_shown(tmp_path: Path) -> None:
    changed = STACK.replace('CatalogTable(self, "CatalogTable")', 'CatalogTable(self, "CatalogTable", big=True)')
    found = compare(table(0), table(1, code="# a comment above\n" + changed), tmp_path)
    assert lines(found)[0] == "stacks/shop.py:5"


def test_without_traces_the_construct_is_found_by_its_id(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "shop.py").write_text(STACK)
    found = compare(side({}), table(0, code="", frames=()), tmp_path)
    assert lines(found) == ["stacks/shop.py:4"]
    assert not found.resources[0].code[0].exact


def test_a_fact_shows_the_line_of_what_it_is_about(tmp_path: Path) -> None:
    before = table(0)
    after = table(0)
    stack = after.stacks["Shop"]
    secret = replace(stack.resources["T"], type="AWS::SecretsManager::Secret", path="Key", properties={})
    after = after.with_stacks({"Shop": replace(stack, resources={"T": secret})})
    (cost,) = compare(before, after, tmp_path).about("cost")
    assert [line.place for line in cost.code] == ["stacks/shop.py:4"]
