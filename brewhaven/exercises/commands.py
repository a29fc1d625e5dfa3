"""``brewhaven exercise``: parse, call one function, print."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from brewhaven import console
from brewhaven.errors import FAILURE, UsageError
from brewhaven.local.settings import CloudSettings
from brewhaven.options import Json

if TYPE_CHECKING:
    from pathlib import Path

    from brewhaven.exercises.declared import Exercise
    from brewhaven.exercises.judge import Verdict

app = typer.Typer(help="Small tasks in CDK code of your own, judged in words while you write.")
Id = Annotated[str | None, typer.Argument(metavar="[ID]", help="The exercise; by default the one changed last.")]


@app.callback(
    invoke_without_command=True,
    epilog="Example: [bold]brewhaven exercise start pickups-by-day[/bold], then [bold]brewhaven exercise watch[/bold]",
)
def exercise(
    context: typer.Context,
    selftest: Annotated[
        bool, typer.Option("--selftest", help="Prove every start, solution and wrong answer (for maintainers).")
    ] = False,
    on: Annotated[str, typer.Option(help="`local` proves on the local cloud as well.")] = "template",
    json: Json = False,
) -> None:
    """Practise in files of your own, in the folder workspace/, which the course never overwrites."""
    if context.invoked_subcommand is not None:
        return
    if selftest:
        _selftest(on, json)
    else:
        typer.echo(context.get_help())


@app.command("list", epilog="Example: [bold]brewhaven exercise list[/bold]")
def list_(json: Json = False) -> None:
    """List the exercises and how far you are."""
    from rich.table import Table

    from brewhaven.course.progress import Progress
    from brewhaven.exercises import workspace
    from brewhaven.exercises.declared import all_exercises

    progress = Progress(CloudSettings.from_environment().home)
    rows = [(each, workspace.state(each, progress)) for each in all_exercises()]
    if json:
        console.plain_json(
            [
                {"id": each.id, "title": each.title, "lesson": each.lesson, "minutes": each.minutes, "state": state,
                 "folder": str(workspace.folder_of(each))}
                for each, state in rows
            ]
        )  # fmt: skip
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("Exercise", "", "After lesson", "Minutes", ""):
        table.add_column(name)
    words = {"passed": "[green]✓ passed[/green]", "begun": "begun", "new": "[dim]not begun[/dim]"}
    for each, state in rows:
        table.add_row(each.id, each.title, each.lesson, str(each.minutes), words[state])
    console.out.print(table)
    console.say("\n[dim]Next: brewhaven exercise start ID[/dim]")


@app.command(epilog="Example: [bold]brewhaven exercise start pickups-by-day[/bold]")
def start(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The exercise.")],
    again: Annotated[
        bool, typer.Option("--again", help="Begin anew; what you wrote is moved into a folder kept-<number>.")
    ] = False,
) -> None:
    """Put the files to begin with into your folder and show the task. What is there already stays as it is."""
    from rich.markdown import Markdown

    from brewhaven.exercises import workspace
    from brewhaven.exercises.declared import CODE, find

    chosen = find(id_)
    started = workspace.start(chosen, again=again)
    pages = "\n".join(f"- {page}" for page in chosen.read)
    console.out.print(Markdown(f"# {chosen.title}\n\n{chosen.task}\n\nRead:\n\n{pages}"))
    console.say()
    if started.kept:
        console.say(f"What you wrote before is in {escape(str(started.kept))}")
    yours = f"[bold]{escape(_yours(chosen, started.folder))}[/bold]"
    if CODE in started.put:
        console.say(f"You write {yours}")
    else:
        back = f"; {', '.join(started.put)} put back" if started.put else ""
        console.say(f"You have begun already, and what is there was left as it is{back}. You write {yours}")
    _tell_of_newer_start(chosen)
    console.say(f"Next: [bold]brewhaven exercise watch {chosen.id}[/bold] judges each time you save.")


@app.command(epilog="Example: [bold]brewhaven exercise check pickups-by-day[/bold]")
def check(
    id_: Id = None,
    on: Annotated[
        str, typer.Option(help="`template`, or `local` to deploy it to the local cloud as well and ask there.")
    ] = "template",
    json: Json = False,
) -> None:
    """Judge your solution once (exit code 1 while something is missing)."""
    from brewhaven import target
    from brewhaven.course.progress import Progress
    from brewhaven.exercises import workspace
    from brewhaven.exercises.judge import judge, note
    from brewhaven.exercises.workshop import Workshop

    settings = CloudSettings.from_environment()
    _known(on)
    chosen = workspace.chosen(id_)
    folder = workspace.begun(chosen)
    if on == "local" and not chosen.runs_on_cloud:
        raise UsageError(
            f"The exercise {chosen.id} is judged on its template alone.", "Leave out `--on local`."
        )  # fmt: skip
    cloud = target.local(settings) if on == "local" else None
    with Workshop() as workshop:
        workshop.warm_up()
        verdict = judge(chosen, folder, workshop, cloud)
    note(verdict, Progress(settings.home))
    if json:
        console.plain_json(verdict.as_json())
    else:
        _say(verdict)
        _tell_of_newer_start(chosen)
    if not verdict.passed:
        raise typer.Exit(FAILURE)


@app.command(epilog="Example: [bold]brewhaven exercise watch pickups-by-day[/bold]")
def watch(id_: Id = None) -> None:
    """Judge each time you save, until Ctrl-C. Nothing in your file can end the watching."""
    from brewhaven.course.progress import Progress
    from brewhaven.exercises import judge as judge_module
    from brewhaven.exercises import workspace
    from brewhaven.exercises.workshop import Workshop

    progress = Progress(CloudSettings.from_environment().home)
    chosen = workspace.chosen(id_)
    folder = workspace.begun(chosen)

    def say(verdict: Verdict, since: float | None) -> None:
        judge_module.note(verdict, progress)
        console.out.rule(f"{chosen.id}  {time.strftime('%H:%M:%S')}", style="dim")
        _say(verdict, since)

    console.say(f"Watching {escape(_yours(chosen, folder))}. Save it to be judged; Ctrl-C ends.")
    _tell_of_newer_start(chosen)
    with Workshop() as workshop:
        try:
            judge_module.watch(chosen, folder, workshop, say, time.sleep)
        except KeyboardInterrupt:  # the way to end it, and no failure
            console.say(f"\nNo longer watching. Your work is in {escape(str(folder))}")


@app.command(epilog="Example: [bold]brewhaven exercise hint[/bold]")
def hint(
    id_: Id = None, all_: Annotated[bool, typer.Option("--all", help="All hints that there are.")] = False
) -> None:
    """Show the next hint; each says more than the one before."""
    from brewhaven.course.progress import Progress
    from brewhaven.exercises import workspace

    progress = Progress(CloudSettings.from_environment().home)
    chosen = workspace.chosen(id_)
    key, many = workspace.key(chosen), len(chosen.hints)
    told = int(progress.lesson(key).get("hints", {}).get("told", 0))
    until = many if all_ else min(told + 1, many)
    for number in range(1, until + 1):
        dim = "dim" if number <= told else "default"
        console.say(f"[{dim}]{number}/{many}  {escape(chosen.hints[number - 1])}[/{dim}]")
    progress.record(key, "hints", told=max(told, until))
    if until == many:
        console.say("\n[dim]That was the last hint. `brewhaven exercise solution` explains one way to do it.[/dim]")


@app.command(epilog="Example: [bold]brewhaven exercise solution pickups-by-day --show-anyway[/bold]")
def solution(
    id_: Id = None,
    show_anyway: Annotated[bool, typer.Option("--show-anyway", help="Before you have passed.")] = False,
) -> None:
    """Show a solution with its reasoning, once yours has passed or when you insist. Your files stay as they are."""
    from rich.markdown import Markdown
    from rich.syntax import Syntax

    from brewhaven.course.progress import Progress
    from brewhaven.exercises import workspace

    chosen = workspace.chosen(id_)
    if not show_anyway and workspace.state(chosen, Progress(CloudSettings.from_environment().home)) != "passed":
        raise UsageError(
            f"You have not passed {chosen.id} yet, and finding it is what you learn from.",
            "`brewhaven exercise hint` helps; `--show-anyway` shows the solution.",
        )
    for name, text in chosen.solution_files().items():
        console.say(f"[bold]{name}[/bold]")
        console.out.print(Syntax(text, "python", theme="ansi_dark", background_color="default"))
    console.out.print(Markdown(chosen.reasoning))


def _known(on: str) -> None:
    if on not in ("template", "local"):
        raise UsageError(f"An exercise is judged on `template` or on `local`, got {on!r}.")


def _yours(exercise: Exercise, folder: Path) -> str:
    """The files that the student writes."""
    return " and ".join(str(folder / name) for name in exercise.to_write)


def _tell_of_newer_start(exercise: Exercise) -> None:
    from brewhaven.exercises import workspace

    if workspace.is_older(exercise):
        console.warn(
            f"The course has another start for {exercise.id} than when you began. Your file stays as it is; "
            f"`brewhaven exercise start {exercise.id} --again` puts it aside and begins with the new one."
        )


def _say(verdict: Verdict, since: float | None = None) -> None:
    """Print a verdict, with the seconds since the save where there was one."""
    from brewhaven.course import render

    if verdict.printed.strip():
        console.say(f"[dim]Your code printed:[/dim]\n{escape(verdict.printed.rstrip())}")
    if verdict.broken:
        console.say(f"[red]✗ {escape(verdict.broken.where)}:[/red] {escape(verdict.broken.what)}")
        if verdict.broken.code:
            console.say(f"      {escape(verdict.broken.code)}")
    elif verdict.report:
        said: set[str] = set()
        for finding in verdict.report.findings:
            if finding.passed or finding.what not in said:
                console.out.print(render.finding(finding))
            else:  # several checks that miss the same thing
                console.say(f"  {render.MARKS['failed']} [dim]{finding.check}  for the same reason[/dim]")
            said.add(finding.what)
    time_taken = f"{since:.1f} s after you saved" if since is not None else f"in {verdict.seconds:.1f} s"
    if not verdict.passed:
        console.say(f"Not yet ({time_taken}). `brewhaven exercise hint` helps.")
        return
    console.say(f"[green]Passed[/green] ({time_taken}). `brewhaven exercise solution` shows another way.")
    exercise = verdict.exercise
    if exercise.runs_on_cloud and not verdict.asked_on_cloud:
        console.say(f"Next: [bold]brewhaven exercise check {exercise.id} --on local[/bold] deploys it there and asks.")


def _selftest(on: str, json: bool) -> None:
    from brewhaven import target
    from brewhaven.exercises import selftest as proving
    from brewhaven.exercises.declared import all_exercises
    from brewhaven.exercises.workshop import Workshop

    _known(on)
    cloud = target.local(CloudSettings.from_environment()) if on == "local" else None
    exercises: list[Exercise] = all_exercises()

    def show(proof: proving.Proof) -> None:
        if not json:
            mark = "[green]✓[/green]" if proof.holds else "[red]✗[/red]"
            problem = f"\n      {escape(proof.problem)}" if proof.problem else ""
            console.say(f"{mark} {proof.exercise}: {proof.what} [dim]{proof.seconds:.1f} s[/dim]{problem}")

    with console.step("Proving the exercises") as step, Workshop() as workshop:
        workshop.warm_up()
        proofs = [proof for each in exercises for proof in proving.prove(each, workshop, cloud, show)]
        wrong = [proof for proof in proofs if not proof.holds]
        step.result(f"{len(proofs) - len(wrong)} of {len(proofs)} hold")
    slowest = max((proof.seconds for proof in proofs), default=0.0)
    if json:
        console.plain_json(
            {
                "passed": not wrong,
                "on": on,
                "exercises": len(exercises),
                "slowest_seconds": round(slowest, 2),
                "proofs": [
                    {
                        "exercise": proof.exercise,
                        "what": proof.what,
                        "holds": proof.holds,
                        "problem": proof.problem,
                        "seconds": round(proof.seconds, 2),
                    }
                    for proof in proofs
                ],
            }
        )
    else:
        console.say(
            f"{len(proofs) - len(wrong)} of {len(proofs)} proofs of {len(exercises)} exercises hold; the slowest "
            f"verdict took {slowest:.1f} s."
        )
        if cloud is None and (left := proving.left_for_cloud(exercises)):
            console.say(
                f"Not proved here: {left} wrong answer that only a deployment can tell; `--on local` proves it."
            )
    if wrong:
        raise typer.Exit(FAILURE)
