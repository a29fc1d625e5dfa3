"""ECS services: a deployment is complete when its tasks are well, and a stack waits for that as on AWS."""

from __future__ import annotations

import functools
import logging
import threading
import time
import uuid
from collections import defaultdict
from typing import Any

from brewhaven.local.emulator import truth, wrap_action, wrap_handler
from brewhaven.local.engines.tasks import holds_something
from brewhaven.local.registry import correction, replace
from brewhaven.local.resources.ecs import MONITOR

logger = logging.getLogger("brewhaven.local.ecs")

Record = dict[str, Any]

# AWS waits up to three hours. Nothing here takes longer than the start of a process and a few health checks.
STEADY_SECONDS = 180
_REPORT_SECONDS = 5
_GONE_SECONDS = 40
# Maps of a container definition whose keys are the student's own and must not be changed.
_FREE_MAPS = ("DockerLabels", "Options")


class ServiceNotSteadyError(Exception):
    """A stack operation on a service failed; the text is the stack event's."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(
            f'Resource handler returned message: "{message}" (RequestToken: {uuid.uuid4()}, HandlerErrorCode: {code})'
        )


@correction
def task_definitions_are_kept_whole() -> None:
    """A template's secrets, health checks, dependencies and platform reach the task definition.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ecs-taskdefinition.html
    """
    from ministack.services import ecs
    from ministack.services.cloudformation import provisioners

    replace(provisioners, "_normalize_container_defs", lambda _original: _camel)

    def with_platform(original: Any) -> Any:
        def create(logical_id: str, properties: Record, stack_name: str) -> Any:
            arn, attributes = original(logical_id, properties, stack_name)
            definition = ecs._task_defs[ecs._resolve_td_key(arn)]
            for name in ("RuntimePlatform", "EphemeralStorage"):
                if name in properties:
                    definition[name[0].lower() + name[1:]] = _camel(properties[name])
            return arn, attributes

        return create

    # The update handler registers the next revision through this name.
    replace(provisioners, "_ecs_task_def_create", with_platform)
    wrap_handler("AWS::ECS::TaskDefinition", "create", lambda _original: provisioners._ecs_task_def_create)


def _camel(value: Any) -> Any:
    """Lower the first letter of every key, as the ECS API spells a template's properties; whole numbers as numbers."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name[:1].lower() + name[1:]: dict(item) if name in _FREE_MAPS and isinstance(item, dict) else _camel(item)
        for name, item in value.items()
    }


@correction
def services_are_reconciled_one_at_a_time() -> None:
    """Two threads that look at one service at once would start two tasks for one that is missing."""
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import ecs

    locks: dict[tuple[str, str, str], threading.RLock] = defaultdict(threading.RLock)

    def build(original: Any) -> Any:
        def reconcile(cluster: str, key: str) -> Any:
            with locks[get_account_id(), get_region(), key]:
                return original(cluster, key)

        return reconcile

    replace(ecs, "_reconcile_service_tasks", build)


@correction
def a_deployment_completes_when_its_tasks_are_well() -> None:
    """A deployment, the first one too, is IN_PROGRESS until its tasks pass container and load balancer checks.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
    """
    from ministack.services import ecs

    def in_progress(original: Any) -> Any:
        def make(*arguments: Any, **options: Any) -> Any:
            deployment = original(*arguments, **options)
            deployment["rolloutState"], deployment["rolloutStateReason"] = "IN_PROGRESS", "ECS deployment in progress."
            return deployment

        return make

    def when_well(original: Any) -> Any:
        def healthy(key: str, task: Record) -> None:
            service = ecs._services.get(key)
            if service is not None and MONITOR.is_well(task, service):
                original(key, task)

        return healthy

    def counted(original: Any) -> Any:
        def failed(task: Record, *rest: Any, **options: Any) -> None:
            MONITOR.count_failure(task)
            logger.warning("Task %s failed: %s", task["taskArn"].rsplit("/", 1)[-1], task.get("stoppedReason"))
            original(task, *rest, **options)

        return failed

    replace(ecs, "_make_deployment", in_progress)
    replace(ecs, "_record_service_task_healthy", when_well)
    replace(ecs, "_record_service_task_failure", counted)


