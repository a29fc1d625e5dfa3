"""Every command of every lesson, run on a local cloud and compared with what the lesson says: `make labs`.

The labs run in the order of the course on one cloud, as a student goes through them. They take minutes, so they are not
part of `make test`; CI runs them after it.
"""

from __future__ import annotations

import pytest

from brewhaven.course import load
from tests.plugins.local_cloud import Cloud, brewhaven

pytestmark = [pytest.mark.local, pytest.mark.timeout(900)]

LESSONS = [lesson.id for phase in load().phases for lesson in phase.lessons]
# A lab can be run twice, and after the first in any order.
AGAIN = [LESSONS[-1], "1.4", "1.6"]


def _run(cloud: Cloud, *arguments: str) -> tuple[int, str]:
    done = brewhaven(cloud, "lab", "run", *arguments)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lab_does_what_its_lesson_says(cloud: Cloud, lesson: str) -> None:
    code, printed = _run(cloud, lesson)
    assert code == 0, printed


@pytest.mark.parametrize("lesson", AGAIN)
def test_a_lab_can_be_run_again_and_in_another_order(cloud: Cloud, lesson: str) -> None:
    code, printed = _run(cloud, lesson)
    assert code == 0, printed


def test_a_lab_fails_on_the_cloud_without_one_of_its_commands(cloud: Cloud) -> None:
    """Here for real, for one step; for every step of every lab the unit tests replay it."""
    code, printed = _run(cloud, "1.4", "--drop", "3")
    assert code == 1
    assert "✗ 3." in printed
