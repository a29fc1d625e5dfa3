"""``brewhaven demo``: parse, call one function, print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brewhaven import console
from brewhaven.errors import FAILURE, BrewHavenError
from brewhaven.local.settings import CloudSettings
from brewhaven.options import Json, Student

if TYPE_CHECKING:
    from brewhaven.course.cloud import Deployment
    from brewhaven.demo.journey import Journey
    from brewhaven.target import Target

app = typer.Typer(no_args_is_help=True, help="See what is deployed at work: each hop as it happens, and its time.")
PATIENCE = {"local": 60.0, "aws": 90.0}
THIS_MACHINE = (
    "Functions are processes of this machine here, so their times, above all those of a cold start, are its own. "
    "`brewhaven local status` says what else is only recorded."
)
Wait = Annotated[
    float | None,
    typer.Option(min=1, help="Seconds that a hop is waited for: by default 60 on the local cloud, 90 on AWS."),
]


@app.command("list", epilog="Example: [bold]brewhaven demo list[/bold]")
def list_(json: Json = False) -> None:
    """List the demos, and from which lesson each can be seen."""
    from rich.table import Table

    from brewhaven.demo import file_processing, order_processing

    rows = [
        (module.NAME, module.LESSON, (module.__doc__ or "").strip().rstrip("."), len(module.LEGS))
        for module in (order_processing, file_processing)
    ]
    if json:
        console.plain_json(
            [{"demo": name, "lesson": lesson, "shows": shows, "hops": hops} for name, lesson, shows, hops in rows]
        )
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Demo", "From lesson", "Hops", "Shows"):
        table.add_column(heading)
    for name, lesson, shows, hops in rows:
        table.add_row(name, lesson, str(hops), shows)
    console.out.print(table)
    console.say("\n[dim]Next: brewhaven demo order-processing[/dim]")


@app.command("order-processing", epilog="Example: [bold]brewhaven demo order-processing[/bold]")
def order_processing(wait: Wait = None, student: Student = None, json: Json = False) -> None:
    """An order on its way: shop, PostgreSQL, outbox, SQS, worker, SNS, and its three subscribers.

    It is a real order, of a customer who signs up for it, and is cancelled at the end.
    The roadmap begins with API Gateway and a Lambda function: these come with phase 3.
    Until then the shop's own server takes the order.
    Times are those that the services note by their own clocks.
    Exit code 1 if a hop did not happen, with what to do about it.
    """
    from brewhaven.demo import order_processing as flow

    cloud, deployment = _look(student, flow.NEEDS, flow.LESSON)
    journey = flow.OrderProcessing(deployment, _shop(deployment), wait or PATIENCE[cloud.name]).run()
    _close(journey, cloud, json=json)


@app.command("file-processing", epilog="Example: [bold]brewhaven demo file-processing[/bold]")
def file_processing(wait: Wait = None, student: Student = None, json: Json = False) -> None:
    """A picture on its way: presigned upload, S3, EventBridge, SQS, Lambda, Rekognition, DynamoDB, and its thumbnail.

    Then a file that is no picture: it goes into quarantine, and the manager is told.
    Both are removed at the end. Times are those that the services note by their own clocks.
    Exit code 1 if a hop did not happen, with what to do about it.
    """
    from brewhaven.demo import file_processing as flow

    cloud, deployment = _look(student, flow.NEEDS, flow.LESSON)
    journey = flow.FileProcessing(deployment, cloud, _shop(deployment), wait or PATIENCE[cloud.name]).run()
    _close(journey, cloud, json=json)


def _look(student: str | None, needs: tuple[str, ...], lesson: str) -> tuple[Target, Deployment]:
    """The chosen cloud and what is deployed there.

    Raises:
        BrewHavenError: What the demo shows is not there.
    """
    from brewhaven import course, target
    from brewhaven.course.cloud import Deployment

    cloud = target.current(CloudSettings.from_environment())
    prefix = f"{student}-" if student else ""
    stacks = [prefix + stack for phase in course.phases() if phase.number <= 2 for stack in phase.stacks]
    deployment = Deployment(cloud, stacks)
    missing = [name for name in needs if name not in deployment.outputs]
    if missing:
        raise BrewHavenError(
            f"This demo needs what lesson {lesson} deploys: the stacks have no output {missing[0]}.",
            f"Run `brewhaven deploy {lesson}`, then this command again.",
        )
    return cloud, deployment


def _shop(deployment: Deployment) -> str:
    return (deployment.outputs.get("ShopUrl") or deployment.outputs["InstanceUrl"]).rstrip("/")


def _close(journey: Journey, cloud: Target, *, json: bool) -> None:
    from brewhaven.demo import render

    if cloud.is_local:
        journey.notes.append(THIS_MACHINE)
    render.summary(journey, cloud.name, json=json)
    if not journey.complete:
        raise typer.Exit(FAILURE)
