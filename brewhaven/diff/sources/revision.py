"""Builds the app as it was at a git revision, in a folder of its own: the working tree is not touched."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from brewhaven.diff.errors import DiffError
from brewhaven.diff.model import Deployment
from brewhaven.diff.sources import assembly, synth
from brewhaven.diff.sources.place import Place


def exists(name: str, root: Path) -> bool:
    """Whether `name` is a commit of the repository."""
    return bool(name) and not name.startswith("-") and _git(root, "rev-parse", "--verify", "-q", name + "^{commit}")[0]


def load(name: str, lesson: str | None, root: Path, cache: Path, place: Place) -> Deployment:
    """The course as commit `name` had it, whole or cut after `lesson`.

    Raises:
        DiffError: There is no such commit, or its app does not synthesize.
    """
    if not exists(name, root):
        raise DiffError(f"There is no git revision {name!r} in {root}.", "`git log --oneline` lists them.")
    _, tree = _git(root, "rev-parse", name + "^{tree}")
    label = f"revision {name}" + (f" at lesson {lesson}" if lesson else "")
    identity = "git:" + tree.decode().strip()
    folder = synth.cached(identity, lesson, cache, place)
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="brewhaven-revision-") as temporary:
            _unpack(root, name, Path(temporary))
            folder = synth.synthesize(Path(temporary), lesson, cache, place, identity)
    return assembly.read_assembly(folder, label, lesson=lesson)


def _unpack(root: Path, name: str, folder: Path) -> None:
    _, archive = _git(root, "archive", "--format=tar", name)
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(folder, filter="data")


def _git(root: Path, *words: str) -> tuple[bool, bytes]:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, check=False)
    except FileNotFoundError:
        return False, b""
    return done.returncode == 0, done.stdout
