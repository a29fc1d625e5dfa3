"""What the phases need of a cloud: services in the region, zones, quotas, living runtimes, an image builder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from brewhaven import stacks
from brewhaven.course import engines
from brewhaven.course.doctor import Finding
from brewhaven.deploy import IMAGE_BUILDERS
from brewhaven.target import Target

LAMBDA_IS_WORKED_HARD = 2
LOOKED_UP = date(2026, 11, 22)
WARN_DAYS = 180


@dataclass(frozen=True)
class Runtime:
    """A version that the course deploys, and the day from which AWS no longer mends it."""

    name: str
    end: date
    phase: int
    source: str


# Looked up on LOOKED_UP in the pages named; a maintainer who raises a version changes its line.
RUNTIMES = (
    Runtime("Lambda python3.13", date(2029, 6, 30), 1, "docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"),
    Runtime(
        "Amazon Linux 2023", date(2029, 6, 30), 1, "docs.aws.amazon.com/linux/al2023/release-notes/support-info.html"
    ),
    Runtime("Python 3.13 (the shop)", date(2029, 10, 31), 1, "devguide.python.org/versions"),
    Runtime(
        "PostgreSQL 16 on RDS", date(2029, 2, 28), 2, "docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes"
    ),
)


@dataclass(frozen=True)
class Quota:
    """A quota of the account that a phase uses up, by its code in Service Quotas."""

    what: str
    service: str
    code: str
    least: int
    phase: int
    reason: str


QUOTAS = (
    Quota("EC2 processors (standard)", "ec2", "L-1216C47A", 2, 1, "the shop's instance has two virtual processors"),
    Quota("Fargate processors", "fargate", "L-3032A538", 1, 1, "up to four tasks with a quarter of a processor each"),
    Quota("VPCs in the region", "vpc", "L-F678F1CE", 1, 1, "the shop's network is one"),
    Quota("Load balancers", "elasticloadbalancing", "L-53DA6B97", 1, 1, "one stands before the tasks"),
    Quota("DB instances", "rds", "L-7B6409FD", 1, 2, "the orders database is one, and each copy is one more"),
    Quota("Manual DB snapshots", "rds", "L-272F1212", 1, 2, "database_on_destroy=snapshot makes one"),
    Quota("ElastiCache nodes in the region", "elasticache", "L-DFE45DF3", 1, 2, "the shop's cache is one"),
    Quota("Interface endpoints of a VPC", "vpc", "L-29B6F2EB", 2, 2, "functions in the network reach two services"),
    Quota("Functions at a time", "lambda", "L-B99A9384", 10, 2, "five workers, and what they set going"),
)
WORKERS = 5
"""So many of the worker run at the same time: what the switch ``worker_reserved_concurrency`` would have to give it."""

ALWAYS_UNRESERVED = 100
"""So much of an account's concurrency Lambda does not let anybody reserve."""

# Names of boto3 for the services that each phase deploys.
SERVICES: dict[int, Sequence[str]] = {
    1: ("cloudformation", "dynamodb", "s3", "iam", "ec2", "ecs", "elbv2", "servicediscovery", "secretsmanager", "ssm",
        "logs", "ecr", "lambda", "application-autoscaling"),
    2: ("rds", "elasticache", "sqs", "sns", "rekognition"),
    3: ("apigateway", "cognito-idp", "stepfunctions", "events", "cloudwatch", "xray"),
    4: ("kinesis", "firehose", "opensearch", "athena", "quicksight", "bedrock-runtime"),
    5: ("cloudfront", "wafv2", "cloudtrail", "codepipeline", "codebuild"),
}  # fmt: skip
# Services with one endpoint for the world: they are in every region.
_GLOBAL = frozenset(("iam", "cloudfront"))


def runtimes(phase: int, today: date | None = None) -> Iterator[Finding]:
    """Whether the versions that the course deploys are still mended."""
    day = today or datetime.now(UTC).date()
    for runtime in RUNTIMES:
        if runtime.phase > phase:
            continue
        left = (runtime.end - day).days
        found = f"supported until {runtime.end:%Y-%m-%d} (looked up {LOOKED_UP:%Y-%m-%d})"
        remedy = f"Raise the version in the stack; dates: {runtime.source}"
        if left < 0:
            yield Finding(runtime.name, "fail", f"past its end of life since {runtime.end:%Y-%m-%d}", remedy)
        elif left < WARN_DAYS:
            yield Finding(runtime.name, "note", found, remedy)
        else:
            yield Finding(runtime.name, "ok", found)


