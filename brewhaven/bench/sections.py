"""What is measured. Each section returns rows: what, how much, in which unit, the target if there is one."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from brewhaven import cdk, console, course, deploy, destroy, stacks, toolchain
from brewhaven.bench import bare, load, rush
from brewhaven.course import checks, template, verify
from brewhaven.course.cloud import Deployment
from brewhaven.deploy import Deployed, Request
from brewhaven.errors import BrewHavenError
from brewhaven.local.environment import scrubbed
from brewhaven.local.settings import ACCOUNT_ID, REPOSITORY, CloudSettings
from brewhaven.target import Target

EMPTY_APP = "import aws_cdk as cdk; cdk.App().synth()"
CLIENTS = (1, 8, 32)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: Stable, so that runs can be compared: ``menu 8 clients: answers a second``.
        target: What the value should be; None where nothing is promised.
        better: Whether a higher or a lower value is better than the target.
        must: A matter of correctness and not of speed: `make bench` fails where the target is missed.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    better: str = "lower"
    must: bool = False

    @property
    def is_met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "met": self.is_met}


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def synth(settings: CloudSettings, rounds: int) -> Iterator[Row]:
    """Synthesizing the whole course, and an empty app, in turn so that both meet the same weather."""
    context = json.loads((REPOSITORY / "cdk.json").read_text(encoding="utf-8"))["context"]
    context |= {"account": ACCOUNT_ID, "region": settings.region}

    def app(code: list[str], folder: str) -> Callable[[], object]:
        environment = {
            **toolchain.with_tools(scrubbed(), settings.home),
            "CDK_OUTDIR": str(settings.home / "bench" / folder),
            "CDK_CONTEXT_JSON": json.dumps(context),
            "CDK_VALIDATION": "false",
        }
        command = [sys.executable, *code]
        return lambda: subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, capture_output=True)

    whole, empty = app(["app.py"], "synth-course"), app(["-c", EMPTY_APP], "synth-empty")
    times: dict[str, list[float]] = {"whole": [], "empty": []}
    whole()  # fills caches that are there in everyday use
    for _ in range(rounds):
        times["empty"].append(_timed(empty))
        times["whole"].append(_timed(whole))
    medians = {name: statistics.median(values) for name, values in times.items()}
    yield Row("synth: empty app", round(medians["empty"], 2), "s")
    yield Row("synth: whole course", round(medians["whole"], 2), "s")
    yield Row("synth: whole course / empty app", round(medians["whole"] / medians["empty"], 2), "ratio", 3.5)


def rollout(settings: CloudSettings, cloud: Target) -> Iterator[Row]:
    """`cdk deploy`, and the same template straight through CloudFormation's API, both with everything published."""
    place = course.find(str(course.available_phases()[-1].number))
    request = Request(place)
    assembly = settings.home / "assembly"
    yield Row(
        "deploy: first time, with images and packages", round(deploy.deploy(settings, cloud, request).seconds, 1), "s"
    )
    _delete(cloud, request)
    context = cdk.context_arguments(place.context)
    only_synth = _timed(lambda: _cdk(settings, cloud, ["synth", "-q", "--output", str(assembly), *context]))
    straight = _timed(lambda: _create_straight(cloud, request, assembly))
    _delete(cloud, request)
    through_cdk = _timed(lambda: _cdk_deploy(settings, cloud, assembly, context))
    again = _timed(lambda: _cdk_deploy(settings, cloud, assembly, context))
    yield Row("deploy: one synth", round(only_synth, 1), "s")
    yield Row("deploy: straight through CloudFormation", round(straight, 1), "s")
    yield Row("deploy: cdk deploy", round(through_cdk, 1), "s")
    yield Row(
        "deploy: cdk deploy / (straight + one synth)", round(through_cdk / (straight + only_synth), 2), "ratio", 2.0
    )
    yield Row("deploy: again with nothing changed", round(again, 1), "s", 20.0)
    _delete(cloud, request)


