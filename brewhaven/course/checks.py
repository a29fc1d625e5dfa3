"""The checks framework: what a check is, what it looks at, and how it says what is wrong.

A phase's ``checks.py`` declares its checks:

    CHECKS = CheckList()

    keys = CHECKS.check(
        "catalog-keys",
        lesson="1.1",
        objective="dynamodb-crud",
        proves="Every item of the table is found by pk and sk",
    )

    @keys.on_template
    def _(template: Template) -> str:
        ...
        raise Failure("what is wrong", where="where to look", next_step="what to do")

Each function returns the evidence in a few words, or raises :class:`Failure`. Both clouds are asked with the same
function: what holds on the local cloud must hold on AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brewhaven.course import declarations
from brewhaven.course.catalogue import Course
from brewhaven.course.cloud import Deployment
from brewhaven.course.template import Template

OnTemplate = Callable[[Template], str]
OnCloud = Callable[[Deployment], str]


class Failure(Exception):  # noqa: N818  (what a check raises is a finding, not a mistake of the program)
    """A check found something wrong.

    Args:
        what: One sentence about what is wrong, with the names involved.
        where: The file, the page of the console or the command that shows it.
        next_step: What to do now.
    """

    def __init__(self, what: str, *, where: str, next_step: str) -> None:
        self.what = what
        self.where = where
        self.next_step = next_step
        super().__init__(what)


@dataclass
class Check:
    """One thing that holds when a student has done and understood a lesson.

    Attributes:
        id: Stable, lower-case words joined by hyphens; unique in its phase.
        lesson: The lesson from which on it holds.
        objective: Id of the objective that it proves.
        proves: The sentence that is true when it passes.
        alone: It changes something that other checks look at, so it runs by itself.
        left_out_by: The switch, such as ``storefront=ec2``, with which the stack has nothing for it to look at. The
            stack's description names its switches.
    """

    id: str
    lesson: str
    objective: str
    proves: str
    alone: bool = False
    left_out_by: str = ""
    template: OnTemplate | None = None
    cloud: OnCloud | None = None

    def on_template(self, function: OnTemplate) -> OnTemplate:
        """Declare how the check looks at the synthesized stack."""
        self.template = function
        return function

    def on_cloud(self, function: OnCloud) -> OnCloud:
        """Declare how the check looks at what is deployed, on either cloud."""
        self.cloud = function
        return function

    @property
    def number(self) -> tuple[int, int]:
        phase, step = self.lesson.split(".")
        return int(phase), int(step)

    def applies_to(self, description: str) -> bool:
        """Whether a stack with this description has what the check looks at."""
        return not self.left_out_by or f"({self.left_out_by})" not in description

    @property
    def targets(self) -> tuple[str, ...]:
        """Where it can run."""
        return (*(["template"] if self.template else []), *(["local", "aws"] if self.cloud else []))


@dataclass
class CheckList:
    """The checks of one phase, in the order they are declared."""

    checks: list[Check] = field(default_factory=list)

    def check(
        self, id_: str, *, lesson: str, objective: str, proves: str, alone: bool = False, left_out_by: str = ""
    ) -> Check:
        """Declare a check; its functions are added with :meth:`Check.on_template` and :meth:`Check.on_cloud`.

        Raises:
            ValueError: The id is taken.
        """
        if any(check.id == id_ for check in self.checks):
            raise ValueError(f"there are two checks with the id {id_}")
        check = Check(id_, lesson, objective, proves, alone, left_out_by)
        self.checks.append(check)
        return check

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)


def expect(holds: object, what: str, *, where: str, next_step: str) -> None:
    """Raise :class:`Failure` unless `holds`."""
    if not holds:
        raise Failure(what, where=where, next_step=next_step)


def load(folder: Path) -> CheckList:
    """The checks of a phase's folder; a phase without ``checks.py`` has none.

    Raises:
        BrewHavenError: The file does not define ``CHECKS``.
    """
    return declarations.load(folder, "checks.py", "CHECKS", CheckList)


def by_objective(course: Course) -> Mapping[str, list[Check]]:
    """The checks of all phases by the objective that they prove."""
    found: dict[str, list[Check]] = {}
    for phase in course.phases:
        for check in load(phase.folder):
            found.setdefault(check.objective, []).append(check)
    return found


def statements(policy: Any) -> list[dict[str, Any]]:
    """The statements of a policy document; a single one may stand without a list."""
    found = policy.get("Statement", []) if isinstance(policy, dict) else []
    return found if isinstance(found, list) else [found]


def listed(value: Any) -> list[Any]:
    """A value that may be a list or a single one, as a list: IAM allows both in most places."""
    return value if isinstance(value, list) else [value]
