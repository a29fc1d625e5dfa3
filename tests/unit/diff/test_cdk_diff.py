"""Everything that `cdk diff` shows for a pair of templates is in ours: logical ids, properties, permissions, rules."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from brewhaven import toolchain
from brewhaven.diff.compare import compare
from brewhaven.diff.model import Comparison
from brewhaven.diff.render import data
from brewhaven.diff.sources.assembly import read_assembly
from brewhaven.diff.story import tell

_ENTRY = re.compile(r"^\[(?P<sign>[+\-~])\] (?P<rest>.+)$")
_PROPERTY = re.compile(r"^[ │]*[├└]─ \[(?P<sign>[+\-~])\] \.?(?P<name>[A-Za-z]+)(?P<rest>.*)$")
_FATES = re.compile(r"\s+(replace|may be replaced|destroy|orphan|(?:may )?be .*)$")

Grant = tuple[str, str, str]
"""Principal, resource and action."""


@dataclass
class Shown:
    """What `cdk diff` printed."""

    resources: dict[str, dict[str, str]] = field(default_factory=dict)
    others: set[tuple[str, str]] = field(default_factory=set)
    gained: set[Grant] = field(default_factory=set)
    lost: set[Grant] = field(default_factory=set)
    rules: int = 0

    @property
    def actions(self) -> set[str]:
        """Actions that somebody gains or loses; a statement that shrinks is shown as one lost and one gained."""
        return {action for *_, action in self.gained ^ self.lost}


def cdk_diff(before: Path, after: Path, stack: str, folder: Path) -> Shown:
    """Run the pinned `cdk diff` on two assemblies and read its words."""
    (folder / "cdk.json").write_text("{}")
    environment = toolchain.with_tools({"HOME": str(folder), "PATH": os.environ["PATH"], "COLUMNS": "400"}, folder)
    template = before / f"{stack}.template.json"
    done = subprocess.run(
        [toolchain.cdk_command(), "diff", "--app", after, "--template", template, "--ci", "--no-color", stack],
        cwd=folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return read(done.stdout.splitlines())


def read(lines: list[str]) -> Shown:
    shown = Shown()
    statements = Statements(shown)
    section = ""
    logical_id = ""
    for line in lines:
        if re.fullmatch(r"[A-Z][A-Za-z ]+", line.strip()) and not line.startswith(" "):
            section = line.strip()
        entry, below = _ENTRY.match(line), _PROPERTY.match(line)
        if entry:
            words = _FATES.sub("", entry["rest"]).split(": ")[0].split()
            if section == "Resources":
                logical_id = words[-1]
                shown.resources.setdefault(logical_id, {})
            else:
                shown.others.add((section, words[1]))
        elif below and section == "Resources" and not line.startswith((" │   ", "     ")):
            shown.resources[logical_id][below["name"]] = below["rest"]
        elif section.startswith("IAM Statement"):
            statements.read(line)
        elif section.startswith("Security Group") and re.match(r"│ [+\-] ", line):
            shown.rules += 1
    return shown


class Statements:
    """Reads the table of statements: a statement goes on until the next sign or line."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._sign = ""
        self._columns: list[list[str]] = [[], [], []]

    def read(self, line: str) -> None:
        cells = [cell.strip() for cell in line.split("│")]
        if len(cells) < 7 or cells[1] in {"+", "-"}:
            self._close()
        if len(cells) < 7:
            return
        self._sign = cells[1] or self._sign
        for column, place in zip(self._columns, (2, 4, 5), strict=True):
            if cells[place]:
                column.append(cells[place])

    def _close(self) -> None:
        resources, actions, principals = self._columns
        found = {(who, what, action) for who in principals for what in resources for action in actions}
        if self._sign == "+":
            self._shown.gained |= found
        elif self._sign == "-":
            self._shown.lost |= found
        self._sign, self._columns = "", [[], [], []]


