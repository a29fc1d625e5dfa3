"""Read a Dockerfile: the part of the language from which the local cloud can make a process.

The storefront is Python, and so is this machine. So an image here needs no layers of an operating system: its base
names a Python version, COPY names its files, ``RUN pip install -r`` its packages, and the rest how the process starts.
What does not fit is refused with the name of the instruction, never skipped.
https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field

from brewhaven.errors import BrewHavenError

# How the base image may be called; the version is compared with the machine's Python.
_PYTHON_BASE = re.compile(
    r"^(?:(?:docker\.io/)?(?:library/)?|public\.ecr\.aws/docker/library/)python:(?P<version>\d+\.\d+)?[\w.-]*$"
)
_VARIABLE = re.compile(r"\\\$|\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})")
_HARMLESS_PIP_FLAGS = {"--no-cache-dir", "--disable-pip-version-check", "--no-compile", "--require-hashes", "-q"}
_ALLOWED = "FROM python, ARG, ENV, WORKDIR, COPY, RUN pip install -r, USER, EXPOSE, LABEL, HEALTHCHECK, ENTRYPOINT, CMD"


class DockerfileError(BrewHavenError):
    """The Dockerfile holds something that the local cloud cannot make a process of."""


@dataclass(frozen=True)
class Copy:
    """One COPY: what of the build context lands where in the image."""

    line: int
    sources: list[str]
    destination: str


@dataclass(frozen=True)
class PipInstall:
    """One ``RUN pip install``: paths of requirement files inside the image."""

    line: int
    files: list[str]


@dataclass
class Recipe:
    """What a Dockerfile says.

    Attributes:
        python: Version that FROM names, such as ``3.12``; empty if it names none.
        steps: Copies and installations in their order.
        environment: ENV.
        workdir: Where the process starts, an absolute path inside the image.
        user: USER; recorded, see ``engines/containers.py``.
    """

    base: str = ""
    python: str = ""
    steps: list[Copy | PipInstall] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    ports: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: str = ""


def read(text: str, build_arguments: dict[str, str] | None = None) -> Recipe:
    """Interpret a Dockerfile.

    Raises:
        DockerfileError: Names the line and the instruction that is not supported.
    """
    return _Reader(build_arguments or {}).read(text)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Join continued lines, drop comments and blank lines; keep the number of each first line."""
    lines: list[tuple[int, str]] = []
    pending, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        if raw.lstrip().startswith("#") or (not raw.strip() and not pending):
            continue
        start = start or number
        stripped = raw.rstrip()
        if stripped.endswith("\\"):
            pending += stripped[:-1] + " "
            continue
        lines.append((start, (pending + stripped).strip()))
        pending, start = "", 0
    if pending.strip():
        lines.append((start, pending.strip()))
    return lines


