"""The command line: exit codes that mean something, two lines for an error, and never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from brewhaven import course, deploy, destroy, inventory, report, target
from brewhaven import up as up_module
from brewhaven.cli import app
from brewhaven.deploy import Deployed
from brewhaven.inventory import Findings, Item
from brewhaven.local.settings import CloudSettings


class Local:
    """The local cloud, as far as a report asks."""

    name, account, region, is_local = "local", "111122223333", "us-east-1", True


COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
LOCAL_COMMANDS = ["up", "down", "status", "reset", "logs"]


@pytest.mark.parametrize("command", [[name] for name in COMMANDS] + [["local", name] for name in LOCAL_COMMANDS])
def test_every_command_has_help_with_an_example(brewhaven: Callable[..., Any], command: list[str]) -> None:
    result = brewhaven(*command, "--help")
    assert result.exit_code == 0
    assert "Example: " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["deploy", "7"], "There is no phase 7"),
        (["deploy", "3"], "is coming"),
        (["deploy", "1.42"], "has no lesson 1.42"),
        (["deploy", "latte"], "neither a phase nor a lesson"),
        (["deploy", "1", "-c", "nonsense"], "is no switch"),
        (["deploy", "1", "-c", "lesson=1.2"], "has a place of its own"),
        (["deploy", "1", "-c", "catalogue_capacity=provisioned"], "There is no switch catalogue_capacity"),
        (["deploy", "1", "-c", "storefront=lambda"], "storefront must be both or ec2"),
        (["deploy", "1", "-c", "storefront_tasks=9"], "storefront_tasks must be 1 to 4"),
        (["deploy", "1", "--student", "S_01"], "student must be 1 to 12"),
        (["destroy", "--student", "S_01"], "student must be 1 to 12"),
        (["status", "--student", "s01-"], "student must be 1 to 12"),
        (["start", "1.2", "--student", ""], "student must be 1 to 12"),
        (["verify", "1", "--student", "x" * 13], "student must be 1 to 12"),
        (["deploy", "1", "--allowed-cidr", "my house"], "allowed_cidr must be an IPv4 range"),
        (["deploy", "1", "--allowed-cidr", "203.0.113.7"], "must end with its prefix length"),
        (["up", "--phase", "12"], "There is no phase 12"),
        (["destroy", "9"], "There is no phase 9"),
        (["destroy", "soon"], "valid"),
        (["use", "azure"], "azure"),
        (["brew"], "No such command"),
        (["deploy"], "Missing argument"),
        (["local", "logs", "--lines", "few"], "valid"),
    ],
)
def test_wrong_use_exits_with_2_and_says_what_is_right(
    brewhaven: Callable[..., Any], arguments: list[str], said: str
) -> None:
    result = brewhaven(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_a_port_that_is_no_port_is_refused(brewhaven: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREWHAVEN_PORT", "http")
    result = brewhaven("status")
    assert result.exit_code == 1
    assert "BREWHAVEN_PORT must be a number" in result.stderr


@pytest.mark.parametrize("arguments", [["deploy", "1"], ["destroy"]])
def test_without_a_local_cloud_the_error_says_how_to_start_it(
    brewhaven: Callable[..., Any], arguments: list[str]
) -> None:
    result = brewhaven(*arguments)
    assert result.exit_code == 1
    assert "The local cloud does not run" in result.stderr
    assert "brewhaven local up" in result.stderr


def test_an_unexpected_error_is_a_sentence_and_a_log(
    brewhaven: Callable[..., Any], settings: CloudSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: Any) -> None:
        raise ZeroDivisionError("the grinder is empty")

    monkeypatch.setattr(target, "current", break_down)
    result = brewhaven("deploy", "1")
    assert result.exit_code == 1
    assert "the grinder is empty" in result.stderr
    assert "Traceback" not in result.output
    (log,) = settings.home.glob("logs/*error.log")
    assert str(log) in result.stderr
    assert "break_down" in log.read_text()


def test_ctrl_c_ends_with_130_and_no_traceback(brewhaven: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(target, "current", interrupt)
    result = brewhaven("deploy", "1")
    assert result.exit_code == 130
    assert "Interrupted" in result.stderr
    assert "Traceback" not in result.output


def test_up_never_touches_an_account(brewhaven: Callable[..., Any], settings: CloudSettings) -> None:
    target.choose(settings, "aws")
    result = brewhaven("up")
    assert result.exit_code == 2
    assert "brewhaven use local" in result.stderr


def test_up_prints_the_address_and_the_next_step(
    brewhaven: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed = Deployed({"ShopUrl": "http://127.0.0.1:8080"}, {"DynamoDB": 1, "ECS": 3}, True, 12.3)
    monkeypatch.setattr(up_module, "up", lambda *_: (deployed, []))
    result = brewhaven("up")
    assert result.exit_code == 0
    assert "The shop is open: http://127.0.0.1:8080" in result.stdout
    assert "4 resources: 1 DynamoDB, 3 ECS" in result.stdout
    assert "Next:" in result.stdout


def test_up_json_is_json_and_nothing_else(brewhaven: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    deployed = Deployed({"ShopUrl": "http://127.0.0.1:8080"}, {"DynamoDB": 1}, False, 3.21)
    monkeypatch.setattr(up_module, "up", lambda *_: (deployed, []))
    answer = json.loads(brewhaven("up", "--json").stdout)
    assert (answer["shop_url"], answer["changed"], answer["seconds"]) == ("http://127.0.0.1:8080", False, 3.2)


@pytest.fixture
def on_aws(monkeypatch: pytest.MonkeyPatch, fake_target: Callable[..., Any]) -> list[str]:
    """AWS with one stack; returns the names of stacks that were deleted."""
    deleted: list[str] = []
    plan = destroy.Plan(("BrewHaven-Phase1-Foundation",), ("BrewHaven-Phase1-Foundation",), None, True)
    summaries = [{"ResourceType": "AWS::DynamoDB::Table"}, {"ResourceType": "AWS::EC2::VPC"}]
    cloud = fake_target("aws", cloudformation={"list_stack_resources": {"StackResourceSummaries": summaries}})

    def delete(_settings: Any, _cloud: Any, what: destroy.Plan) -> Findings:
        deleted.extend(what.stacks)
        return Findings(())

    monkeypatch.setattr(target, "current", lambda _: cloud)
    monkeypatch.setattr(destroy, "plan", lambda *_: plan)
    monkeypatch.setattr(destroy, "destroy", delete)
    return deleted


def test_destroy_on_aws_shows_what_will_go_and_asks(brewhaven: Callable[..., Any], on_aws: list[str]) -> None:
    result = brewhaven("destroy", input="n\n")
    assert result.exit_code == 1
    assert "1 DynamoDB, 1 EC2" in result.stderr
    assert on_aws == []


def test_destroy_without_an_answer_deletes_nothing(brewhaven: Callable[..., Any], on_aws: list[str]) -> None:
    result = brewhaven("destroy", input="")
    assert result.exit_code == 1
    assert on_aws == []


def test_destroy_with_yes_asks_nothing(brewhaven: Callable[..., Any], on_aws: list[str]) -> None:
    result = brewhaven("destroy", "--yes")
    assert result.exit_code == 0
    assert "Nothing of the course is left" in result.stdout
    assert on_aws == ["BrewHaven-Phase1-Foundation"]


def test_destroying_a_later_phase_says_what_stays_and_what_went_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    orders = "BrewHaven-Phase2-Orders"
    plan = destroy.Plan((orders,), (orders, "BrewHaven-Phase3-Advanced"), None, False)
    report.inventory(Local(), plan, Findings(()))
    said = " ".join(capsys.readouterr().out.split())
    assert "Nothing of phase 2 and later ones is left." in said
    assert "Nothing of the course" not in said
    assert "What earlier phases deployed stays" in said
    assert "takes orders in DynamoDB again" in said


def test_destroying_the_whole_course_speaks_of_no_orders(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("BrewHaven-Phase2-Orders", "BrewHaven-Phase1-Foundation")
    report.inventory(Local(), destroy.Plan(names, names, None, True), Findings(()))
    said = capsys.readouterr().out
    assert "Nothing of the course is left." in said
    assert "takes orders" not in said


def test_what_is_deployed_says_how_to_enter_database_and_cache(capsys: pytest.CaptureFixture[str]) -> None:
    database = {"identifier": "orders", "status": "available", "host": "127.0.0.1", "port": 15432, "database": "brew"}
    cache = {"identifier": "shop", "status": "available", "host": "127.0.0.1", "port": 16379, "tls": True}
    doors = {"databases": [database], "caches": [cache]}
    outputs = {"ShopUrl": "http://127.0.0.1:8080", "FollowUpTableName": "follow-ups"}
    deployed = Deployed(outputs, {"RDS": 1}, True, 3, doors)
    report.deployment(course.find("1"), deployed)
    said = capsys.readouterr().out
    assert "brewhaven demo order-processing" in said
    assert "127.0.0.1:15432/brew  (brewhaven local psql)" in said
    assert "127.0.0.1:16379 with TLS  (brewhaven local valkey-cli)" in said
    report.deployment(course.find("1"), deployed, json=True)
    assert json.loads(capsys.readouterr().out)["databases"] == [database]


@pytest.mark.parametrize(
    "findings",
    [Findings((Item("S3 bucket", "brewhaven-phase1-x"),)), Findings((), {"KMS key": "not authorized"})],
)
def test_destroy_exits_with_3_when_something_is_left_or_unknown(
    brewhaven: Callable[..., Any], on_aws: list[str], monkeypatch: pytest.MonkeyPatch, findings: inventory.Findings
) -> None:
    monkeypatch.setattr(destroy, "destroy", lambda *_: findings)
    result = brewhaven("destroy", "--yes")
    assert result.exit_code == 3
    for item in findings.items:
        assert item.id in result.stdout
    for kind, reason in findings.unseen.items():
        assert f"{kind}: {reason}" in result.stdout
    machine = brewhaven("destroy", "--yes", "--json")
    assert machine.exit_code == 3
    assert len(json.loads(machine.stdout)["left"]) == len(findings.items)


def test_deploying_hands_every_switch_on(
    brewhaven: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, fake_target: Callable[..., Any]
) -> None:
    seen: list[deploy.Request] = []

    def record(_settings: Any, _cloud: Any, request: deploy.Request) -> Deployed:
        seen.append(request)
        return Deployed({}, {}, True, 1.0)

    monkeypatch.setattr(target, "current", lambda _: fake_target())
    monkeypatch.setattr(deploy, "ensure_bootstrap", lambda *_: None)
    monkeypatch.setattr(deploy, "deploy", record)
    arguments = ["--student", "s01", "--allowed-cidr", "203.0.113.7/32", "-c", "catalog_capacity=provisioned"]
    assert brewhaven("deploy", "1.2", *arguments).exit_code == 0
    (request,) = seen
    assert request.stack_ids == ["s01-BrewHaven-Phase1-Foundation"]
    assert request.place.context == {"lesson": "1.2"}
    assert request.allowed_cidr == "203.0.113.7/32"
    assert request.context == {"catalog_capacity": "provisioned"}


def test_status_works_with_nothing_there(brewhaven: Callable[..., Any]) -> None:
    answer = json.loads(brewhaven("status", "--json").stdout)
    assert answer["target"] == "local"
    assert answer["local"]["running"] is False
    assert "does not run" in answer["problem"]
    assert answer["next"] == "brewhaven up"
    assert [phase["deployed"] for phase in answer["phases"]] == [False] * 5
    assert "brewhaven up" in brewhaven("status").stdout


def test_local_commands_without_a_cloud_are_no_error(brewhaven: Callable[..., Any]) -> None:
    assert "does not run" in brewhaven("local", "status").stdout
    assert "did not run" in brewhaven("local", "down").stderr
    assert "did not run" in brewhaven("down").stderr
    assert "There is no log yet" in brewhaven("local", "logs").stderr


def test_use_local_is_kept(brewhaven: Callable[..., Any], settings: CloudSettings) -> None:
    target.choose(settings, "aws")
    assert brewhaven("use", "local").exit_code == 0
    assert target.chosen(settings) == "local"


def test_use_aws_without_credentials_changes_nothing(
    brewhaven: Callable[..., Any], settings: CloudSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(settings.home / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(settings.home / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    result = brewhaven("use", "aws")
    assert result.exit_code == 1
    assert "aws configure" in result.stderr
    assert target.chosen(settings) == "local"
