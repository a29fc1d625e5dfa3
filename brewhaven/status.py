"""``brewhaven status`` and ``brewhaven local status``: what is chosen, what runs, what is deployed, what comes next."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from brewhaven import course, processes, stacks, target
from brewhaven.course import checks
from brewhaven.course.cloud import Deployment, NotDeployedError
from brewhaven.course.faults.book import Book
from brewhaven.course.progress import Progress
from brewhaven.errors import BrewHavenError
from brewhaven.exercises import workspace
from brewhaven.exercises.declared import all_exercises
from brewhaven.local import caches, lifecycle, psql, registry, resources
from brewhaven.local.engines import environments
from brewhaven.local.settings import CloudSettings
from brewhaven.target import Target

_PERSISTENT = (
    "databases, caches, tables, buckets, parameters, secrets, roles and stacks are kept over `brewhaven down`; what "
    "the processes of containers and instances held in memory is not. A local cloud that was killed keeps what it "
    "saved last; its caches begin empty"
)


def local_status(settings: CloudSettings) -> dict[str, Any]:
    """The local cloud: its process, its doors, what is only recorded, and what is kept."""
    pid = lifecycle.running_pid(settings)
    healthy = pid is not None and lifecycle.is_healthy(settings)
    status: dict[str, Any] = {
        "running": pid is not None,
        "healthy": healthy,
        "pid": pid,
        "endpoint": settings.endpoint,
        "s3_endpoint": settings.s3_endpoint,
        "folder": str(settings.folder),
        "account": settings.account_id,
        "region": settings.region,
        "uptime_seconds": None,
        "memory_megabytes": None,
        "processes": [],
        "listening": [],
        "databases": [],
        "caches": [],
        "recorded_only": {},
        "stand_ins": {},
        "native_wheels": environments.native_packages(settings.folder / "containers" / "environments"),
        "kept": _PERSISTENT,
    }
    if pid is not None:
        ours = processes.tree(pid)
        status["processes"] = [{**asdict(process), "command": process.command[:200]} for process in ours]
        status["uptime_seconds"] = next((process.seconds for process in ours if process.pid == pid), 0)
        status["memory_megabytes"] = round(sum(process.megabytes for process in ours))
        known = [settings.port, settings.s3_port]
        status["listening"] = processes.listening_ports({process.pid for process in ours}) or known
    if healthy:
        cloud = target.local(settings)
        status["databases"] = psql.databases(cloud)
        status["caches"] = caches.caches(cloud)
        status["recorded_only"] = _recorded_in_use(cloud)
        status["stand_ins"] = _stand_ins_in_use(cloud)
    return status


def recorded_types() -> dict[str, str]:
    """CloudFormation types that the local cloud only records, each with the sentence that says what is missing."""
    return dict(_declared().recorded)


def _declared() -> registry.Registry:
    """What the local cloud's extensions say of themselves."""
    for module in pkgutil.iter_modules(resources.__path__):
        importlib.import_module(f"{resources.__name__}.{module.name}")
    return registry.REGISTRY


def _recorded_in_use(cloud: Target) -> dict[str, str]:
    """Those of :func:`recorded_types` that a deployed stack uses."""
    recorded = recorded_types()
    used = {
        summary["ResourceType"]
        for stack in cloud.client("cloudformation").describe_stacks()["Stacks"]
        for summary in stacks.resources(cloud, stack["StackName"])
    }
    return {kind: sentence for kind, sentence in sorted(recorded.items()) if kind in used}


def _stand_ins_in_use(cloud: Target) -> dict[str, str]:
    """Services that are answered by something simpler, of those whose actions a deployed stack names."""
    cloudformation = cloud.client("cloudformation")
    names = [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]]
    templates = [str(cloudformation.get_template(StackName=name)["TemplateBody"]) for name in names]
    found = sorted(_declared().stand_ins.items())
    return {prefix: words for prefix, words in found if any(f"{prefix}:" in template for template in templates)}


