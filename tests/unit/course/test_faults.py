"""The engine of faults without a cloud: declared, chosen, made, judged, taken back, and survived when it is killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brewhaven.course import render as course_render
from brewhaven.course.catalogue import Course
from brewhaven.course.faults import Call, Explanation, FaultList, Plan, call, calls, declared, practice, render, rules
from brewhaven.course.faults.book import Book, OpenFault
from brewhaven.course.faults.calls import Answer, StrangerError
from brewhaven.course.faults.declared import Fault
from brewhaven.course.faults.practice import FaultError, Practice
from brewhaven.course.faults.template_change import TemplateChangeError
from brewhaven.errors import BrewHavenError, UsageError
from brewhaven.local.settings import CloudSettings
from tests.unit.course.cups import STACK, Cups, KilledError, refused

KINDS = ["no-cups", "hidden-cups"]
New = Callable[..., Practice]


@pytest.fixture
def cups() -> Cups:
    return Cups()


@pytest.fixture
def new(cups: Cups, course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> New:
    """Makes a practice as a freshly started program has it, in the same state folder."""
    monkeypatch.setattr(practice, "PERIOD_SECONDS", {"local": 0, "aws": 0})
    monkeypatch.setattr(practice, "PATIENCE_SECONDS", {"local": 0.05, "aws": 0.05})
    monkeypatch.setattr(practice, "COMES_UP_SECONDS", {"local": 0.05, "aws": 0.05})
    settings = CloudSettings(home=tmp_path / "home", port=4718)
    return lambda target=None, **options: Practice(settings, target or cups.target(), of=course, **options)


@pytest.fixture
def fault(course: Course, request: pytest.FixtureRequest) -> Fault:
    """The sample's fault that the test names; the first without a name."""
    return declared.find(course, getattr(request, "param", KINDS[0]))


both = pytest.mark.parametrize("fault", KINDS, indirect=True)


# Declared

GOOD: dict[str, Any] = {
    "lesson": "9.1",
    "check": "one-bucket",
    "symptom": "No cups",
    "hints": ("a", "b", "c"),
    "explanation": Explanation("", "", "", "https://docs.aws.amazon.com/"),
    "repair": "true",
}


@pytest.mark.parametrize(
    ("id_", "changed", "said"),
    [
        ("known", {}, "two faults"),
        ("Not_An_Id", {}, "lower-case words"),
        ("other", {"hints": ("a", "b")}, "3 hints"),
        ("other", {"hints": ("a", "b", " ")}, "3 hints"),
    ],
)
def test_a_fault_that_cannot_be_declared(id_: str, changed: dict[str, Any], said: str) -> None:
    faults = FaultList()
    faults.fault("known", **GOOD)
    with pytest.raises(ValueError, match=said):
        faults.fault(id_, **{**GOOD, **changed})


def test_the_sample_keeps_the_rules(course: Course) -> None:
    assert rules.problems(course) == []


@pytest.mark.parametrize(
    ("old", "new_text", "said"),
    [
        ('check="one-bucket"', 'check="no-such"', "no check no-such that looks at what is deployed"),
        ('lesson="9.1"', 'lesson="9.7"', "no lesson 9.7"),
        ("@no_cups.on_template", "# not", "one of the two"),
        ("@no_cups.noticed", "# not", "how a user notices it"),
        ("https://docs.aws.amazon.com/cups.html", "https://example.com", "none of AWS's documentation"),
        ("where are the cups?", "the security group is closed", "'security group'"),
        ('repair="true\\n",', 'repair="true\\n", may_fail=("nothing",),', "no check nothing"),
        ('repair="true\\n",', 'repair="true\\n", may_fail=("one-bucket",),', "names its own check"),
    ],
)
def test_each_rule_is_noticed(phases: Path, course: Course, old: str, new_text: str, said: str) -> None:
    path = phases / "phase9_sample" / "faults.py"
    source = path.read_text()
    assert old in source
    path.write_text(source.replace(old, new_text))
    found = rules.problems(course)
    assert any(said in problem.message for problem in found)
    assert {problem.path for problem in found} == {path}
    assert all(problem.line > 1 for problem in found)


