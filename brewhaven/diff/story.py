"""A comparison told in order, for every way of printing it: what needs care, what changed, what it costs.

The renderers decide how an item looks; what it says is decided here, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from brewhaven.diff.facts import billing
from brewhaven.diff.facts.side import Side
from brewhaven.diff.model import (
    SIGNS,
    CodeLine,
    Comparison,
    FactChange,
    Kind,
    PropertyChange,
    ResourceChange,
    SectionChange,
    Topic,
)
from brewhaven.diff.names import NOUNS, join_words, noun_of, sentence, service_of
from brewhaven.diff.prices import SOURCE, month
from brewhaven.diff.values import brief

WORDS: dict[Kind, str] = {"added": "added", "removed": "removed", "changed": "changed", "renamed": "renamed"}
FACT_WORDS: dict[Kind, str] = {"added": "gained", "removed": "lost", "changed": "changed", "renamed": "follows"}


@dataclass(frozen=True)
class Item:
    """One change, said in one sentence.

    Attributes:
        sign: + - ~ or >, beside the colour.
        word: The sign in a word: `added`, `gained`, ...
        details: What stands below it, each on a line of its own.
        warning: Why to look twice.
        names: What the sentence covers, with logical ids, for those who want to see every one.
        heavy: Carries the story: a projector shows it alone.
        service: The AWS service of a resource.
        whole: The text with its subject, where the group's title says the subject already.
    """

    kind: Kind
    word: str
    text: str
    details: tuple[str, ...] = ()
    warning: str | None = None
    code: tuple[CodeLine, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    heavy: bool = False
    whole: str = ""
    service: str = ""

    @property
    def sentence(self) -> str:
        """The text as it is understood without the title above it."""
        return self.whole or self.text

    @property
    def sign(self) -> str:
        return SIGNS[self.kind]


@dataclass(frozen=True)
class Group:
    """Items that belong together, below a title of their own; the title is empty when the section has one group."""

    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Section:
    """One question and its answer."""

    id: str
    title: str
    groups: tuple[Group, ...]
    lead: str = ""

    @property
    def shows_details(self) -> bool:
        """Whether an item's details belong to what is said, or only prove it (the exact words of a policy)."""
        return self.id in {"resources", "replaced", "environment", "outputs", "cost", "paths", "helpers", "follows"}

    @property
    def items(self) -> Iterator[Item]:
        for group in self.groups:
            yield from group.items


