"""Know, without synthesizing, that a deployment would change nothing.

A deployment is a function of the repository's files, the installed packages, the switches and the cloud. When all of
them are as they were, and no stack has been touched since, the CDK would find, after some seconds, nothing to do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from brewhaven import stacks
from brewhaven.local.settings import REPOSITORY, CloudSettings
from brewhaven.target import Target

# Everything that synthesizing reads; the lock stands for the installed packages.
FILES = ("app.py", "cdk.json", "requirements.lock", "package-lock.json", "pyproject.toml")
FOLDERS = ("stacks", "constructs", "lambda_src", "storefront")
_PASSED_OVER = {"__pycache__", ".DS_Store"}


def fingerprint(context: Mapping[str, str], root: Path = REPOSITORY) -> str:
    """A text that changes whenever what would be deployed could change."""
    digest = hashlib.sha256(json.dumps(sorted(context.items())).encode())
    for path in _inputs(root):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _inputs(root: Path) -> Iterable[Path]:
    yield from (root / name for name in FILES if (root / name).exists())
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and not _PASSED_OVER.intersection(path.parts):
                yield path


class Deployments:
    """What was deployed last with these tools: for each list of stacks a fingerprint, and the state it led to."""

    def __init__(self, settings: CloudSettings, cloud: Target, stack_ids: list[str]) -> None:
        self._path = settings.home / "record" / f"{cloud.name}-last-deployment.json"
        self._cloud = cloud
        self._stack_ids = stack_ids

    def is_current(self, wanted: str) -> bool:
        """Whether exactly this was deployed last, and every stack is complete and untouched since."""
        try:
            kept = json.loads(self._path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        return kept == {"fingerprint": wanted, "stacks": self._states()} and None not in kept["stacks"].values()

    def remember(self, done: str) -> None:
        """Keep what was deployed."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps({"fingerprint": done, "stacks": self._states()}, indent=1) + "\n")

    def _states(self) -> dict[str, str | None]:
        """The version of each stack: its creation and its last change; None where it is not complete."""
        versions: dict[str, str | None] = {}
        for stack_id in self._stack_ids:
            state = stacks.describe(self._cloud, stack_id)
            versions[stack_id] = state.version if state and state.is_complete else None
        return versions