def test_an_unknown_fault_is_wrong_use(course: Course) -> None:
    with pytest.raises(UsageError, match="no fault tea"):
        declared.find(course, "tea")


# Calls


def test_a_call_is_the_same_after_it_was_on_disk() -> None:
    one = call("s3", "put", unless=["Gone"], Bucket="cups", service="kept")
    assert Call.from_json(json.loads(json.dumps(one.as_json()))) == Call(
        "s3", "put", {"Bucket": "cups", "service": "kept"}, ("Gone",)
    )


def test_later_calls_take_what_earlier_ones_answer() -> None:
    seen: list[Any] = []

    class Client:
        def begin(self) -> Any:
            return {"upload": {"id": "u-1"}}

        def add(self, **arguments: Any) -> Any:
            seen.append(arguments)
            return {}

    answer = Answer(0, "upload.id")
    calls.run([call("x", "begin"), call("x", "add", parts=[{"of": answer}], to=answer)], lambda _: Client())
    assert seen == [{"parts": [{"of": "u-1"}], "to": "u-1"}]


def test_only_expected_refusals_are_passed_over() -> None:
    class Client:
        def end(self) -> Any:
            raise refused("Gone", "not there")

    calls.run([call("x", "end", unless=["Gone"])], lambda _: Client())
    with pytest.raises(Exception, match="not there"):
        calls.run([call("x", "end", unless=["Other"])], lambda _: Client())


def test_what_is_still_changing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    class Client:
        def enable(self) -> Any:
            asked.append(time.monotonic())
            if len(asked) < 3:
                raise refused("ResourceInUseException", "it is being disabled")
            return {"State": "Enabling"}

    monkeypatch.setattr(calls, "_AGAIN_SECONDS", 0.0)
    assert calls.run([call("x", "enable")], lambda _: Client()) == [{"State": "Enabling"}]
    assert len(asked) == 3
    asked.clear()
    monkeypatch.setattr(calls, "SETTLES_SECONDS", -1.0)
    with pytest.raises(Exception, match="it is being disabled"):
        calls.run([call("x", "enable")], lambda _: Client())


@pytest.mark.parametrize(
    ("arguments", "fine"),
    [
        ({"TableName": "cups"}, True),
        ({"Nested": [{"Arn": "arn:aws:s3:::shop/cups"}]}, True),
        ({"service": "front"}, True),
        ({"Name": "made"}, True),
        ({"TableName": "cups-of-somebody-else"}, False),
        ({"TableName": "other"}, False),
        ({}, False),
    ],
)
def test_a_plan_touches_only_what_is_deployed_or_what_it_makes(arguments: dict[str, Any], fine: bool) -> None:
    deployed = {"cups", "arn:aws:ecs:us-east-1:111122223333:service/cluster/front"}
    plan = Plan(do=[], undo=[call("x", "change", **arguments)], makes=("made",))
    if fine:
        calls.refuse_strangers(plan, deployed)
        return
    with pytest.raises(StrangerError, match="x:change"):
        calls.refuse_strangers(plan, deployed)


# From beginning to end


@both
def test_a_fault_is_made_judged_and_mended(new: New, cups: Cups, fault: Fault) -> None:
    before = json.dumps(cups.state, default=str)
    new().break_it(fault)
    assert json.dumps(cups.state, default=str) != before
    assert not new().check().mended
    assert new().book.open_fault() is not None
    cups.template["Outputs"]["Bucket"], cups.hidden = {"Value": "cups"}, False
    assert new().check().mended
    assert json.dumps(cups.state, default=str) == before, "what the fault made is removed"
    assert new().book.open_fault() is None
    assert [entry["outcome"] for entry in new().book.history()[fault.id]] == ["mended"]
    assert new().book.last() == fault.id


@both
def test_giving_up_puts_everything_back(new: New, cups: Cups, fault: Fault) -> None:
    before = json.dumps(cups.state, default=str)
    new().break_it(fault)
    assert new().undo() is fault or new().book.last() == fault.id
    assert json.dumps(cups.state, default=str) == before
    assert new().book.open_fault() is None