def status(settings: CloudSettings, student: str | None = None) -> dict[str, Any]:
    """Everything a person or a program wants to know first."""
    name = target.chosen(settings)
    answer: dict[str, Any] = {"target": name, "account": None, "region": None, "problem": None}
    if name == "local":
        answer["local"] = local_status(settings)
    cloud: Target | None = None
    try:
        cloud = target.current(settings)
        answer["account"], answer["region"] = cloud.account, cloud.region
        bootstrap = stacks.bootstrap_version(cloud)
    except BrewHavenError as error:
        answer["problem"] = str(error)
        bootstrap = None
    except (ClientError, BotoCoreError) as error:
        answer["problem"], bootstrap, cloud = str(error), None, None
    answer["bootstrap_version"] = bootstrap
    progress = Progress(settings.home)
    answer["phases"] = [{**_phase(phase, cloud, student), **_checked(phase, progress)} for phase in course.phases()]
    answer["exercises"] = _exercises(progress)
    found = Book(settings.home).open_fault()
    answer["open_fault"] = found.fault if found and found.target == name else None
    answer["next"] = _next_step(answer)
    answer["asked_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    return answer


def deployment(cloud: Target, student: str | None) -> Deployment:
    """The stacks of all phases that are deployed.

    Raises:
        NotDeployedError: None is.
    """
    prefix = f"{student}-" if student else ""
    named = [prefix + stack for phase in course.phases() for stack in phase.stacks]
    there = [stack for stack in named if stacks.describe(cloud, stack)]
    if not there:
        raise NotDeployedError("Nothing of the course is deployed.", "Run `brewhaven up`, or `brewhaven deploy 1`.")
    return Deployment(cloud, there)


def _phase(phase: course.Phase, cloud: Target | None, student: str | None) -> dict[str, Any]:
    prefix = f"{student}-" if student else ""
    found = {}
    for stack in phase.stacks:
        state = stacks.describe(cloud, prefix + stack) if cloud else None
        if state:
            found[prefix + stack] = {"status": state.status, "lesson": state.lesson, "outputs": state.outputs}
    return {
        "number": phase.number,
        "title": phase.title,
        "available": phase.is_available,
        "lessons": [lesson.id for lesson in phase.lessons],
        "deployed": bool(found),
        "lesson": next((stack["lesson"] for stack in found.values() if stack["lesson"]), None),
        "stacks": found,
    }


def _checked(phase: course.Phase, progress: Progress) -> dict[str, Any]:
    """How many of a phase's checks passed when `brewhaven verify` last looked, and where it looked."""
    seen = [entry for lesson in phase.lessons if (entry := progress.lesson(lesson.id).get("verify"))]
    return {
        "checks": {
            "of": len(list(checks.load(phase.folder))),
            "passed": sum(entry.get("checks_passed", 0) for entry in seen),
            "on": sorted({name for entry in seen for name in entry["on"]}),
            "at": max((entry["at"] for entry in seen), default=None),
        }
    }


def _exercises(progress: Progress) -> dict[str, int]:
    """How many exercises there are, and how many were ever solved."""
    states = [workspace.state(each, progress) for each in all_exercises()]
    return {"of": len(states), "passed": states.count("passed")}


def _next_step(answer: dict[str, Any]) -> str:
    available = [phase for phase in answer["phases"] if phase["available"]]
    missing = next((phase for phase in available if not phase["deployed"]), None)
    local = answer["target"] == "local"
    if answer["problem"]:
        return "brewhaven up" if local else "sign in to AWS, then `brewhaven use aws`"
    if missing and not any(phase["deployed"] for phase in available):
        return "brewhaven up" if local else f"brewhaven deploy {missing['number']}"
    if answer["open_fault"]:
        return "mend what `brewhaven break` broke: `brewhaven hint` helps, `brewhaven fix --check` says when it is done"
    broken = [
        name
        for phase in available
        for name, stack in phase["stacks"].items()
        if not stack["status"].endswith("_COMPLETE") or "ROLLBACK" in stack["status"]
    ]
    if broken:
        return (
            f"see why {broken[0]} is not complete: `aws cloudformation describe-stack-events --stack-name {broken[0]}`"
        )
    url = next((stack["outputs"].get("ShopUrl") for phase in available for stack in phase["stacks"].values()), None)
    if not url:
        return "brewhaven deploy 1"
    onwards = f", or go on with phase {missing['number']}: brewhaven deploy {missing['number']}" if missing else ""
    return f"open {url} and order a coffee{onwards}"