def _delete(cloud: Target, request: Request) -> None:
    """Delete the stacks alone: what was published stays, so that both ways begin with the same."""
    for stack in reversed(request.stack_ids):
        with console.step(f"DeleteStack {stack}") as step:
            destroy.delete_stack(cloud, stack, step)


def _cdk(settings: CloudSettings, cloud: Target, arguments: list[str]) -> None:
    with console.step(f"cdk {arguments[0]}") as step:
        cdk.run(
            arguments,
            environment={**cloud.environment, "CDK_VALIDATION": "false"},
            log=cdk.new_log(settings.home, "bench"),
            doing=f"cdk {arguments[0]}",
            on_note=step.note,
        )


def _cdk_deploy(settings: CloudSettings, cloud: Target, assembly: Path, context: list[str]) -> None:
    flags = ["--all", "--require-approval", "never", "--progress", "events", "--ci", "--output", str(assembly)]
    _cdk(settings, cloud, ["deploy", *flags, *context])


def _create_straight(cloud: Target, request: Request, assembly: Path) -> None:
    """Create each stack from its template, as the CDK would, with nothing of the CDK around it."""
    bucket = f"cdk-hnb659fds-assets-{cloud.account}-{cloud.region}"
    role = f"arn:aws:iam::{cloud.account}:role/cdk-hnb659fds-cfn-exec-role-{cloud.account}-{cloud.region}"
    cloudformation = cloud.client("cloudformation")
    for stack in request.stack_ids:
        with console.step(f"CreateStack {stack}"):
            key = f"bench/{stack}.json"
            cloud.client("s3").put_object(
                Bucket=bucket, Key=key, Body=(assembly / f"{stack}.template.json").read_bytes()
            )
            cloudformation.create_stack(
                StackName=stack,
                TemplateURL=f"{cloud.environment['AWS_ENDPOINT_URL_S3']}/{bucket}/{key}",
                Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
                RoleARN=role,
            )
            while (state := stacks.describe(cloud, stack)) is not None and state.status == "CREATE_IN_PROGRESS":
                time.sleep(0.2)
            if state is None or not state.is_complete:
                raise BrewHavenError(f"{stack} could not be created straight from its template: {state}")


def proving(cloud: Target) -> Iterator[Row]:
    """All checks of every phase that is there, on the synthesized stacks and on what is deployed."""
    for phase in course.available_phases():
        stack = phase.stacks[-1]
        found = list(checks.load(phase.folder))
        body = template.synthesize({"phase": str(phase.number)}, account=cloud.account, region=cloud.region)[stack]
        on_template = _timed(lambda found=found, body=body: verify.run("all", found, template=body))  # type: ignore[misc]
        deployment = Deployment(cloud, [stack])
        begun = time.perf_counter()
        report = verify.run("all", found, deployment=deployment)
        on_cloud = time.perf_counter() - begun
        name = f"verify {phase.number}"
        yield Row(f"{name}: checks on the template, after synth", round(on_template, 2), "s", 2.0)
        yield Row(f"{name}: checks on the local cloud", round(on_cloud, 2), "s", 10.0)
        failed = sum(not finding.passed for finding in report.findings)
        yield Row(f"{name}: checks that fail", failed, f"of {len(report.findings)}", 0, must=True)


