"""The door that stands in for the link-local addresses: metadata and credentials of tasks and instances, network.

Plain HTTP on 127.0.0.1, a port of its own. Each path carries a random token, and credentials need the task's
authorization token besides, as on Fargate.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
"""

from __future__ import annotations

import hmac
import json
import socket
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from brewhaven.local.doors import DOORS, Receive, Scope, Send
from brewhaven.local.engines import network
from brewhaven.local.engines.authorization import Credentials
from brewhaven.local.engines.instance_metadata import InstanceMetadata
from brewhaven.local.settings import HOST

Answer = tuple[int, dict[str, Any]]


@dataclass
class TaskCredentials:
    """Credentials that the holder of a token may fetch; None where the task has no role."""

    authorization: str
    credentials: Credentials | None


@dataclass
class LinkLocal:
    """The door's content."""

    port: int = 0
    tasks: dict[str, TaskCredentials] = field(default_factory=dict)
    instances: dict[str, InstanceMetadata] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Address of the door."""
        return f"http://{HOST}:{self.port}"

    def open(self) -> None:
        """Open the door on a free port."""
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self.port = int(probe.getsockname()[1])
        DOORS.open(self.port, self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        query = dict(urllib.parse.parse_qsl(scope["query_string"].decode()))
        kind = b"application/json"
        if scope["path"].startswith("/instance/"):
            _, _, token, path = scope["path"].split("/", 3)
            service = self.instances.get(token)
            status, text = service.answer(scope["method"], f"/{path}", headers) if service else (404, "Not Found")
            content, kind = text.encode(), b"text/plain"
        else:
            status, body = await self._answer(scope["path"], headers, query)
            content = json.dumps(body).encode()
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", kind),
                    (b"content-length", str(len(content)).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, path: str, headers: dict[str, str], query: dict[str, str]) -> Answer:
        kind, _, rest = path.lstrip("/").partition("/")
        if kind == "network":
            token, _, question = rest.partition("/")
            interface = network.NETWORK.speaker(token)
            return network.answer(interface, question, query) if interface else (404, {})
        if path.startswith("/v2/credentials/"):
            return self._credentials(path.rsplit("/", 1)[-1], headers.get("authorization", ""))
        if kind == "v4":
            from ministack.services import ecs_metadata

            status, _headers, body = await ecs_metadata.handle_request("GET", path, headers, b"", query)
            return status, json.loads(body)
        return 404, {"message": "not found"}

    def _credentials(self, task_id: str, authorization: str) -> Answer:
        entry = self.tasks.get(task_id)
        if entry is None or not hmac.compare_digest(entry.authorization, authorization):
            return 403, {"code": "AccessDenied", "message": "The authorization token is not this task's."}
        if entry.credentials is None:
            return 404, {"code": "NoIdInRequest", "message": "The task has no task role."}
        refusal = entry.credentials.session.refusal()
        if refusal:
            return 400, {"code": "AccessDenied", "message": refusal}
        return 200, dict(entry.credentials.current())


LINK_LOCAL = LinkLocal()