@both
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(4))
def test_a_program_that_is_killed_leaves_what_takes_the_fault_back(
    new: New, cups: Cups, fault: Fault, number: int, after: bool
) -> None:
    before = json.dumps(cups.state, default=str)
    cups.killed_at, cups.after = number, after
    try:
        new().break_it(fault)
    except KilledError:
        with pytest.raises(FaultError, match="broken off"):
            new().refuse(fault)
        with pytest.raises(FaultError, match="broken off"):
            new().check()
    cups.killed_at = None
    new().undo()
    assert json.dumps(cups.state, default=str) == before
    assert new().book.open_fault() is None


@both
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", range(3))
def test_undoing_can_be_killed_too(new: New, cups: Cups, fault: Fault, number: int, after: bool) -> None:
    before = json.dumps(cups.state, default=str)
    new().break_it(fault)
    cups.killed_at, cups.after = len(cups.changes) + number, after
    try:
        new().undo()
    except KilledError:
        cups.killed_at = None
        new().undo()
    assert json.dumps(cups.state, default=str) == before
    assert new().book.open_fault() is None


def test_nothing_is_changed_before_the_way_back_is_on_disk(
    new: New, cups: Cups, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Book, "write", full)
    with pytest.raises(OSError, match="No space"):
        new().break_it(fault)
    assert cups.changes == []


@pytest.mark.parametrize("fault", ["hidden-cups"], indirect=True)
def test_a_fault_that_cannot_be_made_is_taken_back(new: New, cups: Cups, fault: Fault) -> None:
    cups.refusing = "AccessDenied"
    with pytest.raises(FaultError, match=r"could not be made: .*not today") as raised:
        new().break_it(fault)
    assert raised.value.remedy == "Everything is as it was."
    assert (cups.shelf, cups.hidden) == (set(), False)
    assert new().book.open_fault() is None


def test_an_update_that_rolls_back_says_why(new: New, cups: Cups, fault: Fault) -> None:
    cups.updates_to = "UPDATE_ROLLBACK_COMPLETE"
    with pytest.raises(FaultError, match="too many cups"):
        new().break_it(fault)
    assert new().book.open_fault() is None


def test_a_stuck_stack_is_left_alone(new: New, cups: Cups, fault: Fault) -> None:
    new().break_it(fault)
    cups.status = "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(TemplateChangeError, match="stuck") as raised:
        new().undo()
    assert "continue-update-rollback" in (raised.value.remedy or "")
    assert new().book.open_fault() is not None


