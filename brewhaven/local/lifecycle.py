"""Start, stop and look at the local cloud from outside its process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from brewhaven.errors import BrewHavenError
from brewhaven.local import aws_cli, operator, tls
from brewhaven.local.environment import client_environment, server_environment
from brewhaven.local.settings import HOST, CloudSettings

START_SECONDS = 30
STOP_SECONDS = 20


class LocalCloudError(BrewHavenError):
    """The local cloud could not be started, reached or stopped."""


def running_pid(settings: CloudSettings) -> int | None:
    """Process id of the running local cloud of this state folder, or None."""
    try:
        pid = int(settings.pid_file.read_text())
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    return pid if _is_ours(pid) else None


def _is_ours(pid: int) -> bool:
    """Whether the process is a local cloud and not another program that got the id of one that died."""
    listing = subprocess.run(["ps", "-wwo", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return "brewhaven.local.server" in listing.stdout


def is_healthy(settings: CloudSettings) -> bool:
    """Whether the API answers over TLS with our certificate."""
    if not settings.ca_file.exists():
        return False
    context = ssl.create_default_context(cafile=str(settings.ca_file))
    try:
        with urllib.request.urlopen(f"{settings.endpoint}/_ministack/health", context=context, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def up(settings: CloudSettings) -> bool:
    """Start the local cloud; return False if it ran already.

    Raises:
        LocalCloudError: A port is taken by another program, or the process ended while starting.
    """
    if running_pid(settings) is not None and is_healthy(settings):
        return False
    down(settings)
    for port in (settings.port, settings.s3_port):
        _refuse_taken_port(port)
    for folder in (settings.folder, settings.folder / "tmp", settings.folder / "state", settings.folder / "s3"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    tls.ensure_certificates(settings.folder / "tls")
    operator.load_or_create(settings.credentials_file)
    aws_cli.write_configuration(settings.cli_configuration)
    with settings.log_file.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "brewhaven.local.server"],
            env=server_environment(settings),
            cwd=settings.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    settings.pid_file.write_text(str(process.pid))
    deadline = time.monotonic() + START_SECONDS
    while not is_healthy(settings):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(settings.log_file.read_text(errors="replace").splitlines()[-5:])
            down(settings)
            raise LocalCloudError(
                f"The local cloud did not start; the end of {settings.log_file} says:\n{tail}",
                "See `brewhaven local logs`; `brewhaven local reset` starts from an empty account.",
            )
        time.sleep(0.05)
    return True


def _refuse_taken_port(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise LocalCloudError(
                f"Port {port} on {HOST} is taken by another program.",
                "Stop that program, or choose another port: `export BREWHAVEN_PORT=4600`.",
            ) from None


def down(settings: CloudSettings) -> bool:
    """Stop the local cloud and save its state; return False if it did not run."""
    pid = running_pid(settings)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while running_pid(settings) == pid and not _reaped(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                break
            time.sleep(0.05)
    settings.pid_file.unlink(missing_ok=True)
    return pid is not None


def _reaped(pid: int) -> bool:
    """Collect the process if it is our own child; a stranger's child is left to its parent."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def reset(settings: CloudSettings) -> None:
    """Empty the account: stop, remove every state file but the certificates and the operator's key, start again."""
    was_running = down(settings)
    for name in ("state", "s3", "tmp", "containers"):
        shutil.rmtree(settings.folder / name, ignore_errors=True)
    if was_running:
        up(settings)


def environment(settings: CloudSettings) -> dict[str, str]:
    """Variables for a client of the local cloud.

    Raises:
        LocalCloudError: The local cloud has never been started here.
    """
    if not settings.credentials_file.exists():
        raise LocalCloudError("There is no local cloud yet.", "Start it with `brewhaven local up`.")
    key = operator.OperatorKey(**json.loads(settings.credentials_file.read_text()))
    return client_environment(settings, key)


def log_tail(settings: CloudSettings, lines: int) -> list[str]:
    """The last lines of the server's log."""
    path: Path = settings.log_file
    return path.read_text(errors="replace").splitlines()[-lines:] if path.exists() else []
