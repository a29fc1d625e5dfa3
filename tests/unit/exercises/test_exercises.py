"""Every exercise of the course: the start fails, the solution passes, each wrong answer gets its explanation."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from brewhaven.cli import app
from brewhaven.course import load
from brewhaven.errors import BrewHavenError
from brewhaven.exercises import declared, lint
from brewhaven.exercises.declared import all_exercises
from brewhaven.exercises.judge import judge
from brewhaven.exercises.selftest import prove
from brewhaven.exercises.workshop import Workshop

EXERCISES = all_exercises()
NAMES = [each.id for each in EXERCISES]


@pytest.mark.parametrize("phase", [1, 2])
def test_a_phase_has_at_least_six(phase: int) -> None:
    assert sum(each.lesson.startswith(f"{phase}.") for each in EXERCISES) >= 6


def test_the_course_keeps_its_rules() -> None:
    assert lint.problems(load()) == []


@pytest.mark.parametrize("command", ["", "start", "check", "watch", "hint", "solution"])
def test_examples_name_exercises_that_there_are(command: str) -> None:
    said = " ".join(CliRunner().invoke(app, ["exercise", *command.split(), "--help"]).output.split())
    assert "Example: brewhaven exercise" in said
    for id_ in re.findall(
        r"brewhaven exercise (?:start|check|watch|solution) ([a-z-]*[a-z])", said.partition("Example:")[2]
    ):
        assert id_ in NAMES


def test_a_proof_that_does_not_hold_is_found(workshop: Workshop) -> None:
    """The self-test itself can fail: each declaration is turned into a lie."""
    good = declared.find("pickups-by-day")
    wrong = good.wrong[0]
    lies = {
        "it should say": dataclasses.replace(wrong, said="something else"),
        "passes": dataclasses.replace(wrong, check="index-exists"),
        "it passes": dataclasses.replace(wrong, file=good.folder / "solution" / declared.CODE),
    }
    for problem, lie in lies.items():
        proofs = prove(dataclasses.replace(good, wrong=(*good.wrong, lie)), workshop)
        assert [problem in proof.problem for proof in proofs if not proof.holds] == [True], problem


def test_a_check_that_nothing_fails_is_found(workshop: Workshop) -> None:
    props = declared.find("polite-prop")
    left = tuple(wrong for wrong in props.wrong if wrong.check != "takes-good-props")
    [problem] = [proof.problem for proof in prove(dataclasses.replace(props, wrong=left), workshop) if not proof.holds]
    assert problem == "neither the start nor a wrong answer fails takes-good-props"


INLINE = {
    "PolicyName": "p",
    "PolicyDocument": {
        "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/b"},
    },
}
TOO_MUCH = {
    "a policy of AWS's own": "self.display.add_managed_policy("
    'iam.ManagedPolicy.from_aws_managed_policy_name("ReadOnlyAccess"))',
    "a managed policy of the stack": 'iam.ManagedPolicy(self, "More", roles=[self.display], statements=[ALL])',
    "an inline policy": f'self.display.node.default_child.add_property_override("Policies", [{INLINE}])',
    "all but one action": 'self.display.add_to_policy(iam.PolicyStatement(not_actions=["s3:*"], resources=["*"]))',
    "all but one resource": 'self.display.add_to_policy(iam.PolicyStatement(actions=["dynamodb:GetItem"], '
    'not_resources=["arn:aws:dynamodb:us-east-1:111122223333:table/a"]))',
}


@pytest.mark.parametrize("statement", TOO_MUCH.values(), ids=TOO_MUCH)
def test_no_way_to_allow_too_much_passes_narrow_grant(statement: str, workshop: Workshop, tmp_path: Path) -> None:
    grant = declared.find("narrow-grant")
    everything = '\nALL = iam.PolicyStatement(actions=["*"], resources=["*"])\n'
    text = grant.solution_files()[declared.CODE] + f"        {statement}\n" + everything
    (tmp_path / declared.CODE).write_text(text)
    verdict = judge(grant, tmp_path, workshop)
    assert verdict.report is not None, verdict.broken
    assert "nothing-else" in {finding.check for finding in verdict.report.findings if not finding.passed}


SOONER = "s3.LifecycleRule(noncurrent_version_expiration=cdk.Duration.days(7)), s3.LifecycleRule("
OTHER_RULES = {
    "a second rule is sooner": (SOONER, "the sooner one wins"),
    "only what has a tag": ('s3.LifecycleRule(tag_filters={"a": "b"}, ', "only for objects of certain tags"),
    "the newest are spared": ("s3.LifecycleRule(noncurrent_versions_to_retain=3, ", "are kept for ever"),
}


@pytest.mark.parametrize(("rule", "said"), OTHER_RULES.values(), ids=OTHER_RULES)
def test_a_rule_that_does_not_hold_everywhere_is_found(
    rule: str, said: str, workshop: Workshop, tmp_path: Path
) -> None:
    bucket = declared.find("forgiving-bucket")
    (tmp_path / declared.CODE).write_text(bucket.solution_files()[declared.CODE].replace("s3.LifecycleRule(", rule, 1))
    verdict = judge(bucket, tmp_path, workshop)
    assert verdict.report is not None, verdict.broken
    assert said in {finding.check: finding.what for finding in verdict.report.findings}["old-versions-go"]


def test_a_wrong_answer_of_any_kind_of_file_is_proved_or_told(tmp_path: Path) -> None:
    course = load()
    copy = tmp_path / "exercises" / "gift-cards"
    shutil.copytree(declared.find("gift-cards").folder, copy)
    (copy / "wrong" / "forgotten.sql").write_text("select 1;")
    only = dataclasses.replace(course, phases=(dataclasses.replace(course.phases[1], folder=tmp_path),))
    assert [problem.message for problem in lint.problems(only)] == [
        "wrong/forgotten.sql is named by no [[wrong]], so nothing proves its explanation"
    ]


def test_a_declaration_that_is_not_whole_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrewHavenError, match=r"has no exercise\.toml"):
        declared.read(tmp_path)
    (tmp_path / "exercise.toml").write_text('title = "Half"\n')
    with pytest.raises(BrewHavenError, match=r"exercise\.toml does not say lesson"):
        declared.read(tmp_path)
    (tmp_path / "exercise.toml").write_text("title = Half\n")
    with pytest.raises(BrewHavenError, match=r"exercise\.toml cannot be used: Invalid value \(at line 1"):
        declared.read(tmp_path)
    (tmp_path / "exercise.toml").write_text(
        'title = "x"\nlesson = "1.1"\nobjective = "o"\nminutes = 1\nread = []\nhints = []\n'
    )
    with pytest.raises(BrewHavenError, match=r"has no task\.md, checks\.py, start/exercise\.py, solution/solution\.md"):
        declared.read(tmp_path)


BROKEN_RULES = {
    "no such lesson": ('lesson = "1.2"', 'lesson = "1.9"', "phase 1 has no lesson 1.9"),
    "taught later": ('lesson = "1.2"', 'lesson = "1.1"', "is taught by no lesson up to 1.1"),
    "another lesson's check": ('lesson = "1.2"', 'lesson = "1.3"', "belongs to lesson 1.2, the exercise to 1.3"),
    "no such objective": ('"dynamodb-access-patterns"', '"nothing"', "'nothing' is taught by no lesson up to 1.2"),
    "no time": ("minutes = 20", "minutes = 0", "minutes must be 1 or more, got 0"),
    "no such check": ('check = "keys-are-text"', 'check = "keys"', "names the check 'keys'; there are index-exists"),
    "no such target": ('check = "keys-are-text"', 'check = "keys-are-text"\non = "moon"', "got 'moon'"),
    "no check there": ('check = "keys-are-text"', 'check = "keys-are-text"\non = "local"', "does not run on local"),
    "nothing to say": ('said = "refuses every order"', 'said = ""', "what its explanation must contain"),
    "no file": ('file = "number.py"', 'file = "numbers.py"', "has no"),
    "unproved": (
        '[[wrong]]\nfile = "number.py"\ncheck = "keys-are-text"\nsaid = "refuses every order"',
        "",
        "number.py",
    ),
}


@pytest.mark.parametrize(("old", "new", "said"), BROKEN_RULES.values(), ids=BROKEN_RULES)
def test_a_broken_rule_is_found(tmp_path: Path, old: str, new: str, said: str) -> None:
    course = load()
    phase = dataclasses.replace(course.phases[0], folder=tmp_path)
    copy = tmp_path / "exercises" / "pickups-by-day"
    shutil.copytree(declared.find("pickups-by-day").folder, copy)
    broken = dataclasses.replace(course, phases=(phase,))
    assert lint.problems(broken) == []
    text = (copy / "exercise.toml").read_text()
    assert old in text
    (copy / "exercise.toml").write_text(text.replace(old, new))
    found = lint.problems(broken)
    assert found
    assert any(said in problem.message for problem in found)