@correction
def tasks_are_found_by_name() -> None:
    """A service's running tasks are instances of its Cloud Map service.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-discovery.html
    """
    from ministack.services import ecs, servicediscovery

    def build(original: Any) -> Any:
        def sync(cluster: str, service: Record) -> None:
            original(cluster, service)
            for registry in service.get("serviceRegistries") or []:
                _register(cluster, service, registry.get("registryArn", "").rsplit("/", 1)[-1])

        return sync

    def _register(cluster: str, service: Record, registry: str) -> None:
        if registry not in servicediscovery._services:
            return
        name = service["serviceName"]
        running = {
            task["taskArn"].rsplit("/", 1)[-1]: task
            for task in list(ecs._tasks.values())
            if task.get("group") == f"service:{name}"
            and task.get("clusterArn") == service.get("clusterArn")
            and task.get("lastStatus") == "RUNNING"
            and ecs._task_ip(task)
        }
        known = {
            identity
            for identity, instance in (servicediscovery._instances.get(registry) or {}).items()
            if instance["Attributes"].get("ECS_SERVICE_NAME") == name
        }
        for identity in known - set(running):
            servicediscovery._deregister_instance({"ServiceId": registry, "InstanceId": identity})
        for identity in set(running) - known:
            task = running[identity]
            attributes = {
                "AWS_INSTANCE_IPV4": ecs._task_ip(task),
                "AWS_INIT_HEALTH_STATUS": "HEALTHY",
                "AVAILABILITY_ZONE": task["availabilityZone"],
                "REGION": ecs.get_region(),
                "ECS_CLUSTER_NAME": cluster,
                "ECS_SERVICE_NAME": name,
                "ECS_TASK_DEFINITION_FAMILY": task["taskDefinitionArn"].rsplit("/", 1)[-1].rpartition(":")[0],
            }
            servicediscovery._register_instance(
                {"ServiceId": registry, "InstanceId": identity, "Attributes": attributes}
            )

    replace(ecs, "_sync_service_targets", build)


@correction
def stacks_wait_for_steady_services() -> None:
    """CREATE and UPDATE of AWS::ECS::Service end when the service is steady, or fail as the circuit breaker says.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-ecs-service.html
    """
    from ministack.services.cloudformation import stacks

    def on_a_thread(original: Any) -> Any:
        # The scheduler answers while the stack waits.
        return lambda cfn_type: cfn_type == "AWS::ECS::Service" or original(cfn_type)

    replace(stacks, "_runs_on_worker_thread", on_a_thread)
    for operation in ("create", "update"):
        wrap_handler("AWS::ECS::Service", operation, _complete_and_wait)
    wrap_handler("AWS::ECS::Service", "delete", _delete)


def _complete_and_wait(original: Any) -> Any:
    """Wait after a create or an update until the service is steady."""
    from ministack.services import ecs

    @functools.wraps(original)
    def handle(*arguments: Any) -> Any:
        # create(logical id, properties, stack); update(physical id, old properties, new properties, stack)
        properties: Record = arguments[-2]
        creates = arguments[1] is properties
        _more.of_template = _left_out(properties)
        try:
            physical_id, attributes = original(*arguments)
        finally:
            _more.of_template = {}
        name = physical_id.rsplit("/", 1)[-1]
        cluster = ecs._resolve_cluster_name(properties.get("Cluster") or "default")
        try:
            wait_until_steady(f"{cluster}/{name}")
        except ServiceNotSteadyError:
            if creates:
                # The engine knows no physical id of what failed to be created; a rollback would leave the service.
                ecs._delete_service({"cluster": cluster, "service": name, "force": True})
                _wait_until_gone(name, cluster)
            raise
        return physical_id, attributes

    return handle


@correction
def a_changed_network_is_a_new_deployment() -> None:
    """Tasks keep the subnets and groups with which they started; a service with others replaces its tasks.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
    """
    from ministack.services import ecs

    def build(original: Any) -> Any:
        def update(data: Record) -> Any:
            cluster = ecs._resolve_cluster_name(data.get("cluster", "default"))
            service = ecs._services.get(f"{cluster}/{str(data.get('service', '')).rsplit('/', 1)[-1]}") or {}
            changed = any(
                name in data and data[name] != service.get(name)
                for name in ("networkConfiguration", "loadBalancers", "platformVersion")
            )
            return original({**data, "forceNewDeployment": data.get("forceNewDeployment", False) or changed})

        return update

    wrap_action(ecs, "_ACTION_MAP", "UpdateService", build)


