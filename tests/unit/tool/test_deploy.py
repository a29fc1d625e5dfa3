"""Deploying: who may reach the shop, what builds its image, and what is said when it cannot be done."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from brewhaven import cdk, course, deploy, stacks, target
from brewhaven.deploy import Request
from brewhaven.errors import BrewHavenError, UsageError
from brewhaven.local.settings import CloudSettings
from tests.unit.tool.conftest import refusal

WHOLE = Request(course.find("1"))
STACK = {
    "StackName": "BrewHaven-Phase1-Foundation",
    "StackStatus": "CREATE_COMPLETE",
    "Description": "Brew Haven, phase 1: Foundation, to lesson 1.3",
    "Outputs": [{"OutputKey": "CatalogTableName", "OutputValue": "menu"}],
}
SUMMARIES = [
    {"ResourceType": "AWS::DynamoDB::GlobalTable", "PhysicalResourceId": "menu"},
    {"ResourceType": "AWS::Lambda::Function", "PhysicalResourceId": "seeder"},
    {"ResourceType": "AWS::CDK::Metadata", "PhysicalResourceId": "metadata"},
    {"ResourceType": "Custom::Trigger", "PhysicalResourceId": "trigger"},
]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have been run as `cdk`, which is not run."""
    seen: list[dict[str, Any]] = []

    def run(arguments: list[str], **options: Any) -> list[str]:
        seen.append({"arguments": arguments, **options})
        return []

    monkeypatch.setattr(cdk, "run", run)
    return seen


@pytest.fixture
def cloudformation() -> dict[str, Any]:
    return {
        "describe_stacks": {"Stacks": [STACK]},
        "list_stack_resources": {"StackResourceSummaries": SUMMARIES},
        "get_template": {
            "TemplateBody": {"Image": {"Fn::Sub": f"x/cdk-container-assets-1-${{AWS::Region}}:{'a' * 64}"}}
        },
    }


def test_a_local_deployment_leaves_the_address_alone(
    settings: CloudSettings, fake_target: Callable[..., Any], commands: list[Any], cloudformation: dict[str, Any]
) -> None:
    deployed = deploy.deploy(settings, fake_target(cloudformation=cloudformation), WHOLE)
    (command,) = commands
    assert not any("allowed_cidr" in argument for argument in command["arguments"])
    assert "phase=1" in command["arguments"]
    assert command["environment"]["CDK_VALIDATION"] == "false"
    assert deployed.outputs == {"CatalogTableName": "menu"}
    assert deployed.services == {"DynamoDB": 1, "Lambda": 1}


def test_everything_deployed_is_recorded_for_destroy(
    settings: CloudSettings, fake_target: Callable[..., Any], commands: list[Any], cloudformation: dict[str, Any]
) -> None:
    cloud = fake_target(cloudformation=cloudformation)
    deploy.deploy(settings, cloud, WHOLE)
    cloudformation["list_stack_resources"] = {"StackResourceSummaries": SUMMARIES[:1]}
    deploy.deploy(settings, cloud, WHOLE)
    record = stacks.Record.of(settings, cloud)
    assert record.ids(["BrewHaven-Phase1-Foundation"]) >= {"menu", "seeder"}, "what a later one replaced is still known"
    assert record.ids_of_type(["BrewHaven-Phase1-Foundation"], stacks.IMAGE_ASSETS) == ["a" * 64]


@pytest.fixture
def on_aws(fake_target: Callable[..., Any], cloudformation: dict[str, Any]) -> Any:
    return fake_target("aws", {"CDK_DOCKER": "podman"}, cloudformation=cloudformation)


def test_on_aws_only_the_students_own_address_is_admitted(
    settings: CloudSettings, on_aws: Any, commands: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "own_address", lambda: "203.0.113.7/32")
    deploy.deploy(settings, on_aws, WHOLE)
    assert "allowed_cidr=203.0.113.7/32" in commands[0]["arguments"]
    assert "CDK_VALIDATION" not in commands[0]["environment"]


