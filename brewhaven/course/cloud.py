"""What is deployed, as the checks look at it: on the local cloud and on AWS with the same calls."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar

from botocore.exceptions import ClientError

from brewhaven.errors import BrewHavenError

T = TypeVar("T")


class Clients(Protocol):
    """Anything that makes boto3 clients of one cloud, such as :class:`brewhaven.target.Target`."""

    @property
    def region(self) -> str: ...

    def client(self, service: str) -> Any:
        """A boto3 client."""

    def acting_as(self, keys: Mapping[str, str]) -> Clients:
        """The same cloud, with a role's temporary keys."""


class NotDeployedError(BrewHavenError):
    """The stack that is looked at is not there, or not whole."""


@dataclass(frozen=True)
class Deployed:
    """One deployed resource."""

    logical_id: str
    type: str
    physical_id: str


@dataclass(frozen=True)
class Answer:
    """What an HTTP server answered; also an error status is an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class _Shared:
    """Something that several checks look at: made once, or the reason why it could not be."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    made: bool = False
    value: Any = None
    error: Exception | None = None


class Deployment:
    """One phase's stacks on one cloud."""

    def __init__(self, clients: Clients, stacks: Sequence[str]) -> None:
        self._clients = clients
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}
        self._beside: dict[str, Deployment] = {}
        self._shared: dict[Any, _Shared] = {}
        self._at_the_end = ExitStack()
        self.stacks = tuple(stacks)

    @property
    def region(self) -> str:
        return self._clients.region

    def client(self, service: str) -> Any:
        """A boto3 client, made once: clients may be shared by threads, making them may not."""
        with self._lock:
            if service not in self._made:
                self._made[service] = self._clients.client(service)
            return self._made[service]

    def assume(self, role_arn: str) -> Clients:
        """Clients of a role of the deployment, as whoever works in it would have them."""
        answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="brewhaven-verify")
        return self._clients.acting_as(answer["Credentials"])

    def beside(self, stack: str) -> Deployment:
        """Another stack on the same cloud, such as that of the phase before."""
        with self._lock:
            if stack not in self._beside:
                self._beside[stack] = Deployment(self._clients, [stack])
            return self._beside[stack]

    def shared(self, make: Callable[[Deployment], AbstractContextManager[T]]) -> T:
        """What several checks of one run look at, such as an order that was placed: the first one that asks makes it.

        Args:
            make: Makes it when it is entered and takes it away when it is left, which is when the run ends. What it
                raises when it is entered, every check gets that asks.
        """
        with self._lock:
            entry = self._shared.setdefault(make, _Shared())
        with entry.lock:
            if not entry.made:
                entry.made = True
                try:
                    manager = make(self)
                    entry.value = manager.__enter__()
                except Exception as error:
                    entry.error = error
                else:
                    with self._lock:
                        self._at_the_end.push(manager)
        if entry.error is not None:
            raise entry.error
        found: T = entry.value
        return found

    def tidy(self) -> None:
        """Take away what was shared; the next run makes its own."""
        with self._lock:
            ending, self._at_the_end = self._at_the_end, ExitStack()
            self._shared.clear()
        ending.close()

    @cached_property
    def descriptions(self) -> dict[str, dict[str, Any]]:
        """What CloudFormation says about each stack.

        Raises:
            NotDeployedError: One is not there, or its last deployment did not end well.
        """
        found = {}
        for stack in self.stacks:
            try:
                found[stack] = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
            except ClientError as error:
                if "does not exist" not in str(error):
                    raise
                number = stack.partition("-Phase")[2][:1]
                raise NotDeployedError(
                    f"The stack {stack} is not deployed.", f"Run `brewhaven deploy {number}`."
                ) from None
            status = found[stack]["StackStatus"]
            if not status.endswith("_COMPLETE") or status in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE"):
                raise NotDeployedError(
                    f"The stack {stack} is not whole: its status is {status}.",
                    "Look at its events in the CloudFormation console, or with `aws cloudformation "
                    f"describe-stack-events --stack-name {stack}`.",
                )
        return found

    @property
    def description(self) -> str:
        """The descriptions that the stacks give of themselves."""
        return " ".join(str(stack.get("Description", "")) for stack in self.descriptions.values())

    @property
    def reached(self) -> tuple[int, int] | None:
        """The last lesson that is deployed, as the stacks say of themselves; None where they do not."""
        found = re.findall(r"lesson (\d+)\.(\d+)", self.description)
        return max(((int(phase), int(step)) for phase, step in found), default=None)

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The outputs of all stacks by their names."""
        return {
            output["OutputKey"]: output["OutputValue"]
            for description in self.descriptions.values()
            for output in description.get("Outputs", [])
        }

    @cached_property
    def _resources(self) -> list[Deployed]:
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return [
            Deployed(entry["LogicalResourceId"], entry["ResourceType"], entry.get("PhysicalResourceId", ""))
            for stack in self.descriptions
            for page in pages.paginate(StackName=stack)
            for entry in page["StackResourceSummaries"]
        ]

    def resources(self, type_: str, *, of: str = "") -> list[Deployed]:
        """Deployed resources of a CloudFormation type that a construct made; see :meth:`Template.resources`."""
        return [entry for entry in self._resources if entry.type == type_ and entry.logical_id.startswith(of)]

    @property
    def physical_ids(self) -> set[str]:
        """The physical ids of everything that the stacks deployed."""
        return {entry.physical_id for entry in self._resources if entry.physical_id}

    def prepare(self) -> None:
        """Ask CloudFormation once, before many threads would.

        Raises:
            NotDeployedError: See :attr:`descriptions`.
        """
        _ = (self.outputs, self._resources)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Follow nothing: a redirect is an answer to look at."""


def ask(
    url: str,
    *,
    method: str = "GET",
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 10,
) -> Answer:
    """Send one HTTP request and return the answer, whatever its status; redirects are not followed.

    Args:
        body: Bytes as they are, anything else as JSON.

    Raises:
        OSError: Nobody answered.
    """
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"Content-Type": "application/json"} if data is not None and not isinstance(body, bytes) else {}
    request = urllib.request.Request(url, data=data, method=method, headers={**kind, **(headers or {})})  # noqa: S310
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=timeout) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())
