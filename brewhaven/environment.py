"""``eval "$(brewhaven env)"``: a shell in which plain ``cdk``, ``aws`` and boto3 reach the chosen cloud."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from brewhaven import target, toolchain
from brewhaven.local import lifecycle
from brewhaven.local.settings import CloudSettings


@dataclass(frozen=True)
class ShellChange:
    """Variables to set and to unset in a shell."""

    set: dict[str, str]
    unset: tuple[str, ...]

    def as_shell(self) -> str:
        """Lines that every POSIX shell understands."""
        lines = [f"unset {name}" for name in self.unset]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in self.set.items()]
        return "\n".join(lines)


def shell_change(settings: CloudSettings, shell: Mapping[str, str] = os.environ) -> ShellChange:
    """What a shell must change to reach the chosen cloud, and only that one.

    Raises:
        BrewHavenError: The local cloud was chosen and has never been started.
    """
    tools = toolchain.variables(settings.home, shell.get("PATH", os.defpath))
    if target.chosen(settings) == "local":
        variables = {**tools, **lifecycle.environment(settings), target.SHELL_MARK: "local"}
        return ShellChange(variables, target.FOREIGN)
    left = dict(shell)
    target.leave_local_shell(left, settings)
    gone = tuple(name for name in shell if name not in left and name not in tools)
    return ShellChange({**tools, target.SHELL_MARK: "aws"}, gone)
