"""The deployed shop seen from outside: its API clients, its processes, and a psql of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import psutil

from brewhaven import target
from brewhaven.local import psql
from tests.plugins.local_cloud import Cloud

PHASE1, PHASE2 = "BrewHaven-Phase1-Foundation", "BrewHaven-Phase2-Orders"


@dataclass
class Shop:
    """Phases 1 and 2 on a local cloud.

    Attributes:
        outputs: Of both stacks.
        staff: Role -> (e-mail, password).
    """

    cloud: Cloud
    outputs: dict[str, str]
    staff: dict[str, tuple[str, str]] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        return self.outputs["ShopUrl"]

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    @cached_property
    def _psql(self) -> tuple[list[str], dict[str, str]]:
        return psql.command(self.cloud.settings, target.local(self.cloud.settings), None)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What PostgreSQL answers to a query, a dictionary a row."""
        program, environment = self._psql
        wrapped = f"select coalesce(json_agg(row_to_json(t)), '[]') from ({query}) t"  # noqa: S608  (the tests' own)
        done = subprocess.run(
            [*program, "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", wrapped],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def statement(self, sql: str) -> None:
        """Change something in PostgreSQL, as an operator would."""
        program, environment = self._psql
        subprocess.run(
            [*program, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql],
            env={**os.environ, **environment},
            capture_output=True,
            check=True,
        )

    def logical(self, kind: str, of: str) -> str:
        """The physical id of the one resource of phase 2 of this type whose logical id begins so."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=PHASE2)
        (found,) = [
            one["PhysicalResourceId"]
            for page in pages
            for one in page["StackResourceSummaries"]
            if one["ResourceType"] == kind and one["LogicalResourceId"].startswith(of)
        ]
        return str(found)

    def processes(self, *words: str) -> list[psutil.Process]:
        """Processes of this local cloud whose command line has all these words."""
        home, found = str(self.cloud.settings.folder), []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                line = " ".join(process.cmdline())
                if home in line and all(word in line for word in words):
                    found.append(process)
        return found

    def workers(self) -> list[psutil.Process]:
        """The processes of the worker function."""
        return self.processes(f"ministack-lambda-{self.outputs['WorkerFunctionName']}-")

    def database_server(self) -> list[psutil.Process]:
        """PostgreSQL: the server and one process for each connection."""
        (server,) = self.processes("/bin/postgres", "/databases/")
        return [server, *server.children(recursive=True)]

    def cache_nodes(self) -> list[psutil.Process]:
        """Valkey: one process, or none while it is being replaced."""
        return self.processes("valkey-server", "/valkey/")

    def waiting(self, queue_url: str) -> int:
        """Messages in a queue, those that somebody works on included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


@contextmanager
def frozen(processes: list[psutil.Process]) -> Iterator[None]:
    """Processes that stand still, as on a machine that hangs: they answer nothing and hang nothing up."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def until(holds: Callable[[], Any], what: str, within: float) -> Any:
    """Wait for something to be true; what it was."""
    deadline = time.monotonic() + within
    while not (found := holds()):
        assert time.monotonic() < deadline, f"waited {within:.0f} s in vain until {what}"
        time.sleep(0.25)
    return found
