"""Container health checks of a task definition: a command that is run again and again in the container.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/healthcheck.html
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brewhaven.local.engines.containers import Container

logger = logging.getLogger("brewhaven.local.ecs")

# A check every 30 s, as is the default of AWS, would keep a student waiting: the interval is shortened to this.
LONGEST_INTERVAL_SECONDS = 3


class ContainerHealth:
    """Runs one container's health check until the container ends."""

    def __init__(self, container: Container, check: dict[str, Any]) -> None:
        self.status = "UNKNOWN"
        self._container = container
        self._check = check
        threading.Thread(target=self._run, daemon=True, name=f"health-{container.id[:8]}").start()

    def _run(self) -> None:
        interval = min(LONGEST_INTERVAL_SECONDS, int(self._check.get("interval") or 30))
        retries = int(self._check.get("retries") or 3)
        start_period = int(self._check.get("startPeriod") or 0)
        failures = 0
        while self._container.status == "running":
            if self._passes():
                self.status, failures = "HEALTHY", 0
            elif time.monotonic() - self._container.started > start_period:
                failures += 1
                if failures >= retries:
                    self.status = "UNHEALTHY"
            # Until it is known the check is repeated sooner: AWS says nothing against that, and a deployment waits.
            time.sleep(interval if self.status == "HEALTHY" else min(interval, 1))

    def _passes(self) -> bool:
        kind, *words = self._check["command"]
        command = ["/bin/sh", "-c", *words] if kind == "CMD-SHELL" else words
        try:
            done = subprocess.run(
                self._container.command_for(command),
                cwd=self._container.workdir,
                env=self._container.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=int(self._check.get("timeout") or 5),
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        if done.returncode and self.status != "UNHEALTHY":
            said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
            logger.info("Health check of container %s: %s", self._container.launch.name, said[-1] if said else "failed")
        return done.returncode == 0
