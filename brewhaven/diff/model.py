"""The vocabulary of a comparison: sides made of stacks and resources, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Key = tuple[str, str]
"""A resource of a side: (stack name, logical id)."""

Kind = Literal["added", "removed", "changed", "renamed"]
Replacement = Literal["no", "maybe", "yes"]
Topic = Literal["access", "trust", "network", "data path", "environment", "output", "cost"]

SIGNS: dict[Kind, str] = {"added": "+", "removed": "-", "changed": "~", "renamed": ">"}
"""Said beside the colour, so that colour is never the only signal."""


@dataclass(frozen=True)
class Frame:
    """One line of the app's own code on the way to a construct."""

    file: str
    line: int
    function: str


@dataclass(frozen=True)
class Resource:
    """One resource of a template.

    Attributes:
        path: The construct path below the stack, without CDK's `Resource` at the end: `CatalogTable/Table`.
        attributes: What stands beside `Type` and `Properties`: DependsOn, DeletionPolicy, Condition, ...
        frames: The lines of the app that made it, innermost first; empty when the assembly has no traces.
    """

    stack: str
    logical_id: str
    type: str
    path: str
    properties: dict[str, Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    frames: tuple[Frame, ...] = ()

    @property
    def key(self) -> Key:
        return self.stack, self.logical_id

    @property
    def component(self) -> str:
        """The construct directly below the stack: what a student sees as one thing."""
        return self.path.split("/", 1)[0]


@dataclass(frozen=True)
class Stack:
    """One template and what is known about its resources."""

    name: str
    template: dict[str, Any]
    resources: dict[str, Resource]
    region: str | None = None

    @property
    def outputs(self) -> dict[str, Any]:
        return dict(self.template.get("Outputs") or {})


@dataclass(frozen=True)
class GrantCall:
    """A call in the app's code that grants a permission or opens a port.

    Attributes:
        method: As the CDK calls it: `grantRead`, `addIngressRule`.
        on: Construct paths below the stack of what it was called on.
        given: Construct paths of its arguments: the grantee.
        words: Its other arguments: actions, a port.
        frames: Where it stands, innermost first.
    """

    method: str
    on: tuple[str, ...]
    given: tuple[str, ...]
    words: tuple[str, ...]
    frames: tuple[Frame, ...]


@dataclass(frozen=True)
class Deployment:
    """One side of a comparison.

    Attributes:
        label: What a person calls it: `lesson 1.2`, `revision HEAD~3`, `an empty account`.
        code: The text of the files that its traces name, by path from the root of the app.
        grants: The calls that grant, when the app was run by us.
        lesson: The id of the last lesson it holds when it is a state of the course, otherwise None.
    """

    label: str
    stacks: dict[str, Stack]
    code: dict[str, str] = field(default_factory=dict)
    lesson: str | None = None
    grants: tuple[GrantCall, ...] = ()

    def __iter__(self) -> Iterator[Resource]:
        for stack in self.stacks.values():
            yield from stack.resources.values()

    def get(self, key: Key) -> Resource | None:
        stack = self.stacks.get(key[0])
        return stack.resources.get(key[1]) if stack else None

    def of_type(self, *types: str) -> Iterator[Resource]:
        """Every resource of one of these CloudFormation types."""
        return (resource for resource in self if resource.type in types)

    def with_stacks(self, stacks: dict[str, Stack]) -> Deployment:
        return replace(self, stacks=stacks)


@dataclass(frozen=True)
class PropertyChange:
    """One property, or a part of one, that differs.

    Attributes:
        path: Where: `Properties.GlobalSecondaryIndexes[OpenOrders]`, `DeletionPolicy`.
        before, after: The values; None where there is none.
        replacement: What CloudFormation does to the resource because of it.
        follows: It only names something that was renamed.
    """

    path: str
    before: Any
    after: Any
    replacement: Replacement = "no"
    follows: bool = False

    @property
    def kind(self) -> Kind:
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


@dataclass(frozen=True)
class CodeLine:
    """A line of CDK code, with its neighbours for a slide.

    Attributes:
        exact: True when a stack trace names it, False when it was found by the construct's id.
        excerpt: (line number, text) around it.
    """

    file: str
    line: int
    text: str
    exact: bool
    excerpt: tuple[tuple[int, str], ...] = ()

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class ResourceChange:
    """What happens to one resource.

    Attributes:
        kind: `renamed` is another logical id for the same thing: CloudFormation makes a new one and deletes the old.
        properties: What differs, for `changed` and `renamed`.
        replacement: Whether CloudFormation makes a new resource in place of the old one.
        because: Why it is replaced, in words; empty if it is not.
        holds: What a stateful resource holds (`the items of the table`); None when nothing is lost with it.
        fate: What becomes of the old one that goes: `deleted`, `kept` or `deleted after a snapshot`.
        code: The lines of CDK code behind it, the most telling first.
        helper: One of the functions that the CDK adds for itself.
    """

    kind: Kind
    before: Resource | None
    after: Resource | None
    properties: tuple[PropertyChange, ...] = ()
    replacement: Replacement = "no"
    because: tuple[str, ...] = ()
    holds: str | None = None
    fate: str | None = None
    code: tuple[CodeLine, ...] = ()
    helper: bool = False

    @property
    def resource(self) -> Resource:
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def follows(self) -> bool:
        """Whether it is the same as before and only names what was renamed."""
        return self.kind == "changed" and bool(self.properties) and all(one.follows for one in self.properties)


@dataclass(frozen=True)
class Fact:
    """Something that is true of one side, in one sentence.

    Attributes:
        key: What makes two facts the same on both sides.
        subject: What the fact is about, so that one lost and one gained of the same subject read as one change.
        text: The sentence.
        about: The resources that it is about, the most telling first.
        detail: The exact words of the template: actions, conditions, values.
        warning: Why a person should look twice, or None.
        amount: US dollars an hour, for topic `cost`.
        value: The part that changes when the subject stays: an address, a price, a variable's value.
        helper: About one of the functions that the CDK adds for itself.
        heading: What it stands under when facts are listed: the one who may do something.
    """

    topic: Topic
    key: tuple[Any, ...]
    subject: tuple[Any, ...]
    text: str
    about: tuple[Key, ...] = ()
    detail: str = ""
    warning: str | None = None
    amount: float = 0.0
    value: str = ""
    helper: bool = False
    heading: str = ""


@dataclass(frozen=True)
class FactChange:
    """A fact gained, lost, or one that says something else now; `renamed` says the same of what was renamed."""

    kind: Kind
    before: Fact | None
    after: Fact | None
    code: tuple[CodeLine, ...] = ()

    @property
    def fact(self) -> Fact:
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def topic(self) -> Topic:
        return self.fact.topic


@dataclass(frozen=True)
class SectionChange:
    """A change of the template outside resources and outputs: a parameter, a condition, the description."""

    stack: str
    section: str
    name: str
    before: Any
    after: Any

    @property
    def kind(self) -> Kind:
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


@dataclass(frozen=True)
class Edge:
    """One component talks to another.

    Attributes:
        source, target: Components (`Storefront`), or `internet`.
        ways: How it is known and what it may: `reads and writes items`, `TCP 8080`, `knows it as CATALOG_TABLE`.
    """

    source: str
    target: str
    ways: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Everything that differs between two sides."""

    before: Deployment
    after: Deployment
    aligned: Deployment
    """`before` with the names that `after` gives to the same things."""
    resources: tuple[ResourceChange, ...]
    facts: tuple[FactChange, ...]
    sections: tuple[SectionChange, ...]
    edges_before: tuple[Edge, ...]
    edges_after: tuple[Edge, ...]
    notes: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        return bool(self.resources or self.sections or self.facts)

    def about(self, *topics: Topic, helper: bool | None = None) -> list[FactChange]:
        """The fact changes of these topics, in the order they were found."""
        return [
            change
            for change in self.facts
            if change.topic in topics and (helper is None or change.fact.helper is helper)
        ]

    @property
    def replaced(self) -> list[ResourceChange]:
        """What is certainly or possibly made anew, what holds data first."""
        found = [change for change in self.resources if change.replacement != "no"]
        return sorted(found, key=lambda change: (change.holds is None, change.replacement != "yes"))

    def count(self, kind: Kind) -> int:
        return sum(change.kind == kind and not change.follows for change in self.resources)
