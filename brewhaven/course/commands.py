"""The commands of the course, for `brewhaven/cli.py` to register: parse, call one function, print."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any, Literal

import typer

from brewhaven import console
from brewhaven.errors import FAILURE, BrewHavenError
from brewhaven.local.settings import CloudSettings
from brewhaven.options import Context, Json, Student, switches

lab = typer.Typer(no_args_is_help=True, help="The labs: a lesson's steps, run and compared with what the lesson says.")

LessonId = Annotated[str, typer.Argument(metavar="N.M", help="A lesson, for example 1.3.")]


class CloudName(StrEnum):
    local = "local"
    aws = "aws"


class CheckTarget(StrEnum):
    template = "template"
    local = "local"
    aws = "aws"


def _settings() -> CloudSettings:
    return CloudSettings.from_environment()


def _cloud(settings: CloudSettings, name: str | None) -> Any:
    """The cloud that was asked for, or the one chosen with `brewhaven use`."""
    from brewhaven import target

    if name is None:
        return target.current(settings)
    return target.local(settings) if name == "local" else target.aws(settings)


def lesson(
    id_: Annotated[str | None, typer.Argument(metavar="[N.M]", help="A lesson; without it, the list of all.")] = None,
    pager: Annotated[bool, typer.Option(help="Show it page by page.")] = False,
) -> None:
    """Read a lesson in the terminal, or list all lessons and how far you are."""
    from brewhaven.course import document, load, render
    from brewhaven.course.progress import Progress

    course, progress = load(), Progress(_settings().home)
    if id_ is None:
        console.out.print(render.lessons(course, progress))
        return
    item = course.lesson(id_)
    text = render.lesson(document.read(item.path), item)
    if pager and console.out.is_terminal:
        with console.out.pager(styles=True):
            console.out.print(text)
    else:
        console.out.print(text)
    progress.record(item.id, "read")


@lab.command("list", epilog="Example: [bold]brewhaven lab list[/bold]")
def lab_list(json: Json = False) -> None:
    """List the labs: their steps, and how many of them need a real account."""
    from brewhaven.course import document, load, render

    course = load()
    rows = [(course.phase_of(item), item, document.read(item.path)) for item in course.lessons]
    if json:
        console.plain_json(
            [
                {
                    "lab": item.id,
                    "title": item.title,
                    "steps": len(found.steps),
                    "needs_aws": [step.number for step in found.steps if step.only == "aws"],
                    "needs_local": [step.number for step in found.steps if step.only == "local"],
                    "minutes": {"local": item.minutes_local, "aws": item.minutes_aws},
                }
                for _, item, found in rows
            ]
        )
        return
    console.out.print(render.labs(rows))


@lab.command("show", epilog="Example: [bold]brewhaven lab show 1.3[/bold]")
def lab_show(id_: LessonId) -> None:
    """Show the steps of a lesson alone: why, the command, and what you see."""
    from brewhaven.course import document, load, render

    for step in document.read(load().lesson(id_).path).steps:
        console.out.print(render.step(step))


@lab.command("run", epilog="Example: [bold]brewhaven lab run 1.3[/bold], or [bold]brewhaven lab run --phase 1[/bold]")
def lab_run(
    id_: Annotated[str | None, typer.Argument(metavar="[N.M]", help="The lesson whose steps to run.")] = None,
    phase: Annotated[int | None, typer.Option(help="Run all labs of this phase in order.")] = None,
    on: Annotated[CloudName | None, typer.Option(help="The cloud; by default the one chosen with `use`.")] = None,
    prepare: Annotated[bool, typer.Option(help="Bring the deployment to the beginning of the lesson first.")] = True,
    drop: Annotated[int | None, typer.Option(help="Leave out this step's command: the lab must then fail.")] = None,
    json: Json = False,
) -> None:
    """Run a lesson's steps in one shell and compare each outcome with the text (exit code 1 if one differs)."""
    from brewhaven.course import lab_session, render
    from brewhaven.course.lab import StepResult

    settings = _settings()
    cloud = _cloud(settings, on)

    def watch(result: StepResult) -> None:
        if not json:
            console.out.print(render.step_result(result))

    def announce(text: str) -> None:
        if not json:
            console.say(text)

    def confirm(question: str) -> bool:
        return json or not sys.stdin.isatty() or typer.confirm(question, err=True)

    session = lab_session.Session(settings, cloud, prepare=prepare, confirm=confirm, announce=announce, watch=watch)
    results = session.run(lab_session.chosen(id_, phase), drop=drop)
    if json:
        console.plain_json({"passed": all(r.passed for r in results), "labs": [r.as_json() for r in results]})
    else:
        console.out.print(render.lab_summary(results))
    if not all(result.passed for result in results):
        raise typer.Exit(FAILURE)


