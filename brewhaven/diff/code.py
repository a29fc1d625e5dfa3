"""The line of CDK code behind a change.

A stack trace of the CDK names the line that made a resource. For one that only changed, the line that changed it is
sought: in the lessons that the newer side adds, or in what differs between the sources of two revisions. An assembly
without traces is searched for the construct's id.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from pathlib import Path

from brewhaven.diff.model import CodeLine, Deployment, Fact, Frame, GrantCall, Resource

AROUND = 4
ENOUGH_TO_POINT = 3
"""A call must name who gets a permission, and beside that its object or its actions."""
_ROOMS = ("stacks", "constructs")


class CodeFinder:
    """Finds lines in the sources of two sides, and in a repository for sides that brought none."""

    def __init__(self, before: Deployment, after: Deployment, root: Path) -> None:
        self._before = before
        self._after = after
        self._root = root

    def made(self, resource: Resource, *, newer: bool) -> tuple[CodeLine, ...]:
        """Where a resource is made: the construct's line, then the stack's line that asks for the construct."""
        side = self._after if newer else self._before
        if resource.frames:
            frames = [resource.frames[0], *_stack_frame(resource)]
            return tuple(
                dict.fromkeys(
                    line for frame in frames if (line := code_line(side.code, frame.file, frame.line, exact=True))
                )
            )
        found = _by_id(resource.path, side.code or _repository(self._root))
        return (found,) if found else ()

    def changed(self, before: Resource, after: Resource) -> tuple[CodeLine, ...]:
        """Where a resource is changed; where it is made when nothing better is known."""
        line = self._in_lessons(after) or self._in_difference(before, after)
        made = self.made(after, newer=True)
        return (line, *(other for other in made if other != line)) if line else made

    def granted(self, fact: Fact, *, newer: bool) -> tuple[CodeLine, ...]:
        """Where a permission is granted or a port opened; empty when that was not noted or cannot be told."""
        side = self._after if newer else self._before
        scored = [(_fits(call, fact, side), call) for call in side.grants]
        best, call = max(scored, key=lambda pair: pair[0], default=(0, None))
        if call is None or best < ENOUGH_TO_POINT:
            return ()
        frames = [call.frames[0], *(frame for frame in call.frames[1:] if frame.file.startswith("stacks/"))][:2]
        lines = (code_line(side.code, frame.file, frame.line, exact=True) for frame in frames)
        return tuple(dict.fromkeys(line for line in lines if line))

    def _in_lessons(self, resource: Resource) -> CodeLine | None:
        """The line of a lesson between the two sides that touches the resource's component."""
        old, new = self._before.lesson, self._after.lesson
        if old is None or new is None:
            return None
        backwards = _number(old) > _number(new)
        low, high = sorted((_number(old), _number(new)))
        code = (self._before if backwards else self._after).code
        for file, words in code.items():
            tree = _parse(words)
            holders = _attributes(tree, resource.component)
            for number in _mentions(tree, holders, low, high):
                return code_line(code, file, number, exact=True)
        return None

    def _in_difference(self, before: Resource, after: Resource) -> CodeLine | None:
        """The line nearest to the resource's own that differs between the two sources."""
        for frame in after.frames:
            old, new = self._before.code.get(frame.file), self._after.code.get(frame.file)
            if old is None or new is None or old == new:
                continue
            blocks = SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False).get_opcodes()
            lines = [max(1, start + (1 if end > start else 0)) for tag, _, _, start, end in blocks if tag != "equal"]
            nearest = min(lines, key=lambda line: abs(line - frame.line))
            return code_line(self._after.code, frame.file, nearest, exact=True)
        return None


def code_line(code: dict[str, str], file: str, line: int, *, exact: bool) -> CodeLine | None:
    """A line with its neighbours; None when the file or line is not there."""
    lines = code.get(file, "").splitlines()
    if not 1 <= line <= len(lines):
        return None
    first, last = max(1, line - AROUND), min(len(lines), line + AROUND)
    excerpt = tuple((number, lines[number - 1]) for number in range(first, last + 1))
    return CodeLine(file=file, line=line, text=lines[line - 1].strip(), exact=exact, excerpt=excerpt)


