"""The commands `break`, `hint` and `fix`, for `brewhaven/cli.py` to register: parse, call one function, print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brewhaven import console
from brewhaven.errors import FAILURE, INTERRUPTED, BrewHavenError, UsageError
from brewhaven.local.settings import CloudSettings
from brewhaven.options import Json, Student

if TYPE_CHECKING:
    from brewhaven.course.faults.declared import Fault
    from brewhaven.course.faults.practice import Practice

BREAK_EPILOG = (
    "Example: [bold]brewhaven break[/bold] for one that fits what is deployed, "
    "[bold]brewhaven break slow-at-noon[/bold] for a certain one, [bold]brewhaven break --list[/bold]"
)
HINT_EPILOG = "Example: [bold]brewhaven hint[/bold], up to three times"
FIX_EPILOG = (
    "Example: [bold]brewhaven fix --check[/bold] after a repair, [bold]brewhaven fix --show[/bold] when it is mended, "
    "[bold]brewhaven fix --undo[/bold] to give up"
)


def _practice(student: str | None = None, *, counts: bool = True) -> Practice:
    from brewhaven import target
    from brewhaven.course.faults.practice import Practice

    settings = CloudSettings.from_environment()
    return Practice(settings, target.current(settings), student, counts=counts)


def break_(
    id_: Annotated[str | None, typer.Argument(metavar="[ID]", help="A fault; without it, one that fits.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the faults; their names spoil nothing.")] = False,
    selftest: Annotated[
        bool, typer.Option("--selftest", help="Prove each fault on the local cloud: break, find, mend. For CI.")
    ] = False,
    phase: Annotated[int | None, typer.Option(help="Only the faults of this phase (--list and --selftest).")] = None,
    seed: Annotated[int | None, typer.Option(help="Choose by this number: the same one, the same fault.")] = None,
    student: Student = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on AWS.")] = False,
    json: Json = False,
) -> None:
    """Break one thing in what is deployed, as happens in real life, and tell only what a user of the shop reports."""
    from brewhaven.course import load

    if list_ and selftest:
        raise UsageError("List the faults or prove them, not both.", "See `brewhaven break --help`.")
    if selftest and student:
        raise UsageError("The faults are proven in a deployment without a prefix.", "Leave out --student.")
    if phase is not None:
        load().phase(phase)
    if list_:
        _list(_practice(student), phase, json=json)
    elif selftest:
        _selftest(_practice(student, counts=False), id_, phase, json=json)
    else:
        _break(_practice(student), id_, seed, yes=yes, json=json)


def _list(practice: Practice, phase: int | None, *, json: bool) -> None:
    from brewhaven.course.faults import render

    choices, history = practice.choices(phase), practice.book.history()
    found = practice.open_fault()
    opened = found.fault if found else None
    if json:
        console.plain_json(
            [
                {
                    "fault": fault.id,
                    "lesson": fault.lesson,
                    "state": render.state_of(fault, history, opened) or None,
                    "can_be_had": reason is None,
                    "because": reason,
                }
                for fault, reason in choices
            ]
        )
    else:
        console.out.print(render.listing(choices, history, opened))


def _break(practice: Practice, id_: str | None, seed: int | None, *, yes: bool, json: bool) -> None:
    from brewhaven.course import load
    from brewhaven.course.faults import declared, render

    if id_ is not None and seed is not None:
        raise UsageError("A fault is named or chosen by a number, not both.", "Leave out the one or the other.")
    fault = declared.find(load(), id_) if id_ else practice.choose(seed)
    practice.refuse(fault)
    stack = practice.stack_of(fault)
    cloud = practice.cloud
    if not cloud.is_local and not yes:
        console.err.print(
            f"In account [bold]{cloud.account}[/bold], {cloud.region}, a part of the stack [bold]{stack}[/bold] will "
            "be broken on purpose.\nOnly what this stack deployed is touched, besides what the fault itself adds and "
            "removes again. `brewhaven fix --undo` puts everything back.",
            soft_wrap=True,
        )
        if not typer.confirm("Break it?", default=False, err=True):
            console.complain("Nothing was changed.")
            raise typer.Exit(FAILURE)
    with console.step("Looking whether all is well") as step:
        findings = practice.see_it_well(fault, step.note)
        step.result(f"{len(findings)} checks pass")
    try:
        with console.step("Breaking something") as step:
            practice.break_it(fault, step.note)
            step.result("")
    except KeyboardInterrupt:
        console.complain("Interrupted in the middle of it.", "`brewhaven fix --undo` puts everything back.")
        raise typer.Exit(INTERRUPTED) from None
    if json:
        console.plain_json({"fault": fault.id, "lesson": fault.lesson, "stack": stack, "symptom": fault.symptom})
    else:
        console.out.print(render.symptom(fault, stack))


def _selftest(practice: Practice, id_: str | None, phase: int | None, *, json: bool) -> None:
    from brewhaven.course import load
    from brewhaven.course.faults import declared, proof, render
    from brewhaven.course.lab_session import handed_on

    cloud, course = practice.cloud, load()
    if not cloud.is_local:
        raise BrewHavenError("The faults are proven on the local cloud alone.", "Run `brewhaven use local` first.")
    chosen = [declared.find(course, id_)] if id_ else declared.of_course(course, phase)
    if not chosen:
        raise UsageError(f"Phase {phase} has no faults.", "`brewhaven break --list` shows those that there are.")
    proofs = []
    for fault in chosen:
        if not json:
            console.say(f"[bold]{fault.id}[/bold]")
        watch = (lambda step: None) if json else (lambda step: console.out.print(render.proof_step(step)))
        proofs.append(proof.prove(fault, practice, {**cloud.environment, **handed_on()}, watch))
    passed = all(item.passed for item in proofs)
    if json:
        console.plain_json({"passed": passed, "faults": [item.as_json() for item in proofs]})
    else:
        console.out.print(render.proofs(proofs))
    if not passed:
        raise typer.Exit(FAILURE)


def hint(json: Json = False) -> None:
    """Help with the open fault: three hints, each more concrete than the one before."""
    from brewhaven.course.faults import render

    fault, given = _practice().hint()
    if json:
        console.plain_json({"fault": fault.id, "given": given, "hints": list(fault.hints[:given])})
    else:
        console.out.print(render.hints(fault, given))


def fix(
    id_: Annotated[str | None, typer.Argument(metavar="[ID]", help="With --show: which; by default the last.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Look whether it is mended (exit code 1 if not).")] = False,
    show: Annotated[bool, typer.Option("--show", help="Explain it, when it is mended or given up.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Give up: put everything back, also after a crash.")] = False,
    spoil: Annotated[bool, typer.Option("--spoil", help="With --show: although it is not mended yet.")] = False,
    json: Json = False,
) -> None:
    """Find out whether the open fault is mended, have it explained, or give up."""
    if [check, show, undo].count(True) != 1:
        raise UsageError(
            "Say what to do: --check whether it is mended, --show what it was, or --undo to give up.",
            "See `brewhaven fix --help`.",
        )
    if (id_ or spoil) and not show:
        raise UsageError("A fault's name and --spoil belong to --show.", "The open fault is known without its name.")
    if check:
        _check(_practice(), json=json)
    elif undo:
        _undo(_practice(), json=json)
    else:
        _show(id_, spoil=spoil, json=json)


def _check(practice: Practice, *, json: bool) -> None:
    from brewhaven.course import load
    from brewhaven.course.faults import declared, render

    fault = declared.find(load(), practice.must_be_open().fault)
    with console.step("Looking at the shop"):
        found = practice.check()
    if json:
        console.plain_json(
            {
                "fault": fault.id,
                "mended": found.mended,
                "check": {"id": found.intended.check, "passed": found.intended.passed},
                "others_failing": [finding.check for finding in found.others],
                "only_by_hand": found.by_hand,
            }
        )
    else:
        console.out.print(render.verdict(found, fault))
    if not found.mended:
        raise typer.Exit(FAILURE)


def _undo(practice: Practice, *, json: bool) -> None:
    from brewhaven.course.faults import render

    found = practice.open_fault()
    with console.step("Putting everything back") as step:
        fault = practice.undo(step.note)
        step.result("")
    aside = practice.put_aside(found.stack) if found else []
    if json:
        queues = [{"queue": queue.name, "messages": queue.depth, "movable": queue.is_movable} for queue in aside]
        console.plain_json({"fault": fault.id, "undone": True, "put_aside": queues})
    else:
        console.out.print(render.undone(aside))


def _show(id_: str | None, *, spoil: bool, json: bool) -> None:
    from dataclasses import asdict

    from brewhaven.course import load
    from brewhaven.course.faults import declared, render
    from brewhaven.course.faults.book import Book

    book = Book(CloudSettings.from_environment().home)
    found = book.open_fault()
    name = id_ or (found.fault if found else book.last())
    if name is None:
        raise BrewHavenError("There has been no fault yet.", "`brewhaven break` makes one.")
    fault: Fault = declared.find(load(), name)
    ended = name in book.history() and not (found and found.fault == name)
    if not ended and not spoil:
        raise BrewHavenError(
            f"The fault {name} is not mended yet, and this tells what it is.",
            "`brewhaven hint` helps. To read it all the same: `brewhaven fix --show --spoil`.",
        )
    if json:
        console.plain_json({"fault": name, "lesson": fault.lesson, **asdict(fault.explanation), "repair": fault.repair})
    else:
        console.out.print(render.explanation(fault))
