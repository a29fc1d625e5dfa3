"""Runs the student's tests on the template as it is, and on templates that break one promise each."""

import copy
import importlib.util
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from aws_cdk.assertions import Template

Body = dict[str, Any]


def _of(body: Body, kind: str) -> Iterator[Body]:
    return (resource for resource in body["Resources"].values() if resource["Type"] == kind)


def _without(kind: str, name: str) -> Callable[[Body], None]:
    def change(body: Body) -> None:
        for resource in _of(body, kind):
            resource.get("Properties", {}).pop(name, None)

    return change


def _plain_http(body: Body) -> None:
    for name in [n for n, resource in body["Resources"].items() if resource["Type"] == "AWS::S3::BucketPolicy"]:
        del body["Resources"][name]


def _statements(body: Body) -> Iterator[Body]:
    for policy in _of(body, "AWS::IAM::Policy"):
        yield from policy["Properties"]["PolicyDocument"]["Statement"]


def _every_action(body: Body) -> None:
    for statement in _statements(body):
        statement["Action"] = "s3:*"


def _whole_bucket(body: Body) -> None:
    for statement in _statements(body):
        resource = statement["Resource"]
        if isinstance(resource, dict) and "Fn::Join" in resource:
            resource["Fn::Join"][1][-1] = "/*"


BREAKS: dict[str, Callable[[Body], None]] = {
    "the bucket no longer blocks public access": _without("AWS::S3::Bucket", "PublicAccessBlockConfiguration"),
    "the bucket is no longer encrypted by a rule of its own": _without("AWS::S3::Bucket", "BucketEncryption"),
    "plain HTTP is no longer refused": _plain_http,
    "the grant is widened to s3:*": _every_action,
    "the grant reaches the whole bucket": _whole_bucket,
}


def probe(_module: ModuleType, body: Body, folder: Path) -> dict[str, Any]:
    """What the tests are worth.

    `tests` is how many there are and `failing` maps names to errors. `unnoticed` are the breaks that no test notices,
    `untried` those of a promise that the construct does not keep yet, so that there is nothing to break.
    """
    path = folder / "test_exercise.py"
    tests = _tests(path)
    unnoticed, untried = [], []
    for name, change in BREAKS.items():
        broken = copy.deepcopy(body)
        change(broken)
        if broken == body:
            untried.append(name)
        elif not _failing(tests, broken, path):
            unnoticed.append(name)
    failing = _failing(tests, body, path)
    return {"tests": len(tests), "failing": failing, "unnoticed": unnoticed, "untried": untried}


def _tests(path: Path) -> dict[str, Callable[[Template], None]]:
    if not path.exists():
        return {}
    spec = importlib.util.spec_from_file_location("students_tests", path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)  # noqa: S102
    return {name: value for name, value in vars(module).items() if name.startswith("test_") and callable(value)}


def _failing(tests: dict[str, Callable[[Template], None]], body: Body, path: Path) -> dict[str, str]:
    template = Template.from_json(body)
    failing = {}
    for name, test in tests.items():
        try:
            test(template)
        except BaseException as error:  # whatever a test raises is a failure of it, and pytest.fail is no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
            said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            failing[name] = f"line {lines[-1]}: {said}" if lines else said
    return failing