def _fits(call: GrantCall, fact: Fact, side: Deployment) -> int:
    """How well a call explains a fact: it must name who gets the permission, and should name its object or actions."""
    subject = side.get(fact.key[1]) if isinstance(fact.key[1], tuple) else None
    if subject is None or not any(_related(place, subject.path) for place in (*call.given, *call.on)):
        return 0
    elsewhere = [word.rpartition("}")[2] for word in call.words if "${Token[" in word or word.startswith("arn:")]
    actions = [word.replace("*", "") for word in call.words if re.fullmatch(r"[a-z0-9-]+:[A-Za-z*]+", word)]
    for words in (elsewhere, actions):
        if words and not any(word in fact.detail for word in words):
            return 0  # it is about something else
    others = [found for key in fact.about if (found := side.get(key)) and not _related(subject.path, found.path)]
    named = any(_related(place, other.path) for place in call.on for other in others)
    ports = sum(word.isdecimal() and f" {word} " in fact.detail for word in call.words)
    away = [place for place in call.on if not _related(place, subject.path)]
    at_home = any(place.partition("/")[0] == subject.component for place in away)
    return 2 + 2 * named + 2 * bool(actions) + ports + at_home


def _related(place: str, path: str) -> bool:
    """Whether a construct is a resource or holds it: the function `Menu` and its role `Menu/ServiceRole`."""
    return bool(place) and (path == place or path.startswith(place + "/"))


def _stack_frame(resource: Resource) -> Iterator[Frame]:
    for frame in resource.frames[1:]:
        if frame.file.startswith("stacks/"):
            yield frame
            return


def _number(lesson: str) -> tuple[int, int]:
    """`1.3` as (1, 3); a whole phase comes after its last lesson."""
    phase, _, step = lesson.partition(".")
    return int(phase), int(step) if step else 1000


@functools.lru_cache(maxsize=64)
def _parse(words: str) -> ast.Module:
    try:
        return ast.parse(words)
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def _attributes(tree: ast.Module, construct_id: str) -> set[str]:
    """The attributes that hold a construct: `catalog` for `self.catalog = CatalogTable(self, "CatalogTable")`."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _id_of(node.value) == construct_id:
            found |= {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
    return found


def _mentions(tree: ast.Module, holders: set[str], low: tuple[int, int], high: tuple[int, int]) -> Iterator[int]:
    """The lines of lessons above `low` and up to `high` that call something of a holder."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        lesson = next(_lesson_ids(node), None)
        if lesson is None or not low < _number(lesson) <= high:
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call) and _holder_of(inner.func) in holders:
                yield inner.lineno


def _lesson_ids(function: ast.FunctionDef) -> Iterator[str]:
    return (id_ for id_, _ in _lessons(function))


def _lessons(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Id and title of `@lesson("1.3", "Assets")`."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call):
            words = [argument.value for argument in decorator.args if isinstance(argument, ast.Constant)]
            if words and isinstance(words[0], str) and words[0].replace(".", "", 1).isdecimal():
                yield words[0], str(words[1]) if len(words) > 1 else ""


def lesson_title(code: dict[str, str], lesson: str) -> str:
    """The title of a lesson, from the stack that the sources hold; empty when they do not name it."""
    functions = (node for words in code.values() for node in ast.walk(_parse(words)))
    found = (pair for node in functions if isinstance(node, ast.FunctionDef) for pair in _lessons(node))
    return next((title for id_, title in found if id_ == lesson), "")


def _holder_of(function: ast.expr) -> str | None:
    """`catalog` for `self.catalog.add_index` and for `self.catalog.table.grant`."""
    while isinstance(function, ast.Attribute):
        if isinstance(function.value, ast.Name) and function.value.id == "self":
            return function.attr
        function = function.value
    return None


def _id_of(call: ast.Call) -> str | None:
    """The construct id of `Construct(scope, "Id", ...)`."""
    if len(call.args) > 1 and isinstance(call.args[1], ast.Constant) and isinstance(call.args[1].value, str):
        return call.args[1].value
    return None


def _by_id(path: str, code: dict[str, str]) -> CodeLine | None:
    """The deepest construct of the path whose id stands in exactly one place of the sources."""
    for name in reversed(path.split("/")):
        places = [
            (file, node.lineno)
            for file, words in code.items()
            for node in ast.walk(_parse(words))
            if isinstance(node, ast.Call) and _id_of(node) == name
        ]
        if len(places) == 1:
            return code_line(code, *places[0], exact=False)
    return None


@functools.lru_cache(maxsize=4)
def _repository(root: Path) -> dict[str, str]:
    files: Iterable[Path] = (path for room in _ROOMS for path in sorted((root / room).rglob("*.py")))
    return {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in files}
