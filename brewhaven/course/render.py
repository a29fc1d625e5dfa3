"""How lessons, labs and findings look in a terminal."""

from __future__ import annotations

import re

from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.markup import escape
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from brewhaven.course.catalogue import Course, Lesson, Phase
from brewhaven.course.document import Document, Question, Step
from brewhaven.course.lab import LabResult, StepResult
from brewhaven.course.progress import Progress
from brewhaven.course.quiz import Judged
from brewhaven.course.verify import Finding, Report

MARKS = {
    "passed": "[green]✓[/green]",
    "failed": "[red]✗[/red]",
    "elsewhere": "[yellow]→[/yellow]",
    "not-run": "[dim]·[/dim]",
}
_FOLDED = re.compile(r"<details>.*?</details>\n?", re.DOTALL)
_GLOSSARY_LINK = re.compile(r"\[([^\]]+)\]\([^)]*GLOSSARY\.md#[^)]*\)")
_MOST_OUTPUT_LINES = 40


def lesson(document: Document, lesson: Lesson) -> RenderableType:
    """A lesson's text without what GitHub folds away: the quiz gives those answers after it has asked."""
    text = _FOLDED.sub("", document.source)
    text = _GLOSSARY_LINK.sub(r"*\1*", text)
    hint = f"`brewhaven lab run {lesson.id}` runs the steps, `brewhaven quiz {lesson.id}` asks the questions."
    return Group(Markdown(text, code_theme="ansi_dark"), Text(), Markdown(hint))


def lessons(course: Course, progress: Progress) -> RenderableType:
    """All lessons with their times and how far the student is."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("Lesson", "Title", "Minutes (AWS)", "Read", "Lab", "Verify", "Quiz"):
        table.add_column(title)
    for item in course.lessons:
        done = [_done(progress.passed(item.id, what)) for what in ("lab", "verify", "quiz")]
        read = "✓" if progress.lesson(item.id).get("read") else ""
        table.add_row(item.id, escape(item.title), f"{item.minutes_local} ({item.minutes_aws})", read, *done)
    return table


def _done(passed: bool | None) -> str:
    return "" if passed is None else "✓" if passed else "✗"


def labs(rows: list[tuple[Phase, Lesson, Document]]) -> RenderableType:
    """All labs: how many steps each has, and how many of them need a real account."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("Lab", "Title", "Steps", "Need AWS", "Need the local cloud", "Minutes (AWS)"):
        table.add_column(title)
    for _, item, document in rows:
        counts = [sum(step.only == only for step in document.steps) for only in ("aws", "local")]
        minutes = f"{item.minutes_local} ({item.minutes_aws})"
        table.add_row(item.id, escape(item.title), str(len(document.steps)), *map(str, counts), minutes)
    return table


def step(item: Step) -> RenderableType:
    """A step as `lab show` prints it: why, the command, what is seen."""
    only = {"aws": " (needs a real account)", "local": " (needs the local cloud)"}.get(item.only or "", "")
    return Group(
        Text(f"{item.heading}{only}", style="bold"),
        Markdown(_GLOSSARY_LINK.sub(r"*\1*", item.lead)),
        Syntax(item.command, "bash", theme="ansi_dark", background_color="default"),
        Panel(
            Text(item.expected or "(the lesson does not say)"), title="You see", title_align="left", border_style="dim"
        ),
        Text(),
    )


def step_result(result: StepResult, seconds: bool = True) -> RenderableType:
    """One line for a step that went well; command, outcome and expectation for one that did not."""
    time = f" [dim]{result.seconds:.1f} s[/dim]" if seconds and result.seconds >= 0.1 else ""
    note = ""
    if result.state == "elsewhere":
        note = " [dim]needs a real account[/dim]" if result.only == "aws" else " [dim]needs the local cloud[/dim]"
    line = Text.from_markup(f"  {MARKS[result.state]} {escape(result.heading)}{time}{note}")
    if result.state != "failed":
        return line
    output = result.output.rstrip() or "(nothing)"
    shown = output.splitlines()
    if len(shown) > _MOST_OUTPUT_LINES:
        half = _MOST_OUTPUT_LINES // 2
        output = "\n".join([*shown[:half], f"[{len(shown) - 2 * half} more lines]", *shown[-half:]])
    return Group(
        line,
        Text(f"     {result.problem}", style="red"),
        Panel(
            Text(result.command), title=f"command {result.number}, line {result.line} of the lesson", title_align="left"
        ),
        Panel(Text(result.expected), title="the lesson says you see", title_align="left"),
        Panel(Text(output), title="it printed", title_align="left", border_style="red"),
    )


