"""Demo accounts: random, kept, and made anew for a new stack."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from brewhaven import accounts
from brewhaven.deploy import Deployed
from brewhaven.errors import BrewHavenError
from brewhaven.local.settings import CloudSettings

SHOP = Deployed({"ShopUrl": "http://x", "CatalogTableName": "t", "AssetBucketName": "b"}, {}, True, 1.0)
STACK = "BrewHaven-Phase1-Foundation"


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have been run, with its standard input."""
    seen: list[dict[str, Any]] = []

    def run(command: list[str], **options: Any) -> Any:
        seen.append({"command": command, **options})
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return seen


def _cloud(fake_target: Callable[..., Any], creation: str = "arn:1") -> Any:
    secret = {"ResourceType": "AWS::SecretsManager::Secret", "PhysicalResourceId": "arn:secret"}
    answers = {
        "describe_stacks": {"Stacks": [{"StackId": creation}]},
        "list_stack_resources": {"StackResourceSummaries": [secret]},
    }
    return fake_target(cloudformation=answers)


def test_each_role_gets_a_random_password_that_no_process_list_shows(
    settings: CloudSettings, fake_target: Callable[..., Any], runs: list[dict[str, Any]]
) -> None:
    made = accounts.demo_accounts(settings, _cloud(fake_target), STACK, SHOP)
    assert [account["role"] for account in made] == ["barista", "manager"]
    assert len({account["password"] for account in made}) == 2
    given = {run["command"][run["command"].index("--role") + 1]: run for run in runs}
    for account in made:
        run = given[account["role"]]
        assert account["password"] not in " ".join(run["command"])
        assert run["input"] == account["password"] + "\n"
        assert run["env"]["SESSION_SECRET_ARN"] == "arn:secret"
    assert stat.S_IMODE((settings.home / "accounts.json").stat().st_mode) == 0o600


def test_the_same_stack_keeps_its_accounts_and_a_new_one_gets_new_ones(
    settings: CloudSettings, fake_target: Callable[..., Any], runs: list[dict[str, Any]]
) -> None:
    first = accounts.demo_accounts(settings, _cloud(fake_target), STACK, SHOP)
    assert accounts.demo_accounts(settings, _cloud(fake_target), STACK, SHOP) == first
    assert len(runs) == 2
    assert accounts.demo_accounts(settings, _cloud(fake_target, "arn:2"), STACK, SHOP) != first
    assert len(runs) == 4


def test_without_a_shop_there_is_nobody_to_make(
    settings: CloudSettings, fake_target: Callable[..., Any], runs: list[dict[str, Any]]
) -> None:
    assert accounts.demo_accounts(settings, _cloud(fake_target), STACK, Deployed({}, {}, True, 1.0)) == []
    assert runs == []


def test_a_refusal_is_quoted(
    settings: CloudSettings, fake_target: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = subprocess.CompletedProcess([], 1, "", "password must have 10 characters or more")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    with pytest.raises(BrewHavenError, match="10 characters or more"):
        accounts.demo_accounts(settings, _cloud(fake_target), STACK, SHOP)
    assert not (settings.home / "accounts.json").exists()
