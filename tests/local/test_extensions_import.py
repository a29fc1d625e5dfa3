"""Importing the extensions does nothing: `brewhaven status` does it while the local cloud runs in another process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

IMPORT_ALL = """
import importlib, pkgutil, threading
from brewhaven.local import resources
for module in pkgutil.iter_modules(resources.__path__):
    importlib.import_module(f"{resources.__name__}.{module.name}")
assert threading.active_count() == 1, threading.enumerate()
"""


def test_importing_the_extensions_leaves_files_and_threads_alone(tmp_path: Path) -> None:
    running = tmp_path / "cloud" / "containers" / "tasks" / "running"
    running.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        env={"BREWHAVEN_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert running.exists()