def test_the_whole_internet_needs_an_explicit_word(settings: CloudSettings, on_aws: Any, commands: list[Any]) -> None:
    with pytest.raises(UsageError, match="whole internet"):
        deploy.deploy(settings, on_aws, Request(WHOLE.place, allowed_cidr="0.0.0.0/0"))
    assert commands == []
    deploy.deploy(settings, on_aws, Request(WHOLE.place, allowed_cidr="0.0.0.0/0", allow_everyone=True))
    assert "allowed_cidr=0.0.0.0/0" in commands[0]["arguments"]


@pytest.mark.parametrize("cidr", ["everyone", "1.2.3", "1.2.3.4/33", "2001:db8::/32", ""])
def test_a_range_that_is_none_is_refused_before_anything_starts(cidr: str) -> None:
    with pytest.raises(UsageError, match="allowed_cidr must"):
        deploy.refuse_unusable(Request(WHOLE.place, allowed_cidr=cidr))


def test_every_problem_of_a_request_is_said_at_once() -> None:
    with pytest.raises(UsageError, match=r"student must be .*; storefront must be both or ec2"):
        deploy.refuse_unusable(Request(WHOLE.place, student="S", context={"storefront": "lambda"}))


def test_a_way_over_two_indexes_stops_between_them(
    settings: CloudSettings, fake_target: Callable[..., Any], commands: list[Any], cloudformation: dict[str, Any]
) -> None:
    cloudformation["describe_stacks"] = {
        "Stacks": [{**STACK, "Description": "Brew Haven, phase 1: Foundation, to lesson 1.1"}]
    }
    deploy.deploy(settings, fake_target(cloudformation=cloudformation), WHOLE)
    assert [argument for command in commands for argument in command["arguments"] if "=" in argument] == [
        "lesson=1.2",
        "phase=1",
    ]


@pytest.mark.parametrize(
    ("place", "context", "there", "refused"),
    [
        ("1", {}, (), "Install Docker"),
        ("1", {}, ("podman",), "CDK_DOCKER=podman"),
        ("1.6", {}, (), "Install Docker"),
        ("1", {}, ("docker",), None),
        ("1.5", {}, (), None),
        ("1", {"storefront": "ec2"}, (), None),
    ],
)
def test_an_image_needs_a_builder_on_aws(
    fake_target: Callable[..., Any], place: str, context: dict[str, str], there: tuple[str, ...], refused: str | None
) -> None:
    def which(name: str, path: str | None = None) -> str | None:
        return f"/usr/bin/{name}" if name in there else None

    request = Request(course.find(place), context=context)
    if refused is None:
        deploy.refuse_missing_image_builder(fake_target("aws"), request, which)
    else:
        with pytest.raises(BrewHavenError, match="no Docker was found") as error:
            deploy.refuse_missing_image_builder(fake_target("aws"), request, which)
        assert refused in (error.value.remedy or "")


def _parameter(value: str) -> dict[str, Any]:
    return {"get_parameter": {"Parameter": {"Value": value}}}


NOT_BOOTSTRAPPED = {"get_parameter": refusal("ParameterNotFound", "no such parameter")}


@pytest.mark.parametrize("ssm", [NOT_BOOTSTRAPPED, _parameter("6")])
def test_a_missing_or_old_bootstrap_is_made_on_the_local_cloud(
    settings: CloudSettings, fake_target: Callable[..., Any], commands: list[Any], ssm: dict[str, Any]
) -> None:
    deploy.ensure_bootstrap(settings, fake_target(ssm=ssm))
    assert commands[0]["arguments"][:2] == ["bootstrap", "aws://111122223333/us-east-1"]
    assert not (commands[0]["cwd"] / "cdk.json").exists(), "bootstrapping does not synthesize the app"


