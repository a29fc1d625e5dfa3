"""A deployment is skipped only when nothing that leads to it, and nothing that it led to, has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brewhaven import cdk, course, deploy
from brewhaven.deploy import Request
from brewhaven.local.settings import CloudSettings
from brewhaven.unchanged import FILES, FOLDERS, fingerprint

STACK: dict[str, Any] = {
    "StackId": "arn:stack/1", "StackStatus": "CREATE_COMPLETE", "CreationTime": "2026-11-22T08:00", "Outputs": []
}  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).write_text(name)
    for folder in FOLDERS:
        (tmp_path / folder / "below").mkdir(parents=True)
        (tmp_path / folder / "below" / "file.py").write_text(folder)
    return tmp_path


@pytest.mark.parametrize("name", [*FILES, *(f"{folder}/below/file.py" for folder in FOLDERS)])
def test_every_input_counts(repository: Path, name: str) -> None:
    before = fingerprint({}, repository)
    (repository / name).write_text("changed")
    assert fingerprint({}, repository) != before


def test_new_and_renamed_files_and_switches_count(repository: Path) -> None:
    seen = {fingerprint({}, repository), fingerprint({"lesson": "1.3"}, repository)}
    (repository / "stacks" / "new.py").write_text("")
    seen.add(fingerprint({}, repository))
    (repository / "stacks" / "new.py").rename(repository / "stacks" / "other.py")
    seen.add(fingerprint({}, repository))
    assert len(seen) == 4


def test_caches_do_not_count(repository: Path) -> None:
    before = fingerprint({}, repository)
    (repository / "stacks" / "__pycache__").mkdir()
    (repository / "stacks" / "__pycache__" / "file.pyc").write_bytes(b"x")
    assert fingerprint({}, repository) == before


@pytest.fixture
def deployments(
    settings: CloudSettings, fake_target: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Deploys once more and returns how often the CDK has run so far."""
    runs: list[Any] = []
    monkeypatch.setattr(cdk, "run", lambda *_, **__: runs.append(1) or [])

    def again(stack: dict[str, Any] = STACK, name: str = "local", place: str = "1") -> int:
        answers = {"describe_stacks": {"Stacks": [stack]}, "list_stack_resources": {"StackResourceSummaries": []},
                   "get_template": {"TemplateBody": {}}}  # fmt: skip
        cloud = fake_target(name, {"CDK_DOCKER": "podman"}, cloudformation=answers)
        deploy.deploy(settings, cloud, Request(course.find(place), allowed_cidr="203.0.113.7/32"))
        return len(runs)

    return again


def test_the_same_again_does_not_run_the_cdk(deployments: Callable[..., int]) -> None:
    assert [deployments(), deployments()] == [1, 1]


@pytest.mark.parametrize(
    "stack",
    [
        {**STACK, "LastUpdatedTime": "2026-11-22T09:00"},
        {**STACK, "StackId": "arn:stack/2"},
        {**STACK, "StackStatus": "UPDATE_ROLLBACK_COMPLETE"},
        {**STACK, "StackStatus": "UPDATE_IN_PROGRESS"},
    ],
)
def test_a_stack_that_was_touched_is_deployed(deployments: Callable[..., int], stack: dict[str, Any]) -> None:
    assert [deployments(), deployments(stack)] == [1, 2]


def test_another_lesson_is_deployed(deployments: Callable[..., int]) -> None:
    assert [deployments(), deployments(place="1.3"), deployments()] == [1, 2, 3]


def test_on_aws_the_cdk_always_looks(deployments: Callable[..., int]) -> None:
    assert [deployments(name="aws"), deployments(name="aws")] == [1, 2]


def test_a_broken_stack_stays_to_be_deployed(deployments: Callable[..., int]) -> None:
    broken = {**STACK, "StackStatus": "UPDATE_ROLLBACK_COMPLETE"}
    assert [deployments(broken), deployments(broken)] == [1, 2]
