"""The tool without a cloud: a state folder of its own, and fakes at the edge to boto3 and the CDK command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from brewhaven.cli import app
from brewhaven.local.settings import CloudSettings
from brewhaven.target import Target

ACCOUNT = "111122223333"
REGION = "us-east-1"


def refusal(code: str, message: str, operation: str = "Operation") -> ClientError:
    """The error that boto3 raises for a refused call."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class FakeClient:
    """A client whose operations answer what a test gave: a value, a function of the arguments, or an exception."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def _call(self, operation: str, arguments: dict[str, Any]) -> Any:
        self.calls.append((operation, arguments))
        answer = self.answers.get(operation, {})
        if isinstance(answer, Exception):
            raise answer
        return answer(**arguments) if callable(answer) else answer

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **arguments: self._call(operation, arguments)

    def get_paginator(self, operation: str) -> Any:
        outer = self

        class Pages:
            def paginate(self, **arguments: Any) -> Iterator[Any]:
                yield outer._call(operation, arguments)

        return Pages()


class FakeSession:
    """Clients by service; a service that a test did not mention answers nothing."""

    def __init__(self, services: Mapping[str, Mapping[str, Any]]) -> None:
        self.clients = {name: FakeClient(answers) for name, answers in services.items()}

    def client(self, service: str, **_: Any) -> FakeClient:
        return self.clients.setdefault(service, FakeClient({}))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudSettings:
    """A state folder and a port where no local cloud runs."""
    monkeypatch.setenv("BREWHAVEN_HOME", str(tmp_path))
    monkeypatch.setenv("BREWHAVEN_PORT", "4718")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "BREWHAVEN_SHELL", "CDK_DOCKER"):
        monkeypatch.delenv(name, raising=False)
    return CloudSettings.from_environment()


@pytest.fixture
def fake_target() -> Callable[..., Target]:
    """Makes a target with fake clients: ``fake_target("aws", sts={"get_caller_identity": ...})``."""

    def make(name: Any = "local", environment: Mapping[str, str] | None = None, **services: Any) -> Target:
        endpoints = {"AWS_ENDPOINT_URL": "https://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:2"}
        return Target(name, ACCOUNT, REGION, {**endpoints, **(environment or {})}, FakeSession(services))

    return make


@pytest.fixture
def brewhaven(settings: CloudSettings) -> Callable[..., Result]:
    """Runs the command line in this process."""
    runner = CliRunner(env={"COLUMNS": "200"})
    return lambda *arguments, **options: runner.invoke(app, list(arguments), prog_name="brewhaven", **options)
