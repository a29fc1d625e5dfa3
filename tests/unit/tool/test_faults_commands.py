"""`break`, `hint` and `fix` on the command line: what is asked wrongly, and what is told only when it is over."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from brewhaven import target
from brewhaven.course.cloud import Deployment
from brewhaven.course.faults import practice, proof
from brewhaven.course.faults.book import Book, OpenFault
from brewhaven.course.faults.proof import Proof, ProofStep
from brewhaven.local.settings import CloudSettings
from brewhaven.redrive import DeadLetterQueue
from brewhaven.target import Target

Run = Callable[..., Result]


@pytest.fixture
def opened(settings: CloudSettings) -> OpenFault:
    """A fault that is open, as the book has it."""
    found = OpenFault("slow-at-noon", 1, "1.7", "BrewHaven-Phase1-Foundation", "id", "local", "111122223333", "x")
    return Book(settings.home).write(found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fix"], "Say what to do"),
        (["fix", "--check", "--undo"], "Say what to do"),
        (["fix", "--check", "slow-at-noon"], "belong to --show"),
        (["fix", "--undo", "--spoil"], "belong to --show"),
        (["break", "--list", "--selftest"], "not both"),
        (["break", "--list", "--phase", "9"], "9"),
        (["break", "--selftest", "--student", "s01"], "without a prefix"),
        (["break", "slow-at-noon", "--seed", "3"], "not both"),
        (["break", "tea"], "no fault tea"),
    ],
)
def test_wrong_use(
    brewhaven: Run, fake_target: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setattr(target, "current", lambda _: fake_target())
    done = brewhaven(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr


@pytest.mark.parametrize("arguments", [["break"], ["hint"], ["fix", "--check"], ["fix", "--undo"]])
def test_without_a_cloud_it_is_said(brewhaven: Run, arguments: list[str]) -> None:
    done = brewhaven(*arguments)
    assert done.exit_code == 1
    assert "The local cloud does not run" in done.stderr


def test_there_is_nothing_to_explain_yet(brewhaven: Run) -> None:
    done = brewhaven("fix", "--show")
    assert done.exit_code == 1
    assert "no fault yet" in done.stderr


def test_an_open_fault_is_explained_with_a_word_alone(brewhaven: Run, opened: OpenFault) -> None:
    done = brewhaven("fix", "--show")
    assert done.exit_code == 1
    assert "not mended yet" in done.stderr
    assert "provisioned" not in done.output
    assert "provisioned" in brewhaven("fix", "--show", "--spoil").stdout
    other = brewhaven("fix", "--show", "nobody-gets-in")
    assert other.exit_code == 1, "one that was never had is not told either"


def test_what_is_over_is_explained(brewhaven: Run, settings: CloudSettings, opened: OpenFault) -> None:
    Book(settings.home).close(opened, "undone")
    told = json.loads(brewhaven("fix", "--show", "--json").stdout)
    assert told["fault"] == "slow-at-noon"
    assert set(told) == {"fault", "lesson", "cause", "found_by", "prevention", "page", "repair"}


def test_on_aws_it_asks_and_touches_nothing_without_a_yes(
    brewhaven: Run, fake_target: Any, monkeypatch: pytest.MonkeyPatch, settings: CloudSettings
) -> None:
    stack = {
        "StackId": "id",
        "StackStatus": "UPDATE_COMPLETE",
        "Description": "Brew Haven, phase 1: Foundation, lesson 1.7",
        "Outputs": [],
    }
    cloud: Target = fake_target(
        "aws",
        cloudformation={
            "describe_stacks": {"Stacks": [stack]},
            "list_stack_resources": {"StackResourceSummaries": []},
        },
    )
    monkeypatch.setattr(target, "current", lambda _: cloud)
    done = brewhaven("break", "nobody-gets-in", input="n\n")
    assert done.exit_code == 1
    assert "account 111122223333" in done.stderr
    assert "Nothing was changed" in done.stderr
    asked = {operation for operation, _ in cloud.client("cloudformation").calls}
    assert asked <= {"describe_stacks", "list_stack_resources"}
    assert Book(settings.home).open_fault() is None
    assert "for the local cloud alone" in brewhaven("break", "boss-is-refused", "--yes").stderr
    assert "use local" in brewhaven("break", "--selftest").stderr


def queue(name: str, depth: int, *sources: str) -> DeadLetterQueue:
    return DeadLetterQueue(name, f"arn:aws:sqs:us-east-1:111122223333:{name}", f"https://sqs/{name}", depth, 0, sources)


def test_what_was_put_aside_meanwhile_is_told_when_a_fault_is_taken_back(
    brewhaven: Run, fake_target: Any, monkeypatch: pytest.MonkeyPatch, settings: CloudSettings, opened: OpenFault
) -> None:
    asked: list[str] = []
    there = [queue("OrderPipelineOrders", 3, "OrderPipelineOrders"), queue("Undelivered", 1), queue("Empty", 0, "X")]

    def dead_letter_queues(deployment: Deployment) -> list[DeadLetterQueue]:
        asked.extend(deployment.stacks)
        return there

    monkeypatch.setattr(target, "current", lambda _: fake_target())
    monkeypatch.setattr(practice, "dead_letter_queues", dead_letter_queues)
    monkeypatch.setattr(practice.Practice, "deployment", lambda self, stack: Deployment(self.cloud, [stack]))
    monkeypatch.setattr(practice.Practice, "open_fault", lambda self: self.book.open_fault())
    monkeypatch.setattr(practice.Practice, "_wait", lambda *_, **__: "it works")
    said = brewhaven("fix", "--undo").stdout
    assert "Everything is as it was." in said
    assert "OrderPipelineOrders holds 3 messages" in " ".join(said.split())
    assert "brewhaven redrive OrderPipelineOrders" in " ".join(said.split())
    assert "Undelivered holds a message" in " ".join(said.split())
    assert "Empty" not in said
    assert asked == [opened.stack]
    Book(settings.home).write(opened)
    assert json.loads(brewhaven("fix", "--undo", "--json").stdout)["put_aside"] == [
        {"queue": "OrderPipelineOrders", "messages": 3, "movable": True},
        {"queue": "Undelivered", "messages": 1, "movable": False},
    ]
    there.clear()
    Book(settings.home).write(opened)
    assert "holds" not in brewhaven("fix", "--undo").stdout


@pytest.mark.parametrize("passes", [True, False])
def test_a_selftest_tells_each_step_and_how_it_ended(
    brewhaven: Run, fake_target: Any, monkeypatch: pytest.MonkeyPatch, passes: bool
) -> None:
    proven: list[str] = []

    def prove(fault: Any, _practice: Any, _environment: Any, watch: Any) -> Proof:
        proven.append(fault.id)
        step = ProofStep("all is well before", passes or len(proven) > 1, "24 checks pass", 1.0)
        watch(step)
        return Proof(fault.id, fault.lesson, fault.check, [step])

    monkeypatch.setattr(target, "current", lambda _: fake_target())
    monkeypatch.setattr(proof, "prove", prove)
    done = brewhaven("break", "--selftest", "--phase", "1", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == (0 if passes else 1)
    assert told["passed"] is passes
    assert [item["fault"] for item in told["faults"]] == proven
    assert len(proven) >= 7
    assert "24 checks pass" in brewhaven("break", "--selftest", "slow-at-noon").stdout
