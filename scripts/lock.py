"""Renew the locks from the exact pins: `make lock`. With `--check` it only says whether the locks agree.

A lock holds every package of every platform with its hashes and no address: which index it comes from is the machine's
business. There is requirements.lock for everything here, and one for each of what is deployed: the shop, the functions,
and the functions that work with pictures. These have the versions of the first, so that all of them run on what was
tested.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
DEPLOYED = {
    "shop": ROOT / "storefront",
    "functions": ROOT / "lambda_src",
    "functions that work with pictures": ROOT / "lambda_src" / "layers" / "pictures",
}
"""Who runs on a lock of its own -> the folder with `requirements.in`, the pins, and `requirements.txt`, the lock."""
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
    locked = pins(LOCK)
    chosen = {whose: pins(folder / "requirements.in") for whose, folder in DEPLOYED.items()}
    everything = pins(ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
    found = _missing(
        everything | {name: version for own in chosen.values() for name, version in own.items()},
        locked,
        "is pinned to {wanted}, the lock has {found}",
    )
    for whose, folder in DEPLOYED.items():
        deployed = pins(folder / "requirements.txt")
        found += _missing(chosen[whose], deployed, f"is pinned to {{wanted}}, the lock of the {whose} has {{found}}")
        found += _missing(
            deployed, locked, f"is {{wanted}} in the lock of the {whose}, and {{found}} in requirements.lock"
        )
    return found


def _missing(wanted: dict[str, str], found: dict[str, str], sentence: str) -> list[str]:
    return [
        f"{name} {sentence.format(wanted=version, found=found.get(name, 'nothing'))}"
        for name, version in sorted(wanted.items())
        if found.get(name) != version
    ]


def renew() -> None:
    """Resolve again, keeping the versions in the locks where the pins allow it."""
    _compile("requirements-dev.txt", LOCK, "--no-emit-package", "brew-haven")
    for folder in DEPLOYED.values():
        source = folder.relative_to(ROOT) / "requirements.in"
        # A constraint chooses versions and adds no package.
        _compile(str(source), folder / "requirements.txt", "--no-annotate", "--constraint", LOCK.name)


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
