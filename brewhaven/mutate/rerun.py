"""A pytest plugin: the tests that look at templates, run once to see at which, then again with a mistake in these.

To build a stack takes a second, and there are a thousand mistakes. So the stacks are built once (:class:`Recorder`);
afterwards the same tests get the same templates from the record, with a mistake or without (:class:`Judge`). A mistake
is made in every stack in which the same construct has the same property, as it would be if the construct were wrong.

Only tests whose templates have the mistake in them are run again. Tests that build an app of their own, or read other
files of an assembly, are not asked: there is no mistake in what they see.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol  # the way of every plugin that runs a test again

from brewhaven.mutate import assembly as assemblies
from brewhaven.mutate.stack import Mutant, Stack

FED = {"template", "synthesize_alone"}
UNFED = {"assembly", "new_app"}


@dataclass
class Record:
    """What the tests look at.

    Attributes:
        stacks: By who asked for it: a stack of the course by its name and switches, another by the test or fixture.
        uses: Test -> the keys of the stacks that it looks at.
        failed: Tests that fail without any mistake.
    """

    stacks: dict[str, Stack] = field(default_factory=dict)
    uses: dict[str, set[str]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


class _Asked:
    """Knows which test or fixture is asking at the moment."""

    def __init__(self) -> None:
        self._asking: list[tuple[str, list[str]]] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: pytest.FixtureRequest) -> Iterator[None]:
        parameter = f"[{request.param}]" if hasattr(request, "param") else ""
        return (yield from self._while(f"{fixturedef.baseid}::{fixturedef.argname}{parameter}"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        return (yield from self._while(item.nodeid))

    def _while(self, who: str) -> Iterator[None]:
        self._asking.append((who, []))
        try:
            return (yield)
        finally:
            self._asking.pop()

    def _key(self, stack: str = "", switches: Mapping[str, str] | None = None) -> str:
        """The key of what is asked for now."""
        who, asked = self._asking[-1]
        key = course_key(stack, switches or {}) if stack else f"{who} #{len(asked) + 1}"
        asked.append(key)
        return key


def course_key(stack: str, switches: Mapping[str, str]) -> str:
    """The key of a stack of the course in the record."""
    return f"{stack} {json.dumps(switches, sort_keys=True)}"


def pytest_arguments(looking_at: Sequence[str]) -> list[str]:
    """What pytest is called with, for recording and for judging."""
    return ["-q", "-p", "no:cacheprovider", "--tb=line", *looking_at]


def _name(item: pytest.Item) -> str:
    """A test without its parameters."""
    return item.nodeid.partition("[")[0]


def _function(item: pytest.Item) -> Callable[..., None]:
    found: Callable[..., None] = getattr(item, "function")  # noqa: B009  (not in pytest's types)
    return found


def _looks_at_templates(item: pytest.Item) -> bool:
    direct = set(inspect.signature(_function(item)).parameters)
    return bool(FED & set(getattr(item, "fixturenames", ()))) and not UNFED & direct


def _keep(items: list[pytest.Item], wanted: Callable[[pytest.Item], bool]) -> None:
    items[:] = [item for item in items if wanted(item)]


class Recorder(_Asked):
    """Runs the tests as they are and writes down which stacks they look at."""

    def __init__(self) -> None:
        super().__init__()
        self.record = Record()
        self._by_asker: dict[str, set[str]] = {}
        self._classes: dict[str, str] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        _keep(items, _looks_at_templates)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Iterator[None]:
        with assemblies.classes_of_constructs() as self._classes:
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_template_of_course(
        self, stack: str, switches: Mapping[str, str], assembly: Callable[..., Path]
    ) -> dict[str, Any]:
        key = self._key(stack, switches)
        if key not in self.record.stacks:
            self._note(key, assemblies.read(assembly(**switches), stack, self._classes))
        else:
            self._by_asker.setdefault(self._asking[-1][0], set()).add(key)
        return self.record.stacks[key].body

    @pytest.hookimpl(tryfirst=True)
    def pytest_template_alone(self, build: Callable[[], Any]) -> Any:
        from aws_cdk.assertions import Template  # noqa: PLC0415  (takes most of a second)

        key = self._key()
        stack = build()
        folder = Path(stack.node.root.synth().directory)
        self._note(key, assemblies.read(folder, stack.stack_name, self._classes))
        return Template.from_stack(stack)

    def _note(self, key: str, stack: Stack) -> None:
        known = self.record.stacks.setdefault(key, stack)
        if known.body != stack.body:
            raise pytest.UsageError(f"{key} builds another stack each time, so it cannot be looked at again.")
        self._by_asker.setdefault(self._asking[-1][0], set()).add(key)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.record.failed.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        for item in session.items:
            names = getattr(item, "fixturenames", ())
            self.record.uses[item.nodeid] = {
                key
                for asker, keys in self._by_asker.items()
                for key in keys
                if asker == item.nodeid or _is_fixture_of(asker, item.nodeid, names)
            }


def _is_fixture_of(asker: str, nodeid: str, names: Any) -> bool:
    place, _, name = asker.rpartition("::")
    return name.partition("[")[0] in names and nodeid.startswith(place)


class Judge(_Asked):
    """Runs tests again on templates with one mistake in them.

    Args:
        record: What the tests look at.
        work: Called once the tests are collected, with the judge; returns when there is nothing left to judge.
    """

    def __init__(self, record: Record, work: Callable[[Judge], None]) -> None:
        super().__init__()
        self._record = record
        self._work = work
        self._items: list[pytest.Item] = []
        self._sources: dict[str, str] = {}
        self._mistaken: dict[str, dict[str, Any]] = {}
        self._templates: dict[str, Any] = {}
        self._mistaken_templates: dict[str, Any] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        _keep(items, lambda item: bool(self._record.uses.get(item.nodeid)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = session.items
        self._sources = {_name(item): inspect.getsource(_function(item)) for item in session.items}
        self._work(self)
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_template_of_course(self, stack: str, switches: Mapping[str, str]) -> dict[str, Any]:
        return self._body(self._key(stack, switches))

    @pytest.hookimpl(tryfirst=True)
    def pytest_template_alone(self) -> Any:
        from aws_cdk.assertions import Template  # noqa: PLC0415  (takes most of a second)

        key = self._key()
        kept = self._mistaken_templates if key in self._mistaken else self._templates
        if key not in kept:
            kept[key] = Template.from_json(self._body(key))
        return kept[key]

    def _body(self, key: str) -> dict[str, Any]:
        return self._mistaken[key] if key in self._mistaken else self._record.stacks[key].body

    def noticed_by(self, mutant: Mutant, made_in: Stack) -> str | None:
        """The first test that fails with the mistake; None if all pass."""
        found = {key: stack.with_mistake(mutant, made_in) for key, stack in self._record.stacks.items()}
        self._mistaken = {key: body for key, body in found.items() if body is not None}
        self._mistaken_templates = {}
        looking = [item for item in self._items if self._record.uses[item.nodeid] & self._mistaken.keys()]
        looking.sort(key=lambda item: self._names_nothing_of(item, mutant))
        return next((item.nodeid for item in looking if _fails(item)), None)

    def _names_nothing_of(self, item: pytest.Item, mutant: Mutant) -> int:
        """How little a test speaks of a mistake's place: the one that says most of its words is asked first."""
        source = self._sources[_name(item)]
        return -sum(word in source for word in (mutant.type, *mutant.path) if isinstance(word, str))

    def failing(self) -> list[str]:
        """The tests that fail without a mistake: none, or what they say with one is worth nothing."""
        self._mistaken = {}
        return [item.nodeid for item in self._items if _fails(item)]


def _fails(item: pytest.Item) -> bool:
    return any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))
