"""The context switches: what they default to, what they accept and what they say when they cannot."""

from typing import Any

import pytest

from stacks.course import PHASES, all_lessons
from stacks.lessons import Lesson
from stacks.orders_settings import OrdersSettings
from stacks.settings import Settings, SettingsError, opens_to_everybody
from tests.phases import PHASES as EVERY_PHASE

LESSONS = (Lesson("1.1", "One"), Lesson("1.2", "Two"), Lesson("2.1", "Three"), Lesson("2.2", "Four"))
PLACE = {"account": "111122223333", "region": "us-east-1"}


class FakeContext:
    """The context of an app without the app."""

    def __init__(self, context: dict[str, Any]) -> None:
        self._context = context

    def try_get_context(self, key: str) -> Any:
        return self._context.get(key)


def read(environment: dict[str, str] | None = None, **context: Any) -> Settings:
    return Settings.from_context(FakeContext(context), lessons=LESSONS, environment=environment or {})


def problems(**context: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read(**{**PLACE, **context})
    return caught.value.problems


def test_without_switches_everything_is_built_for_nobody_but_this_machine() -> None:
    settings = read(**PLACE)
    assert settings.until == LESSONS[-1]
    assert settings.allowed_cidr == "127.0.0.1/32"
    assert (settings.catalog_capacity, settings.storefront, settings.storefront_tasks) == ("on-demand", "both", 1)
    assert (settings.prefix, settings.parameter_root) == ("", "/brew-haven")


def test_account_and_region_come_from_the_credentials_of_the_cli() -> None:
    settings = read({"CDK_DEFAULT_ACCOUNT": "444455556666", "CDK_DEFAULT_REGION": "eu-central-1"})
    assert (settings.account, settings.region) == ("444455556666", "eu-central-1")


def test_context_outranks_the_credentials() -> None:
    settings = read({"CDK_DEFAULT_ACCOUNT": "444455556666", "CDK_DEFAULT_REGION": "eu-central-1"}, **PLACE)
    assert (settings.account, settings.region) == ("111122223333", "us-east-1")


def test_a_student_goes_into_names_and_paths() -> None:
    settings = read(**PLACE, student="s01")
    assert (settings.prefix, settings.parameter_root) == ("s01-", "/brew-haven/s01")


@pytest.mark.parametrize(
    ("switches", "last"),
    [({"lesson": "1.1"}, "1.1"), ({"lesson": "1"}, "1.2"), ({"lesson": 2.1}, "2.1"), ({"phase": "1"}, "1.2")],
)
def test_a_lesson_or_a_phase_is_the_last_that_is_built(switches: dict[str, Any], last: str) -> None:
    settings = read(**PLACE, **switches)
    assert settings.until.id == last
    assert [lesson.id for lesson in LESSONS if settings.builds(lesson)] == [
        lesson.id for lesson in LESSONS if lesson.id <= last
    ]


@pytest.mark.parametrize(
    ("switches", "sentence"),
    [
        ({"lesson": "1.9"}, "there is no lesson '1.9'; the lessons are 1.1, 1.2, 2.1, 2.2"),
        ({"lesson": "1.x"}, "there is no lesson '1.x'; the lessons are 1.1, 1.2, 2.1, 2.2"),
        ({"phase": "7"}, "there is no phase '7'; the phases are 1, 2"),
        ({"phase": "1.2"}, "there is no phase '1.2'; the phases are 1, 2"),
        ({"lesson": "1.1", "phase": "1"}, "give lesson or phase, not both: got lesson '1.1' and phase '1'"),
        ({"account": "123"}, "account must be 12 digits, got '123'"),
        ({"region": "Frankfurt"}, "region must look like us-east-1, got 'Frankfurt'"),
        ({"catalog_capacity": "lots"}, "catalog_capacity must be on-demand or provisioned, got 'lots'"),
        ({"storefront": "k8s"}, "storefront must be both or ec2, got 'k8s'"),
        ({"storefront_tasks": "0"}, "storefront_tasks must be 1 to 4, got '0'"),
        ({"storefront_tasks": "many"}, "storefront_tasks must be 1 to 4, got 'many'"),
        ({"database_multi_az": "yes"}, "database_multi_az must be true or false, got 'yes'"),
        ({"database_replica": "2"}, "database_replica must be true or false, got '2'"),
        ({"database_proxy": ""}, "database_proxy must be true or false, got ''"),
        (
            {"database_snapshot": "my snapshot"},
            "database_snapshot must be the identifier or the ARN of a DB snapshot, got 'my snapshot'",
        ),
        ({"database_on_destroy": "keep"}, "database_on_destroy must be delete or snapshot, got 'keep'"),
        ({"worker_reserved_concurrency": "4"}, "worker_reserved_concurrency must be 5 to 900, got '4'"),
        ({"worker_reserved_concurrency": "901"}, "worker_reserved_concurrency must be 5 to 900, got '901'"),
        ({"alarm_email": "staff"}, "alarm_email must be an e-mail address, got 'staff'"),
        ({"email_sender": "a b@example.com"}, "email_sender must be an e-mail address, got 'a b@example.com'"),
        ({"allowed_cidr": "203.0.113.7"}, "allowed_cidr must end with its prefix length, like 203.0.113.7/32"),
        ({"allowed_cidr": "203.0.113.7/24"}, "allowed_cidr must be an IPv4 range like 203.0.113.7/32"),
        ({"allowed_cidr": "::/0"}, "allowed_cidr must be an IPv4 range like 203.0.113.7/32"),
    ],
)
def test_a_switch_that_cannot_be_used_says_what_can(switches: dict[str, Any], sentence: str) -> None:
    found = problems(**switches)
    assert len(found) == 1
    assert found[0].startswith(sentence)


@pytest.mark.parametrize("student", ["S01", "1st", "s01-", "s_1", "a" * 13, "émile", ""])
def test_a_student_must_fit_into_every_physical_name(student: str) -> None:
    assert problems(student=student)[0].startswith("student must be 1 to 12 lower-case letters")


def test_without_account_and_region_the_remedy_is_named() -> None:
    with pytest.raises(SettingsError, match="no account is known: set up credentials") as caught:
        read()
    assert len(caught.value.problems) == 2


def test_all_problems_are_reported_at_once() -> None:
    assert len(problems(account="1", student="S", lesson="9.9", allowed_cidr="x", storefront="y")) == 5
    assert len(problems(database_replica="x", database_proxy="y", alarm_email="z")) == 3


def test_the_orders_are_built_the_cheapest_way_unless_told_otherwise() -> None:
    assert read(**PLACE).orders == OrdersSettings()
    assert OrdersSettings().database_on_destroy == "delete"


def test_each_switch_of_the_orders_is_read() -> None:
    orders = read(
        **PLACE,
        database_multi_az="true",
        database_replica="True",
        database_proxy=True,
        database_snapshot="rds:brew-haven-orders-2026-11-28-03-00",
        database_on_destroy="snapshot",
        worker_reserved_concurrency=5,
        alarm_email="staff@example.com",
        email_sender="shop@example.com",
    ).orders
    assert orders == OrdersSettings(
        database_multi_az=True,
        database_replica=True,
        database_proxy=True,
        database_snapshot="rds:brew-haven-orders-2026-11-28-03-00",
        database_on_destroy="snapshot",
        worker_reserved_concurrency=5,
        alarm_email="staff@example.com",
        email_sender="shop@example.com",
    )


def test_a_phase_is_reached_with_its_first_lesson() -> None:
    assert [read(**PLACE, lesson=lesson.id).reaches(2) for lesson in LESSONS] == [False, False, True, True]


def test_the_lessons_are_known_without_building_anything() -> None:
    assert [lesson.id for lesson in PHASES[0].lessons] == ["1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7"]
    assert all(lesson.title for lesson in all_lessons())


def test_lessons_are_numbered_without_gaps_in_the_order_of_the_course() -> None:
    for number, phase in enumerate(EVERY_PHASE, start=1):
        assert phase.phase == number
        assert [lesson.number for lesson in phase.lessons] == [
            (number, step) for step in range(1, len(phase.lessons) + 1)
        ]
        assert 4 <= len(phase.lessons) <= 7


@pytest.mark.parametrize(
    ("cidr", "everybody"),
    [("0.0.0.0/0", True), ("0.0.0.0/1", True), ("128.0.0.0/7", True), ("10.0.0.0/8", False), ("203.0.113.7/32", False)],
)
def test_a_range_wider_than_one_owner_is_everybody(cidr: str, everybody: bool) -> None:
    assert opens_to_everybody(cidr) is everybody
