"""Renew requirements.lock from the exact pins: `make lock`. With `--check` it only says whether the lock agrees.

The lock holds every package of every platform with its hashes and no address: which index it comes from is the
machine's business.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = "# Made by `make lock` from the requirements files.  Not edited by hand.\n"


def pins(*files: Path) -> dict[str, str]:
    """Package -> exact version of requirement files, names normalized as PyPI does."""
    found: dict[str, str] = {}
    for file in files:
        for line in file.read_text().splitlines():
            match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?==([^\s;\\]+)", line)
            if match:
                found[re.sub(r"[-_.]+", "-", match[1]).lower()] = match[3]
    return found


def disagreements() -> list[str]:
    """Sentences about pins that the lock does not hold; empty when they agree."""
    wanted = pins(ROOT / "requirements.txt", ROOT / "requirements-dev.txt", ROOT / "storefront" / "requirements.txt")
    locked = pins(LOCK)
    return [
        f"{name} is pinned to {version}, the lock has {locked.get(name, 'nothing')}"
        for name, version in sorted(wanted.items())
        if locked.get(name) != version
    ]


def renew() -> None:
    """Resolve again, keeping the versions in the lock where the pins allow it."""
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "requirements.lock"
        if LOCK.exists():
            output.write_text(LOCK.read_text())
        subprocess.run(
            [
                uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
                "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--no-emit-package", "brew-haven",
                "--output-file", output, "requirements-dev.txt",
            ],
            cwd=ROOT,
            check=True,
        )  # fmt: skip
        LOCK.write_text(HEADER + output.read_text())


if __name__ == "__main__":
    if "--check" not in sys.argv:
        renew()
    problems = disagreements()
    if problems:
        sys.exit("requirements.lock is out of date; run `make lock`:\n  " + "\n  ".join(problems))