_more = threading.local()


def _left_out(properties: Record) -> Record:
    """What the emulator's stack handler does not pass on to CreateService."""
    return {
        "serviceRegistries": _camel(properties.get("ServiceRegistries") or []),
        "healthCheckGracePeriodSeconds": int(properties.get("HealthCheckGracePeriodSeconds") or 0),
        "enableExecuteCommand": truth(properties.get("EnableExecuteCommand")),
        "enableECSManagedTags": truth(properties.get("EnableECSManagedTags")),
        "platformVersion": properties.get("PlatformVersion") or "LATEST",
        "propagateTags": properties.get("PropagateTags") or "NONE",
    }


@correction
def services_are_created_whole() -> None:
    """Cloud Map registries, the grace period and the other properties of a template reach the service."""
    from ministack.services import ecs

    def build(original: Any) -> Any:
        return lambda data: original({**getattr(_more, "of_template", {}), **data})

    wrap_action(ecs, "_ACTION_MAP", "CreateService", build)


def _delete(original: Any) -> Any:
    """Deleting a service ends when its tasks and their network interfaces are gone, whose groups go next."""
    from ministack.services import ecs

    @functools.wraps(original)
    def delete(physical_id: str, properties: Record) -> Any:
        name = physical_id.rsplit("/", 1)[-1]
        answer = original(physical_id, {**properties, "ServiceName": name})
        _wait_until_gone(name, ecs._resolve_cluster_name(properties.get("Cluster") or "default"))
        return answer

    return delete


def _wait_until_gone(name: str, cluster: str) -> None:
    from ministack.services import ecs

    deadline = time.monotonic() + _GONE_SECONDS
    gone = [
        arn
        for arn, task in list(ecs._tasks.items())
        if task.get("group") == f"service:{name}" and ecs._cluster_name_from_arn(task["clusterArn"]) == cluster
    ]
    while any(holds_something(arn) for arn in gone) and time.monotonic() < deadline:
        time.sleep(0.05)


def wait_until_steady(key: str, seconds: float = STEADY_SECONDS) -> None:
    """Wait until a service's current deployment is complete.

    Raises:
        ServiceNotSteadyError: The circuit breaker gave up, or the time ran out.
    """
    from ministack.services import ecs

    service = ecs._services[key]
    awaited = ecs._primary_deployment(service)
    deadline, report = time.monotonic() + seconds, time.monotonic() + _REPORT_SECONDS
    while True:
        if awaited["rolloutState"] == "FAILED":
            raise ServiceNotSteadyError(
                "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'. "
                + _last_stopped(service),
                "GeneralServiceException",
            )
        if awaited["rolloutState"] == "COMPLETED" and service.get("runningCount") == service.get("desiredCount"):
            return
        if service.get("status") != "ACTIVE":
            raise ServiceNotSteadyError(f"Service {service['serviceArn']} was deleted.", "NotFound")
        if time.monotonic() > deadline:
            raise ServiceNotSteadyError(
                f"Service {service['serviceArn']} did not stabilize. {_last_stopped(service)}", "NotStabilized"
            )
        if time.monotonic() > report:
            report += _REPORT_SECONDS
            logger.info(
                "Waiting for service %s: %d of %d tasks run. %s",
                service["serviceName"],
                service.get("runningCount", 0),
                service.get("desiredCount", 0),
                _last_stopped(service),
            )
        time.sleep(0.1)


def _last_stopped(service: Record) -> str:
    """Why a task of the service stopped last: AWS leaves the student to find that in the console."""
    from ministack.services import ecs

    stopped = [
        task
        for task in list(ecs._tasks.values())
        if task.get("group") == f"service:{service['serviceName']}"
        and task.get("clusterArn") == service.get("clusterArn")
        and task.get("lastStatus") == "STOPPED"
        and task.get("stopCode") != "UserInitiated"
    ]
    if not stopped:
        return ""
    task = max(stopped, key=lambda record: str(record.get("stoppedAt")))
    codes = [str(c["exitCode"]) for c in task["containers"] if c.get("exitCode") is not None]
    exits = f" (exit code {', '.join(codes)})" if codes else ""
    return f"Its last task stopped: {task.get('stoppedReason')}{exits}."