def test_a_fault_that_nobody_feels_is_taken_back(
    new: New, cups: Cups, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.on_template(lambda template: template.body.update(Metadata={"harmless": True}))
    with pytest.raises(FaultError, match="passes all the same"):
        new().break_it(fault)
    assert "Metadata" not in cups.template
    assert new().book.open_fault() is None


def test_what_does_not_fit_is_said_before_anything_is_changed(new: New, cups: Cups, fault: Fault) -> None:
    fault.on_template(lambda template: template.body["Outputs"].pop("No such output"))
    with pytest.raises(FaultError, match="does not fit what is deployed"):
        new().break_it(fault)
    assert cups.changes == []


def test_a_repair_by_hand_is_only_half_of_it(new: New, cups: Cups, fault: Fault) -> None:
    new().break_it(fault)
    faulty = dict(cups.template)
    cups.template = {**faulty, "Outputs": {"Bucket": {"Value": "by hand"}}}
    found = new()
    found._template_is = lambda *_: True  # type: ignore[method-assign]
    verdict = found.check()
    assert (verdict.mended, verdict.by_hand) == (False, True)
    assert "next deployment brings it back" in course_render.to_text(render.verdict(verdict, fault))
    assert new().book.open_fault() is not None


def test_what_a_student_deployed_since_stays(new: New, cups: Cups, fault: Fault) -> None:
    new().break_it(fault)
    cups.template = {**cups.template, "Outputs": {"Bucket": {"Value": "cups"}, "More": {"Value": "saucers"}}}
    new().undo()
    assert "More" in cups.template["Outputs"]


def test_one_at_a_time(new: New, fault: Fault) -> None:
    new().break_it(fault)
    with pytest.raises(FaultError, match="open already"):
        new().refuse(fault)


def test_a_shop_that_is_not_well_is_not_broken_further(new: New, cups: Cups, fault: Fault) -> None:
    cups.hidden = True
    with pytest.raises(FaultError, match="Not all is well already: one-bucket fails"):
        new().see_it_well(fault)


def test_a_shop_that_comes_up_is_waited_for(new: New, cups: Cups, fault: Fault) -> None:
    cups.hidden = True
    waited: list[str] = []

    def note(text: str) -> None:
        waited.append(text)
        cups.hidden = False

    assert [finding.check for finding in new().see_it_well(fault, note)] == ["one-bucket"]
    assert waited == ["waiting for one-bucket"]


def test_a_fault_goes_with_its_stack(new: New, cups: Cups, course: Course) -> None:
    new().break_it(declared.find(course, "hidden-cups"))
    cups.stack_id = "second"
    assert new().open_fault() is None
    assert cups.shelf == set(), "what it made beside the stack is removed"
    assert new().book.history() == {}
    new().break_it(declared.find(course, "no-cups"))
    cups.stack_id = None
    with pytest.raises(FaultError, match="nothing to take back"):
        new().undo()


def test_a_fault_is_in_one_account(new: New, cups: Cups, fault: Fault) -> None:
    new().break_it(fault)
    elsewhere = new(cups.target("aws", "999900001111"))
    for act in (elsewhere.check, elsewhere.undo, elsewhere.hint):
        with pytest.raises(FaultError, match="A fault is open in account 111122223333"):
            act()


def test_hints_become_more_concrete_and_end(new: New, fault: Fault) -> None:
    with pytest.raises(FaultError, match="No fault is open"):
        new().hint()
    new().break_it(fault)
    assert [new().hint()[1] for _ in range(5)] == [1, 2, 3, 3, 3]
    shown = course_render.to_text(render.hints(fault, 2))
    assert "Look at the stack" in shown
    assert "Look at its outputs" not in shown


# Which one


def test_a_seed_always_chooses_the_same(new: New) -> None:
    chosen = {seed: new().choose(seed).id for seed in range(20)}
    assert chosen == {seed: new().choose(seed).id for seed in range(20)}
    assert set(chosen.values()) == set(KINDS)


def test_without_a_seed_what_is_not_mended_yet_comes_first(new: New, fault: Fault) -> None:
    book = new().book
    book.close(book.write(_open(fault.id)), "mended")
    assert {new().choose().id for _ in range(10)} == {"hidden-cups"}
    book.close(book.write(_open("hidden-cups")), "mended")
    assert {new().choose().id for _ in range(30)} == set(KINDS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lesson": "9.2"}, "needs lesson 9.2, and lesson 9.1 is deployed"),
        ({"local_only": "there is no AWS here"}, "there is no AWS here"),
        ({"left_out_by": "cups=none"}, "built with cups=none"),
    ],
)
def test_a_fault_that_does_not_fit_says_why(new: New, cups: Cups, fault: Fault, change: Any, said: str) -> None:
    for name, value in change.items():
        setattr(fault, name, value)
    cups.template["Description"] += " (cups=none)"
    there = new(cups.target("aws"))
    assert said in str(fault.out_of_reach(there.deployment(STACK), "aws"))


def test_nothing_fits_where_nothing_is_deployed(new: New, cups: Cups) -> None:
    cups.stack_id = None
    with pytest.raises(FaultError, match="No fault fits"):
        new().choose(1)
    assert all("is not deployed" in str(reason) for _, reason in new().choices())


# The book


def _open(fault: str) -> OpenFault:
    return OpenFault(fault, 9, "9.1", STACK, "first", "local", "111122223333", "us-east-1")


def test_an_open_fault_that_cannot_be_read_is_an_error_with_a_way_out(new: New) -> None:
    book = new().book
    book.write(_open("no-cups"))
    path = next(path for path in book._folder.glob("open.json"))
    path.write_text("{half")
    with pytest.raises(BrewHavenError, match="cannot be read") as raised:
        book.open_fault()
    assert str(path) in (raised.value.remedy or "")


def test_a_selftest_is_nobodys_success(new: New, fault: Fault) -> None:
    trial = new(counts=False)
    trial.break_it(fault)
    trial.undo()
    assert trial.book.history() == {}
