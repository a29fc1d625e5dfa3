"""Uses the student's construct with good and bad props and notes what it does."""

from pathlib import Path
from types import ModuleType
from typing import Any

import aws_cdk as cdk

CASES: dict[str, dict[str, Any]] = {
    "usual": {},
    "large": {"cpu": 1024, "memory_mib": 4096, "port": 65535},
    "cpu": {"cpu": 300},
    "memory": {"cpu": 256, "memory_mib": 4096},
    "port-0": {"port": 0},
    "port-70000": {"port": 70000},
    "cpu-and-memory": {"cpu": 300, "memory_mib": 100},
    "cpu-and-port": {"cpu": 300, "port": 0},
    "memory-and-port": {"memory_mib": 100, "port": 70000},
}


def probe(module: ModuleType, _body: dict[str, Any], _folder: Path) -> dict[str, Any]:
    """Case -> "" where it was accepted, else the class and the text of the error."""
    stack = cdk.Stack(cdk.App(), "Probe")
    later = cdk.Token.as_number({"Ref": "Later"})
    names = ("cpu", "memory_mib", "port")
    cases = {**CASES, **{f"token-{name}": {name: later} for name in names}, "tokens": dict.fromkeys(names, later)}
    found = {}
    for number, (name, props) in enumerate(cases.items()):
        try:
            module.ShopTask(stack, f"Task{number}", **props)
            found[name] = ""
        except Exception as error:  # whatever a student's constructor raises
            found[name] = f"{type(error).__name__}: {error}"
    return found
