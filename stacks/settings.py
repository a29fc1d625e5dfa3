"""What can be chosen when the course is deployed: the context switches of `cdk -c name=value`."""

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from stacks.lessons import Lesson
from stacks.orders_settings import ORDER_VARIANTS, OrdersSettings

CatalogCapacity = Literal["on-demand", "provisioned"]
StorefrontVariant = Literal["both", "ec2"]

NOBODY_ELSE = "127.0.0.1/32"
WIDEST_RANGE_OF_ONE_OWNER = 8
"""Networks shorter than /8 were never given to one owner: whoever admits one admits the internet."""
MOST_TASKS = 4
VARIANTS = ("catalog_capacity", "storefront", "storefront_tasks", *ORDER_VARIANTS)
"""Switches that choose between ways to build the same lesson."""
_STUDENT = re.compile(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?")
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")


class Context(Protocol):
    """Where context is read: the node of the app."""

    def try_get_context(self, key: str) -> Any:
        """The value of a switch, or None."""
        ...


class SettingsError(ValueError):
    """One or more context switches cannot be used. The message names each of them and what is valid instead."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("These settings cannot be used:\n" + "\n".join(f"  - {problem}" for problem in problems))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a phase stack is told from outside. Nothing else reads context or the environment."""

    account: str
    region: str
    until: Lesson
    """The last lesson to build; by default the last of the course."""
    student: str | None = None
    """Goes before every stack id and into every physical name, so that a class can share an account."""
    allowed_cidr: str = NOBODY_ELSE
    """The only IPv4 addresses that reach the shop. The default is this machine, which on AWS means nobody."""
    catalog_capacity: CatalogCapacity = "on-demand"
    storefront: StorefrontVariant = "both"
    """`ec2` leaves out the Fargate service, for which an image must be built."""
    storefront_tasks: int = 1
    orders: OrdersSettings = field(default_factory=OrdersSettings)

    @property
    def prefix(self) -> str:
        """`s01-` for student s01, nothing without a student."""
        return f"{self.student}-" if self.student else ""

    @property
    def is_open_to_everybody(self) -> bool:
        """Whether the shop admits so many addresses that it may as well admit all."""
        return opens_to_everybody(self.allowed_cidr)

    @property
    def variant(self) -> str:
        """What differs from the usual way to build a lesson, for the stack's description: ` (storefront=ec2)`."""
        return "" if self.storefront == "both" else f" (storefront={self.storefront})"

    @property
    def parameter_root(self) -> str:
        """Where this student's Systems Manager parameters live: `/brew-haven` or `/brew-haven/s01`."""
        return f"/brew-haven/{self.student}" if self.student else "/brew-haven"

    def builds(self, lesson: Lesson) -> bool:
        """Whether `lesson` is part of what is built."""
        return lesson.number <= self.until.number

    def reaches(self, phase: int) -> bool:
        """Whether anything of a phase is built."""
        return phase <= self.until.phase

    @classmethod
    def from_context(
        cls, context: Context, *, lessons: Sequence[Lesson], environment: Mapping[str, str] = os.environ
    ) -> "Settings":
        """Read the switches from the app's context.

        :param lessons: the course's lessons in order; the last one is built unless `lesson` or `phase` says otherwise.
        :param environment: where the CDK CLI leaves the account and region of the caller's credentials.
        :raises SettingsError: with every problem at once.
        """
        problems: list[str] = []

        def text(name: str) -> str | None:
            value: Any = context.try_get_context(name)
            return None if value is None else str(value).strip()

        def one_of(name: str, valid: Sequence[str]) -> str:
            value = text(name)
            if value is not None and value not in valid:
                problems.append(f"{name} must be {' or '.join(valid)}, got '{value}'")
            return value or valid[0]

        account = text("account") or environment.get("CDK_DEFAULT_ACCOUNT", "")
        region = text("region") or environment.get("CDK_DEFAULT_REGION", "")
        problems += _place_problems(account, region)
        student = text("student")
        if student is not None and (problem := student_problem(student)):
            problems.append(problem)
        cidr = text("allowed_cidr")
        cidr = NOBODY_ELSE if cidr is None else cidr
        problems += _cidr_problems(cidr)
        tasks = text("storefront_tasks") or "1"
        if tasks not in {str(number) for number in range(1, MOST_TASKS + 1)}:
            problems.append(f"storefront_tasks must be 1 to {MOST_TASKS}, got '{tasks}'")
        capacity = one_of("catalog_capacity", get_args(CatalogCapacity))
        storefront = one_of("storefront", get_args(StorefrontVariant))
        orders = OrdersSettings.read(text, problems)
        until = _last_lesson(text("lesson"), text("phase"), lessons, problems)
        if problems:
            raise SettingsError(problems)
        return cls(
            account=account,
            region=region,
            until=until,
            student=student,
            allowed_cidr=cidr,
            catalog_capacity=capacity,  # type: ignore[arg-type]  # one_of has checked it
            storefront=storefront,  # type: ignore[arg-type]  # one_of has checked it
            storefront_tasks=int(tasks),
            orders=orders,
        )


def student_problem(student: str) -> str | None:
    """What is wrong with a student's prefix; None where it fits into every physical name."""
    if _STUDENT.fullmatch(student):
        return None
    return (
        "student must be 1 to 12 lower-case letters, digits or hyphens, begin with a letter and not end with "
        f"a hyphen (like s01), got '{student}'"
    )


def opens_to_everybody(cidr: str) -> bool:
    """Whether an IPv4 range, such as `0.0.0.0/0` or `0.0.0.0/1`, is as good as the whole internet."""
    return ipaddress.IPv4Network(cidr, strict=False).prefixlen < WIDEST_RANGE_OF_ONE_OWNER


def _place_problems(account: str, region: str) -> list[str]:
    remedy = "set up credentials (`aws sts get-caller-identity` must answer) or give -c account=... -c region=..."
    problems = []
    if not account:
        problems.append(f"no account is known: {remedy}")
    elif not _ACCOUNT.fullmatch(account):
        problems.append(f"account must be 12 digits, got '{account}'")
    if not region:
        problems.append(f"no region is known: {remedy}")
    elif not _REGION.fullmatch(region):
        problems.append(f"region must look like us-east-1, got '{region}'")
    return problems


def _cidr_problems(cidr: str) -> list[str]:
    try:
        ipaddress.IPv4Network(cidr)
    except ValueError as error:
        return [f"allowed_cidr must be an IPv4 range like 203.0.113.7/32, got '{cidr}' ({error})"]
    return [] if "/" in cidr else [f"allowed_cidr must end with its prefix length, like {cidr}/32, got '{cidr}'"]


def _last_lesson(lesson: str | None, phase: str | None, lessons: Sequence[Lesson], problems: list[str]) -> Lesson:
    if lesson and phase:
        problems.append(f"give lesson or phase, not both: got lesson '{lesson}' and phase '{phase}'")
    wanted = lesson or phase
    if not wanted:
        return lessons[-1]
    phases = sorted({known.phase for known in lessons})
    if phase and phase not in {str(number) for number in phases}:
        problems.append(f"there is no phase '{phase}'; the phases are {', '.join(str(number) for number in phases)}")
        return lessons[-1]
    found = [known for known in lessons if wanted in {known.id, str(known.phase)}]
    if not found:
        problems.append(f"there is no lesson '{wanted}'; the lessons are {', '.join(known.id for known in lessons)}")
        return lessons[-1]
    return found[-1]
