"""An instance's first boot: its user data, run in a private folder that stands for the root of its disk.

The script is written for Amazon Linux and speaks of ``/opt`` and ``/etc``. Those paths are rewritten to the instance's
folder, and the only commands on its PATH are the harmless ones below and those of ``instance_commands``. It is no
sandbox: user data runs with the rights of the person who wrote it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from brewhaven.local.engines import instance_commands
from brewhaven.local.engines.watchdog import WATCHDOG

_OF_THE_INSTANCE = re.compile(
    r"(?<![\w./:$@}-])/(?=(?:opt|etc|var|srv|home|root|tmp|mnt|media|boot|data|app|usr/local|usr/share)(?:/|\b))"
)
_HARMLESS = [
    "awk",
    "basename",
    "bash",
    "cat",
    "chmod",
    "cp",
    "cut",
    "date",
    "dirname",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "grep",
    "head",
    "hostname",
    "id",
    "install",
    "ln",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "printf",
    "pwd",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "sh",
    "sleep",
    "sort",
    "tail",
    "tar",
    "tee",
    "test",
    "touch",
    "tr",
    "true",
    "uname",
    "uniq",
    "wc",
    "which",
    "whoami",
    "xargs",
]
_UNKNOWN_COMMAND = (
    "command_not_found_handle() { "
    'echo "local cloud: $1: command not found; user data may use dnf, useradd, systemctl, aws, python3 and the '
    'ordinary file commands" >&2; return 127; }\n'
)


def decode(text: str) -> str:
    """User data as text, which the API holds base64-encoded."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text


def seen_from(root: Path, script: str) -> str:
    """The script with the paths of the instance's disk below ``root``."""
    return _OF_THE_INSTANCE.sub(lambda _match: f"{root}/", script)


def prepare(folder: Path) -> None:
    """Make the instance's disk and the folder of its commands."""
    root, commands = folder / "root", folder / "bin"
    for name in ("etc/systemd/system", "opt", "tmp", "var/log", "root", "home", "srv"):
        (root / name).mkdir(parents=True, exist_ok=True)
    commands.mkdir(exist_ok=True)
    python = getattr(sys, "_base_executable", sys.executable)
    for name in instance_commands.COMMANDS:
        script = commands / name
        script.write_text(f'#!/bin/sh\nexec "{python}" -I "{instance_commands.__file__}" {name} "$@"\n')
        script.chmod(0o755)
    for name in _HARMLESS:
        found, link = shutil.which(name, path="/usr/bin:/bin"), commands / name
        if found and not link.exists():
            link.symlink_to(found)


def environment(folder: Path) -> dict[str, str]:
    """Variables of the script, beside those of the platform."""
    kept = {name: os.environ[name] for name in ("UV_CACHE_DIR", "XDG_CACHE_HOME") if name in os.environ}
    return {
        **kept,
        "PATH": str(folder / "bin"),
        "HOME": str(folder / "root" / "root"),
        "TMPDIR": str(folder / "root" / "tmp"),
        "LANG": "C.UTF-8",
        "INSTANCE_ROOT": str(folder / "root"),
        "INSTANCE_TOOLS": str(Path(sys.executable).parent),
        "MACHINE_HOME": os.environ.get("HOME", ""),
    }


def start(folder: Path, text: str, platform: dict[str, str], console: Path) -> subprocess.Popen[bytes] | None:
    """Start the user data, its output on the console; None if it is not a script."""
    script = decode(text)
    with console.open("ab") as output:
        if not script.startswith("#!"):
            output.write(b"cloud-init: user data is not a script (no #!); it is not run\n")
            return None
        file = folder / "user-data.sh"
        file.write_text(_UNKNOWN_COMMAND + seen_from(folder / "root", script))
        process = subprocess.Popen(
            [shutil.which("bash") or "/bin/bash", str(file)],
            cwd=folder / "root",
            env={**platform, **environment(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    WATCHDOG.guard(process.pid)
    return process


def finish(process: subprocess.Popen[bytes], console: Path) -> int:
    """Wait for the user data and say on the console how it ended."""
    code = process.wait()
    WATCHDOG.release(process.pid)
    with console.open("a") as output:
        output.write(f"cloud-init: user data {'finished' if code == 0 else f'failed with exit code {code}'}\n")
    return code
