"""What the ECS service scheduler watches besides exits: health of containers and targets, and when it is steady.

A task counts as started well only when its containers' health checks pass and its load balancer's targets are healthy;
one that fails them after the grace period is replaced. Both feed the deployment circuit breaker.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from brewhaven.local.engines.container_health import ContainerHealth
from brewhaven.local.engines.target_health import TARGETS

if TYPE_CHECKING:
    from brewhaven.local.engines.containers import Engine

logger = logging.getLogger("brewhaven.local.ecs")

PERIOD_SECONDS = 0.5
STABLE_SECONDS = 1.0
# AWS honours the whole grace period of the template; here a task that never becomes healthy is replaced sooner, because
# a process of this machine starts in a second and a student waits for the circuit breaker.
LONGEST_GRACE_SECONDS = 30
LONGEST_DELAY_SECONDS = 30
SHOWN_FOR = timedelta(hours=1)
FORGET_EVERY_SECONDS = 60
_STARTED_BY_SCHEDULER = "ServiceSchedulerInitiated"

Record = dict[str, Any]


@dataclass(frozen=True)
class Trouble:
    """Why a task is replaced: as the task's stopped reason, and as the service's event.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-unhealthy-event-messages.html
    """

    reason: str
    event: str


class ServiceMonitor:
    """One thread that looks at every service of the local cloud."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._failures: dict[tuple[str, str], int] = {}
        self._checks: dict[str, ContainerHealth] = {}
        self._forget_at = 0.0

    def start(self) -> None:
        """Begin to look; ends with the process."""
        threading.Thread(target=self._run, daemon=True, name="service-monitor").start()

    # What the corrections of ECS ask.
    def delay_before(self, task: Record) -> float:
        """Seconds to wait before a task starts: a revision that fails over and over is started less and less often."""
        failures = self._failures.get((task.get("group", ""), task["taskDefinitionArn"]), 0)
        return min(LONGEST_DELAY_SECONDS, 0.25 * 2**failures) if failures else 0

    def count_failure(self, task: Record) -> None:
        """Remember that a task of this revision failed."""
        key = (task.get("group", ""), task["taskDefinitionArn"])
        self._failures[key] = self._failures.get(key, 0) + 1

    def is_well(self, task: Record, service: Record) -> bool:
        """Whether the task passes every check that the service has."""
        return self._containers_healthy(task) and all(
            TARGETS.state(group, ip) == "healthy" for group, ip in self._targets(task, service)
        )

    # The thread.
    def _run(self) -> None:
        from ministack.core.responses import request_scope
        from ministack.services import ecs

        while not self._engine.containers.closed:
            time.sleep(PERIOD_SECONDS)
            self._forget_old_tasks()
            for (account, region, key), service in list(ecs._services.all_items()):
                if service.get("status") != "ACTIVE":
                    continue
                try:
                    with request_scope(account, region):
                        self._look_at(key, service)
                except Exception:
                    logger.exception("Looking at service %s failed", key)

    def _forget_old_tasks(self) -> None:
        """Stopped tasks are shown for an hour, as on AWS; a service that fails all night must not fill the state."""
        from ministack.services import ecs

        if time.monotonic() < self._forget_at:
            return
        self._forget_at = time.monotonic() + FORGET_EVERY_SECONDS
        oldest = (datetime.now(UTC) - SHOWN_FOR).strftime("%Y-%m-%dT%H:%M:%S")
        for key, task in list(ecs._tasks._data.items()):
            if task.get("lastStatus") == "STOPPED" and str(task.get("stoppedAt") or "9") < oldest:
                ecs._tasks._data.pop(key, None)

    def _look_at(self, key: str, service: Record) -> None:
        from ministack.services import ecs

        cluster = key.split("/", 1)[0]
        group = f"service:{service['serviceName']}"
        for arn, task in list(ecs._tasks.items()):
            if task.get("group") != group or task.get("clusterArn") != service.get("clusterArn"):
                continue
            if task.get("lastStatus") != "RUNNING":
                continue
            self._check_containers(task)
            trouble = self._trouble(task, service)
            if trouble:
                _say(service, trouble.event)
                self._replace(arn, task, trouble.reason)
            elif not task.get("_startup_stable") and self._age(task) > STABLE_SECONDS and self.is_well(task, service):
                self._failures.pop((group, task["taskDefinitionArn"]), None)
                ecs._record_service_task_healthy(key, task)
        primary = ecs._primary_deployment(service)
        if primary and primary.get("rolloutState") == "COMPLETED":
            self._forget_drained_deployments(service, group)
            if len(self._living(service, group)) < int(service.get("desiredCount") or 0):
                ecs._reconcile_service_tasks(cluster, key)  # somebody stopped one
        if primary and primary.get("rolloutState") == "IN_PROGRESS":
            ecs._reconcile_service_tasks(cluster, key)
            ecs._complete_service_deployment(cluster, key)
            if primary.get("rolloutState") == "COMPLETED":
                _say(service, "has reached a steady state.")

    @staticmethod
    def _living(service: Record, group: str) -> list[Record]:
        """The service's tasks that have not stopped."""
        from ministack.services import ecs

        return [
            task
            for task in list(ecs._tasks.values())
            if task.get("group") == group
            and task.get("clusterArn") == service.get("clusterArn")
            and task.get("lastStatus") != "STOPPED"
        ]

    def _forget_drained_deployments(self, service: Record, group: str) -> None:
        """A deployment that was replaced or rolled back is listed until the last of its tasks is gone."""
        used = {task["taskDefinitionArn"] for task in self._living(service, group)}
        service["deployments"] = [
            deployment
            for deployment in service.get("deployments") or []
            if deployment.get("status") == "PRIMARY" or deployment.get("taskDefinition") in used
        ]

    def _age(self, task: Record) -> float:
        containers = self._engine.containers.of_task(task["taskArn"])
        return min((time.monotonic() - container.started for container in containers), default=0.0)

    @staticmethod
    def _targets(task: Record, service: Record) -> list[tuple[str, str]]:
        from ministack.services import ecs

        ip = ecs._task_ip(task)
        groups = [entry.get("targetGroupArn") for entry in service.get("loadBalancers") or []]
        return [(group, ip) for group in groups if group and ip]

    def _trouble(self, task: Record, service: Record) -> Trouble | None:
        name = task["taskArn"].rsplit("/", 1)[-1]
        if any(entry.get("healthStatus") == "UNHEALTHY" for entry in task["containers"]):
            return Trouble("Task failed container health checks", f"(task {name}) failed container health checks.")
        grace = min(LONGEST_GRACE_SECONDS, int(service.get("healthCheckGracePeriodSeconds") or 0))
        if self._age(task) > grace:
            for group, ip in self._targets(task, service):
                if TARGETS.state(group, ip) == "unhealthy":
                    why = TARGETS.description(group, ip)
                    port = next((port for identity, port, _ in TARGETS.of_group(group) if identity == ip), 0)
                    return Trouble(
                        f"Task failed ELB health checks in (target-group {group}): {why}",
                        f"(task {name}) (port {port}) is unhealthy in (target-group {group}) due to (reason {why}).",
                    )
        return None

    def _replace(self, arn: str, task: Record, reason: str) -> None:
        from ministack.services import ecs

        logger.warning("Task %s is replaced: %s", arn.rsplit("/", 1)[-1], reason)
        if ecs._mark_task_stopped(arn, task, reason, _STARTED_BY_SCHEDULER):
            ecs._cleanup_task_resources(task, self._engine)
            ecs._record_service_task_failure(task)

    # Health checks of the task definition.
    def _check_containers(self, task: Record) -> None:
        from ministack.services import ecs

        definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])) or {}
        wanted = {c["name"]: c["healthCheck"] for c in definition.get("containerDefinitions", []) if "healthCheck" in c}
        if not wanted:
            return
        running = {c.launch.name: c for c in self._engine.containers.of_task(task["taskArn"])}
        for entry in task["containers"]:
            container = running.get(entry["name"])
            if container is None or entry["name"] not in wanted:
                continue
            if container.id not in self._checks:
                self._checks[container.id] = ContainerHealth(container, wanted[entry["name"]])
            entry["healthStatus"] = self._checks[container.id].status
        states = [entry.get("healthStatus") for entry in task["containers"] if entry["name"] in wanted]
        task["healthStatus"] = next((s for s in ("UNHEALTHY", "UNKNOWN") if s in states), "HEALTHY")
        living = {c.id for c in self._engine.containers.list()}
        self._checks = {identity: check for identity, check in self._checks.items() if identity in living}

    @staticmethod
    def _containers_healthy(task: Record) -> bool:
        from ministack.services import ecs

        definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])) or {}
        checked = any("healthCheck" in c for c in definition.get("containerDefinitions", []))
        return not checked or task.get("healthStatus") == "HEALTHY"


def _say(service: Record, message: str) -> None:
    from ministack.core.responses import new_uuid
    from ministack.services import ecs

    text = f"(service {service['serviceName']}) {message}"
    logger.info(text)
    service["events"].insert(0, {"id": new_uuid(), "createdAt": ecs._iso(), "message": text})
