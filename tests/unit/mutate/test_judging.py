"""The tool itself: a property that no test guards survives, and with the assertion it does not."""

from __future__ import annotations

import pytest

from brewhaven.errors import BrewHavenError
from brewhaven.mutate.run import Verdict, judge_all

SAMPLE = "tests/unit/mutate/sample"
SECRET = "ShopRuntime/SessionSecret/Resource"


def judged(*files: str) -> dict[str, Verdict]:
    verdicts, _ = judge_all(only="AWS::SecretsManager::Secret", looking_at=[f"{SAMPLE}/{file}" for file in files])
    return {verdict.mutant.id: verdict for verdict in verdicts}


def test_what_no_test_guards_survives_and_with_the_assertion_it_is_noticed() -> None:
    length = f"{SECRET} GenerateSecretString.PasswordLength: 128"
    generated = f"{SECRET} GenerateSecretString: left out"
    unguarded = judged("unguarded.py")
    assert (unguarded[length].kind, unguarded[length].noticed_by) == ("", "")
    assert unguarded[generated].noticed_by == f"{SAMPLE}/unguarded.py::test_the_key_is_generated"
    guarded = judged("unguarded.py", "guarded.py")
    assert guarded[length].noticed_by == f"{SAMPLE}/guarded.py::test_the_key_is_long"
    assert guarded.keys() == unguarded.keys()


def test_a_test_that_fails_without_a_mistake_is_believed_in_nothing() -> None:
    with pytest.raises(BrewHavenError, match=r"Tests fail without any mistake: .*failing\.py::test_the_key_is_short"):
        judged("failing.py")
