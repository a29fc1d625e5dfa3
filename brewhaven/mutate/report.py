"""What `make mutate` prints when it is done: for people, or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from brewhaven import console
from brewhaven.mutate.panel import Verdict
from brewhaven.mutate.run import Outcome

TARGET = 0.9


@dataclass(frozen=True)
class Report:
    """Verdicts, and what is wrong with the list of survivors.

    Attributes:
        unlisted: Mistakes that survived without a reason.
        untrue: Sentences about entries of the list that are not true.
    """

    outcome: Outcome
    unlisted: Sequence[str]
    untrue: Sequence[str]

    @property
    def verdicts(self) -> Sequence[Verdict]:
        return self.outcome.verdicts

    @property
    def all_tried(self) -> bool:
        """Whether every mistake was tried; only then does the ratio have a target."""
        return len(self.verdicts) == len(self.outcome.possible)

    @property
    def counts(self) -> Counter[str]:
        return Counter(verdict.kind or "survived" for verdict in self.verdicts)

    @property
    def ratio(self) -> float:
        """Noticed by a check, a test or a rule, of all that CloudFormation would deploy.

        What nobody noticed and CloudFormation itself refuses is left out on both sides: it never becomes a wrong stack.
        """
        counts = self.counts
        noticed = counts["check"] + counts["test"] + counts["rule"]
        deployable = noticed + counts["survived"]
        return noticed / deployable if deployable else 1.0

    @property
    def passed(self) -> bool:
        return not self.unlisted and not self.untrue and (not self.all_tried or self.ratio >= TARGET)

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "ratio": round(self.ratio, 4),
            "target": TARGET,
            "all_tried": self.all_tried,
            "counts": dict(self.counts),
            "unlisted": list(self.unlisted),
            "untrue": list(self.untrue),
            "mistakes": [
                {
                    "stack": verdict.stack,
                    "mistake": verdict.mutant.id,
                    "type": verdict.mutant.type,
                    "operator": verdict.mutant.operator,
                    "noticed_by": verdict.noticed_by or None,
                    "kind": verdict.kind or "survived",
                }
                for verdict in self.verdicts
            ],
        }


def show(report: Report) -> None:
    """The table by type, what survived, and the ratio."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Mistakes in", no_wrap=True)
    for heading in ("Made", "Check", "Test", "Rule", "Refused", "Left"):
        table.add_column(heading, justify="right")
    for type_ in sorted({verdict.mutant.type for verdict in report.verdicts}):
        table.add_row(
            type_.removeprefix("AWS::"), *_row([verdict for verdict in report.verdicts if verdict.mutant.type == type_])
        )
    table.add_row("all", *_row(report.verdicts), style="bold")
    console.out.print(table)
    for verdict in report.verdicts:
        if not verdict.kind:
            mark = "[red]survived[/red]" if verdict.mutant.id in report.unlisted else "listed  "
            console.say(f"  {mark}  {escape(verdict.mutant.id)}  [dim]({escape(verdict.mutant.operator)})[/dim]")
    for sentence in report.untrue:
        console.say(f"  [red]untrue[/red]    {escape(sentence)}")
    counts = report.counts
    noticed = counts["check"] + counts["test"] + counts["rule"]
    console.say(
        f"[bold]{report.ratio:.1%}[/bold] of the mistakes that would be deployed are noticed: {noticed} of "
        f"{noticed + counts['survived']}. CloudFormation alone refuses another {counts['refused']}."
    )


def _row(verdicts: Sequence[Verdict]) -> list[str]:
    counts = Counter(verdict.kind or "survived" for verdict in verdicts)
    return [str(len(verdicts)), *(str(counts[kind] or "") for kind in ("check", "test", "rule", "refused", "survived"))]
