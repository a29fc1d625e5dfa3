"""The process in which students' code runs: it has loaded the CDK once and builds one stack for each request.

Requests and answers are lines of JSON on standard input and the first standard output; whatever the student's code
prints is caught and handed on. Started by :mod:`brewhaven.exercises.workshop`, which also ends it when it hangs.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import aws_cdk as cdk
from aws_cdk import assertions as _assertions  # noqa: F401  (loaded now, so that no student waits for it)

from brewhaven.exercises.declared import STACK


class _Wrong(Exception):  # noqa: N818  (a finding about the student's file)
    """The file runs and is still not what is asked for."""


def _load(path: Path, number: int) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"exercise_{number}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise _Wrong(f"{path.name} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    # Compiled here, since two saves within a second would look the same to Python's own cache of compiled files.
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)  # noqa: S102
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
    code = folder / request["file"]
    printed = io.StringIO()
    sys.path.insert(0, str(folder))
    known = set(sys.modules)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            module = _load(code, number)
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
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
                del sys.modules[name]


def _told(error: BaseException, folder: Path) -> dict[str, Any]:
    """What happened, in one line, and the student's own line where it did."""
    if isinstance(error, SyntaxError):
        where, line, code = Path(error.filename or "").name, error.lineno, (error.text or "").strip()
        return {"what": f"{type(error).__name__}: {error.msg}", "file": where, "line": line, "code": code}
    mine = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(folder))]
    at = mine[-1] if mine else None
    text = str(error).strip().splitlines()
    said = text[0] if text else ""
    return {
        "what": said if isinstance(error, _Wrong) else f"{type(error).__name__}: {said}",
        "file": Path(at.filename).name if at else "",
        "line": at.lineno if at else None,
        "code": (at.line or "").strip() if at else "",
    }


def main() -> None:
    """Answer until standard input ends."""
    # The answers get a descriptor of their own: a library that prints past Python must not break the protocol.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    cdk.App()  # starts the CDK's engine
    answers.write(json.dumps({"ready": True}) + "\n")
    answers.flush()
    for number, line in enumerate(sys.stdin):
        answers.write(json.dumps(_answer(json.loads(line), number)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
