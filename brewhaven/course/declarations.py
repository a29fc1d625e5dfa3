"""Loading what a phase's folder declares in Python: its checks and its faults."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TypeVar

from brewhaven.errors import BrewHavenError

Declared = TypeVar("Declared")


def load(folder: Path, file: str, name: str, kind: type[Declared]) -> Declared:
    """What ``<folder>/<file>`` defines as `name`; an empty `kind` where there is no such file.

    Raises:
        BrewHavenError: The file does not define it.
    """
    path = folder / file
    if not path.exists():
        return kind()
    module_name = f"{folder.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise BrewHavenError(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if not isinstance(found, kind):
        raise BrewHavenError(f"{path} defines no {name}.", f"It needs a line like `{name} = {kind.__name__}()`.")
    return found
