"""What commands print when they are done: for people, or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from brewhaven import console, course, stacks
from brewhaven.console import plain_json, say
from brewhaven.deploy import Deployed
from brewhaven.destroy import Plan
from brewhaven.inventory import Findings
from brewhaven.redrive import DeadLetterQueue, Moved
from brewhaven.target import Target

BETWEEN_STACKS = ("PublishOutput", "ExportsOutput")
"""Outputs that the CDK makes for other stacks to read: nobody else needs to."""


def deployment(
    place: course.Place, deployed: Deployed, *, accounts: list[dict[str, str]] | None = None, json: bool = False
) -> None:
    """Say what is there now: the address first, since that is what everybody looks for."""
    if json:
        plain_json(
            {
                "phase": place.phase.number,
                "lesson": place.lesson.id if place.lesson else None,
                "shop_url": deployed.shop_url,
                "outputs": deployed.outputs,
                "resources": deployed.services,
                "changed": deployed.changed,
                "seconds": round(deployed.seconds, 1),
                "accounts": accounts or [],
                **deployed.doors,
            }
        )
        return
    say()
    if deployed.shop_url:
        say(f"[bold green]The shop is open:[/bold green] [bold]{escape(deployed.shop_url)}[/bold]")
    else:
        say(f"[bold green]Deployed {escape(str(place))}.[/bold green] The shop itself comes with lesson 1.5.")
    counts = ", ".join(f"{number} {service}" for service, number in deployed.services.items())
    say(f"[dim]{sum(deployed.services.values())} resources: {counts}  ({deployed.seconds:.0f} s)[/dim]")
    for account in accounts or []:
        say(f"  {account['role']}: {account['email']}  password {account['password']}")
    _doors(deployed.doors)
    say()
    if deployed.shop_url:
        say("Next: open that address and order a coffee; [bold]brewhaven status[/bold] shows what is behind it,")
        if "FollowUpTableName" in deployed.outputs:
            say("      [bold]brewhaven demo order-processing[/bold] follows an order through all of it,")
        say('      [bold]eval "$(brewhaven env)"[/bold] gives a shell in which cdk, aws and boto3 reach this cloud.')
    else:
        say("Next: [bold]brewhaven status[/bold], then the next lesson.")


def aws_chosen(cloud: Target) -> None:
    """Say whose account it is, and that it costs money."""
    say(f"Commands now act on [bold]AWS[/bold] account [bold]{cloud.account}[/bold] in [bold]{cloud.region}[/bold].")
    say("[yellow]What you deploy there costs money until you destroy it:[/yellow] phase 1 about 1.50 USD a day (a load")
    say("balancer, a small instance, a Fargate task, three public addresses), phase 2 about 1.40 USD more (a database,")
    say("a cache, two endpoints). [bold]brewhaven destroy[/bold] ends all of it, [bold]brewhaven destroy 2[/bold]")
    say("phase 2 alone.")
    say('[dim]For plain cdk and aws in this shell, run: eval "$(brewhaven env)"[/dim]')


def what_will_go(cloud: Target, plan: Plan) -> None:
    """List the stacks and what they hold, before the question."""
    console.err.print(
        f"In account [bold]{cloud.account}[/bold], {cloud.region}, this will be deleted with all its data:"
    )
    for name in plan.stacks:
        counts = stacks.count_by_service(stacks.resources(cloud, name))
        listing = ", ".join(f"{number} {service}" for service, number in counts.items())
        console.err.print(f"  [bold]{escape(name)}[/bold]: {listing}", soft_wrap=True)


def inventory(cloud: Target, plan: Plan, findings: Findings, *, json: bool = False) -> None:
    """Say whether anything is left."""
    if json:
        plain_json(
            {
                "target": cloud.name,
                "account": cloud.account,
                "region": cloud.region,
                "deleted": list(plan.stacks),
                "left": [{"kind": item.kind, "id": item.id} for item in findings.items],
                "unseen": findings.unseen,
                "absent": list(findings.absent),
                "kept": [stacks.BOOTSTRAP_STACK],
            }
        )
        return
    if findings.is_empty:
        deleted = f"Deleted {', '.join(plan.stacks)}. " if plan.stacks else "There was no stack to delete. "
        what = "the course" if plan.whole_course else f"phase {plan.first_phase} and later ones"
        say(f"[bold green]Nothing of {what} is left.[/bold green] {escape(deleted)}")
        if not plan.whole_course:
            say("[dim]What earlier phases deployed stays as it was: brewhaven status shows it.[/dim]")
        if plan.takes_orders_along:
            say(
                "[dim]The shop takes orders in DynamoDB again, as in phase 1. Those in PostgreSQL went with the "
                "database, unless it was deployed with database_on_destroy=snapshot.[/dim]"
            )
        say(
            f"[dim]Kept: {stacks.BOOTSTRAP_STACK}, the CDK's own stack with its bucket and "
            "its image repository, which every CDK app of the account uses.[/dim]"
        )
        if not cloud.is_local:
            say(
                "[dim]AWS keeps a backup of a deleted table that had point-in-time recovery for 35 days, "
                "free of charge.[/dim]"
            )
        return
    for item in findings.items:
        say(f"  [red]left[/red]    {escape(item.kind)}: {escape(item.id)}")
    for kind, reason in findings.unseen.items():
        say(f"  [yellow]unknown[/yellow] {escape(kind)}: {escape(reason)}")
    console.complain(
        f"{len(findings.items)} things of the course are left, {len(findings.unseen)} kinds could not be looked at.",
        "Run the same command again; what stays must be deleted by hand, in the AWS console or with `aws`.",
    )


def dead_letters(queues: list[DeadLetterQueue], *, json: bool = False) -> None:
    """What was put aside, queue by queue, and what to do about it."""
    if json:
        plain_json([queue.as_dict() for queue in queues])
        return
    if not queues:
        say("Nothing that is deployed has a dead-letter queue. Phase 2 brings some: [bold]brewhaven deploy 2[/bold]")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Dead-letter queue of", no_wrap=True)
    table.add_column("Messages", justify="right")
    table.add_column("One of them", overflow="fold")
    for queue in queues:
        said = _one_of(queue) or ("" if queue.is_movable else "[dim]of SNS or Lambda: cannot be moved back[/dim]")
        depth = f"[bold red]{queue.depth}[/bold red]" if queue.depth else "0"
        table.add_row(escape(queue.name), f"{depth} [dim]+{queue.hidden}[/dim]" if queue.hidden else depth, said)
    console.out.print(table)
    say()
    full = next((queue for queue in queues if queue.depth and queue.is_movable), None)
    if full:
        say(
            f"Next: find in the function's log group why they failed, mend it, then [bold]brewhaven redrive {full.name}"
        )
    elif any(queue.depth for queue in queues):
        say("Next: read them with [bold]aws sqs receive-message[/bold]: they never were in a queue to go back to.")
    else:
        say("[bold green]Nothing was put aside.[/bold green]")


def _one_of(queue: DeadLetterQueue) -> str:
    """A message in words: what it is about, how often it was received, how old it is."""
    first = queue.first
    if first is None:
        return ""
    ids = " ".join(f"{name} {value}" for name, value in first.ids.items()) or f"{first.body!r}"
    moving = " [yellow]being moved[/yellow]" if queue.task == "RUNNING" else ""
    return f"{escape(ids)} [dim]received {first.received} times, {_age(first.age_seconds)} old[/dim]{moving}"


def _age(seconds: int) -> str:
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def moved(what: Moved, *, json: bool = False) -> None:
    """What SQS has moved, and what to look at then."""
    if json:
        plain_json({"queue": what.queue, "status": what.status, "moved": what.moved, "seconds": round(what.seconds, 1)})
        return
    say(f"[bold green]{what.moved} messages are back where they came from.[/bold green]")
    say("Next: [bold]brewhaven redrive[/bold] in some minutes. What is there again has failed again.")


def status(answer: dict[str, Any], *, json: bool = False) -> None:
    """The overview."""
    if json:
        plain_json(answer)
        return
    where = "the local cloud" if answer["target"] == "local" else "AWS"
    account = f", account {answer['account']} in {answer['region']}" if answer["account"] else ""
    say(f"Commands act on [bold]{where}[/bold]{account}.")
    if answer["problem"]:
        say(f"[yellow]{escape(answer['problem'])}[/yellow]")
    elif answer["bootstrap_version"] is None:
        say("[yellow]It is not bootstrapped for the CDK yet.[/yellow]")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("Phase", "Title", "State", "Lesson", "Checks passed"):
        table.add_column(heading, no_wrap=True)
    for phase in answer["phases"]:
        states = ", ".join(stack["status"] for stack in phase["stacks"].values())
        state = states or ("not deployed" if phase["available"] else "coming")
        table.add_row(str(phase["number"]), phase["title"], state, phase["lesson"] or "", _checks(phase["checks"]))
    console.out.print(table)
    exercises = answer["exercises"]
    say(f"Exercises: {exercises['passed']} of {exercises['of']} passed")
    for phase in answer["phases"]:
        for stack in phase["stacks"].values():
            for name, value in stack["outputs"].items():
                if not name.startswith(BETWEEN_STACKS):
                    say(f"  {escape(name)}: {escape(value)}")
    if answer.get("local"):
        _doors(answer["local"])
        _recorded_in_short(answer["local"])
    say(f"Next: [bold]{escape(answer['next'])}[/bold]")


def _checks(seen: dict[str, Any]) -> str:
    """The last word of `brewhaven verify`, with its date: what is deployed may have changed since."""
    if not seen["of"]:
        return ""
    if not seen["at"]:
        return f"none of {seen['of']} run"
    return f"{seen['passed']} of {seen['of']} on {' and '.join(seen['on'])}, {seen['at'][:10]}"


def local_status(answer: dict[str, Any], *, json: bool = False) -> None:
    """The local cloud."""
    if json:
        plain_json(answer)
        return
    if not answer["running"]:
        say(f"The local cloud does not run. Its data is in {escape(answer['folder'])}.")
        say("Next: [bold]brewhaven up[/bold]")
        return
    health = "healthy" if answer["healthy"] else "[red]not answering[/red]"
    minutes, seconds = divmod(answer["uptime_seconds"], 60)
    say(
        f"The local cloud is {health}: pid {answer['pid']}, up {minutes} min {seconds} s, "
        f"{answer['memory_megabytes']} MB."
    )
    say(f"  AWS APIs    {answer['endpoint']}  (account {answer['account']}, {answer['region']})")
    say(f"  S3 door     {answer['s3_endpoint']}  (plain HTTP, for browsers)")
    say(f"  Listening   {', '.join(map(str, answer['listening']))} on 127.0.0.1")
    _doors(answer)
    for process in answer["processes"]:
        if process["pid"] != answer["pid"]:
            say(f"  Process     {process['pid']}  {process['megabytes']} MB  {escape(process['command'][:90])}")
    say(f"  Data        {escape(answer['folder'])}")
    say(f"  Kept        {escape(answer['kept'])}.")
    for packages in answer["native_wheels"].values():
        if packages:
            say(f"  Native      {', '.join(packages)}: this machine's wheels; AWS runs those of its own architecture")
    _recorded(answer)


def _doors(of: Mapping[str, Any]) -> None:
    """Where databases and caches answer on this machine, and what connects to them with the deployed credentials."""
    databases, caches = of.get("databases", []), of.get("caches", [])
    for database in databases:
        which = f" --instance {database['identifier']}" if len(databases) > 1 else ""
        say(
            f"  Database    {escape(database['identifier'])}  {database['status']}  "
            f"{database['host']}:{database['port']}/{database['database']}  ([bold]brewhaven local psql{which}[/bold])"
        )
    for cache in caches:
        which = f" --group {cache['identifier']}" if len(caches) > 1 else ""
        say(
            f"  Cache       {escape(cache['identifier'])}  {cache['status']}  {cache['host']}:{cache['port']}"
            f"{' with TLS' if cache['tls'] else ''}  ([bold]brewhaven local valkey-cli{which}[/bold])"
        )


def _recorded_in_short(local: dict[str, Any]) -> None:
    """Of what something is recorded only; the sentences are in the local cloud's own status."""
    kinds = ", ".join(local["recorded_only"])
    if kinds:
        say(f"  [yellow]Recorded only[/yellow]  in part, as brewhaven local status says: {escape(kinds)}")
    for sentence in local["stand_ins"].values():
        say(f"  [yellow]Stand-in[/yellow]  {escape(sentence)}")


def _recorded(local: dict[str, Any]) -> None:
    for kind, sentence in local["recorded_only"].items():
        say(f"  [yellow]Recorded only[/yellow]  {escape(kind)}: {escape(sentence)}")
    for sentence in local["stand_ins"].values():
        say(f"  [yellow]Stand-in[/yellow]  {escape(sentence)}")
