"""What a person writes for a side, and what is meant by it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from brewhaven.diff.code import lesson_title
from brewhaven.diff.errors import DiffError
from brewhaven.diff.model import Deployment
from brewhaven.diff.sources import assembly, deployed, revision, synth
from brewhaven.diff.sources.place import Place

SpecKind = Literal["course", "revision", "deployed", "assembly", "template", "empty"]

_LESSON = re.compile(r"[1-9]\d?\.\d{1,2}")
_PHASE = re.compile(r"\d{1,2}")
_STACK = re.compile(r"([a-z][a-z0-9-]*-)?BrewHaven-\S+|[A-Za-z][A-Za-z0-9-]{0,127}")
HELP = (
    "A side is a lesson (1.2), a phase (1; 0 is the empty account), a git revision (git:HEAD~3, git:main@1.2), "
    "a deployed stack (deployed: or its name), a folder with a manifest.json, or a template file."
)


@dataclass(frozen=True)
class Spec:
    """One side, understood.

    Attributes:
        kind: Which reader it needs.
        value: The lesson or phase, the revision, the stack's name or the path.
        lesson: For a revision, the lesson to build of it; None builds everything.
    """

    kind: SpecKind
    value: str
    lesson: str | None = None


def parse(written: str, root: Path) -> Spec:  # noqa: PLR0911  (a table of forms, one return each)
    """Understand `written`; a plain word is a path, then a lesson or phase, then a revision, then a stack's name.

    Raises:
        DiffError: It is none of these.
    """
    prefix, colon, rest = written.partition(":")
    if colon and prefix == "git":
        return _revision(rest)
    if colon and prefix == "deployed":
        return Spec("deployed", rest)
    if _LESSON.fullmatch(written):
        phase, _, step = written.partition(".")
        if step.strip("0"):
            return Spec("course", written)
        return parse(str(int(phase) - 1), root)  # N.0 is where phase N begins
    if _PHASE.fullmatch(written):
        return Spec("course", written) if int(written) else Spec("empty", "0")
    path = Path(written).expanduser()
    if (path / "manifest.json").is_file():
        return Spec("assembly", str(path))
    if path.is_file():
        return Spec("template", str(path))
    if path.is_dir() and "/" in written:
        raise DiffError(f"The folder {written} holds no manifest.json, so it is not a cloud assembly.", HELP)
    bare = written.partition("@")[0]
    if revision.exists(bare, root):
        return _revision(written)
    if _STACK.fullmatch(written):
        return Spec("deployed", written)
    raise DiffError(f"{written!r} is nothing that can be compared.", HELP)


def _revision(written: str) -> Spec:
    name, _, lesson = written.rpartition("@") if _LESSON.search(written.rpartition("@")[2]) else (written, "", "")
    if not name:
        raise DiffError(f"No revision is named in 'git:{written}'.", HELP)
    return Spec("revision", name, lesson or None)


def load(spec: Spec, root: Path, cache: Path, place: Place) -> Deployment:
    """Read a side.

    Args:
        root: The repository of the course.
        cache: Where synthesized assemblies are kept between runs.
        place: The account and region to build for, and the cloud to ask.

    Raises:
        DiffError: It cannot be built, found or reached.
    """
    match spec.kind:
        case "empty":
            return Deployment(label="the empty account", stacks={})
        case "course":
            folder = synth.synthesize_tree(root, spec.value, cache, place)
            word = "lesson" if "." in spec.value else "phase"
            found = assembly.read_assembly(folder, f"{word} {spec.value}", lesson=spec.value)
            title = lesson_title(found.code, spec.value)
            return replace(found, label=f"{found.label}: {title}") if title else found
        case "revision":
            return revision.load(spec.value, spec.lesson, root, cache, place)
        case "deployed":
            return deployed.load(spec.value, place.cloudformation)
        case "assembly":
            return assembly.read_assembly(Path(spec.value), spec.value)
        case "template":
            return assembly.read_template(Path(spec.value))
