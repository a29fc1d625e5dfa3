"""Deploy the course up to a phase or a lesson, on either cloud, and see that the shop answers."""

from __future__ import annotations

import json
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from brewhaven import cdk, console, course, stacks, target
from brewhaven.course.whereabouts import UnknownStateError, deployed_lesson
from brewhaven.errors import BrewHavenError, UsageError
from brewhaven.local import caches, psql
from brewhaven.local.settings import CloudSettings
from brewhaven.target import Target
from brewhaven.unchanged import Deployments, fingerprint
from stacks.lessons import Lesson
from stacks.settings import Settings, SettingsError, opens_to_everybody

IMAGE_BUILDERS = ("docker", "finch", "podman")
FIRST_LESSON_WITH_AN_IMAGE = (1, 6)
READY_SECONDS = {"local": 90, "aws": 300}
ANSWERS_IN_A_ROW = 8
"""The load balancer asks tasks in turn, of which there are four at most (MOST_TASKS)."""


@dataclass(frozen=True)
class Request:
    """What is to be deployed.

    Attributes:
        place: The phase or lesson to build up to.
        student: Prefix of every name, or None.
        allowed_cidr: Who may reach the shop; None leaves it to the tool.
        context: Further context switches of the app.
    """

    place: course.Place
    student: str | None = None
    allowed_cidr: str | None = None
    allow_everyone: bool = False
    context: dict[str, str] = field(default_factory=dict)

    @property
    def stack_ids(self) -> list[str]:
        return course.stack_ids(self.place.phase, self.student)


@dataclass(frozen=True)
class Deployed:
    """What a deployment left behind.

    Attributes:
        outputs: Of all stacks together, name -> value.
        services: Number of resources of each AWS service.
        changed: False where everything was already as it should be.
    """

    outputs: dict[str, str]
    services: dict[str, int]
    changed: bool
    seconds: float
    doors: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def shop_url(self) -> str | None:
        """Where the shop is: behind the load balancer, or on the instance before lesson 1.6."""
        return self.outputs.get("ShopUrl") or self.outputs.get("InstanceUrl")


class _Switches(dict[str, str]):
    """Context switches as the app's node would give them."""

    def try_get_context(self, key: str) -> str | None:
        return self.get(key)


def refuse_unusable(request: Request) -> None:
    """Say at once, and not after the synthesis, that a switch has a value that the app refuses.

    Raises:
        UsageError: With every problem.
    """
    given = {"student": request.student, "allowed_cidr": request.allowed_cidr, **request.context}
    switches = _Switches({name: value for name, value in given.items() if value is not None})
    lessons = [Lesson(lesson.id, lesson.title) for lesson in course.load().lessons]
    somewhere = {"CDK_DEFAULT_ACCOUNT": "111122223333", "CDK_DEFAULT_REGION": "us-east-1"}
    try:
        Settings.from_context(switches, lessons=lessons, environment=somewhere)
    except SettingsError as error:
        raise UsageError(f"{'; '.join(error.problems)}.", "Nothing was deployed. Correct it and try again.") from error


def ensure_bootstrap(settings: CloudSettings, cloud: Target) -> None:
    """Bootstrap the local cloud where it is not; on AWS that is the student's decision.

    Raises:
        BrewHavenError: AWS is not bootstrapped, or bootstrapping failed.
    """
    version = stacks.bootstrap_version(cloud)
    if version is not None and version >= stacks.OLDEST_BOOTSTRAP:
        return
    if not cloud.is_local:
        state = "is not bootstrapped for the CDK" if version is None else f"has CDK bootstrap version {version}"
        raise BrewHavenError(
            f"Account {cloud.account} in {cloud.region} {state}; version {stacks.OLDEST_BOOTSTRAP} or newer is needed.",
            f'Run `eval "$(brewhaven env)"` and `cdk bootstrap aws://{cloud.account}/{cloud.region}` once: it makes '
            "the roles and the bucket that the CDK deploys with.",
        )
    with console.step("Bootstrapping the local cloud for the CDK") as step:
        cdk.run(
            ["bootstrap", f"aws://{cloud.account}/{cloud.region}", "--progress", "events", "--ci"],
            environment=cloud.environment,
            log=cdk.new_log(settings.home, "bootstrap"),
            doing="Bootstrapping the local cloud",
            on_note=step.note,
            cwd=_empty_folder(settings),
        )
        step.result("")


