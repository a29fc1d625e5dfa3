"""The tool itself: a property that no test guards survives, and with the assertion it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from brewhaven.course import phase_numbered
from brewhaven.errors import BrewHavenError
from brewhaven.mutate import run
from brewhaven.mutate.panel import Task

SAMPLE = "tests/unit/mutate/sample"
UNGUARDED, GUARDED = f"{SAMPLE}/unguarded.py", f"{SAMPLE}/guarded.py"
SECRET = "ShopRuntime/SessionSecret/Resource"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Task]]:
    """A folder in which it is recorded what the sample's tests look at, and the mistakes that can be made there."""
    folder = tmp_path_factory.mktemp("mutate")
    stacks = run.record(folder, [UNGUARDED, GUARDED])
    return folder, {task.mutant.id: task for task in run.possible(stacks, [phase_numbered(1)])}


def test_what_no_test_guards_survives_and_with_the_assertion_it_is_noticed(
    recorded: tuple[Path, dict[str, Task]],
) -> None:
    folder, possible = recorded
    length = possible[f"{SECRET} GenerateSecretString.PasswordLength: 128"]
    (alone,) = run.judge(folder, [length], [UNGUARDED])
    assert (alone.kind, alone.noticed_by) == ("", "")
    (together,) = run.judge(folder, [length], [UNGUARDED, GUARDED])
    assert (together.kind, together.noticed_by) == ("test", f"{GUARDED}::test_the_key_is_long")


def test_a_test_that_fails_without_a_mistake_ends_it(tmp_path: Path) -> None:
    with pytest.raises(BrewHavenError, match=r"Tests fail without any mistake: .*failing\.py::test_the_key_is_short"):
        run.record(tmp_path, [f"{SAMPLE}/failing.py"])
