"""Build an image from a folder with a Dockerfile: what ``docker build`` does, for Python images and without Docker."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from brewhaven.local.engines import dockerfile, environments
from brewhaven.local.engines.dockerfile import Copy, DockerfileError, PipInstall, Recipe
from brewhaven.local.engines.image_layout import PYTHON_LABEL, REQUIREMENTS_LABEL, Image, encode

Report = Callable[[str], None]
# Variables that the official Python image sets; those that name paths of its own are left to the container engine.
_BASE_ENVIRONMENT = {"LANG": "C.UTF-8"}
_INCLUDE = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]")


def build(
    context: Path, *, file: str | None, arguments: dict[str, str], environments_folder: Path, report: Report
) -> Image:
    """Build an image.

    Args:
        context: The folder that COPY may take files from, less what its ``.dockerignore`` names.
        file: Path of the Dockerfile inside the context; ``Dockerfile`` if None.
        arguments: Values for ARG.
        environments_folder: Where ``RUN pip install`` installs to.
        report: Told each step in a line.

    Raises:
        DockerfileError: An instruction or a file that is not there.
        RequirementsError: The installation of a requirement failed.
    """
    name = file or "Dockerfile"
    path = context / name
    if not path.is_file():
        raise DockerfileError(f"There is no {name} in {context}.")
    recipe = dockerfile.read(path.read_text(), arguments)
    if recipe.python and recipe.python != environments.python_version():
        report(
            f"note: FROM {recipe.base} names Python {recipe.python}; "
            f"here the image runs on this machine's Python {environments.python_version()}"
        )
    ignore_file = next((f for f in (context / f"{name}.dockerignore", context / ".dockerignore") if f.is_file()), None)
    ignored = ignore_rules(ignore_file.read_text()) if ignore_file else lambda _path: False
    files: dict[str, Path] = {}
    requirements = ""
    for step in recipe.steps:
        if isinstance(step, Copy):
            report(f"COPY {' '.join(step.sources)} -> {step.destination}")
            files.update(_copied(context, step, ignored))
        else:
            report(f"RUN pip install -r {' '.join(step.files)}")
            requirements += _requirements(step, files)
            environments.ensure(environments_folder, requirements)
    return Image(config=_config(recipe, requirements, layer := _layer(files)), layer=layer)


def _copied(context: Path, step: Copy, ignored: Callable[[str], bool]) -> Iterator[tuple[str, Path]]:
    """Pairs of (path inside the image, file of the context) that one COPY makes."""
    root = context.resolve()
    for source in step.sources:
        pattern = source.strip("/")
        matches = [root] if pattern in (".", "") else sorted(root.glob(pattern))
        matches = [match for match in matches if match.resolve().is_relative_to(root)]
        found = False
        for match in matches:
            for path in sorted(match.rglob("*")) if match.is_dir() else [match]:
                relative = path.relative_to(root).as_posix()
                if path.is_dir() or ignored(relative):
                    continue
                found = True
                if match.is_dir():
                    # Docker copies the content of a folder, not the folder.
                    yield f"{step.destination.rstrip('/')}/{path.relative_to(match).as_posix()}", path
                elif step.destination.endswith("/"):
                    yield step.destination + path.name, path
                else:
                    yield step.destination, path
        if not found:
            raise DockerfileError(
                f"Dockerfile line {step.line}: COPY {source}: no such file in the build context ({context}), "
                "or .dockerignore leaves it out."
            )


def _requirements(step: PipInstall, files: dict[str, Path]) -> str:
    text = ""
    for name in step.files:
        if name not in files:
            raise DockerfileError(f"Dockerfile line {step.line}: RUN pip install -r {name}: no COPY brought that file.")
        content = files[name].read_text()
        if any(_INCLUDE.match(line) for line in content.splitlines()):
            raise DockerfileError(f"{files[name].name} includes another file (-r or -c): write one list.")
        text += content.rstrip() + "\n"
    return text


def _layer(files: dict[str, Path]) -> bytes:
    """A compressed archive whose bytes depend on names and contents alone."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for target in sorted(files):
            entry = tarfile.TarInfo(target.lstrip("/"))
            data = files[target].read_bytes()
            entry.size, entry.mode = len(data), 0o755 if files[target].stat().st_mode & 0o100 else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), compresslevel=6, mtime=0)


def _config(recipe: Recipe, requirements: str, layer: bytes) -> bytes:
    environment = {**_BASE_ENVIRONMENT, **recipe.environment}
    return encode(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Env": [f"{name}={value}" for name, value in environment.items()],
                "WorkingDir": recipe.workdir,
                "User": recipe.user,
                "ExposedPorts": {port if "/" in port else f"{port}/tcp": {} for port in recipe.ports},
                "Entrypoint": recipe.entrypoint or None,
                "Cmd": recipe.command or None,
                "Labels": {**recipe.labels, REQUIREMENTS_LABEL: requirements, PYTHON_LABEL: recipe.python},
            },
            "rootfs": {
                "type": "layers",
                "diff_ids": ["sha256:" + hashlib.sha256(gzip.decompress(layer)).hexdigest()],
            },
        }
    )


def ignore_rules(text: str) -> Callable[[str], bool]:
    """Whether a ``.dockerignore`` leaves a path out; the last rule that matches decides.

    https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    rules: list[tuple[bool, re.Pattern[str]]] = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        keep = line.startswith("!")
        rules.append((keep, re.compile(_ignore_pattern(line.removeprefix("!").strip().strip("/")))))

    def ignored(path: str) -> bool:
        parts = path.split("/")
        paths = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
        verdict = False
        for keep, pattern in rules:
            if any(pattern.fullmatch(candidate) for candidate in paths):
                verdict = not keep
        return verdict

    return ignored


def _ignore_pattern(pattern: str) -> str:
    expression, rest = "", pattern
    while rest:
        if rest.startswith("**/"):
            expression, rest = expression + "(?:.*/)?", rest[3:]
        elif rest.startswith("**"):
            expression, rest = expression + ".*", rest[2:]
        elif rest[0] == "*":
            expression, rest = expression + "[^/]*", rest[1:]
        elif rest[0] == "?":
            expression, rest = expression + "[^/]", rest[1:]
        else:
            expression, rest = expression + re.escape(rest[0]), rest[1:]
    return expression