def lab_summary(results: list[LabResult]) -> RenderableType:
    """How many steps ran, and how many could not run on this target."""
    passed = sum(result.passed for result in results)
    steps = sum(result.count("passed") for result in results)
    elsewhere = sum(result.count("elsewhere") for result in results)
    failed = sum(result.count("failed") for result in results)
    missing = sum(result.count("not-run") for result in results)
    other = "a real account" if results and results[0].target == "local" else "the local cloud"
    text = f"{passed} of {len(results)} labs passed: {steps} steps as the lessons say"
    text += f", {failed} not, {missing} not run after that" if failed else ""
    text += f"; {elsewhere} need {other} and did not run" if elsewhere else ""
    return Text(text + ".", style="green" if passed == len(results) else "red")


def report(found: Report) -> RenderableType:
    """Findings by target; a failed one with what is wrong, where to look and what to do next."""
    parts: list[RenderableType] = []
    for target in found.targets:
        mine = [finding for finding in found.findings if finding.target == target]
        seconds = found.seconds.get(target, 0.0)
        passed = sum(finding.passed for finding in mine)
        title = {"template": "the synthesized stacks", "local": "the local cloud", "aws": "AWS"}[target]
        parts.append(
            Text.from_markup(f"[bold]On {title}[/bold]: {passed} of {len(mine)} passed [dim]{seconds:.1f} s[/dim]")
        )
        parts += [finding(each) for each in mine]
        parts.append(Text())
    if found.not_on_target:
        names = ", ".join(entry["check"] for entry in found.not_on_target)
        reasons = "they run on another target, or the stack was built without what they look at"
        parts.append(Text(f"Not looked at, because {reasons}: {names}", style="dim"))
    proved = [name for name, entry in found.objectives().items() if entry["proved_on"] and not entry["failed_on"]]
    parts.append(Text(f"{len(proved)} of {len(found.objectives())} objectives proved.", style="bold"))
    return Group(*parts)


def finding(found: Finding) -> RenderableType:
    """One finding: what proved it, or what is wrong, where to look and what to do next."""
    if found.passed:
        evidence = f"  [dim]{escape(found.evidence)}[/dim]" if found.evidence else ""
        return Text.from_markup(f"  {MARKS['passed']} {found.check}  {escape(found.proves)}{evidence}")
    return Text.from_markup(
        f"  {MARKS['failed']} [bold]{found.check}[/bold]  {escape(found.what)}\n"
        f"      look:  {escape(found.where)}\n      next:  {escape(found.next)}"
    )


def question(item: Question, number: int, of: int) -> RenderableType:
    """A question with its answers."""
    answers = "\n".join(f"- **{answer.letter}.** {answer.text}" for answer in item.answers)
    return Markdown(f"**{number}/{of}: {item.title}**\n\n{item.text}\n\n{answers}")


def judged(result: Judged) -> RenderableType:
    """What became of an answer: why it is right, or why it is wrong and which one is right."""
    if result.passed:
        return Markdown(f"✓ Right: {result.right.explanation}")
    return Markdown(
        f"✗ {result.given.letter} is wrong: {result.given.explanation}\n\n"
        f"{result.right.letter} is right: {result.right.explanation}"
    )


def to_text(item: RenderableType, width: int = 100) -> str:
    """What a terminal without colours would show, for tests and logs."""
    console = Console(width=width, no_color=True, force_terminal=False, emoji=False)
    with console.capture() as capture:
        console.print(item)
    return capture.get()
