"""The list of survivors explains, and is held to be true."""

from __future__ import annotations

from pathlib import Path

import pytest

from brewhaven.errors import BrewHavenError
from brewhaven.mutate.panel import Kind, Verdict
from brewhaven.mutate.report import Report
from brewhaven.mutate.stack import Mutant
from brewhaven.mutate.survivors import Entry, read, unlisted, untrue

REASON = "Nothing that acts on this property is part of the course, so there is nothing to say."
SUBNETS = Entry("Network/*Subnet? CidrBlock: *", REASON)
TRIED = [
    "Network/PublicSubnet1 CidrBlock: 10.0.0.0/25",
    "Network/PublicSubnet2 CidrBlock: 10.0.1.0/25",
    "Table: left out",
]


def test_an_entry_may_be_a_pattern() -> None:
    assert unlisted([SUBNETS], TRIED) == ["Table: left out"]
    assert untrue([SUBNETS], TRIED, TRIED[:2], all_tried=True) == []


def test_an_entry_is_untrue_when_one_of_its_mistakes_is_noticed() -> None:
    (sentence,) = untrue([SUBNETS], TRIED, TRIED[:1], all_tried=True)
    assert sentence == f"'{TRIED[1]}' is listed as '{SUBNETS.mistake}', and it is noticed."


def test_an_entry_is_untrue_when_its_mistake_cannot_be_made_any_more() -> None:
    gone = Entry("Bucket Name: left out", REASON)
    (sentence,) = untrue([gone], TRIED, [], all_tried=True)
    assert "no such mistake can be made any more" in sentence
    assert untrue([gone], TRIED, [], all_tried=False) == [], "a sample cannot know"


def test_a_reason_explains(tmp_path: Path) -> None:
    listing = tmp_path / "survivors.toml"
    listing.write_text('[[survivor]]\nmistake = "Table: left out"\nreason = "not needed"\n')
    with pytest.raises(BrewHavenError, match="without a reason that explains: 'not needed'"):
        read(listing)


def test_the_list_of_the_course_can_be_read() -> None:
    assert all(isinstance(entry, Entry) for entry in read())


def verdicts(*kinds: Kind) -> list[Verdict]:
    return [
        Verdict("Shop", Mutant(f"mistake {number}", "Table", "AWS::DynamoDB::GlobalTable", (), "remove"), kind, kind)
        for number, kind in enumerate(kinds)
    ]


def test_what_cloudformation_alone_refuses_is_in_no_ratio() -> None:
    report = Report(verdicts("check", "test", "rule", "refused", ""), all_tried=True, unlisted=[], untrue=[])
    assert report.ratio == 3 / 4
    assert not report.passed, "nine of ten are asked for"
    assert Report(verdicts(*["test"] * 9, ""), all_tried=True, unlisted=[], untrue=[]).passed


def test_a_survivor_without_a_reason_and_an_untrue_entry_each_fail_whatever_the_ratio() -> None:
    assert not Report(verdicts(*["test"] * 99, ""), all_tried=False, unlisted=["mistake 99"], untrue=[]).passed
    assert not Report(
        verdicts("test"), all_tried=False, unlisted=[], untrue=["'x' is listed, and it is noticed."]
    ).passed
