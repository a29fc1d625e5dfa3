"""The command line: parse, call one function, print.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 something of the course is left after `destroy`, 130 interrupted.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from brewhaven import console
from brewhaven.course import commands as course_commands
from brewhaven.course.faults import commands as fault_commands
from brewhaven.demo import commands as demo_commands
from brewhaven.diff.command import diff
from brewhaven.errors import FAILURE, LEFT_OVER, SUCCESS
from brewhaven.exercises import commands as exercise_commands
from brewhaven.failures import Commands
from brewhaven.local.settings import CloudSettings
from brewhaven.options import Context, Json, Student, switches

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Brew Haven: a coffee shop on AWS, deployed phase by phase, on this machine or in an account of yours.",
    epilog="Begin with [bold]brewhaven up[/bold].  Exit codes: 0 done, 1 failed, 2 wrong use, 3 something is left "
    "after destroy, 130 interrupted.",
)
local_app = typer.Typer(no_args_is_help=True, help="The local cloud: start, stop, look, empty.")
app.add_typer(local_app, name="local")
app.command(epilog="Example: [bold]brewhaven start 1.3[/bold]")(course_commands.start)
app.command(epilog="Example: [bold]brewhaven lesson 1.3[/bold]")(course_commands.lesson)
app.add_typer(course_commands.lab, name="lab")
app.command(epilog="Example: [bold]brewhaven verify 1.3 --json[/bold]")(course_commands.verify)
app.command(epilog="Example: [bold]brewhaven quiz 1.3[/bold]")(course_commands.quiz)
app.add_typer(exercise_commands.app, name="exercise")
app.command("break", epilog=fault_commands.BREAK_EPILOG)(fault_commands.break_)
app.command(epilog=fault_commands.HINT_EPILOG)(fault_commands.hint)
app.command(epilog=fault_commands.FIX_EPILOG)(fault_commands.fix)
app.add_typer(demo_commands.app, name="demo")
app.command(epilog="Example: [bold]brewhaven doctor[/bold]")(course_commands.doctor)
app.command(epilog="Example: [bold]brewhaven diff 1.2 1.3[/bold], or [bold]brewhaven diff 0 1 --present[/bold]")(diff)

AllowedCidr = Annotated[
    str | None,
    typer.Option(help="Who may reach the shop, for example 203.0.113.7/32. On AWS the default is your own address."),
]


class Cloud(StrEnum):
    local = "local"
    aws = "aws"


def _settings() -> CloudSettings:
    return CloudSettings.from_environment()


@app.command(epilog="Example: [bold]brewhaven up --phase 1[/bold]")
def up(
    phase: Annotated[str, typer.Option(help="Deploy through this phase.")] = "1",
    json: Json = False,
) -> None:
    """Start the local cloud, deploy, and print the shop's address. Run again, it only does what is missing."""
    from brewhaven import course, report
    from brewhaven import up as up_module
    from brewhaven.deploy import Request

    settings = _settings()
    place = course.find(phase)
    deployed, accounts = up_module.up(settings, Request(place))
    report.deployment(place, deployed, accounts=accounts, json=json)


@app.command(
    epilog="Example: [bold]brewhaven down[/bold], and later [bold]brewhaven up[/bold]: what was ordered is still there"
)
def down() -> None:
    """Stop the local cloud and everything that runs in it. Its data is kept; nothing on AWS is touched."""
    local_down()


