"""Layers with machine code: the same packages for this machine, in front of those that are built for AWS.

A layer that holds, say, Pillow is built for the architecture and the Python of the functions. Where this machine has
others, its own wheels of the same versions are installed once and found first. `brewhaven local status` lists them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from brewhaven.local.engines import environments
from brewhaven.local.engines.common import CONTAINERS

_NATIVE = "Root-Is-Purelib: false"
_NAME = re.compile(r"^(?P<name>.+?)-(?P<version>[^-]+)\.dist-info$")


def native_packages(layers: Iterable[Path]) -> list[str]:
    """`name==version` of each package with machine code in extracted layers, sorted."""
    found = set()
    for layer in layers:
        for pattern in ("python/*.dist-info/WHEEL", "python/lib/python*/site-packages/*.dist-info/WHEEL"):
            for wheel in layer.glob(pattern):
                named = _NAME.match(wheel.parent.name)
                if named and _NATIVE in wheel.read_text(encoding="utf-8"):
                    found.add(f"{named['name'].replace('_', '-')}=={named['version']}")
    return sorted(found)


def with_own_wheels(layers: str, folder: Path) -> str:
    """Layers of a function as the worker is given them, with one of this machine's wheels behind: the last one wins.

    Args:
        layers: Folders of the extracted layers, separated as in a search path.
        folder: Where the further layer is made.

    Raises:
        RequirementsError: A package cannot be installed for this machine.
    """
    listed = [Path(layer) for layer in layers.split(os.pathsep) if layer]
    wanted = native_packages(listed)
    if not wanted:
        return layers
    environment = environments.ensure(CONTAINERS / "environments", "\n".join(wanted) + "\n")
    [packages] = environment.glob("lib/python*/site-packages")
    folder.mkdir()
    (folder / "python").symlink_to(packages)
    return os.pathsep.join([*map(str, listed), str(folder)])
