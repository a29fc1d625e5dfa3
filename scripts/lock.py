"""Renew the locks from the exact pins: `make lock`. With `--check` it only says whether the locks agree.

A lock holds every package of every platform with its hashes and no address: which index it comes from is the machine's
business. There are two: requirements.lock for everything here, and storefront/requirements.txt for what is deployed.
The second has the versions of the first, so that the shop runs on what was tested.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
STOREFRONT_PINS = ROOT / "storefront" / "requirements.in"
STOREFRONT_LOCK = ROOT / "storefront" / "requirements.txt"
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
    """Sentences about what the locks do not hold; empty when they agree with the pins and with each other."""
    locked, deployed = pins(LOCK), pins(STOREFRONT_LOCK)
    everything = pins(ROOT / "requirements.txt", ROOT / "requirements-dev.txt", STOREFRONT_PINS)
    return [
        *_missing(everything, locked, "is pinned to {wanted}, the lock has {found}"),
        *_missing(pins(STOREFRONT_PINS), deployed, "is pinned to {wanted}, the shop's lock has {found}"),
        *_missing(deployed, locked, "is {wanted} in the shop's lock, and {found} in requirements.lock"),
    ]


def _missing(wanted: dict[str, str], found: dict[str, str], sentence: str) -> list[str]:
    return [
        f"{name} {sentence.format(wanted=version, found=found.get(name, 'nothing'))}"
        for name, version in sorted(wanted.items())
        if found.get(name) != version
    ]


def renew() -> None:
    """Resolve again, keeping the versions in the locks where the pins allow it."""
    _compile("requirements-dev.txt", LOCK, "--no-emit-package", "brew-haven")
    # A constraint chooses versions and adds no package.
    _compile("storefront/requirements.in", STOREFRONT_LOCK, "--no-annotate", "--constraint", LOCK.name)


def _compile(source: str, lock: Path, *options: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / lock.name
        if lock.exists():
            output.write_text(lock.read_text())
        subprocess.run(
            [
                uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
                "--no-header", "--no-emit-index-url", "--no-emit-find-links", *options, "--output-file", output, source,
            ],
            cwd=ROOT,
            check=True,
        )  # fmt: skip
        lock.write_text(HEADER + output.read_text().removeprefix(HEADER))


if __name__ == "__main__":
    if "--check" not in sys.argv:
        renew()
    problems = disagreements()
    if problems:
        sys.exit("The locks are out of date; run `make lock`:\n  " + "\n  ".join(problems))