@pytest.mark.parametrize("ssm", [NOT_BOOTSTRAPPED, _parameter("6")])
def test_on_aws_a_missing_bootstrap_is_the_students_decision(
    settings: CloudSettings, fake_target: Callable[..., Any], commands: list[Any], ssm: dict[str, Any]
) -> None:
    with pytest.raises(BrewHavenError, match="bootstrap") as error:
        deploy.ensure_bootstrap(settings, fake_target("aws", ssm=ssm))
    assert "cdk bootstrap aws://111122223333/us-east-1" in (error.value.remedy or "")
    assert commands == []


def test_a_bootstrap_of_the_needed_version_is_kept(
    settings: CloudSettings, fake_target: Callable[..., Any], commands: list[Any]
) -> None:
    deploy.ensure_bootstrap(settings, fake_target(ssm=_parameter(str(stacks.OLDEST_BOOTSTRAP))))
    assert commands == []


def test_a_refused_look_at_the_bootstrap_is_no_missing_bootstrap(
    settings: CloudSettings, fake_target: Callable[..., Any], commands: list[Any]
) -> None:
    ssm = {"get_parameter": refusal("AccessDeniedException", "not authorized")}
    with pytest.raises(Exception, match="not authorized"):
        deploy.ensure_bootstrap(settings, fake_target(ssm=ssm))
    assert commands == []


class Shop(http.server.BaseHTTPRequestHandler):
    """Not ready twice, then ready; a task in three that answer in turn follows the parameter ten answers later."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        ready = len(self.asked) > 2
        self.send_response(200 if ready else 503)
        self.end_headers()
        follows = len(self.asked) > 12 or len(self.asked) % 3
        self.wfile.write((b'{"checks":{"orders":"ok"}}' if follows else b"") if ready else b"the table does not answer")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def shop() -> Iterator[tuple[str, list[str]]]:
    Shop.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Shop.asked
    server.shutdown()
    server.server_close()


def test_the_shop_is_asked_until_it_is_ready(shop: tuple[str, list[str]]) -> None:
    url, asked = shop
    deploy.wait_until_ready(f"{url}/", seconds=20)
    assert asked == ["/ready"] * 3


def test_every_task_must_have_followed_the_parameter(shop: tuple[str, list[str]]) -> None:
    url, asked = shop
    deploy.wait_until_ready(url, seconds=20, checks={"orders"})
    assert len(asked) == 12 + deploy.ANSWERS_IN_A_ROW


def test_a_shop_that_does_not_follow_is_quoted(shop: tuple[str, list[str]]) -> None:
    with pytest.raises(BrewHavenError, match=r'the last answer was: {"checks":{"orders":"ok"}}'):
        deploy.wait_until_ready(shop[0], seconds=0.6, checks={"cache"})


def test_what_the_parameter_switches_is_waited_for() -> None:
    said = {"orders": "postgresql", "postgresql": {"host": "db"}}
    cloud = SimpleNamespace(
        client=lambda service: SimpleNamespace(
            get_parameter=lambda Name: {"Parameter": {"Value": json.dumps(said)}}  # noqa: N803
        )
    )
    outputs = {"ShopConfigParameter": "/brew-haven/shop"}
    assert deploy._following(cloud, {}) == set()  # type: ignore[arg-type]
    assert deploy._following(cloud, outputs) == {"orders"}  # type: ignore[arg-type]
    said |= {"sessions": "valkey", "valkey": {"host": "cache"}}
    assert deploy._following(cloud, outputs) == {"orders", "cache"}  # type: ignore[arg-type]


def test_a_shop_that_stays_unready_is_quoted(shop: tuple[str, list[str]]) -> None:
    with pytest.raises(BrewHavenError, match="503 the table does not answer"):
        deploy.wait_until_ready(shop[0], seconds=0)


def test_a_shop_that_nobody_serves_is_an_error_with_a_remedy() -> None:
    with pytest.raises(BrewHavenError, match="was not ready") as error:
        deploy.wait_until_ready("http://127.0.0.1:9", seconds=0)
    assert "aws logs filter-log-events" in (error.value.remedy or "")