def missing(shown: Shown, comparison: Comparison) -> Iterator[str]:
    """What `cdk diff` shows and we do not."""
    ours = {change.resource.logical_id: change for change in comparison.resources}
    ours |= {change.before.logical_id: change for change in comparison.resources if change.before}
    for logical_id, properties in shown.resources.items():
        if logical_id not in ours:
            yield f"resource {logical_id}"
            continue
        change = ours[logical_id]
        paths = {one.path.removeprefix("Properties.").partition(".")[0].partition("[")[0] for one in change.properties}
        for name, rest in properties.items():
            if change.kind != "changed":
                continue  # made or removed as a whole
            followed = any(reason.startswith(f"{name} names ") for reason in change.because)
            if name not in paths and not followed:
                yield f"property {logical_id}.{name}"
            if "requires replacement" in rest and change.replacement != "yes":
                yield f"the replacement of {logical_id} for {name}"
            if "may cause replacement" in rest and change.replacement == "no":
                yield f"the possible replacement of {logical_id} for {name}"
    outputs = {str(fact.fact.subject[2]) for fact in comparison.facts if fact.topic == "output"}
    sections = {change.name or change.section for change in comparison.sections}
    for section, name in shown.others:
        if name not in outputs | sections:
            yield f"{section} {name}"
    said = " ".join(fact.fact.detail for fact in comparison.facts if fact.topic in {"access", "trust"})
    for action in shown.actions:
        if action not in said and action != "sts:AssumeRole":
            yield f"action {action}"
    rules = sum(fact.fact.detail.count("in: ") + fact.fact.detail.count("out: ") for fact in comparison.facts)
    if shown.rules and rules < shown.rules:
        yield f"{shown.rules - rules} security group rules"


def check(before: Path, after: Path, stack: str, folder: Path) -> Shown:
    """Assert that nothing is missing, in the comparison and in what is printed of it; return what `cdk diff` shows."""
    comparison = compare(read_assembly(before, "before"), read_assembly(after, "after"), folder)
    shown = cdk_diff(before, after, stack, folder)
    assert list(missing(shown, comparison)) == []
    document = json.loads(data.render(comparison, tell(comparison)))
    printed = {entry["logical_id"] for entry in document["resources"]}
    printed |= {entry["was"]["logical_id"] for entry in document["resources"] if entry["was"]}
    assert set(shown.resources) <= printed
    return shown


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("1.1", "1.2", "Orders"),
        ("1.1", "1.3", "OrderTable"),
        ("1.1", "1.4", "Counter"),
        ("1.1", "1.5", "KitchenCounter"),
        ("1.1", "1.6", "Vpc"),
        ("1.6", "1.1", "Vpc"),
    ],
    ids=["a changed key", "a renamed construct", "a removed grant", "a moved construct", "a network", "and back"],
)
def test_nothing_is_missing_for_a_made_pair(
    variant: Callable[[str], Path], tmp_path: Path, before: str, after: str, expected: str
) -> None:
    shown = check(variant(before), variant(after), "Shop", tmp_path)
    assert any(logical_id.startswith(expected) for logical_id in shown.resources), "cdk diff was not understood"


@pytest.mark.parametrize(
    ("before", "after"), [("1.1", "1.2"), ("1.3", "1.4"), ("1.4", "1.5"), ("1.5", "1.6"), ("1.6", "1.7")]
)
def test_nothing_is_missing_for_a_pair_of_lessons(
    assembly: Callable[..., Path], tmp_path: Path, before: str, after: str
) -> None:
    stack = "BrewHaven-Phase1-Foundation"
    paths = {"aws:cdk:enable-path-metadata": "true"}  # the CDK CLI sets it
    shown = check(assembly(lesson=before, **paths), assembly(lesson=after, **paths), stack, tmp_path)
    assert shown.resources, "cdk diff was not understood"


def test_a_property_that_we_would_drop_is_noticed(variant: Callable[[str], Path], tmp_path: Path) -> None:
    """The check itself can fail: without a change of ours, it names what is missing."""
    shown = cdk_diff(variant("1.1"), variant("1.4"), "Shop", tmp_path)
    before = read_assembly(variant("1.1"), "before")
    nothing: Any = compare(before, before, tmp_path)
    found = list(missing(shown, nothing))
    assert any(line.startswith("resource Pictures") for line in found)
    assert shown.actions
    assert shown.actions >= {line.removeprefix("action ") for line in found if line.startswith("action ")}