@app.command(
    epilog="Example: [bold]brewhaven deploy 1.3[/bold] for the state of lesson 1.3, "
    "[bold]brewhaven deploy 1[/bold] for all of phase 1"
)
def deploy(
    phase: Annotated[str, typer.Argument(metavar="N[.M]", help="A phase, or a lesson of one.")],
    student: Student = None,
    allowed_cidr: AllowedCidr = None,
    context: Context = None,
    allow_the_whole_internet: Annotated[
        bool, typer.Option("--allow-the-whole-internet", help="Accept 0.0.0.0/0 on AWS.")
    ] = False,
    json: Json = False,
) -> None:
    """Deploy through a phase or a lesson, on the cloud chosen with `brewhaven use`."""
    from brewhaven import course, report, target
    from brewhaven import deploy as deploy_module

    settings = _settings()
    request = deploy_module.Request(
        place=course.find(phase),
        student=student,
        allowed_cidr=allowed_cidr,
        allow_everyone=allow_the_whole_internet,
        context=switches(context),
    )
    deploy_module.refuse_unusable(request)
    cloud = target.current(settings)
    deploy_module.ensure_bootstrap(settings, cloud)
    report.deployment(request.place, deploy_module.deploy(settings, cloud, request), json=json)


@app.command(
    epilog="Example: [bold]brewhaven destroy 2[/bold] takes phase 2 and all later ones away, "
    "[bold]brewhaven destroy[/bold] everything"
)
def destroy(
    phase: Annotated[int, typer.Argument(metavar="N", help="This phase and all later ones; without it, all.")] = 1,
    student: Student = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on AWS.")] = False,
    json: Json = False,
) -> None:
    """Delete the course's stacks, later phases first, and prove that nothing is left (exit code 3 if something is)."""
    from brewhaven import course, report, target
    from brewhaven import destroy as destroy_module

    settings = _settings()
    course.phase_numbered(phase)
    cloud = target.current(settings)
    plan = destroy_module.plan(settings, cloud, phase, student)
    if not cloud.is_local and plan.stacks and not yes:
        report.what_will_go(cloud, plan)
        if not typer.confirm("Delete all of this?", default=False, err=True):
            console.complain("Nothing was deleted.")
            raise typer.Exit(FAILURE)
    findings = destroy_module.destroy(settings, cloud, plan)
    report.inventory(cloud, plan, findings, json=json)
    raise typer.Exit(SUCCESS if findings.is_empty else LEFT_OVER)


@app.command(
    epilog="Example: [bold]brewhaven use aws[/bold], then [bold]brewhaven deploy 1[/bold]; "
    "[bold]brewhaven use local[/bold] goes back"
)
def use(cloud: Annotated[Cloud, typer.Argument(help="The cloud that later commands act on.")]) -> None:
    """Choose the cloud: the local one, or the AWS account of this shell's credentials."""
    from brewhaven import report, target

    settings = _settings()
    if cloud is Cloud.aws:
        report.aws_chosen(target.aws(settings))
        target.choose(settings, "aws")
        return
    target.choose(settings, "local")
    console.say(
        "Commands now act on the [bold]local cloud[/bold]. Nothing of it leaves this machine, nothing costs money."
    )
    console.say('[dim]In a shell that was set up for AWS, run: eval "$(brewhaven env)"[/dim]')


@app.command(epilog='Example: [bold]eval "$(brewhaven env)"[/bold], then plain cdk, aws and boto3 work')
def env(json: Json = False) -> None:
    """Print the variables with which plain `cdk`, `aws` and boto3 reach the chosen cloud."""
    from brewhaven.environment import shell_change

    change = shell_change(_settings())
    if json:
        console.plain_json({"set": change.set, "unset": list(change.unset)})
    else:
        print(change.as_shell())


@app.command(epilog="Example: [bold]brewhaven status --json[/bold]")
def status(student: Student = None, json: Json = False) -> None:
    """Show the chosen cloud, what is deployed, the shop's address and the next step."""
    from brewhaven import report
    from brewhaven import status as status_module

    report.status(status_module.status(_settings(), student), json=json)


