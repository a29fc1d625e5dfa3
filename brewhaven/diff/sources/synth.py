"""Synthesizes a state of the course and remembers the result.

The app runs as `cdk synth` runs it: the command of cdk.json, with its context, in a process of its own. Validation is
off, since the same templates are validated elsewhere, and the CDK's traces are on, so that every resource knows the
line of Python that made it. The assembly is kept under a hash of the source tree: the next comparison only reads files.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from brewhaven import toolchain
from brewhaven.diff.errors import DiffError
from brewhaven.diff.sources import tracer
from brewhaven.diff.sources.assembly import CODE_FILE
from brewhaven.diff.sources.place import Place

KEPT = 60
FORMAT = "3"
"""Grows when what is kept beside an assembly changes."""
_TRACER = Path(tracer.__file__).resolve()
_NOT_SYNTH = {"tests", "docs", "brewhaven", "phases", "scripts", ".ci", ".github"}
"""Folders that the app never reads: it imports neither the tool nor the course's texts."""


def synthesize_tree(root: Path, cut: str, cache: Path, place: Place) -> Path:
    """The assembly of the working tree at `root`, cut after a lesson (`1.3`) or a phase (`1`).

    Raises:
        DiffError: The app does not synthesize; its own words are in the message.
    """
    return synthesize(root, cut, cache, place, tree_hash(root))


def synthesize(root: Path, cut: str | None, cache: Path, place: Place, tree: str) -> Path:
    """The assembly of the app in `root`, from the cache when `tree` names a source tree that was built before."""
    found = cached(tree, cut, cache, place)
    if found:
        return found
    folder = _folder(tree, cut, cache, place)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="synth-") as temporary:
        out = Path(temporary) / "assembly"
        _run(root, cut, out, cache, place)
        _localize(root, out)
        try:
            out.rename(folder)
        except OSError:
            if not (folder / "manifest.json").is_file():  # another run was first
                raise
    _forget_old(cache)
    return folder


def cached(tree: str, cut: str | None, cache: Path, place: Place) -> Path | None:
    """The assembly of a source tree that was built before, or None."""
    folder = _folder(tree, cut, cache, place)
    if not (folder / "manifest.json").is_file():
        return None
    os.utime(folder)
    return folder


def _folder(tree: str, cut: str | None, cache: Path, place: Place) -> Path:
    parts = [FORMAT, tree, cut or "", place.account, place.region, importlib.metadata.version("aws-cdk-lib")]
    return cache / hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def tree_hash(root: Path) -> str:
    """One hash over every file that the app may read: those git knows or would add, with their content."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, capture_output=True, check=False,
    )  # fmt: skip
    if listing.returncode == 0:
        names = sorted(set(listing.stdout.decode().split("\0")) - {""})
    else:
        names = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for name in names:
        path = root / name
        if Path(name).parts[0] in _NOT_SYNTH or not path.is_file():
            continue
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _run(root: Path, cut: str | None, out: Path, cache: Path, place: Place) -> None:
    settings = _settings(root)
    context = dict(settings.get("context") or {})
    context["aws:cdk:enable-path-metadata"] = True
    context["aws:cdk:enable-asset-metadata"] = True
    if cut:
        context["lesson" if "." in cut else "phase"] = cut
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment.update(
        CDK_OUTDIR=str(out),
        CDK_CONTEXT_JSON=json.dumps(context),
        CDK_DEFAULT_ACCOUNT=place.account,
        CDK_DEFAULT_REGION=place.region,
        CDK_VALIDATION="false",
        CDK_DEBUG="true",
        JSII_HOST_STACK_TRACES="1",
        PYTHONPATH=os.pathsep.join([str(root), str(root / "constructs")]),
    )
    done = subprocess.run(
        _command(settings), cwd=root, env=toolchain.with_tools(environment, cache.parent),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode or not (out / "manifest.json").is_file():
        words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        state = f"lesson {cut}" if cut and "." in cut else f"phase {cut}" if cut else "everything"
        raise DiffError(f"The app does not synthesize {state}. It says:\n{words}", "Mend that, then compare again.")


def _settings(root: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((root / "cdk.json").read_text())
    except FileNotFoundError:
        raise DiffError(f"There is no CDK app here: {root / 'cdk.json'} is missing.") from None
    return found


def _command(settings: dict[str, Any]) -> list[str]:
    """The app's command with this very interpreter, so that it runs where no environment is activated."""
    words = shlex.split(str(settings.get("app", "python3 app.py")))
    return [sys.executable, tracer.__file__, *words[1:]] if words[0] in {"python", "python3"} else words


def _localize(root: Path, out: Path) -> None:
    """Name source files from the app's root, keep their text beside the assembly, and drop the copies of assets."""
    code: dict[str, str] = {}
    base = root.resolve()
    for path in out.rglob("*.json"):
        if not (path.name.endswith(".metadata.json") or path.name == "manifest.json"):
            continue
        words = path.read_text(encoding="utf-8")
        for name in set(re.findall(r"\((/[^()\"]+?\.py):\d+\)", words)):
            short = _own(base, name, code)
            if short:
                words = words.replace(f"({name}:", f"({short}:")
        path.write_text(words, encoding="utf-8")
    _localize_grants(base, out / tracer.FILE, code)
    for path in out.glob("asset.*"):
        if path.is_dir():
            shutil.rmtree(path)
        elif not path.name.endswith(".json"):
            path.unlink()
    (out / CODE_FILE).write_text(json.dumps(code), encoding="utf-8")


def _own(base: Path, name: str, code: dict[str, str]) -> str | None:
    """The name of a source file from the app's root, its text kept in `code`; None for a file that is not the app's."""
    source = Path(name).resolve()
    if not source.is_relative_to(base) or {".venv", "node_modules"} & set(source.parts) or source == _TRACER:
        return None
    short = str(source.relative_to(base))
    if short not in code:
        code[short] = source.read_text(encoding="utf-8")
    return short


def _localize_grants(base: Path, path: Path, code: dict[str, str]) -> None:
    """Keep of each noted call the lines of the app's own code."""
    if not path.is_file():
        return
    calls = json.loads(path.read_text(encoding="utf-8"))
    for call in calls:
        frames = ((_own(base, name, code), line, function) for name, line, function in call["frames"])
        call["frames"] = [frame for frame in frames if frame[0]]
    path.write_text(json.dumps(calls), encoding="utf-8")


def _forget_old(cache: Path) -> None:
    kept = sorted((path for path in cache.iterdir() if (path / "manifest.json").is_file()), key=_age, reverse=True)
    for path in kept[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


def _age(path: Path) -> float:
    return path.stat().st_mtime