def web(cloud: Target, deployed: Deployed, seconds: float) -> Iterator[Row]:
    """The shop under load, beside a route that does nothing and a loop that only queries."""
    url = deployed.shop_url
    assert url is not None
    product = load.made_to_order(url)
    query = load.Query(dict(cloud.environment), deployed.outputs["CatalogTableName"], "ByCategory", "gsi1pk", "MENU")
    with bare.serving() as bare_url:
        for clients in CLIENTS:
            route = measure("bare FastAPI route", load.Get(bare_url, "/"), clients, seconds)
            loop = measure("bare DynamoDB query", query, clients, seconds)
            menu = measure("GET /api/menu", load.Get(url, "/api/menu"), clients, seconds)
            orders = measure("POST /api/orders", load.Order(url, *product), clients, seconds)
            for name, measured in (("bare route", route), ("bare query", loop), ("menu", menu), ("orders", orders)):
                yield from _figures(f"{name}, {clients} clients", measured)
            last = clients == CLIENTS[-1]
            yield throughput(f"menu / bare route, {clients} clients", menu, route, 0.1 if last else None)
            yield throughput(f"menu / bare query, {clients} clients", menu, loop, 0.5 if last else None)
            yield throughput(f"orders / bare route, {clients} clients", orders, route, None)


def rush_hour(cloud: Target, deployed: Deployed) -> Iterator[Row]:
    """5,000 requests of 32 guests who browse, order, repeat themselves and pay; then the books are checked."""
    url, table = deployed.shop_url, deployed.outputs["CatalogTableName"]
    assert url is not None
    before, known = rush.croissants(cloud, table), set(rush.order_ids(cloud, table))
    with console.step(f"Rush hour: {rush.GUESTS} guests, {rush.REQUESTS} requests") as step:
        log, measured = rush.rush(url)
        books = rush.reconcile(log, before, rush.croissants(cloud, table), known, rush.order_ids(cloud, table))
        step.result(f"{measured.per_second:.0f}/s, {len(log.accepted)} orders, {books.doubled} doubled")
        if measured.errors:
            step.fail("; ".join(f"{number} x {sentence}" for sentence, number in measured.errors.items()))
    yield Row("rush: requests answered", float(measured.answers), "", float(rush.REQUESTS), "higher", must=True)
    yield Row("rush: requests", measured.per_second, "1/s")
    yield Row("rush: p50", measured.p50_ms, "ms")
    yield Row("rush: p99", measured.p99_ms, "ms")
    yield Row("rush: errors", float(sum(measured.errors.values())), "", 0.0, must=True)
    yield Row("rush: orders accepted", float(len(log.accepted)), "")
    yield Row("rush: orders sent twice", float(log.repeated), "")
    yield Row("rush: refused as sold out", float(log.sold_out), "")
    yield Row("rush: orders missing in the table", float(books.missing), "", 0.0, must=True)
    yield Row("rush: orders made twice", float(books.doubled), "", 0.0, must=True)
    yield Row("rush: croissants sold", float(books.croissants_sold), f"of {books.croissants_before}")
    yield Row("rush: croissants sold twice or lost", 0.0 if books.stock_is_right else 1.0, "", 0.0, must=True)


def measure(title: str, scenario: load.Scenario, clients: int, seconds: float) -> load.Measured:
    """Let clients ask, and say how it went."""
    with console.step(f"{title}, {clients} clients") as step:
        measured = load.run(scenario, clients, seconds)
        step.result(f"{measured.per_second:.0f}/s, p50 {measured.p50_ms} ms, p99 {measured.p99_ms} ms")
        if measured.errors:
            step.fail("; ".join(f"{number} x {sentence}" for sentence, number in measured.errors.items()))
    return measured


def _figures(name: str, measured: load.Measured) -> Iterator[Row]:
    yield Row(f"{name}: answers", measured.per_second, "1/s")
    yield Row(f"{name}: p50", measured.p50_ms, "ms")
    yield Row(f"{name}: p99", measured.p99_ms, "ms")
    yield Row(f"{name}: errors", float(sum(measured.errors.values())), "", 0.0, must=True)


def throughput(name: str, measured: load.Measured, beside: load.Measured, target: float | None) -> Row:
    """How many more answers a second there were than beside it."""
    value = measured.per_second / beside.per_second if beside.per_second else 0.0
    return Row(f"{name}: throughput", round(value, 3), "ratio", target, "higher")
