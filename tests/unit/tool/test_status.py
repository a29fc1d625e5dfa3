"""The overview: what it concludes from what it sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from brewhaven import report, status, target
from brewhaven.course.faults.book import Book, OpenFault
from brewhaven.course.progress import Progress
from brewhaven.local.settings import CloudSettings
from tests.unit.tool.conftest import refusal

FOUNDATION = {
    "StackName": "BrewHaven-Phase1-Foundation",
    "StackStatus": "UPDATE_COMPLETE",
    "Description": "Brew Haven, phase 1: Foundation, to lesson 1.6",
    "Outputs": [{"OutputKey": "ShopUrl", "OutputValue": "http://127.0.0.1:8080"}],
}


def test_recorded_types_are_known_without_the_emulator_running() -> None:
    recorded = status.recorded_types()
    assert all(kind.startswith("AWS::") and sentence for kind, sentence in recorded.items())


@pytest.fixture
def overview(
    settings: CloudSettings, fake_target: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    def look(*, stacks: Any, name: str = "aws") -> dict[str, Any]:
        services = {
            "cloudformation": {"describe_stacks": stacks},
            "ssm": {"get_parameter": {"Parameter": {"Value": "33"}}},
        }
        monkeypatch.setattr(target, "chosen", lambda _: name)
        monkeypatch.setattr(target, "current", lambda _: fake_target(name, **services))
        return status.status(settings)

    return look


def test_a_deployed_phase_shows_its_lesson_outputs_and_the_shop(overview: Callable[..., Any]) -> None:
    answer = overview(stacks={"Stacks": [FOUNDATION]})
    first = answer["phases"][0]
    assert (first["deployed"], first["lesson"]) == (True, "1.6")
    assert first["stacks"]["BrewHaven-Phase1-Foundation"]["status"] == "UPDATE_COMPLETE"
    assert answer["next"] == "open http://127.0.0.1:8080 and order a coffee"


def test_what_stacks_tell_each_other_is_not_shown_to_people(
    overview: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    between = {"OutputKey": "PublishOutputRefCatalogTable6B92", "OutputValue": "a-table"}
    stack = {**FOUNDATION, "Outputs": [*FOUNDATION["Outputs"], between]}
    report.status(overview(stacks={"Stacks": [stack]}))
    said = capsys.readouterr().out
    assert "ShopUrl: http://127.0.0.1:8080" in said
    assert "PublishOutput" not in said


def test_the_phase_after_the_deployed_one_is_offered_on_either_cloud(overview: Callable[..., Any]) -> None:
    def only_phase_1(StackName: str) -> Any:  # noqa: N803
        if StackName == FOUNDATION["StackName"]:
            return {"Stacks": [FOUNDATION]}
        raise refusal("ValidationError", f"Stack with id {StackName} does not exist")

    answer = overview(stacks=only_phase_1, name="local")
    answer["phases"][1]["available"] = True
    shop = "open http://127.0.0.1:8080 and order a coffee"
    assert status._next_step(answer) == f"{shop}, or go on with phase 2: brewhaven deploy 2"
    answer["phases"][1]["available"] = False
    assert status._next_step(answer) == shop


def test_solved_exercises_are_counted(overview: Callable[..., Any], settings: CloudSettings) -> None:
    before = overview(stacks={"Stacks": [FOUNDATION]})["exercises"]
    Progress(settings.home).record("exercise polite-prop", "solved", passed=True)
    after = overview(stacks={"Stacks": [FOUNDATION]})["exercises"]
    assert (before["passed"], after["passed"], after["of"]) == (0, 1, before["of"])


def test_the_checks_that_passed_are_those_of_the_last_look(
    overview: Callable[..., Any], settings: CloudSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    before = overview(stacks={"Stacks": [FOUNDATION]})
    assert (before["phases"][0]["checks"]["passed"], before["phases"][0]["checks"]["at"]) == (0, None)
    of = before["phases"][0]["checks"]["of"]
    assert of >= 15
    progress = Progress(settings.home)
    progress.record("1.1", "verify", passed=True, checks=4, checks_passed=4, on=["template", "local"])
    progress.record("1.2", "verify", passed=False, checks=3, checks_passed=1, on=["local"])
    answer = overview(stacks={"Stacks": [FOUNDATION]})
    assert answer["phases"][0]["checks"]["passed"] == 5
    report.status(answer)
    assert f"5 of {of} on local and template" in capsys.readouterr().out


def test_a_phase_that_is_not_deployed_is_the_next_step(overview: Callable[..., Any]) -> None:
    missing = refusal("ValidationError", "Stack with id BrewHaven-Phase1-Foundation does not exist")
    assert overview(stacks=missing)["next"] == "brewhaven deploy 1"
    assert overview(stacks=missing, name="local")["next"] == "brewhaven up"


def test_a_stack_that_rolled_back_is_the_next_step(overview: Callable[..., Any]) -> None:
    answer = overview(stacks={"Stacks": [{**FOUNDATION, "StackStatus": "UPDATE_ROLLBACK_COMPLETE"}]})
    assert "describe-stack-events" in answer["next"]


def test_a_fault_that_is_open_is_the_next_step(overview: Callable[..., Any], settings: CloudSettings) -> None:
    stack = "BrewHaven-Phase1-Foundation"
    Book(settings.home).write(OpenFault("slow-at-noon", 1, "1.6", stack, "id", "aws", "111122223333", "us-east-1"))
    there, elsewhere = (
        overview(stacks={"Stacks": [FOUNDATION]}),
        overview(stacks={"Stacks": [FOUNDATION]}, name="local"),
    )
    assert there["open_fault"] == "slow-at-noon"
    assert "brewhaven hint" in there["next"]
    assert elsewhere["open_fault"] is None
    assert "brewhaven hint" not in elsewhere["next"]
