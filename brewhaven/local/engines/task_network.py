"""What a task fetches through its own network before it starts: its image, its secrets, and the way to its log.

Where there is no path, it stops with the words of ECS, and with the hop that is missing.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html
"""

from __future__ import annotations

import re
from typing import Any

from brewhaven.errors import BrewHavenError
from brewhaven.local.engines.api_paths import way_of
from brewhaven.local.engines.network import Interface
from brewhaven.reach.paths import Gap
from brewhaven.reach.topology import Place

_SECRET = re.compile(r"^arn:[^:]+:secretsmanager:")
_CHECK = "Check your task network configuration."


class TaskRefusedError(BrewHavenError):
    """The task cannot start: ``ResourceInitializationError`` and the rest of the sentence."""


class ImageRefusedError(BrewHavenError):
    """The image cannot be pulled: ``CannotPullContainerError`` and the rest of the sentence."""


def is_secret(source: str) -> bool:
    """Whether a container's secret comes from Secrets Manager; all others come from Parameter Store."""
    return bool(_SECRET.match(source))


class TaskNetwork:
    """The network of one task, asked for what ECS does through it."""

    def __init__(self, interface: Interface) -> None:
        self._interface = interface
        self._place = Place(interface.subnet, interface.groups, interface.public)

    def _gap(self, service: str) -> str | None:
        way = way_of(self._place, self._interface.account, self._interface.region, service)
        return f"{_CHECK} From {self._interface.subnet}: {way.reason}" if isinstance(way, Gap) else None

    def check(self, container: dict[str, Any]) -> None:
        """Follow the paths that one container needs.

        Raises:
            TaskRefusedError: No path to the registry's API, to a secret or to the log.
            ImageRefusedError: No path to the image or to its layers.
        """
        if ".dkr.ecr." in container["image"]:
            self._check_image(container["image"])
        for entry in container.get("secrets") or []:
            self._check_secret(entry.get("valueFrom", ""))
        logs = container.get("logConfiguration") or {}
        gap = self._gap("logs") if logs.get("logDriver") == "awslogs" else None
        if gap:
            raise TaskRefusedError(
                "failed to validate logger args: The task cannot find the Amazon CloudWatch log group defined in the "
                f"task definition. There is a connection issue between the task and Amazon CloudWatch. {gap}"
            )

    def _check_image(self, image: str) -> None:
        gap = self._gap("ecr.api")
        if gap:
            raise TaskRefusedError(
                "unable to pull registry auth from Amazon ECR: There is a connection issue between the task and "
                f"Amazon ECR. {gap}"
            )
        gap = self._gap("ecr.dkr") or self._gap("s3")
        if gap:
            raise ImageRefusedError(
                f"The task cannot pull {image} from the registry. There is a connection issue between the task and "
                f"the registry. {gap}"
            )

    def _check_secret(self, source: str) -> None:
        service = "secretsmanager" if is_secret(source) else "ssm"
        gap = self._gap(service)
        if gap:
            name = "AWS Secrets Manager" if service == "secretsmanager" else "AWS Systems Manager"
            raise TaskRefusedError(
                f"unable to retrieve secret from {'asm' if service == 'secretsmanager' else 'ssm'}: There is a "
                f"connection issue between the task and {name}. {gap}"
            )