class _Reader:
    def __init__(self, build_arguments: dict[str, str]) -> None:
        self.recipe = Recipe()
        self.build_arguments = build_arguments
        self.arguments: dict[str, str] = {}
        self.line = 0
        self.keyword = ""

    def read(self, text: str) -> Recipe:
        for self.line, content in _logical_lines(text):
            self.keyword, _, rest = content.partition(" ")
            self.keyword = self.keyword.upper()
            handler = getattr(self, f"_{self.keyword.lower()}", None)
            if handler is None:
                raise self.error(f"{self.keyword} is not supported")
            if self.keyword not in ("FROM", "ARG") and not self.recipe.base:
                raise self.error("the first instruction must be FROM")
            handler(rest.strip())
        if not self.recipe.base:
            raise DockerfileError("The Dockerfile has no FROM.", "Begin with `FROM python:3.12-slim`.")
        if not (self.recipe.command or self.recipe.entrypoint):
            raise DockerfileError("The Dockerfile has neither CMD nor ENTRYPOINT: nothing would run.")
        return self.recipe

    def error(self, what: str) -> DockerfileError:
        return DockerfileError(
            f"Dockerfile line {self.line}: {what}.", f"The local cloud makes a process of these: {_ALLOWED}."
        )

    def expand(self, text: str) -> str:
        known = {**self.arguments, **self.recipe.environment}

        def value(match: re.Match[str]) -> str:
            if match.group(0) == "\\$":
                return "$"
            name, modifier, word = match.group(1) or match.group(2), match.group(3), match.group(4) or ""
            current = known.get(name, "")
            if modifier == "-":
                return current or word
            if modifier == "+":
                return word if current else ""
            return current

        return _VARIABLE.sub(value, text)

    def inside(self, path: str) -> str:
        """An absolute path of the image, relative ones counted from WORKDIR."""
        whole = path if path.startswith("/") else f"{self.recipe.workdir.rstrip('/')}/{path}"
        parts: list[str] = []
        for part in whole.split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        return "/" + "/".join(parts)

    def exec_form(self, text: str) -> list[str]:
        try:
            words = json.loads(text)
        except ValueError:
            words = None
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            raise self.error(f'{self.keyword} must have the exec form, such as {self.keyword} ["python", "-m", "shop"]')
        return words

    def pairs(self, text: str) -> dict[str, str]:
        words = shlex.split(self.expand(text))
        if words and "=" not in words[0]:
            name, _, value = self.expand(text).partition(" ")
            return {name: value.strip()}
        if not all("=" in word for word in words):
            raise self.error(f"{self.keyword} needs NAME=value")
        return {name: value for name, _, value in (word.partition("=") for word in words)}

    # One method an instruction, named after it.
    def _from(self, text: str) -> None:
        if self.recipe.base:
            raise self.error("a second FROM (a build of several stages) is not supported")
        words = [word for word in self.expand(text).split() if not word.startswith("--platform=")]
        match = _PYTHON_BASE.match(words[0]) if words else None
        if match is None:
            raise self.error(f"FROM {text}: the base must be an official python image")
        self.recipe.base, self.recipe.python = words[0], match.group("version") or ""

    def _arg(self, text: str) -> None:
        name, _, default = self.expand(text).partition("=")
        self.arguments[name.strip()] = self.build_arguments.get(name.strip(), default.strip("\"'"))

    def _env(self, text: str) -> None:
        self.recipe.environment.update(self.pairs(text))

    def _label(self, text: str) -> None:
        self.recipe.labels.update(self.pairs(text))

    def _workdir(self, text: str) -> None:
        self.recipe.workdir = self.inside(self.expand(text).strip("\"'"))

    def _user(self, text: str) -> None:
        self.recipe.user = self.expand(text)

    def _expose(self, text: str) -> None:
        self.recipe.ports += self.expand(text).split()

    def _entrypoint(self, text: str) -> None:
        self.recipe.entrypoint = self.exec_form(text)

    def _cmd(self, text: str) -> None:
        self.recipe.command = self.exec_form(text)

    def _healthcheck(self, text: str) -> None:
        self.recipe.healthcheck = text  # ECS ignores the image's own check, too; the task definition's counts.

    def _copy(self, text: str) -> None:
        words = shlex.split(self.expand(text)) if not text.endswith("]") else []
        options = [word for word in words if word.startswith("--")]
        for option in options:
            if not option.startswith(("--chown=", "--chmod=", "--link")):
                raise self.error(f"COPY {option} is not supported")
        paths = [word for word in words if not word.startswith("--")] or self.exec_form(self.expand(text))
        if len(paths) < 2:
            raise self.error("COPY needs a source and a destination")
        *sources, destination = paths
        if len(sources) > 1 and not destination.endswith("/"):
            raise self.error("COPY of several sources needs a destination that ends with /")
        folder = destination.endswith("/") or destination in (".", "..")
        target = self.inside(destination).rstrip("/") + ("/" if folder else "")
        self.recipe.steps.append(Copy(self.line, sources, target))

    def _run(self, text: str) -> None:
        words = json.loads(text) if text.startswith("[") else shlex.split(self.expand(text))
        words = [word for word in words if not word.startswith("--mount=type=cache")]
        if words[:3] in (["python", "-m", "pip"], ["python3", "-m", "pip"]):
            words = words[2:]
        if words[:2] not in (["pip", "install"], ["pip3", "install"]):
            raise self.error(f"RUN {text}: only `RUN pip install -r <file>` is supported")
        files: list[str] = []
        rest = iter(words[2:])
        for word in rest:
            if word in ("-r", "--requirement"):
                files.append(self.inside(next(rest, "")))
            elif word not in _HARMLESS_PIP_FLAGS:
                raise self.error(f"RUN pip install {word}: name packages in a file and install it with -r")
        if not files:
            raise self.error("RUN pip install without -r <file> is not supported")
        self.recipe.steps.append(PipInstall(self.line, files))