@lab.command("lint", epilog="Example: [bold]brewhaven lab lint[/bold]")
def lab_lint(json: Json = False) -> None:
    """Hold every lesson and every fault against the course's rules (exit code 1 if one is broken)."""
    from brewhaven.course import checks, lint, load
    from brewhaven.course.faults import rules

    course = load()
    problems = [*lint.course_problems(course, checked=checks.by_objective(course)), *rules.problems(course)]
    if json:
        console.plain_json([{"file": str(p.path), "line": p.line, "message": p.message} for p in problems])
    else:
        for problem in problems:
            console.out.print(str(problem), markup=False, soft_wrap=True)
        console.say(f"{len(course.lessons)} lessons, {len(problems)} problem(s).")
    if problems:
        raise typer.Exit(FAILURE)


def verify(
    what: Annotated[str, typer.Argument(metavar="N[.M]", help="A phase, or a lesson of one.")],
    on: Annotated[
        list[CheckTarget] | None,
        typer.Option(help="template, local or aws; several times for several. By default the template and your cloud."),
    ] = None,
    student: Student = None,
    context: Context = None,
    json: Json = False,
) -> None:
    """Prove that what a lesson or phase teaches is there and works (exit code 1 if a check fails)."""
    from brewhaven import target
    from brewhaven.course import checks, find, load, render, stack_ids, template
    from brewhaven.course import verify as verification
    from brewhaven.course.cloud import Deployment
    from brewhaven.course.progress import Progress

    settings = _settings()
    place = find(what)
    chosen = verification.chosen(checks.load(place.phase.folder), through=place.lesson.number if place.lesson else None)
    wanted = {str(name) for name in on} if on else {"template", target.chosen(settings)}
    if {"local", "aws"} <= wanted:
        raise BrewHavenError("One call looks at one cloud.", "Verify `--on local` and `--on aws` one after the other.")
    name: Literal["local", "aws"] = "aws" if "aws" in wanted else "local"
    cloud = _cloud(settings, name) if wanted & {"local", "aws"} else None
    switched = {**place.context, **({"student": student} if student else {}), **switches(context)}
    stack = stack_ids(place.phase, student)[-1]
    found = None
    if "template" in wanted:
        account = cloud.account if cloud else settings.account_id
        region = cloud.region if cloud else settings.region
        found = template.synthesize(switched, account=account, region=region)[stack]
    report = verification.run(
        what, chosen, template=found, deployment=Deployment(cloud, [stack]) if cloud else None, cloud=name
    )
    for item in load().lessons:
        if counts := report.of_lesson(item.id):
            Progress(settings.home).record(item.id, "verify", **counts)
    if json:
        console.plain_json(report.as_json())
    else:
        console.out.print(render.report(report))
    if not report.passed:
        raise typer.Exit(FAILURE)


