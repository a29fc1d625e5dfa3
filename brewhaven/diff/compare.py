"""Puts a comparison together: pairs the stacks, follows renames, compares resources and facts, and finds the code."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from brewhaven.diff import schemas
from brewhaven.diff.changes import compare_resources, compare_values
from brewhaven.diff.code import CodeFinder
from brewhaven.diff.facts import access, billing, reach, settings
from brewhaven.diff.facts.network import Network
from brewhaven.diff.facts.paths import Paths
from brewhaven.diff.facts.side import Side
from brewhaven.diff.match import Pair, align, pair_stacks, renames
from brewhaven.diff.model import (
    CodeLine,
    Comparison,
    Deployment,
    Fact,
    FactChange,
    Key,
    Kind,
    ResourceChange,
    SectionChange,
    Stack,
)


def compare(before: Deployment, after: Deployment, root: Path) -> Comparison:
    """Everything that differs between two sides.

    Args:
        root: The repository, searched for the code of sides that carry no stack traces.
    """
    pairs = pair_stacks(before, after)
    aligned = _aligned(before, pairs)
    changes = compare_resources(aligned, before, after)
    finder = CodeFinder(before, after, root)
    changes = [_with_code(change, finder) for change in changes]
    old, new = Side(aligned), Side(after)
    old_network, new_network = Network(old), Network(new)
    old_paths, new_paths = Paths(old, old_network), Paths(new, new_network)
    renamed = {change.resource.key for change in changes if change.kind == "renamed"}
    facts = access.compare_access(old, new, renamed)
    facts += compare_facts(access.roles_and_trust(old), access.roles_and_trust(new), renamed)
    facts += compare_facts(old_network.facts(), new_network.facts(), renamed)
    facts += compare_facts(reach.facts(old, old_network), reach.facts(new, new_network), renamed)
    facts += compare_facts(old_paths.facts(), new_paths.facts())
    facts += compare_facts(settings.facts(old), settings.facts(new), renamed)
    facts += compare_facts(billing.facts(old), billing.facts(new))
    return Comparison(
        before=before,
        after=after,
        aligned=aligned,
        resources=tuple(changes),
        facts=tuple(_facts_with_code(_merge_equal(facts), changes, finder, aligned, after)),
        sections=tuple(_sections(pairs)),
        edges_before=old_paths.edges,
        edges_after=new_paths.edges,
        notes=tuple(_notes(pairs)),
    )


def _aligned(before: Deployment, pairs: list[Pair]) -> Deployment:
    by_name = {pair.before.name: pair for pair in pairs if pair.before}
    stacks: dict[str, Stack] = {}
    for name, stack in before.stacks.items():
        after = by_name[name].after
        if after is None:
            stacks[name] = stack
        else:
            stacks[after.name] = align(stack, renames(stack, after), after)
    return before.with_stacks(stacks)


def compare_facts(
    before: Iterable[Fact], after: Iterable[Fact], renamed: Container[Key] = frozenset()
) -> list[FactChange]:
    """Facts gained and lost; one of each about the same subject is one change.

    Args:
        renamed: Resources that got another logical id: what stays true of them is listed as following.
    """
    old = {fact.key: fact for fact in before}
    new = {fact.key: fact for fact in after}
    lost = {key: fact for key, fact in old.items() if key not in new}
    found: list[FactChange] = []
    for key, fact in new.items():
        if key in old:
            if any(about in renamed for about in fact.about):
                found.append(FactChange("renamed", old[key], fact))
            continue
        twin = next((other for other in lost.values() if other.subject == fact.subject), None)
        if twin:
            del lost[twin.key]
        found.append(FactChange("changed" if twin else "added", twin, fact))
    return found + [FactChange("removed", fact, None) for fact in lost.values()]


def _merge_equal(changes: list[FactChange]) -> list[FactChange]:
    """Two rules that read the same (out of one group, into the other) are said once, with both details."""
    found: dict[tuple[Kind, str], FactChange] = {}
    for change in changes:
        words = (change.kind, change.fact.text)
        if words not in found:
            found[words] = change
            continue
        first, other = found[words].fact, change.fact
        details = dict.fromkeys([first.detail, other.detail])
        merged = replace(first, about=tuple(dict.fromkeys([*first.about, *other.about])), detail="; ".join(details))
        both = found[words]
        found[words] = replace(both, after=merged) if both.after else replace(both, before=merged)
    return list(found.values())


def _sections(pairs: list[Pair]) -> Iterable[SectionChange]:
    for pair in pairs:
        old = pair.before.template if pair.before else {}
        new = pair.after.template if pair.after else {}
        stack = (pair.after or pair.before).name  # type: ignore[union-attr]  # one of the two is always there
        for section in [*old, *(name for name in new if name not in old)]:
            if section in {"Resources", "Outputs"}:
                continue
            yield from _section(stack, section, old.get(section), new.get(section))


def _section(stack: str, section: str, old: Any, new: Any) -> Iterable[SectionChange]:
    if isinstance(old or {}, dict) and isinstance(new or {}, dict):
        before, after = old or {}, new or {}
        for name in [*before, *(name for name in after if name not in before)]:
            if list(compare_values(section, before.get(name), after.get(name), None)):
                yield SectionChange(stack, section, str(name), before.get(name), after.get(name))
    elif old != new:
        yield SectionChange(stack, section, "", old, new)


def _with_code(change: ResourceChange, finder: CodeFinder) -> ResourceChange:
    if change.kind == "changed" and change.before and change.after:
        code = finder.changed(change.before, change.after)
    elif change.after:
        code = finder.made(change.after, newer=True)
    else:
        code = finder.made(change.resource, newer=False)
    return replace(change, code=code)


def _facts_with_code(
    facts: list[FactChange], changes: list[ResourceChange], finder: CodeFinder, aligned: Deployment, after: Deployment
) -> Iterable[FactChange]:
    """A fact's code is that of the first resource it is about that changed, else of the first that has any."""
    changed: dict[Key, tuple[CodeLine, ...]] = {change.resource.key: change.code for change in changes if change.code}
    for fact in facts:
        code = finder.granted(fact.fact, newer=fact.after is not None) if fact.topic in {"access", "network"} else ()
        code = code or next((changed[key] for key in fact.fact.about if key in changed), ())
        if not code:
            side = after if fact.after else aligned
            resources = (side.get(key) for key in fact.fact.about)
            lines = (finder.made(resource, newer=side is after) for resource in resources if resource)
            code = next((found for found in lines if found), ())
        yield replace(fact, code=code)


def _notes(pairs: list[Pair]) -> Iterable[str]:
    if not schemas.available():
        yield "What CloudFormation replaces is not known here: cfn-lint, whose schemas tell it, is not installed."
    for pair in pairs:
        if pair.before and pair.after and pair.before.name != pair.after.name:
            yield f"The stack {pair.before.name} is compared with {pair.after.name}."
