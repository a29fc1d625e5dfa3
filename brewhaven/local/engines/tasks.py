"""What a task gets before its containers start: a network interface, credentials, secrets, images; and what refuses it.

The execution role is used here as ECS uses it: to read the image, the secrets and to write the logs. Where its policies
do not allow that, the task stops with the words of ECS.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
"""

from __future__ import annotations

import logging
import os
import random
import secrets
import shlex
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from brewhaven.errors import BrewHavenError
from brewhaven.local.engines.authorization import Credentials, RoleSession, denial
from brewhaven.local.engines.callers import CALLERS, Caller
from brewhaven.local.engines.containers import DEFAULT_STOP_SECONDS, Engine, Launch
from brewhaven.local.engines.images import reference
from brewhaven.local.engines.link_local import LINK_LOCAL, TaskCredentials
from brewhaven.local.engines.network import NETWORK, Interface, UnreachableError
from brewhaven.local.engines.task_network import ImageRefusedError, TaskNetwork, TaskRefusedError, is_secret

logger = logging.getLogger("brewhaven.local.ecs")

ECS_TASKS = "ecs-tasks.amazonaws.com"
WAYS_TO_THE_CLOUD = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "AWS_DISABLE_HOST_PREFIX_INJECTION",
)
_RETRIED = "service call has been retried 1 time(s)"


@dataclass
class Start:
    """One task on its way up, from pull to the first process."""

    task: dict[str, Any]
    definition: dict[str, Any]

    @property
    def task_id(self) -> str:
        return str(self.task["taskArn"].rsplit("/", 1)[-1])

    @property
    def network(self) -> dict[str, Any]:
        """Its ``awsvpcConfiguration``."""
        found: dict[str, Any] = (self.task.get("overrides") or {}).get("_network") or {}
        return found

    def role(self, key: str) -> RoleSession | None:
        """The task role or the execution role, used under the task's id."""
        arn = self.definition.get(key)
        return RoleSession(arn, self.task_id, ECS_TASKS) if arn else None


_current = threading.local()
_interfaces: dict[str, Interface] = {}


@contextmanager
def starting(task: dict[str, Any], definition: dict[str, Any]) -> Iterator[Start]:
    """Make a start known to what this thread calls: the scheduler starts each task in a thread of its own."""
    _current.start = Start(task, definition)
    try:
        yield _current.start
    finally:
        _current.start = None


def current() -> Start:
    """The start that this thread carries out."""
    start: Start = _current.start
    return start


def check(start: Start, engine: Engine) -> None:
    """Pull the images and ask IAM for everything that ECS does in the customer's name.

    Raises:
        TaskRefusedError: A role that ECS may not assume, a secret or a log group that the execution role may not use.
        ImageRefusedError: An image that is not there, or that the execution role may not pull.
    """
    if start.definition.get("networkMode") != "awsvpc":
        raise TaskRefusedError("the local cloud runs tasks of network mode awsvpc, as Fargate does")
    for key in ("taskRoleArn", "executionRoleArn"):
        session = start.role(key)
        refusal = session.refusal() if session else None
        if refusal:
            raise TaskRefusedError(f"ECS was unable to assume the role '{start.definition[key]}': {refusal}")
    network = TaskNetwork(interface_of(start, engine))
    for container in start.definition["containerDefinitions"]:
        network.check(container)
        _check_image(start, container["image"])
        _check_secrets(start, container.get("secrets") or [])
        _check_logs(start, container.get("logConfiguration") or {})
        try:
            image = engine.store.pull(container["image"])
        except BrewHavenError as error:
            raise ImageRefusedError(f"pull image manifest has been retried 1 time(s): {error}") from error
        if image.python_differs:
            logger.info("%s: %s", container["image"].rsplit("/", 1)[-1], image.python_differs)


def _refused_words(start: Start, action: str, resource: str) -> str | None:
    from ministack.core.responses import get_region

    session = start.role("executionRoleArn")
    if session is None:
        return f"AccessDeniedException: the task definition names no execution role, which {action} needs"
    words = denial(session.principal_arn, action, resource, get_region())
    return f"AccessDeniedException: {words}" if words else None


def _check_image(start: Start, name: str) -> None:
    try:
        repository = reference(name).repository_arn
    except BrewHavenError as error:
        raise ImageRefusedError(str(error)) from error
    words = _refused_words(start, "ecr:GetAuthorizationToken", "*")
    if words:
        raise TaskRefusedError(f"unable to retrieve ecr registry auth: {_RETRIED}: {words}")
    for action in ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"):
        words = _refused_words(start, action, repository)
        if words:
            raise ImageRefusedError(
                f"pull image manifest has been retried 1 time(s): failed to resolve ref {name}: {words}"
            )