def _empty_folder(settings: CloudSettings) -> Path:
    """A folder without a cdk.json, so that bootstrapping does not synthesize the app first."""
    folder = settings.home / "cdk"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def deploy(settings: CloudSettings, cloud: Target, request: Request) -> Deployed:
    """Deploy and return what is there now, in as many steps as CloudFormation needs (see :meth:`Course.stations`).

    Raises:
        BrewHavenError: The request does not go together, or CloudFormation could not do it.
    """
    started = time.monotonic()
    *between, last = _steps(cloud, request)
    for step in between:
        _deploy_in_place(settings, cloud, step)
    deployed = _deploy_in_place(settings, cloud, last)
    if deployed.shop_url:
        with console.step("Waiting for the shop to answer"):
            checks = _following(cloud, deployed.outputs)
            instance = deployed.outputs.get("InstanceUrl") if checks else None
            for url in dict.fromkeys(filter(None, (deployed.shop_url, instance))):
                wait_until_ready(url, READY_SECONDS[cloud.name], checks)
    return replace(
        deployed,
        changed=deployed.changed or bool(between),
        seconds=time.monotonic() - started,
        doors=_doors(cloud, deployed.outputs),
    )


def _following(cloud: Target, outputs: Mapping[str, str]) -> set[str]:
    """The checks that ``/ready`` has once the shop follows the parameter of a later phase, which takes it seconds."""
    name = outputs.get("ShopConfigParameter")
    if name is None:
        return set()
    switches = json.loads(cloud.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
    ways = {"orders": switches.get("orders") == "postgresql", "cache": "valkey" in switches.values()}
    return {check for check, is_on in ways.items() if is_on}


def _doors(cloud: Target, outputs: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Databases and caches that can be entered from this machine: on AWS none, they are in isolated subnets."""
    if not cloud.is_local:
        return {}
    return {
        "databases": psql.databases(cloud) if "DatabaseHost" in outputs else [],
        "caches": caches.caches(cloud) if "CacheHost" in outputs else [],
    }


def _steps(cloud: Target, request: Request) -> list[Request]:
    """The request, and before it those that lead up to it from what is deployed."""
    known = course.load()
    goal = request.place.lesson or request.place.phase.lessons[-1]
    try:
        found = deployed_lesson(known, cloud, request.student, through=request.place.phase.number)
    except UnknownStateError:
        found = None  # CloudFormation itself says best what can be done with a stack that is not whole
    between = known.stations(found, goal)[:-1]
    return [*(replace(request, place=course.Place(known.phase_of(item), item)) for item in between), request]


def _deploy_in_place(settings: CloudSettings, cloud: Target, request: Request) -> Deployed:
    """One deployment with the CDK."""
    started = time.monotonic()
    context = {**request.context, **request.place.context, **_addresses(cloud, request)}
    if request.student:
        context["student"] = request.student
    if not cloud.is_local:
        refuse_missing_image_builder(cloud, request)
    assembly = settings.home / "assembly"
    with console.step(f"Deploying {request.place}") as step:
        before = Deployments(settings, cloud, request.stack_ids)
        wanted = fingerprint(context)
        # On AWS the CDK always looks for itself: there it is a matter of money, here of seconds.
        changed = not (cloud.is_local and before.is_current(wanted))
        if changed:
            lines = cdk.run(
                [
                    "deploy", "--all", "--require-approval", "never", "--progress", "events", "--ci",
                    "--output", str(assembly), *cdk.context_arguments(context),
                ],
                environment=_deploy_environment(cloud),
                log=cdk.new_log(settings.home, "deploy"),
                doing=f"Deploying {request.place}",
                on_note=step.note,
            )  # fmt: skip
            changed = sum("(no changes)" in line for line in lines) < len(request.stack_ids)
        outputs, services = _take_stock(settings, cloud, request)
        before.remember(wanted)
        step.result("" if changed else "nothing has changed")
    return Deployed(outputs, services, changed, time.monotonic() - started)


def _deploy_environment(cloud: Target) -> dict[str, str]:
    """The cloud's environment; the local cloud refuses a bad template within seconds by itself.

    On AWS the CDK first checks the whole template while it synthesizes: 5 s that save a rollback of minutes.
    """
    return {**cloud.environment, "CDK_VALIDATION": "false"} if cloud.is_local else dict(cloud.environment)


def _take_stock(settings: CloudSettings, cloud: Target, request: Request) -> tuple[dict[str, str], dict[str, int]]:
    """Outputs and counts of what was deployed; all of it goes into the record for `destroy`."""
    record = stacks.Record.of(settings, cloud)
    outputs: dict[str, str] = {}
    summaries = []
    for stack_id in request.stack_ids:
        state = stacks.describe(cloud, stack_id)
        if state is None:
            continue
        outputs.update(state.outputs)
        summaries += record.add_deployed(cloud, stack_id)
    return outputs, stacks.count_by_service(summaries)


def _addresses(cloud: Target, request: Request) -> dict[str, str]:
    """The switch that says who may reach the shop.

    On the local cloud it is left alone unless given, since nobody else reaches 127.0.0.1. On AWS it is the student's
    own address, and the whole internet only with an explicit word: until phase 5 the shop speaks plain HTTP.
    """
    cidr = request.allowed_cidr
    if cidr is None:
        return {} if cloud.is_local else {"allowed_cidr": target.own_address()}
    if opens_to_everybody(cidr) and not cloud.is_local and not request.allow_everyone:
        raise UsageError(
            f"{cidr} would open the shop, over plain HTTP, to the whole internet.",
            "Leave --allowed-cidr out to admit only your own address, or add --allow-the-whole-internet.",
        )
    return {"allowed_cidr": cidr}


def refuse_missing_image_builder(
    cloud: Target, request: Request, which: Callable[..., str | None] = shutil.which
) -> None:
    """On AWS the shop on Fargate is an image, and something must build it.

    Raises:
        BrewHavenError: There is no builder, and the image was not left out.
    """
    lesson = request.place.lesson
    builds_image = lesson is None or tuple(int(part) for part in lesson.id.split(".")) >= FIRST_LESSON_WITH_AN_IMAGE
    if not builds_image or request.context.get("storefront") == "ec2" or cloud.environment.get("CDK_DOCKER"):
        return
    path = cloud.environment.get("PATH")
    if which("docker", path=path):
        return
    other = next((name for name in IMAGE_BUILDERS if which(name, path=path)), None)
    raise BrewHavenError(
        "The shop on Fargate is a container image, and no Docker was found to build it.",
        f"Run `export CDK_DOCKER={other}` and the same command again."
        if other
        else "Install Docker, Finch or Podman (then `export CDK_DOCKER=finch` or `podman`), or add "
        "`--context storefront=ec2` to run the shop on EC2 alone, which needs no image.",
    )


def wait_until_ready(url: str, seconds: float, checks: Collection[str] = ()) -> None:
    """Ask ``/ready`` until the shop says that it reaches its table.

    Args:
        checks: What it must say of more than that. Each of its tasks follows in its own time and answers in turn, so
            some answers in a row must have them.

    Raises:
        BrewHavenError: It did not in time; the message carries what it said last.
    """
    deadline = time.monotonic() + seconds
    said, in_a_row = "nothing", 0
    context = ssl.create_default_context()
    while True:
        try:
            with urllib.request.urlopen(f"{url.rstrip('/')}/ready", timeout=10, context=context) as answer:  # noqa: S310
                said = answer.read().decode("utf-8", "replace")
            in_a_row = in_a_row + 1 if all(f'"{check}"' in said for check in checks) else 0
            if in_a_row == (ANSWERS_IN_A_ROW if checks else 1):
                return
        except urllib.error.HTTPError as error:
            said = f"{error.code} {error.read(300).decode('utf-8', 'replace')}".strip()
        except OSError as error:
            said = str(error)
        if time.monotonic() > deadline:
            raise BrewHavenError(
                f"The shop at {url} was not ready within {seconds:.0f} s; the last answer was: {said}",
                "See what it wrote with `aws logs filter-log-events --log-group-name NAME`, where `brewhaven status` "
                "shows the name as StorefrontLogGroupName, and `brewhaven local logs` for the local cloud's own.",
            )
        time.sleep(0.05 if in_a_row else 0.25)