def quiz(
    id_: LessonId,
    answers: Annotated[str | None, typer.Option(help="Answer without being asked, one letter each, like BAC.")] = None,
    json: Json = False,
) -> None:
    """Answer a lesson's self-test; every wrong answer is explained. `--json` prints the questions for a program."""
    from brewhaven.course import document, load, render
    from brewhaven.course import quiz as quizzes
    from brewhaven.course.progress import Progress

    item = load().lesson(id_)
    text = document.read(item.path)
    if json and answers is None:
        console.plain_json({"lesson": item.id, "questions": quizzes.as_json(text)})
        return
    if answers is not None:
        results = quizzes.judge_all(text, list(answers))
    else:
        count = len(text.questions)

        def ask(question: document.Question) -> str:
            console.out.print(render.question(question, text.questions.index(question) + 1, count))
            return str(typer.prompt("Your answer", err=True))

        def tell(result: quizzes.Judged | BrewHavenError) -> None:
            if isinstance(result, BrewHavenError):
                console.complain(result.message, result.remedy)
            else:
                console.out.print(render.judged(result))

        results = quizzes.ask_all(text, ask, tell)
    right = sum(result.passed for result in results)
    Progress(_settings().home).record(item.id, "quiz", passed=right == len(results), right=right, of=len(results))
    if json:
        console.plain_json(
            {"lesson": item.id, "right": right, "of": len(results), "answers": [r.as_json() for r in results]}
        )
        return
    if answers is not None:
        for result in results:
            console.out.print(render.judged(result))
    console.say(f"{right} of {len(results)} right.")


def doctor(
    phase: Annotated[int, typer.Option(help="Look also at what the phases up to this one need.")] = 1,
    on: Annotated[CloudName | None, typer.Option(help="The cloud; by default the one chosen with `use`.")] = None,
    json: Json = False,
) -> None:
    """Look whether this machine and the chosen cloud are ready, and say what to do about what is not (exit code 1)."""
    from brewhaven import target
    from brewhaven.course import doctor as diagnosis
    from brewhaven.course import phase_numbered

    settings = _settings()
    phase_numbered(phase)
    name = str(on) if on else target.chosen(settings)
    findings = diagnosis.examine(settings, name, phase)
    if json:
        console.plain_json(
            {"ready": diagnosis.is_ready(findings), "target": name, "findings": diagnosis.as_json(findings)}
        )
    else:
        console.out.print(diagnosis.table(findings))
    if not diagnosis.is_ready(findings):
        raise typer.Exit(FAILURE)


def start(
    id_: Annotated[str, typer.Argument(metavar="N.M", help="A lesson; 1.0 is the empty account.")],
    student: Student = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before something is removed on AWS.")] = False,
    json: Json = False,
) -> None:
    """Bring the deployment to the beginning of a lesson, from whatever state it is in."""
    import time

    from brewhaven import target
    from brewhaven.course import load
    from brewhaven.course import start as starting
    from brewhaven.up import start_local_cloud

    began = time.monotonic()
    settings, course = _settings(), load()
    wanted = starting.parse(course, id_)
    goal = course.before(wanted) if wanted else None
    if target.chosen(settings) == "local":
        start_local_cloud(settings)
    cloud = target.current(settings)
    what = starting.plan_from_here(course, cloud, goal, student)
    console.err.print(what.sentence, markup=False, soft_wrap=True)
    removes = what.way in ("back", "empty")
    if removes and not cloud.is_local and not yes and not typer.confirm("Go on?", default=False, err=True):
        console.complain("Nothing was changed.")
        raise typer.Exit(FAILURE)
    starting.carry_out(course, settings, cloud, what, student=student, restart=lambda: target.local(settings))
    if json:
        found = what.found.id if what.found else None
        reached = goal.id if goal else None
        console.plain_json(
            {"found": found, "reached": reached, "way": what.way, "seconds": round(time.monotonic() - began, 1)}
        )
        return
    following = wanted or course.lessons[0]
    console.say(f"Ready for lesson {following.id}. Read it with [bold]brewhaven lesson {following.id}[/bold].")
