"""The validation gates, each run once: cdk-nag, the CDK's own validation, and cfn-lint on every lesson."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from cdk_nag import AwsSolutionsChecks, ServerlessChecks
from cfnlint.runner import Runner

from brewhaven.mutate.rules import lint_config
from tests.phases import LESSONS, WHOLE

ACKNOWLEDGED = "aws:cdk:acknowledged-rules"


def findings(directory: Path) -> list[str]:
    """What the validation report of an assembly complains about."""
    report = directory / "validation-report.json"
    if not report.exists():
        return []
    return [
        f"{violation['ruleName']} at {construct['constructPath']}: {violation['description']}"
        for plugin in json.loads(report.read_text(encoding="utf-8"))["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]


def synthesize(course: cdk.App) -> list[str]:
    """Synthesize and say what was found; an app with findings refuses to synthesize."""
    try:
        course.synth()
    except RuntimeError as error:
        assert "ValidationFailed" in str(error)
    return findings(Path(course.outdir))


def nagged(new_app: Callable[..., Any], **switches: str) -> cdk.App:
    course = new_app(**switches)
    for pack in (AwsSolutionsChecks, ServerlessChecks):
        cdk.Validations.of(course).add_plugins(pack(course, verbose=True))
    return course


EVERY_OTHER_WAY = {
    "catalog_capacity": "provisioned",
    "storefront": "ec2",
    "student": "s01",
    "database_multi_az": "true",
    "database_replica": "true",
    "database_proxy": "true",
    "database_snapshot": "before-the-mistake",
    "database_on_destroy": "snapshot",
    "worker_reserved_concurrency": "5",
    "alarm_email": "staff@example.com",
    "email_sender": "shop@example.com",
}


@pytest.mark.parametrize("switches", [{}, EVERY_OTHER_WAY], ids=["by-default", "every-other-way"])
def test_nag_finds_nothing_that_is_not_acknowledged(
    new_app: Callable[..., Any], build_course: Callable[[cdk.App], None], switches: dict[str, str]
) -> None:
    course = nagged(new_app, **WHOLE, **switches)
    build_course(course)
    assert synthesize(course) == []


def test_nag_would_find_something(new_app: Callable[..., Any]) -> None:
    course = nagged(new_app)
    cdk.aws_s3.Bucket(cdk.Stack(course, "Careless"), "Bucket")
    assert any("AwsSolutions-S10" in finding for finding in synthesize(course))


def test_every_acknowledgement_says_why(new_app: Callable[..., Any], build_course: Callable[[cdk.App], None]) -> None:
    course = new_app(**WHOLE, **EVERY_OTHER_WAY)
    build_course(course)
    reasons = [
        (node.node.path, entry.data)
        for node in course.node.find_all()
        for entry in node.node.metadata
        if entry.type == ACKNOWLEDGED
    ]
    assert reasons
    for path, data in reasons:
        for reason in _strings(data, "reason"):
            assert len(reason.split()) >= 10, f"{path}: a reason explains, it does not label: {reason!r}"


def _strings(data: Any, key: str) -> list[str]:
    """Every string under `key`, however deep."""
    if isinstance(data, dict):
        return [value for name, value in data.items() if name == key] + [
            text for value in data.values() for text in _strings(value, key)
        ]
    return [text for value in data for text in _strings(value, key)] if isinstance(data, list) else []


def test_the_cdk_validates_the_whole_course(
    new_app: Callable[..., Any], build_course: Callable[[cdk.App], None]
) -> None:
    course = new_app(validate=True, **WHOLE)
    build_course(course)
    assert synthesize(course) == []


def test_the_validation_of_the_cdk_would_find_something(new_app: Callable[..., Any]) -> None:
    course = new_app(validate=True)
    table = {"TableName": 7, "KeySchema": "pk"}
    cdk.CfnResource(cdk.Stack(course, "Careless"), "Table", type="AWS::DynamoDB::Table", properties=table)
    assert synthesize(course)


def lint(templates: list[Path]) -> list[str]:
    """What cfn-lint says about templates, warnings included. One run, because loading its rules takes seconds."""
    matches = Runner(lint_config(templates)).run()
    return [f"{match.rule.id} {match.filename}: {match.message} at {match.path}" for match in matches]


def test_cfn_lint_has_no_word_about_any_lesson(assembly: Callable[..., Path]) -> None:
    variants = [{"lesson": lesson.id} for lesson in LESSONS]
    variants += [{"catalog_capacity": "provisioned"}, {"storefront": "ec2"}, {**WHOLE, **EVERY_OTHER_WAY}]
    templates = [path for switches in variants for path in sorted(assembly(**switches).glob("*.template.json"))]
    assert len(templates) >= len(variants)
    assert lint(templates) == []


def test_cfn_lint_would_find_something(tmp_path: Path) -> None:
    careless = tmp_path / "careless.template.json"
    careless.write_text('{"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": "soon"}}}}')
    assert lint([careless])


WORDS = re.compile(
    r"ministack|localstack|brewhaven\.local|AWS_ENDPOINT_URL|endpoint_url|4566|local cloud", re.IGNORECASE
)
TEXT = {".py", ".json", ".toml", ".txt", ".html", ".js", ".css", ".md"}


@pytest.mark.parametrize("room", ["app.py", "cdk.json", "stacks", "constructs", "lambda_src", "storefront"])
def test_nothing_that_is_deployed_knows_of_the_local_cloud(room: str) -> None:
    root = Path(__file__).resolve().parents[2] / room
    files = (
        [root]
        if root.is_file()
        else [path for path in root.rglob("*") if path.suffix in TEXT or path.name == "Dockerfile"]
    )
    assert files
    for path in files:
        found = WORDS.search(path.read_text(encoding="utf-8"))
        assert not found, f"{path.relative_to(root.parent)} mentions {found.group() if found else ''}"
