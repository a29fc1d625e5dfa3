"""The commands of Amazon Linux that an instance's user data may use, in the form that this machine can carry out.

Started as ``<python> instance_commands.py <command> <arguments>`` by small scripts in the instance's ``bin`` folder. A
use that has no meaning here is refused with a sentence, so that nothing seems to have happened that has not.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(os.environ.get("INSTANCE_ROOT", "/nonexistent"))
TOOLS = Path(os.environ.get("INSTANCE_TOOLS", "/nonexistent"))  # folder of the tool's own uv and aws
_REFUSED = 64


def refuse(text: str) -> int:
    print(f"local cloud: {text}", file=sys.stderr)
    return _REFUSED


def dnf(arguments: list[str]) -> int:
    """``dnf install``: Python is this machine's; a few more commands are there anyway."""
    words = [word for word in arguments if not word.startswith("-")]
    if words[:1] != ["install"]:
        return refuse(f"dnf {' '.join(words)}: only `dnf install` is carried out")
    for package in words[1:]:
        name = package.removesuffix("-pip")
        if name.startswith("python3"):
            here = f"Python {sys.version_info.major}.{sys.version_info.minor}"
            print(f"Installed: {package} ({here} of this machine)")
            alias = ROOT.parent / "bin" / name
            if not alias.exists():
                alias.write_text((ROOT.parent / "bin" / "python3").read_text())
                alias.chmod(0o755)
        elif package not in ("awscli", "awscli-2", "unzip", "tar", "gzip", "shadow-utils", "util-linux"):
            return refuse(f"dnf install {package}: no such package here; the local cloud has Python, unzip and awscli")
    return 0


def useradd(arguments: list[str]) -> int:
    """``useradd``: the user is noted; every process runs as the person who started the local cloud."""
    home = ""
    for flag, value in zip(arguments, [*arguments[1:], ""], strict=True):
        if flag in ("--home-dir", "-d"):
            home = value
    if home:
        Path(home).mkdir(parents=True, exist_ok=True)
    print(f"note: user {arguments[-1]} is recorded; processes run as the user who started the local cloud")
    return 0


def systemctl(arguments: list[str]) -> int:
    """``systemctl``: what it says is written down, and the instance's engine carries it out."""
    words = [word for word in arguments if not word.startswith("-")]
    verb, units = (words or [""])[0], [word.removesuffix(".service") for word in words[1:]]
    orders = {
        "enable": "enable start" if "--now" in arguments else "enable",
        "disable": "disable stop" if "--now" in arguments else "disable",
        "start": "start",
        "stop": "stop",
        "restart": "stop start",
        "daemon-reload": "",
    }
    if verb not in orders:
        return refuse(f"systemctl {verb}: not carried out here")
    for unit in units:
        if not (ROOT / "etc/systemd/system" / f"{unit}.service").exists():
            print(f"Failed to {verb} unit: Unit file {unit}.service does not exist.", file=sys.stderr)
            return 1
        with (ROOT.parent / "orders").open("a") as orders_file:
            for order in orders[verb].split():
                orders_file.write(f"{order} {unit}\n")
    return 0


def python(arguments: list[str]) -> int:
    """This machine's Python; environments are made by uv, which installs from the cache that `make setup` filled."""
    if arguments[:2] == ["-m", "venv"]:
        folder = Path(arguments[-1])
        done = _uv("venv", "--quiet", "--python", sys.executable, str(folder))
        if done == 0:
            (folder / "bin" / "pip").write_text(_script("pip", str(folder)))
            (folder / "bin" / "pip").chmod(0o755)
        return done
    return _become(Path(sys.executable), arguments)


def pip(arguments: list[str]) -> int:
    """``pip install`` into one environment."""
    environment, *rest = arguments
    if rest[:1] != ["install"]:
        return refuse(f"pip {' '.join(rest)}: only `pip install` is carried out")
    wanted = ["-r" if word == "--requirement" else word for word in rest[1:] if not _is_pips_own(word)]
    install = ("pip", "install", "--python", f"{environment}/bin/python", *wanted)
    return _uv(*install, "--offline", quietly=True) and _uv(*install, "--system-certs")


def _is_pips_own(word: str) -> bool:
    return word in ("--no-cache-dir", "--disable-pip-version-check", "--quiet", "-q", "--no-input")


def _script(*words: str) -> str:
    line = " ".join(f'"{word}"' for word in (sys.executable, "-I", __file__, *words))
    return f'#!/bin/sh\nexec {line} "$@"\n'


def _uv(*arguments: str, quietly: bool = False) -> int:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "UV_CACHE_DIR", "XDG_CACHE_HOME")}
    kept["HOME"] = os.environ.get("MACHINE_HOME", "")  # where uv keeps its cache
    done = subprocess.run([str(TOOLS / "uv"), *arguments], env=kept, check=False, capture_output=True, text=True)
    if done.returncode and not quietly:
        print(done.stderr, file=sys.stderr, end="")
    return done.returncode


def _become(program: Path, arguments: list[str]) -> int:
    os.execv(program, [str(program), *arguments])  # noqa: S606  (no shell is wanted)
    return _REFUSED  # never reached: the line above does not return


def aws(arguments: list[str]) -> int:
    """The AWS command line, with the credentials of the instance's metadata service."""
    return _become(TOOLS / "aws", arguments)


def unzip(arguments: list[str]) -> int:
    """``unzip [-q] [-o] FILE [-d FOLDER]``."""
    words = [word for word in arguments if word not in ("-q", "-o", "-qo", "-oq")]
    folder = words[words.index("-d") + 1] if "-d" in words else "."
    with zipfile.ZipFile(words[0]) as archive:
        archive.extractall(folder)
    return 0


COMMANDS = {
    "dnf": dnf,
    "yum": dnf,
    "useradd": useradd,
    "systemctl": systemctl,
    "python3": python,
    "pip": pip,
    "aws": aws,
    "unzip": unzip,
}

if __name__ == "__main__":
    sys.exit(COMMANDS[sys.argv[1]](sys.argv[2:]))