@app.command(
    epilog="Example: [bold]brewhaven redrive[/bold] to look, then "
    "[bold]brewhaven redrive OrderPipelineOrders[/bold] to move them back"
)
def redrive(
    queue: Annotated[
        str | None, typer.Argument(help="Move back what is in this one; without it, all are listed.")
    ] = None,
    rate: Annotated[
        int | None, typer.Option(min=1, max=500, help="Messages a second at most; by default SQS decides.")
    ] = None,
    student: Student = None,
    json: Json = False,
) -> None:
    """List what was put aside in dead-letter queues, or have SQS move it back to where it came from.

    Mend first why the messages failed, or they are back within minutes.
    To look at a message counts as receiving it.
    """
    from brewhaven import redrive as redrive_module
    from brewhaven import report, status, target

    cloud = target.current(_settings())
    deployment = status.deployment(cloud, student)
    queues = redrive_module.dead_letter_queues(deployment)
    if queue is None:
        report.dead_letters(queues, json=json)
        return
    meant = redrive_module.find(queues, queue)
    redrive_module.refuse(meant)
    with console.step(f"Moving what is in the dead-letter queue of {meant.name} back") as step:
        moved = redrive_module.move(
            deployment, meant, rate=rate, on_progress=lambda done, of: step.note(f"{done} of {of}")
        )
        step.result(f"{moved.moved} moved")
    report.moved(moved, json=json)


@local_app.command("up", epilog="Example: [bold]brewhaven local up[/bold]")
def local_up() -> None:
    """Start the local cloud alone: an account with nothing deployed, or with what was in it before."""
    from brewhaven.up import start_local_cloud

    start_local_cloud(_settings())
    console.say(
        'Next: [bold]eval "$(brewhaven env)"[/bold] for a shell that uses it, or [bold]brewhaven up[/bold] to deploy.'
    )


@local_app.command("down", epilog="Example: [bold]brewhaven local down[/bold]")
def local_down() -> None:
    """Stop the local cloud and everything that runs in it; its data is kept."""
    from brewhaven.up import stop_local_cloud

    stop_local_cloud(_settings())


@local_app.command("status", epilog="Example: [bold]brewhaven local status --json[/bold]")
def local_status(json: Json = False) -> None:
    """Show the local cloud's process, ports and memory, and what of the deployed is only recorded."""
    from brewhaven import report
    from brewhaven import status as status_module

    report.local_status(status_module.local_status(_settings()), json=json)


@local_app.command(
    "psql",
    epilog='Example: [bold]brewhaven local psql -c "SELECT count(*) FROM orders"[/bold]',
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def local_psql(
    context: typer.Context,
    instance: Annotated[str | None, typer.Option("--instance", help="Which DB instance, of several.")] = None,
) -> None:
    """Open psql on a database of the local cloud, with TLS and its secret; what follows is for psql itself."""
    from brewhaven import target
    from brewhaven.local import psql

    settings = _settings()
    psql.run(settings, target.local(settings), instance, context.args)


@local_app.command(
    "valkey-cli",
    epilog="Example: [bold]brewhaven local valkey-cli DBSIZE[/bold]",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def local_valkey_cli(
    context: typer.Context,
    group: Annotated[str | None, typer.Option("--group", help="Which replication group, of several.")] = None,
) -> None:
    """Open valkey-cli on a cache of the local cloud, with TLS and its secret; what follows is for valkey-cli itself."""
    from brewhaven import target
    from brewhaven.local import caches

    settings = _settings()
    caches.run(target.local(settings), group, context.args)


@local_app.command("reset", epilog="Example: [bold]brewhaven local reset[/bold]")
def local_reset() -> None:
    """Empty the local account: every stack, table, bucket and process in it is gone."""
    from brewhaven.course.start import empty_local_account

    with console.step("Emptying the local account"):
        empty_local_account(_settings())


@local_app.command("logs", epilog="Example: [bold]brewhaven local logs --lines 50[/bold]")
def local_logs(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 40,
) -> None:
    """Print the last lines that the local cloud wrote; what the shop writes is in CloudWatch Logs."""
    from brewhaven.local import lifecycle

    settings = _settings()
    tail = lifecycle.log_tail(settings, lines)
    for line in tail:
        print(line)
    if not tail:
        console.warn(f"There is no log yet ({settings.log_file}).")


def main() -> Any:
    """The `brewhaven` program."""
    app(prog_name="brewhaven")