def cloud(where: Target, phase: int) -> Iterator[Finding]:
    """What the phases up to `phase` need in this account and region."""
    for probe in (_bootstrap, _zones):
        try:
            yield probe(where)
        except (ClientError, BotoCoreError) as error:
            what = probe.__name__.strip("_").capitalize()
            yield Finding(what, "fail", f"could not be looked at: {error}", "Ask for the right that the message names.")
    yield _services(where, phase)
    if where.is_local:
        yield Finding("Quotas", "ok", "the local cloud has none")
        yield Finding("Image builder", "ok", "the local cloud runs the image's files and needs none")
        return
    yield from _quotas(where, phase)
    if phase >= LAMBDA_IS_WORKED_HARD:
        yield _reservable(where)
    if phase >= engines.PHASE:
        yield from engines.available(where)
    yield _image_builder(where)


def _bootstrap(where: Target) -> Finding:
    version = stacks.bootstrap_version(where)
    command = f"`cdk bootstrap aws://{where.account}/{where.region}`"
    if version is None:
        remedy = "`brewhaven up` or lesson 1.1 does it" if where.is_local else f"Run {command}: lesson 1.1 explains it."
        return Finding("CDK bootstrap", "note" if where.is_local else "fail", "not there", remedy)
    if version < stacks.OLDEST_BOOTSTRAP:
        return Finding(
            "CDK bootstrap", "fail", f"version {version}", f"{stacks.OLDEST_BOOTSTRAP} is needed: {command}."
        )
    return Finding("CDK bootstrap", "ok", f"version {version}")


def _zones(where: Target) -> Finding:
    answer = where.client("ec2").describe_availability_zones(Filters=[{"Name": "state", "Values": ["available"]}])
    zones = [
        zone["ZoneName"]
        for zone in answer["AvailabilityZones"]
        if zone.get("ZoneType", "availability-zone") == "availability-zone"
    ]
    if len(zones) < 2:
        return Finding(
            "Zones", "fail", ", ".join(zones) or "none", "The shop's network needs two: choose another region."
        )
    return Finding("Zones", "ok", ", ".join(zones))


def _services(where: Target, phase: int) -> Finding:
    """From the SDK's own list of endpoints, which is as new as the SDK and needs no call."""
    session = boto3.Session()
    wanted = [name for number, names in SERVICES.items() if number <= phase for name in names]
    missing = [
        name for name in wanted if name not in _GLOBAL and where.region not in session.get_available_regions(name)
    ]
    if missing:
        return Finding("Services", "fail", f"not in {where.region}: {', '.join(missing)}", "Choose another region.")
    return Finding("Services", "ok", f"all {len(wanted)} that the phases up to {phase} use are in {where.region}")


def _quotas(where: Target, phase: int) -> Iterator[Finding]:
    for quota in QUOTAS:
        if quota.phase > phase:
            continue
        what = f"Quota: {quota.what}"
        try:
            answer = where.client("service-quotas").get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)
        except (ClientError, BotoCoreError) as error:
            remedy = f"Phase {quota.phase} needs {quota.least}: {quota.reason}."
            yield Finding(what, "note", f"could not be asked ({error})", remedy)
            continue
        value = int(answer["Quota"]["Value"])
        if value < quota.least:
            remedy = (
                f"Ask for {quota.least} in the Service Quotas console ({quota.service}, {quota.code}): {quota.reason}."
            )
            yield Finding(what, "fail", str(value), remedy)
        else:
            yield Finding(what, "ok", f"{value}, phase {quota.phase} needs {quota.least}")


def _reservable(where: Target) -> Finding:
    """How much concurrency can belong to one function, which the switch ``worker_reserved_concurrency`` asks for."""
    what = "Reserved concurrency"
    try:
        limit = where.client("lambda").get_account_settings()["AccountLimit"]
    except (ClientError, BotoCoreError) as error:
        return Finding(what, "note", f"could not be asked ({error})", "Leave worker_reserved_concurrency out.")
    free = max(0, limit["UnreservedConcurrentExecutions"] - ALWAYS_UNRESERVED)
    found = f"{free} of {limit['ConcurrentExecutions']} can be reserved"
    if free < WORKERS:
        remedy = (
            "Leave worker_reserved_concurrency out: "
            + ("the deployment would fail. " if free == 0 else f"the {WORKERS} workers would not fit. ")
            + "The event source's maximum concurrency limits them all the same. For more, ask for a higher quota of "
            "concurrent executions in the Service Quotas console (lambda, L-B99A9384)."
        )
        return Finding(what, "note", found, remedy)
    return Finding(what, "ok", f"{found}, {WORKERS} for the worker would fit")


def _image_builder(where: Target) -> Finding:
    chosen = where.environment.get("CDK_DOCKER")
    found = [name for name in IMAGE_BUILDERS if shutil.which(name, path=where.environment.get("PATH"))]
    if chosen or "docker" in found:
        return Finding("Image builder", "ok", chosen or "docker")
    if found:
        return Finding("Image builder", "fail", found[0], f"Run `export CDK_DOCKER={found[0]}`.")
    return Finding(
        "Image builder",
        "note",
        "none",
        "Install Docker, Finch or Podman for lesson 1.6, or deploy with `--context storefront=ec2`, which needs none.",
    )