def _check_secrets(start: Start, wanted: list[dict[str, str]]) -> None:
    from ministack.core.responses import get_account_id, get_region

    for entry in wanted:
        source = entry.get("valueFrom", "")
        if is_secret(source):
            arn = ":".join(source.split(":")[:7])
            words = _refused_words(start, "secretsmanager:GetSecretValue", arn)
            if words:
                raise TaskRefusedError(
                    f"unable to retrieve secret from asm: {_RETRIED}: failed to fetch secret {arn} "
                    f"from secrets manager: {words}"
                )
        else:
            arn = source
            if not source.startswith("arn:"):
                arn = f"arn:aws:ssm:{get_region()}:{get_account_id()}:parameter/{source.lstrip('/')}"
            words = _refused_words(start, "ssm:GetParameters", arn)
            if words:
                raise TaskRefusedError(f"unable to retrieve secrets from ssm: {_RETRIED}: {words}")


def _check_logs(start: Start, configuration: dict[str, Any]) -> None:
    from ministack.core.responses import get_account_id, get_region

    options = configuration.get("options") or {}
    group = options.get("awslogs-group")
    if configuration.get("logDriver") != "awslogs" or not group:
        return
    region = options.get("awslogs-region") or get_region()
    stream = f"arn:aws:logs:{region}:{get_account_id()}:log-group:{group}:log-stream:{start.task_id}"
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        words = _refused_words(start, action, stream)
        if words:
            raise TaskRefusedError(f"failed to validate logger args: create stream has been retried 1 times: {words}")


def interface_of(start: Start, engine: Engine) -> Interface:
    """The task's network interface; made for its first container.

    Raises:
        TaskRefusedError: A subnet that does not exist.
    """
    known = _interfaces.get(start.task["taskArn"])
    if known is not None:
        return known
    configuration = start.network
    subnets = list(configuration.get("subnets") or [])
    if not subnets:
        raise TaskRefusedError("the task has no subnet: awsvpcConfiguration is missing")
    try:
        interface = NETWORK.attach(
            random.choice(subnets),  # noqa: S311  (spreading tasks over subnets is no secret)
            list(configuration.get("securityGroups") or []),
            f"arn:aws:ecs:::attachment/{start.task_id}",
            engine.folder / "networks" / start.task_id,
            public=configuration.get("assignPublicIp") == "ENABLED",
        )
    except UnreachableError as error:
        raise TaskRefusedError(str(error.strerror)) from error
    _interfaces[start.task["taskArn"]] = interface
    caller = Caller(f"the task {start.task_id[:8]}", interface, lambda text: _say(engine, start.task["taskArn"], text))
    CALLERS.add(caller, session=start.task_id)
    return interface


def _say(engine: Engine, task_arn: str, text: str) -> None:
    """Write a line to a task's log, after what its first container wrote."""
    for container in engine.containers.of_task(task_arn)[:1]:
        container.say(text)


def platform_environment(start: Start) -> dict[str, str]:
    """Variables that Fargate sets in every container, and by which the SDKs find this cloud instead of AWS.

    The credentials are found by address and token, so that only the task itself can fetch them.
    """
    from ministack.core.responses import get_region

    authorization = secrets.token_urlsafe(32)
    session = start.role("taskRoleArn")
    LINK_LOCAL.tasks[start.task_id] = TaskCredentials(authorization, Credentials(session) if session else None)
    return {
        "AWS_REGION": get_region(),
        "AWS_DEFAULT_REGION": get_region(),
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{LINK_LOCAL.url}/v2/credentials/{start.task_id}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": authorization,
        **cloud_environment(),
    }


def cloud_environment() -> dict[str, str]:
    """The SDKs' standard variables that lead to this cloud, and the certificate that it shows."""
    return {name: os.environ[name] for name in WAYS_TO_THE_CLOUD if name in os.environ} | {
        "AWS_EC2_METADATA_DISABLED": "true"
    }


def forget(task: dict[str, Any]) -> None:
    """Take back a task's credentials and its network interface."""
    LINK_LOCAL.tasks.pop(task["taskArn"].rsplit("/", 1)[-1], None)
    interface = _interfaces.pop(task["taskArn"], None)
    if interface is not None:
        NETWORK.detach(interface)
        if interface.table is not None:
            shutil.rmtree(interface.table, ignore_errors=True)


def holds_something(task_arn: str) -> bool:
    """Whether a task still has its network interface."""
    return task_arn in _interfaces


def launch_of(start: Start, container: dict[str, Any], environment: dict[str, str], engine: Engine) -> Launch:
    """How one container of the task is started."""
    entrypoint = container.get("entryPoint") or []
    command = container.get("command") or []
    return Launch(
        name=container["name"],
        task_arn=start.task["taskArn"],
        interface=interface_of(start, engine),
        lookup_url=LINK_LOCAL.url,
        environment=environment,
        command=shlex.split(command) if isinstance(command, str) else list(command),
        entrypoint=list(entrypoint),
        workdir=container.get("workingDirectory") or "",
        stop_seconds=int(container.get("stopTimeout") or DEFAULT_STOP_SECONDS),
    )
