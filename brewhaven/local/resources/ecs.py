"""ECS: tasks are processes, started with their roles; services are steady when their targets are healthy."""

from __future__ import annotations

import shutil
import threading
import time
from typing import Any

from brewhaven.local.emulator import wrap_action
from brewhaven.local.engines import service_monitor, tasks
from brewhaven.local.engines.common import CONTAINERS, close_with
from brewhaven.local.engines.containers import Engine
from brewhaven.local.engines.environments import python_version
from brewhaven.local.engines.in_flight import IN_FLIGHT
from brewhaven.local.engines.link_local import LINK_LOCAL
from brewhaven.local.engines.target_health import LONGEST_DRAINING_SECONDS
from brewhaven.local.engines.task_network import ImageRefusedError, TaskRefusedError
from brewhaven.local.registry import REGISTRY, correction, replace

ENGINE = Engine(CONTAINERS)
MONITOR = service_monitor.ServiceMonitor(ENGINE)


@correction
def tasks_are_processes() -> None:
    """Containers run. The emulator has a whole scheduler for a Docker engine; here it finds one made of processes."""
    from ministack.services import ecs

    replace(ecs, "_get_docker", lambda _original: lambda: ENGINE)

    def with_network(original: Any) -> Any:
        def run_task(data: dict[str, Any]) -> Any:
            # The scheduler keeps the first subnet only. Keys with an underscore are never shown.
            network = (data.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
            overrides = data.get("overrides") or {"containerOverrides": [], "inferenceAcceleratorOverrides": []}
            return original({**data, "overrides": {**overrides, "_network": network}})

        return run_task

    wrap_action(ecs, "_ACTION_MAP", "RunTask", with_network)

    def with_start(original: Any) -> Any:
        def start(task: dict[str, Any], definition: dict[str, Any], *rest: Any) -> None:
            with tasks.starting(task, definition):
                original(task, definition, *rest)

        return start

    replace(ecs, "_start_task_worker", with_start)

    def checked(original: Any) -> Any:
        def prepare(*arguments: Any) -> Any:
            task = tasks.current().task
            until = time.monotonic() + MONITOR.delay_before(task)
            while time.monotonic() < until and ecs._task_is_active(task["taskArn"], task):
                time.sleep(0.1)
            try:
                tasks.check(tasks.current(), ENGINE)
            except TaskRefusedError as error:
                raise ecs._SecretResolutionError(str(error)) from error
            except ImageRefusedError as error:
                raise ecs._ImagePullError(str(error)) from error
            return original(*arguments)

        return prepare

    replace(ecs, "_prepare_service_images", checked)

    def with_platform(original: Any) -> Any:
        def register(*arguments: Any) -> Any:
            task_arn, cluster, definition, container, launch_type, env = arguments[:6]
            token = original(task_arn, cluster, definition, container, launch_type, env, True, None)
            env.update(tasks.platform_environment(tasks.current()))
            env["ECS_CONTAINER_METADATA_URI_V4"] = f"{LINK_LOCAL.url}/v4/{token}"
            return token

        return register

    replace(ecs, "_register_metadata", with_platform)

    def while_open(original: Any) -> Any:
        def look(*arguments: Any) -> None:
            # Containers that end because the local cloud stops are no failures of their service.
            if not ENGINE.containers.closed:
                original(*arguments)

        return look

    replace(ecs, "_maybe_mark_stopped", while_open)

    def as_launch(_original: Any) -> Any:
        def build(container: dict[str, Any], _definition: Any, env: dict[str, str], *_: Any) -> dict[str, Any]:
            try:
                return {"launch": tasks.launch_of(tasks.current(), container, env, ENGINE)}
            except TaskRefusedError as error:
                raise ecs._SecretResolutionError(str(error)) from error

        return build

    replace(ecs, "_build_run_kwargs", as_launch)


@correction
def a_task_shows_its_interface() -> None:
    """``attachments`` of a task name its network interface, subnet, MAC and private address.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Attachment.html
    """
    from ministack.services import ecs

    def build(original: Any) -> Any:
        def record(task: dict[str, Any], container: Any, network: Any) -> None:
            interface = container.launch.interface
            task["_subnet"] = interface.subnet
            original(task, container, network)
            for attachment in task.get("attachments") or []:
                known = {detail["name"] for detail in attachment["details"]}
                more = {
                    "networkInterfaceId": interface.eni,
                    "macAddress": interface.mac,
                    "privateDnsName": f"ip-{interface.ip.replace('.', '-')}.ec2.internal",
                }
                attachment["details"] += [{"name": n, "value": v} for n, v in more.items() if n not in known]
            for entry in task.get("containers") or []:
                entry["networkInterfaces"] = [
                    {"attachmentId": a["id"], "privateIpv4Address": interface.ip} for a in task["attachments"]
                ]

        return record

    replace(ecs, "_record_task_ip", build)


@correction
def what_a_task_held_is_taken_back() -> None:
    """A stopped task's credentials, address and files are gone."""
    from ministack.services import ecs

    def build(original: Any) -> Any:
        def cleanup(task: dict[str, Any], *rest: Any) -> None:
            containers = ENGINE.containers.of_task(task["taskArn"])
            address = ecs._task_ip(task)
            if containers and address:
                # It is no target any more; what it was asked before is answered first.
                IN_FLIGHT.wait_until_idle(address, LONGEST_DRAINING_SECONDS)
            for container in containers:
                # With the task definition's stop timeout, where the scheduler would give five seconds; and all of
                # them, where it forgets the others of a task whose essential container has exited.
                container.stop()
            original(task, *rest)
            for container in containers:
                container.remove()
            tasks.forget(task)

        return cleanup

    replace(ecs, "_cleanup_task_resources", build)


@correction
def exec_is_refused() -> None:
    """ECS Exec opens a session through Session Manager, which is not here; the emulator answers one that leads nowhere.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
    """
    from ministack.services import ecs

    def build(_original: Any) -> Any:
        def execute(_data: dict[str, Any]) -> Any:
            return ecs.error_response_json(
                "TargetNotConnectedException",
                "The execute command failed because ECS Exec is not part of the local cloud. Containers are processes "
                "of this machine: `brewhaven local status` lists them, CloudWatch Logs has what they write.",
                400,
            )

        return execute

    wrap_action(ecs, "_ACTION_MAP", "ExecuteCommand", build)


@correction
def restored_services_start_when_all_is_ready() -> None:
    """The emulator starts restored services a while after loading them; here that waits for the engines instead."""
    from ministack.services import ecs

    replace(ecs, "_start_restored_service_reconciler", lambda _original: lambda: None)

    def build(original: Any) -> Any:
        def restore(data: Any) -> None:
            original(data)
            for _key, task in ecs._tasks.all_items():
                if task.get("desiredStatus") != "STOPPED":
                    # Its process ended with the local cloud; the record must not say that it is wanted.
                    task.update(desiredStatus="STOPPED", stopCode="TerminationNotice", stoppedAt=ecs._iso())
                    task["stoppedReason"] = "The local cloud was stopped"

        return restore

    replace(ecs, "_restore_state", build)


def _start() -> None:
    from ministack.services import ecs

    MONITOR.start()
    threading.Thread(target=ecs._reconcile_restored_services, daemon=True, name="restored-services").start()


@correction
def what_an_earlier_run_left_is_removed() -> None:
    """Folders of containers whose processes are gone are nobody's."""
    for name in ("tasks", "networks"):
        shutil.rmtree(ENGINE.folder / name, ignore_errors=True)


REGISTRY.recorded["AWS::ECS::TaskDefinition"] = (
    f"containers are processes on this machine's Python {python_version()}: cpu, memory, user, architecture, ulimits "
    "and read-only file systems are recorded, not enforced"
)
REGISTRY.on_start.append(_start)
close_with(ENGINE.containers.close)