@dataclass(frozen=True)
class Story:
    """Everything a reader is told."""

    before: str
    after: str
    summary: tuple[str, ...]
    care: tuple[Item, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def title(self) -> str:
        return f"{self.before} -> {self.after}"


def tell(comparison: Comparison) -> Story:
    """Put a comparison into words and into order."""
    teller = _Teller(comparison)
    sections = [
        teller.resources(),
        teller.replacements(),
        teller.facts("access", "Who may do what", ("access",)),
        teller.facts("roles", "Who may take which role", ("trust",)),
        teller.facts("network", "Who may reach what", ("network",)),
        teller.facts("paths", "Which component talks to which", ("data path",)),
        teller.facts("environment", "Environment of the code", ("environment",)),
        teller.facts("outputs", "Outputs", ("output",)),
        teller.cost(),
        teller.following(),
        teller.sections(),
        teller.helpers(),
    ]
    return Story(
        before=comparison.before.label,
        after=comparison.after.label,
        summary=tuple(teller.summary()),
        care=tuple(teller.care()),
        sections=tuple(section for section in sections if any(section.items)),
        notes=comparison.notes,
    )


class _Teller:
    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.old = Side(comparison.before)
        self.new = Side(comparison.after)
        self.aligned = Side(comparison.aligned)

    def summary(self) -> Iterable[str]:
        comparison = self.comparison
        if not comparison.differs:
            yield "Nothing differs."
            return
        kinds: tuple[Kind, ...] = ("added", "changed", "renamed", "removed")
        counted = [f"{number} {WORDS[kind]}" for kind in kinds if (number := comparison.count(kind))]
        following = sum(change.follows for change in comparison.resources)
        if following:
            counted.append(f"{following} follow{'s' * (following == 1)} a rename")
        yield f"Resources: {', '.join(counted) or 'none added, changed or removed'}."
        replaced = [change for change in comparison.replaced if change.replacement == "yes"]
        maybe = len(comparison.replaced) - len(replaced)
        lossy = [change for change in replaced if change.holds]
        if replaced:
            yield (
                f"Replaced: {len(replaced)}, of which {len(lossy) or 'none'} hold{'s' if len(lossy) == 1 else ''} data."
                + (f" {maybe} more may be." if maybe else "")
            )
        else:
            yield f"Nothing is replaced{f', but {maybe} may be' if maybe else ''}."
        before, after = self._cost()
        if before != after:
            sign = "+" if after > before else "-"
            yield f"Standing cost: {sign}{month(abs(after - before))}, now {month(after)}."
        elif comparison.before.stacks or comparison.after.stacks:
            yield f"Standing cost: unchanged at {month(after)}."

    def _cost(self) -> tuple[float, float]:
        before, after = (sum(fact.amount for fact in billing.facts(side)) for side in (self.aligned, self.new))
        return before, after

    # What needs care

    def care(self) -> Iterable[Item]:
        for change in self.comparison.resources:
            item = self._loss(change)
            if item:
                yield item
        for fact in self.comparison.facts:
            if fact.kind in {"added", "changed"} and fact.fact.warning:
                yield Item(
                    fact.kind, FACT_WORDS[fact.kind], fact.fact.text, (), fact.fact.warning, fact.code, heavy=True
                )

    def _loss(self, change: ResourceChange) -> Item | None:
        if change.holds is None or change.before is None:
            return None
        name = self.old.name(change.before)
        holds = _of(change.holds, name)
        if change.kind == "removed":
            words = f"{name} goes away: {holds} {_fate_words(change)}"
        elif change.kind == "renamed" and change.after:
            words = (
                f"{name} is renamed to {self.new.name(change.after)}: CloudFormation makes a new, empty one, and "
                f"{holds} {_fate_words(change)}"
            )
        elif change.replacement == "yes":
            words = f"{name} is replaced by a new, empty one: {holds} {_fate_words(change)}"
        else:
            words = f"{name} may be replaced: then {holds} {_fate_words(change)}"
        warning = "data is lost" if change.fate == "deleted" else f"the old one is {change.fate}"
        return Item(change.kind, WORDS[change.kind], sentence(words), (), warning, change.code, heavy=True)

    # Resources

    def resources(self) -> Section:
        groups: dict[tuple[str, str], list[ResourceChange]] = {}
        many = len({change.resource.stack for change in self.comparison.resources}) > 1
        for change in self.comparison.resources:
            if not (change.helper or change.follows):
                groups.setdefault((change.resource.stack if many else "", change.resource.component), []).append(change)
        found = [
            Group(f"{component} (in {stack})" if stack else component, tuple(self._lines(changes)))
            for (stack, component), changes in groups.items()
        ]
        return Section("resources", "Resources by construct", tuple(found))

    def _lines(self, changes: list[ResourceChange]) -> Iterator[Item]:
        """Resources that carry the story one by one; those of one type without details together on one line."""
        together: dict[tuple[Kind, str], list[ResourceChange]] = {}
        for change in changes:
            if change.properties or change.because:
                yield self._line(change)
            else:
                together.setdefault((change.kind, change.resource.type), []).append(change)
        ordered = sorted(together.items(), key=lambda entry: (entry[0][0] == "removed", _plumbing(entry[0][1])))
        for (kind, type_), members in ordered:
            names = tuple((member.resource.path, member.resource.logical_id) for member in members)
            noun = noun_of(type_)
            noun = _plural(noun) if len(members) > 1 else noun
            paths = join_words(self._below(member) for member in members)
            yield Item(
                kind,
                WORDS[kind],
                f"{noun} {paths}",
                (),
                None,
                members[0].code,
                names,
                heavy=not _plumbing(type_),
                service=_service(type_),
            )

    def _below(self, change: ResourceChange) -> str:
        return (self.new if change.after else self.old).names.below(change.resource)

    def _line(self, change: ResourceChange) -> Item:
        resource = change.resource
        path = self._below(change)
        words = f"{noun_of(resource.type)} {path}"
        details: list[str] = []
        if change.kind == "renamed" and change.before:
            words += f", which was {change.before.path}"
            details.append(f"logical id {change.before.logical_id} becomes {resource.logical_id}")
        details += [self._property(change, one) for one in change.properties]
        warning = None
        if change.replacement != "no":
            warning = "is replaced" if change.replacement == "yes" else "may be replaced"
        else:
            details += change.because
        names = ((resource.path, resource.logical_id),)
        return Item(
            change.kind,
            WORDS[change.kind],
            words,
            tuple(details),
            warning,
            change.code,
            names,
            heavy=True,
            service=_service(resource.type),
        )

    def _property(self, change: ResourceChange, one: PropertyChange) -> str:
        path = one.path.removeprefix("Properties.")
        old = self.aligned.names.reference(change.resource.stack)
        if one.follows and change.before:
            old = self.old.names.reference(change.before.stack)
        new = self.new.names.reference(change.resource.stack)
        if one.before is None:
            return f"+ {path}: {brief(one.after, new)}"
        if one.after is None:
            return f"- {path}: {brief(one.before, old)}"
        return f"~ {path}: {brief(one.before, old)} -> {brief(one.after, new)}"

    def replacements(self) -> Section:
        items = []
        for change in self.comparison.replaced:
            name = (self.new if change.after else self.old).name(change.resource)
            words = f"{name} {'is' if change.replacement == 'yes' else 'may be'} replaced"
            holds = f"stateful: it holds {change.holds}; the old one is {change.fate}" if change.holds else "stateless"
            details = (*(sentence(reason) for reason in change.because), sentence(holds))
            warning = "stateful" if change.holds else None
            items.append(Item(change.kind, WORDS[change.kind], sentence(words), details, warning, change.code))
        return Section("replaced", "What CloudFormation replaces", (Group("", tuple(items)),))

    # Facts

    def facts(self, id_: str, title: str, topics: tuple[Topic, ...]) -> Section:
        order: tuple[Kind, ...] = ("added", "changed", "removed")
        found = (change for change in self.comparison.about(*topics, helper=False) if change.kind in order)
        listed = sorted(found, key=lambda change: order.index(change.kind))
        groups: dict[str, list[Item]] = {}
        for change in listed:
            groups.setdefault(change.fact.heading, []).append(self._fact(change, change.fact.heading))
        return Section(id_, title, tuple(Group(heading, tuple(items)) for heading, items in groups.items()))

    def _fact(self, change: FactChange, heading: str = "") -> Item:
        fact = change.fact
        short = fact.text.removeprefix(heading).lstrip(" ,:")
        details = [fact.detail] if fact.detail else []
        if change.kind == "changed" and change.before:
            details.insert(0, f"before: {change.before.value or change.before.text}")
            if change.before.value == fact.value:
                details[0] = "only its description or export changed"
        return Item(
            change.kind,
            FACT_WORDS[change.kind],
            short,
            tuple(details),
            fact.warning,
            change.code,
            heavy=fact.warning is not None,
            whole=fact.text,
        )

    def following(self) -> Section:
        """What says the same as before, of things that have another logical id now."""
        items = [
            replace(self._line(change), kind="renamed", word=FACT_WORDS["renamed"])
            for change in self.comparison.resources
            if change.follows and not change.helper
        ]
        items += [
            replace(self._fact(change), details=(), warning=None)
            for change in self.comparison.facts
            if change.kind == "renamed" and not change.fact.helper
        ]
        lead = "These say the same as before, of what has another logical id now."
        return Section("follows", "What follows the renames", (Group("", tuple(items)),), lead)

    def cost(self) -> Section:
        section = self.facts("cost", "What bills by the hour", ("cost",))
        before, after = self._cost()
        lead = f"In all {month(before)} before and {month(after)} after. {SOURCE}."
        return Section(section.id, section.title, section.groups, lead)

    def sections(self) -> Section:
        items = [self._section(change) for change in self.comparison.sections]
        return Section("template", "Other parts of the template", (Group("", tuple(items)),))

    def _section(self, change: SectionChange) -> Item:
        where = f"{change.section} {change.name}".strip()
        parts = [brief(value) for value in (change.before, change.after) if value is not None]
        return Item(change.kind, WORDS[change.kind], f"{where}: {' -> '.join(parts)}")

    def helpers(self) -> Section:
        groups: dict[str, list[ResourceChange]] = {}
        for change in self.comparison.resources:
            if change.helper:
                groups.setdefault(change.resource.component, []).append(change)
        items = [item for changes in groups.values() for item in self._helper_lines(changes)]
        items += [self._fact(change) for change in self.comparison.facts if change.fact.helper]
        lead = "Functions that the CDK adds for its custom resources, with their roles; nobody writes them by hand."
        return Section("helpers", "The CDK's own helpers", (Group("", tuple(items)),), lead)

    def _helper_lines(self, changes: list[ResourceChange]) -> Iterator[Item]:
        for change in changes:
            if change.properties or change.replacement != "no":
                yield self._line(change)
            else:
                resource = change.resource
                words = f"{noun_of(resource.type)} {resource.path}"
                names = ((resource.path, resource.logical_id),)
                yield Item(change.kind, WORDS[change.kind], words, (), None, change.code, names)


def _plumbing(type_: str) -> bool:
    return type_ not in NOUNS or type_ in {"AWS::IAM::Policy", "AWS::Lambda::Version", "AWS::IAM::InstanceProfile"}


def _service(type_: str) -> str:
    """The service to name beside a resource; a custom resource is of none."""
    return "" if type_.startswith("Custom::") else service_of(type_)


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun if noun.endswith("s") and noun != "address" else noun + "s"


def _of(holds: str, name: str) -> str:
    """`the items of the table` with its name: `the items of CatalogTable`."""
    for end in (" of the table", " in the bucket", " in the stream", " in the queue"):
        if holds.endswith(end):
            return f"{holds.removesuffix(end)}{end.split(' the ')[0]} {name}"
    return holds


def _fate_words(change: ResourceChange) -> str:
    plural = (change.holds or "").split(" of ")[0].split(" in ")[0].endswith("s")
    are = "are" if plural else "is"
    if change.fate == "kept":
        return f"{'stay' if plural else 'stays'} behind in the old one, outside the stack"
    if change.fate == "deleted after a snapshot":
        return f"{are} deleted after a snapshot"
    return f"{are} deleted"
