"""Runs a CDK app in Python and notes on which line each permission is granted and each port is opened.

The CDK's own traces tell where a construct is made. A grant makes no construct: it adds a statement to a policy that
may be there already. So the calls that grant are noted as they leave Python, and written beside the assembly.

Run as `python tracer.py app.py`, with the environment of `cdk synth`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FILE = "grants.json"
_CALLS = re.compile(
    r"grant|add(To|Managed).*Polic|addToPrincipal|add(In|E)gressRule|allow(From|To|Default|Any|Internally)"
)

_noted: list[dict[str, Any]] = []


def _watch() -> None:
    """Put ourselves between the generated classes and the jsii kernel."""
    import jsii  # noqa: PLC0415  (an app without the CDK is run as well)

    def watching(call: Callable[..., Any]) -> Callable[..., Any]:
        def invoke(target: Any, method: str, args: list[Any] | None = None) -> Any:
            if _CALLS.match(method):
                _note(target, method, args or [])
            return call(target, method, args)

        return invoke

    jsii.invoke = watching(jsii.invoke)
    jsii.sinvoke = watching(jsii.sinvoke)


def _note(target: Any, method: str, args: list[Any]) -> None:
    frames = [
        [frame.filename, frame.lineno, frame.name]
        for frame in reversed(traceback.extract_stack())
        if frame.filename != __file__ and not frame.filename.startswith("<")
    ]
    values = list(_members(args))
    _noted.append(
        {
            "method": method,
            "on": list(_paths(target)),
            "with": [path for value in values for path in _paths(value)],
            "words": [value for value in values if isinstance(value, str)] + [_port(value) for value in values],
            "frames": frames,
        }
    )


def _members(args: Any) -> Iterator[Any]:
    """The arguments, with the members of lists, option structs and policy statements."""
    for value in args:
        if isinstance(value, list | tuple):
            yield from _members(value)
        elif isinstance(getattr(value, "_values", None), dict):
            yield from _members(list(value._values.values()))
        elif hasattr(value, "add_actions"):  # a PolicyStatement
            yield from _members([value.actions])
        elif value is not None:
            yield value


def _paths(value: Any) -> Iterator[str]:
    """The path of a construct, of a grantee's role, or of the groups behind connections."""
    try:
        if hasattr(value, "node"):
            yield str(value.node.path)
        elif hasattr(value, "security_groups"):
            yield from (str(group.node.path) for group in value.security_groups)
    except Exception:  # noqa: S110  (a note that cannot be taken must not stop the app)
        pass


def _port(value: Any) -> str:
    return str(value.to_string()) if type(value).__name__ == "Port" else ""


def main() -> None:
    script = sys.argv[1]
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(script).resolve().parent)
    with contextlib.suppress(ImportError):
        _watch()
    try:
        runpy.run_path(str(Path(script).resolve()), run_name="__main__")  # whole, so that traces name it whole
    finally:
        out = Path(os.environ["CDK_OUTDIR"])
        if out.is_dir():
            (out / FILE).write_text(json.dumps(_noted), encoding="utf-8")


if __name__ == "__main__":
    main()
