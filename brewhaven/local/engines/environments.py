"""Python environments of containers: one virtual environment for each list of requirements, kept and shared.

A container sees its own packages and the standard library, nothing of the tool that starts it, so that a package
forgotten in its requirements fails here as it would on AWS.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from brewhaven.errors import BrewHavenError

INSTALL_SECONDS = 600
# The settings of uv and pip themselves (indexes, caches, proxies) are the machine's; nothing else is handed on.
_KEPT_PREFIXES = ("UV_", "PIP_")
_KEPT = ("HOME", "PATH", "LANG", "XDG_CACHE_HOME", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy")


class RequirementsError(BrewHavenError):
    """The requirements of an image could not be installed."""


def python_version() -> str:
    """Version of this machine's Python as an image's FROM would name it, such as ``3.12``."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def key_of(requirements: str) -> str:
    """Name of the environment of a requirements text on this machine's Python."""
    machine = f"{sys.implementation.cache_tag} {platform.machine()} {sys.platform} {sys.base_prefix}"
    return hashlib.sha256(f"{machine}\n{requirements}".encode()).hexdigest()[:16]


def ensure(folder: Path, requirements: str) -> Path:
    """Return the environment for a requirements text, making it on first use.

    Args:
        folder: Where environments are kept.
        requirements: Content of the requirement files; may be empty.

    Raises:
        RequirementsError: A package was not found or did not install; carries the installer's last lines.
    """
    environment = folder / key_of(requirements)
    if _is_whole(environment):
        return environment
    folder.mkdir(parents=True, exist_ok=True)
    # Installed beside its place and moved in at the end: an interrupted installation is never taken for a whole one.
    # uv makes relocatable scripts, and `python` is found through pyvenv.cfg, so that moving is safe.
    draft = Path(tempfile.mkdtemp(prefix=f".{environment.name}-", dir=folder))
    try:
        _run("venv", "--quiet", "--allow-existing", "--relocatable", "--python", sys.executable, str(draft))
        if requirements.strip():
            listing = draft / "requirements.txt"
            listing.write_text(requirements)
            _install(draft / "bin" / "python", listing)
        (draft / "complete").touch()
        try:
            draft.rename(environment)
        except OSError:
            if not environment.exists():
                raise
            # Another process made the same environment meanwhile.
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return environment


def native_packages(folder: Path) -> dict[str, list[str]]:
    """Packages with machine code in each environment below ``folder``: its name -> ``name version``, sorted.

    AWS runs the wheels of the template's architecture and these are the machine's own, from the same lock.
    """
    return {
        environment.name: _native(environment) for environment in sorted(folder.glob("*")) if _is_whole(environment)
    }


def _is_whole(environment: Path) -> bool:
    return (environment / "complete").exists()


def _native(environment: Path) -> list[str]:
    return sorted(
        path.parent.name.removesuffix(".dist-info").replace("-", " ")
        for path in environment.glob("lib/python*/site-packages/*.dist-info/WHEEL")
        if "Root-Is-Purelib: false" in path.read_text(encoding="utf-8")
    )


def _install(python: Path, listing: Path) -> None:
    """Install from uv's cache, where `make setup` left the shop's packages; only what is missing needs the net.

    As pip does, it insists on a hash for each package as soon as one has a hash.
    """
    install = ["pip", "install", "--quiet", "--python", str(python), "-r", str(listing)]
    if "--hash=" in listing.read_text():
        install.append("--require-hashes")
    try:
        _run(*install, "--offline")
    except RequirementsError:
        _run(*install, "--system-certs")


def _run(*arguments: str) -> None:
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(_KEPT_PREFIXES)}
    command = [str(Path(sys.executable).parent / "uv"), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=kept, check=False, timeout=INSTALL_SECONDS, cwd="/"
        )
    except subprocess.TimeoutExpired:
        raise RequirementsError(
            f"Installing an image's requirements took longer than {INSTALL_SECONDS} s.", "Check the network."
        ) from None
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise RequirementsError(f"`RUN pip install` failed:\n{said}")
