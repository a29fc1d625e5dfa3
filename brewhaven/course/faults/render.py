"""How faults look in a terminal: the symptom, the hints, the verdict and the explanation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.markup import escape
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from brewhaven.course.faults.declared import HINTS, Fault
from brewhaven.course.faults.practice import Verdict
from brewhaven.course.faults.proof import Proof, ProofStep
from brewhaven.course.render import MARKS
from brewhaven.redrive import DeadLetterQueue

History = dict[str, list[dict[str, Any]]]


def symptom(fault: Fault, stack: str) -> RenderableType:
    """What is reported, and which commands help. The cause is what the student is to find."""
    return Group(
        Panel(Markdown(fault.symptom), title="somebody reports", title_align="left", border_style="yellow"),
        Text.from_markup(
            f"Something in [bold]{escape(stack)}[/bold] is broken. Find it and mend it with what you have: the shop's "
            "pages, its logs, [bold]aws[/bold] and [bold]cdk diff[/bold].\n"
            "  [bold]brewhaven hint[/bold]         a push in the right direction; there are three\n"
            "  [bold]brewhaven fix --check[/bold]  whether it is mended\n"
            "  [bold]brewhaven fix --undo[/bold]   give up: everything is put back as it was"
        ),
    )


def hints(fault: Fault, given: int) -> RenderableType:
    """The hints that are known now; the newest stands out."""
    parts: list[RenderableType] = []
    for number, text in enumerate(fault.hints[:given], 1):
        newest = number == given
        parts.append(
            Panel(
                Markdown(text),
                title=f"hint {number} of {HINTS}",
                title_align="left",
                border_style="yellow" if newest else "dim",
            )
        )
    if given == HINTS:
        parts.append(Text("There are no more hints. `brewhaven fix --show --spoil` tells it all.", style="dim"))
    return Group(*parts)


def undone(aside: Sequence[DeadLetterQueue]) -> RenderableType:
    """That a fault is taken back, and what it has left behind: messages that were tried in vain too often.

    They are not sent back unasked: one that failed for a reason of its own would only come again.
    """
    said = ["Everything is as it was. [bold]brewhaven fix --show[/bold] tells what it had been."]
    for queue in aside:
        many = f"{queue.depth} messages that were tried" if queue.depth > 1 else "a message that was tried"
        how = (
            f"[bold]brewhaven redrive {escape(queue.name)}[/bold] sends back what is there."
            if queue.is_movable
            else "SNS or Lambda put it there, so SQS cannot move it back: [bold]brewhaven redrive[/bold] shows it."
        )
        said.append(f"The dead-letter queue of {escape(queue.name)} holds {many} in vain too often. {how}")
    return Text.from_markup("\n".join(said))


def verdict(found: Verdict, fault: Fault) -> RenderableType:
    """Whether it is mended, without telling what is wrong: that is `verify`'s."""
    if found.mended:
        return Text.from_markup(
            f"{MARKS['passed']} [bold green]Mended.[/bold green] Every check passes again.\n"
            "[bold]brewhaven fix --show[/bold] tells what it was, how one finds it and what would have kept it away."
        )
    lines = []
    if not found.intended.passed:
        lines.append(f"{MARKS['failed']} [bold]Not yet:[/bold] what was reported is still so.")
    elif found.by_hand:
        lines.append(
            f"{MARKS['failed']} [bold]Not quite:[/bold] it works again, but only because of what was changed by hand. "
            "The stack's own\n  template still has the fault, and the next deployment brings it back. Deploy your code."
        )
    else:
        lines.append(
            f"{MARKS['failed']} [bold]Not quite:[/bold] what was reported is mended, and the shop is not whole."
        )
    if strange := [
        finding.check for finding in found.others if found.intended.passed or finding.check not in fault.may_fail
    ]:
        names = ", ".join(strange)
        lines.append(f"  Also failing: {escape(names)}. [bold]brewhaven verify {fault.phase}[/bold] says what and why.")
    lines.append("  [bold]brewhaven hint[/bold] helps.")
    return Text.from_markup("\n".join(lines))


def explanation(fault: Fault) -> RenderableType:
    """Cause, how it is found, a repair, prevention, and where to read."""
    text = fault.explanation
    return Group(
        Text(f"{fault.id} (lesson {fault.lesson})", style="bold"),
        Markdown(fault.symptom),
        Markdown(f"**What it was.** {text.cause}\n\n**How one finds it.** {text.found_by}\n\n**One way to mend it.**"),
        Text(
            "STACK, LESSON (what is deployed) and output NAME (an output of the stack) as in the lessons:", style="dim"
        ),
        Syntax(fault.repair.strip(), "bash", theme="ansi_dark", background_color="default", word_wrap=True),
        Markdown(f"**What would have kept it away.** {text.prevention}\n\n**Read on.** {text.page}"),
    )


def listing(choices: Sequence[tuple[Fault, str | None]], history: History, opened: str | None) -> RenderableType:
    """All faults by their ids, which spoil nothing."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("Fault", "Lesson", "State", ""):
        table.add_column(title)
    for fault, reason in choices:
        state = state_of(fault, history, opened)
        table.add_row(fault.id, fault.lesson, state, Text(reason or "", style="dim"))
    return table


def state_of(fault: Fault, history: History, opened: str | None) -> str:
    """``open``, ``mended``, ``undone`` or nothing."""
    if fault.id == opened:
        return "open"
    outcomes = [entry["outcome"] for entry in history.get(fault.id, [])]
    return "mended" if "mended" in outcomes else outcomes[-1] if outcomes else ""


def proof_step(step: ProofStep) -> RenderableType:
    """One line of a selftest."""
    mark = MARKS["passed" if step.passed else "failed"]
    said = " ".join(step.detail.split())
    detail = f"  [dim]{escape(said)}[/dim]" if said else ""
    return Text.from_markup(f"  {mark} {escape(step.title)} [dim]{step.seconds:.1f} s[/dim]{detail}")


def proofs(found: Sequence[Proof]) -> RenderableType:
    """How many faults are proven."""
    passed = sum(proof.passed for proof in found)
    seconds = sum(proof.seconds for proof in found)
    style = "green" if passed == len(found) else "red"
    return Text(f"{passed} of {len(found)} faults proven in {seconds:.0f} s.", style=style)
