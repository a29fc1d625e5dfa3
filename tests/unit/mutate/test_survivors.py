"""The list of survivors explains, and is held to be true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from brewhaven.errors import BrewHavenError
from brewhaven.mutate.panel import Kind, Task, Verdict
from brewhaven.mutate.report import Report
from brewhaven.mutate.run import Outcome
from brewhaven.mutate.stack import Mutant
from brewhaven.mutate.survivors import Entry, read, unlisted, untrue

REASON = "Nothing that acts on this property is part of the course, so there is nothing to say."
SUBNETS = Entry("Shop", "Network/*Subnet? CidrBlock: *", REASON)
FIRST, SECOND, TABLE = (
    "Network/PublicSubnet1 CidrBlock: 10.0.0.0/25",
    "Network/PublicSubnet2 CidrBlock: 10.0.1.0/25",
    "Table: left out",
)


def outcome(kinds: Mapping[str, Kind], *, possible: Sequence[str] = ()) -> Outcome:
    """Verdicts by the mistake, in a stack in which these and other mistakes are possible."""

    def mutant(name: str) -> Mutant:
        return Mutant(name, "Table", "AWS::DynamoDB::GlobalTable", (), "remove")

    verdicts = [Verdict("Shop", mutant(name), kind, "somebody" if kind else "") for name, kind in kinds.items()]
    return Outcome(verdicts, [Task(1, "Shop", mutant(name)) for name in [*kinds, *possible]])


def numbered(*kinds: Kind) -> Outcome:
    return outcome({f"mistake {number}": kind for number, kind in enumerate(kinds)})


def test_an_entry_may_be_a_pattern() -> None:
    found = outcome({FIRST: "", SECOND: "", TABLE: ""})
    assert unlisted([SUBNETS], found) == [TABLE]
    assert untrue([SUBNETS], found) == []


def test_an_entry_is_untrue_when_one_of_its_mistakes_is_noticed() -> None:
    (sentence,) = untrue([SUBNETS], outcome({FIRST: "", SECOND: "test"}))
    assert sentence == f"'{SECOND}' is listed as '{SUBNETS.mistake}', and somebody notices it."


def test_an_entry_is_untrue_when_its_mistake_cannot_be_made_any_more() -> None:
    (sentence,) = untrue([SUBNETS], outcome({TABLE: "test"}))
    assert "no such mistake can be made in Shop any more" in sentence
    assert untrue([SUBNETS], outcome({TABLE: "test"}, possible=[FIRST])) == [], "possible, though not in this sample"
    assert untrue([Entry("Another", FIRST, REASON)], outcome({TABLE: "test"})) == [], "a stack that was not looked at"


def test_a_reason_explains(tmp_path: Path) -> None:
    listing = tmp_path / "survivors.toml"
    listing.write_text('[[survivor]]\nstack = "Shop"\nmistake = "Table: left out"\nreason = "not needed"\n')
    with pytest.raises(BrewHavenError, match="without a reason that explains: 'not needed'"):
        read(listing)


def test_the_list_of_the_course_can_be_read() -> None:
    assert all(isinstance(entry, Entry) for entry in read())


def test_what_cloudformation_alone_refuses_is_in_no_ratio() -> None:
    report = Report(numbered("check", "test", "rule", "refused", ""), unlisted=[], untrue=[])
    assert report.ratio == 3 / 4


def test_of_all_mistakes_nine_in_ten_must_be_noticed_and_of_a_sample_those_that_are_not_listed() -> None:
    half: dict[str, Kind] = {"a": "test", "b": ""}
    assert Report(numbered(*["test"] * 9, ""), unlisted=[], untrue=[]).passed
    assert not Report(outcome(half), unlisted=[], untrue=[]).passed
    assert Report(outcome(half, possible=["c"]), unlisted=[], untrue=[]).passed


def test_a_survivor_without_a_reason_and_an_untrue_entry_each_fail_whatever_the_ratio() -> None:
    assert not Report(numbered(*["test"] * 99, ""), unlisted=["mistake 99"], untrue=[]).passed
    assert not Report(numbered("test"), unlisted=[], untrue=["'x' is listed, and y notices it."]).passed
