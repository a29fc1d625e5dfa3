"""``brewhaven doctor``: is this machine ready, and is the chosen cloud, for what a phase needs?"""

from __future__ import annotations

import json
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.markup import escape
from rich.table import Table

from brewhaven import target, toolchain
from brewhaven.errors import BrewHavenError
from brewhaven.local import lifecycle
from brewhaven.local.settings import HOST, REPOSITORY, CloudSettings

State = Literal["ok", "note", "fail"]
LEAST_PYTHON = (3, 11)
LEAST_NODE = 22
LEAST_DISK_GB = 3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        state: ``ok``; ``note`` where it works and something is worth knowing; ``fail`` where it will not work.
        remedy: What to do; empty when there is nothing to do.
    """

    what: str
    state: State
    found: str
    remedy: str = ""


def examine(settings: CloudSettings, name: str, phase: int) -> list[Finding]:
    """Look at the machine, then at the cloud called `name`, then at what the phases up to `phase` need there."""
    from brewhaven.course import readiness  # noqa: PLC0415  (imports boto3)

    findings = [_safely(probe, settings) for probe in (_python, _node, _cdk, _bash, _disk)]
    findings += [_port(settings, port) for port in (settings.port, settings.s3_port)] if name == "local" else []
    findings += list(readiness.runtimes(phase))
    cloud: target.Target | None = None
    try:
        cloud = target.local(settings) if name == "local" else target.aws(settings)
        findings.append(Finding("Cloud", "ok", f"{name}: account {cloud.account}, region {cloud.region}"))
    except BrewHavenError as error:
        stopped = name == "local"
        findings.append(Finding("Cloud", "note" if stopped else "fail", error.message, error.remedy or ""))
    if cloud:
        findings += list(readiness.cloud(cloud, phase))
    return findings


def is_ready(findings: list[Finding]) -> bool:
    """Whether nothing stands in the way."""
    return all(finding.state != "fail" for finding in findings)


def as_json(findings: list[Finding]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in findings]


def table(findings: list[Finding]) -> Table:
    """The findings with their remedies; the state is a word, because a colour alone says nothing to some."""
    words = {"ok": "[green]ok[/green]", "note": "[yellow]note[/yellow]", "fail": "[bold red]FAIL[/bold red]"}
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("", "What", "Found", "What to do"):
        shown.add_column(title, overflow="fold")
    for finding in findings:
        shown.add_row(words[finding.state], escape(finding.what), escape(finding.found), escape(finding.remedy))
    return shown


def _safely(probe: Callable[[CloudSettings], Finding], settings: CloudSettings) -> Finding:
    try:
        return probe(settings)
    except BrewHavenError as error:
        return Finding(probe.__name__.strip("_").capitalize(), "fail", error.message, error.remedy or "")


def _python(_: CloudSettings) -> Finding:
    found = platform.python_version()
    if sys.version_info[:2] < LEAST_PYTHON:
        wanted = ".".join(map(str, LEAST_PYTHON))
        return Finding("Python", "fail", found, f"Install Python {wanted} or newer, remove .venv and run `make setup`.")
    return Finding("Python", "ok", found)


def _node(_: CloudSettings) -> Finding:
    node = toolchain.node_bin() / "node"
    found = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if not found or int(found.lstrip("v").split(".")[0]) < LEAST_NODE:
        return Finding(
            "Node", "fail", found or f"{node} does not run", f"Version {LEAST_NODE} is needed: `make setup`."
        )
    return Finding("Node", "ok", found)


def _cdk(_: CloudSettings) -> Finding:
    toolchain.cdk_command()
    wanted = json.loads((REPOSITORY / "package.json").read_text())["devDependencies"]["aws-cdk"]
    found = json.loads((toolchain.NODE_MODULES / "aws-cdk" / "package.json").read_text())["version"]
    if found != wanted:
        return Finding("CDK command line", "fail", found, f"Version {wanted} is pinned: run `make setup`.")
    return Finding("CDK command line", "ok", found)


def _bash(_: CloudSettings) -> Finding:
    path = shutil.which("bash")
    return Finding("bash", "ok", path) if path else Finding("bash", "fail", "none", "Labs run in bash: install it.")


def _disk(settings: CloudSettings) -> Finding:
    place = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    gigabytes = shutil.disk_usage(place).free / 1e9
    if gigabytes < LEAST_DISK_GB:
        return Finding(
            "Disk", "fail", f"{gigabytes:.1f} GB free", f"Make room: {LEAST_DISK_GB} GB are needed in {place}."
        )
    return Finding("Disk", "ok", f"{gigabytes:.0f} GB free")


def _port(settings: CloudSettings, port: int) -> Finding:
    what = f"Port {port}"
    if lifecycle.running_pid(settings) is not None:
        return Finding(what, "ok", "the local cloud")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return Finding(what, "fail", "taken by another program", "Stop it, or `export BREWHAVEN_PORT=4600`.")
    return Finding(what, "ok", "free")
