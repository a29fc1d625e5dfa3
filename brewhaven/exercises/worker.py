"""The process in which students' code runs: it has loaded the CDK once and builds one stack for each request.

Requests and answers are lines of JSON on the first standard input and output, which the student's code does not get to
see: what it prints is caught and handed on, and what it reads is empty. Started by :mod:`brewhaven.exercises.workshop`.

It ends itself when a build takes too long, and writes to standard error where the code was then. So nothing goes on
running when the watching ends meanwhile, and the student is told the line.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import io
import json
import linecache
import os
import resource
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import aws_cdk as cdk
from aws_cdk import assertions as _assertions  # noqa: F401  (loaded now, so that no student waits for it)

from brewhaven.exercises.declared import STACK

MOST_MEMORY = 4 * 1024**3
"""Bytes of addresses. A loop that only collects meets this end before it meets the end of the machine."""


class _Wrong(Exception):  # noqa: N818  (a finding about the student's file)
    """The file runs and is still not what is asked for."""


def _load(path: Path, number: int) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"exercise_{number}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise _Wrong(f"{path.name} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    # Compiled here, since two saves within a second would look the same to Python's own cache of compiled files.
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)  # noqa: S102
    return module


def _synthesize(module: ModuleType, context: dict[str, Any]) -> dict[str, Any]:
    stack_class = getattr(module, STACK, None)
    if not (isinstance(stack_class, type) and issubclass(stack_class, cdk.Stack)):
        raise _Wrong(f"the file must define `class {STACK}(cdk.Stack)`, which is what gets built")
    with tempfile.TemporaryDirectory(prefix="brewhaven-exercise-") as folder:
        app = cdk.App(
            outdir=folder, context=context, analytics_reporting=False, builtin_cloud_formation_validation=False
        )
        # Without the version rule and its parameter: the stack holds nothing that needs the bootstrap bucket.
        stack_class(app, STACK, synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False))
        assembly = app.synth()
        found = assembly.get_stack_by_name(STACK)
        template: dict[str, Any] = json.loads(Path(found.template_full_path).read_text(encoding="utf-8"))
        return template


def _answer(request: dict[str, Any], number: int) -> dict[str, Any]:
    folder = Path(request["folder"])
    printed = io.StringIO()
    faulthandler.dump_traceback_later(request["patience"], exit=True)
    try:
        with _as_if_alone(folder), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            module = _load(folder / request["file"], number)
            body = _synthesize(module, request["context"])
            probed: Any = {}
            if request["probe"]:
                probed = _load(Path(request["probe"]), number).probe(module, body, folder)
        return {"template": body, "probed": probed, "printed": printed.getvalue()}
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return {"error": _told(error, folder), "printed": printed.getvalue()}
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def _as_if_alone(folder: Path) -> Iterator[None]:
    """Run in the student's folder, and leave nothing behind for the next build: no module, no variable, no place."""
    here, environment, path, known = Path.cwd(), dict(os.environ), list(sys.path), set(sys.modules)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        for name in set(sys.modules) - known:
            if _is_in(getattr(sys.modules[name], "__file__", None), folder):
                del sys.modules[name]


def _is_in(file: str | None, folder: Path) -> bool:
    return bool(file) and Path(str(file)).is_relative_to(folder)


def _told(error: BaseException, folder: Path) -> dict[str, Any]:
    """What happened, in one line, and the student's own line where it did."""
    if isinstance(error, SyntaxError):
        where, line, code = Path(error.filename or "").name, error.lineno, (error.text or "").strip()
        return {"what": f"{type(error).__name__}: {error.msg}", "file": where, "line": line, "code": code}
    linecache.checkcache()  # it would show the line of an earlier save
    mine = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_in(frame.filename, folder)]
    at = mine[-1] if mine else None
    text = str(error).strip().splitlines()
    said = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    if isinstance(error, SystemExit):
        said = "the file ends the program (SystemExit), so there is nothing to build"
    return {
        "what": text[0] if isinstance(error, _Wrong) else said,
        "file": Path(at.filename).name if at else "",
        "line": at.lineno if at else None,
        "code": (at.line or "").strip() if at else "",
    }


def main() -> None:
    """Answer until the first standard input ends."""
    # Both get descriptors of their own: neither a library that prints past Python nor an input() of the student may
    # break the protocol.
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.dont_write_bytecode = True  # for the same reason, of what the student's file imports from beside it
    cdk.App()  # starts the CDK's engine
    with contextlib.suppress(ValueError, OSError):  # not every system knows this limit
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    answers.write(json.dumps({"ready": True}) + "\n")
    answers.flush()
    for number, line in enumerate(requests):
        answers.write(json.dumps(_answer(json.loads(line), number)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
