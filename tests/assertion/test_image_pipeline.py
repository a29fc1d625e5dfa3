"""ImagePipeline: in a stack of its own beside phase 1, as a later phase makes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Match, Template
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from brew_constructs.asset_bucket import CHECKED, INCOMING
from brew_constructs.image_pipeline import QUARANTINE, THUMBNAILS, ImagePipeline
from brew_constructs.python_layer import PythonLayer
from brew_constructs.staff_alarms import StaffAlarms
from brewhaven.reach.report import survey_templates
from picture_check.bucket import Places
from shop.domain.catalog import CHECKED_PICTURES
from stacks.course import all_lessons
from stacks.phase1_foundation import Phase1Foundation
from stacks.settings import Settings
from tests.compliance.test_gates import findings

FOUNDATION = "BrewHaven-Phase1-Foundation"


class Trial(cdk.Stack):
    """What a phase's stack would be."""

    def __init__(self, scope: cdk.App, foundation: Phase1Foundation) -> None:
        super().__init__(scope, "Trial", env=cdk.Environment(account="111122223333", region="us-east-1"))
        self.pipeline = ImagePipeline(
            self,
            "ImagePipeline",
            bucket=foundation.assets.bucket,
            table=foundation.catalog.table,
            libraries=PythonLayer(self, "PythonLayer"),
            alarms=StaffAlarms(self, "StaffAlarms"),
            metrics_namespace="BrewHaven",
        )


def built(app: cdk.App) -> Path:
    lesson = next(one for one in all_lessons() if one.id == "1.4")
    foundation = Phase1Foundation(app, settings=Settings(account="111122223333", region="us-east-1", until=lesson))
    Trial(app, foundation)
    try:
        return Path(app.synth().directory)
    except RuntimeError as error:
        assert "ValidationFailed" in str(error)
        return Path(app.outdir)


@pytest.fixture(scope="module")
def folder(new_app: Callable[..., Any]) -> Path:
    return built(new_app())


@pytest.fixture(scope="module")
def trial(folder: Path) -> Template:
    return Template.from_json(json.loads((folder / "Trial.template.json").read_text()))


def test_the_rule_chooses_checked_pictures_of_this_bucket(trial: Template) -> None:
    [rule] = trial.find_resources("AWS::Events::Rule").values()
    pattern = rule["Properties"]["EventPattern"]
    assert pattern["source"] == ["aws.s3"]
    assert pattern["detail-type"] == ["Object Created"]
    assert pattern["detail"]["object"]["key"] == [{"prefix": CHECKED}]
    [bucket] = pattern["detail"]["bucket"]["name"]
    assert bucket["Fn::GetStackOutput"]["StackName"] == FOUNDATION


def test_an_event_that_cannot_be_handed_over_is_kept(trial: Template) -> None:
    [rule] = trial.find_resources("AWS::Events::Rule").values()
    [target] = rule["Properties"]["Targets"]
    assert "DeadLetters" in json.dumps(target["DeadLetterConfig"])
    assert "Queue" in json.dumps(target["Arn"])


def test_the_function_works_off_a_queue_within_its_patience(trial: Template) -> None:
    trial.has_resource_properties(
        "AWS::Lambda::EventSourceMapping",
        {"FunctionResponseTypes": ["ReportBatchItemFailures"], "ScalingConfig": {"MaximumConcurrency": 2}},
    )
    trial.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Handler": "picture_check.handler.lambda_handler",
            "Timeout": 60,
            "MemorySize": 1024,
            "Architectures": ["arm64"],
            "Layers": [Match.any_value(), Match.any_value()],
            "VpcConfig": Match.absent(),
        },
    )
    trial.has_resource_properties("AWS::SQS::Queue", {"VisibilityTimeout": 360})


def statements(trial: Template) -> list[dict[str, Any]]:
    return [
        statement
        for policy in trial.find_resources("AWS::IAM::Policy").values()
        if "CheckRole" in json.dumps(policy["Properties"]["Roles"])
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def resources_of(trial: Template, action: str) -> list[str]:
    """The ends of the ARNs for which an action is allowed."""
    found = []
    for statement in statements(trial):
        actions = statement["Action"]
        if action in (actions if isinstance(actions, list) else [actions]):
            resource = statement["Resource"]
            for one in resource if isinstance(resource, list) else [resource]:
                found.append(one["Fn::Join"][1][-1] if isinstance(one, dict) and "Fn::Join" in one else "")
    return found


@pytest.mark.parametrize(
    ("action", "ends"),
    [
        ("s3:GetObject", [f"/{CHECKED}*"]),
        ("s3:DeleteObject", [f"/{CHECKED}*"]),
        ("s3:PutObject", [f"/{THUMBNAILS}*", f"/{QUARANTINE}*"]),
        ("dynamodb:Query", ["/index/ByCategory"]),
    ],
)
def test_each_action_is_allowed_where_it_is_needed(trial: Template, action: str, ends: list[str]) -> None:
    assert resources_of(trial, action) == ends


def test_items_are_narrowed_to_their_keys(trial: Template) -> None:
    keys = {
        tuple(statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]): statement[
            "Condition"
        ]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        for statement in statements(trial)
        if "dynamodb:" in json.dumps(statement["Action"])
    }
    assert keys == {
        ("dynamodb:GetItem", "dynamodb:PutItem"): ["PICTURE#*"],
        ("dynamodb:UpdateItem",): ["PICTURE#*", "PRODUCT#*"],
        ("dynamodb:Query",): ["MENU", "RETIRED"],
    }


def test_nothing_else_is_allowed(trial: Template) -> None:
    services = {
        action
        for statement in statements(trial)
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        if not action.startswith(("s3:", "dynamodb:", "logs:"))
    }
    assert services == {
        "rekognition:DetectLabels", "rekognition:DetectModerationLabels", "sns:Publish",
        "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueUrl", "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
    }  # fmt: skip


def test_it_never_writes_where_it_listens() -> None:
    places = Places(CHECKED, THUMBNAILS, QUARANTINE)
    key = f"{CHECKED}1f0c.jpg"
    for written in (places.thumbnail(key), places.quarantined(key)):
        assert not written.startswith((CHECKED, INCOMING))
    assert not QUARANTINE.startswith("media/")


def test_construct_and_shop_mean_the_same_folder() -> None:
    assert CHECKED == CHECKED_PICTURES


def test_the_layer_holds_pillow_for_the_functions_processor(folder: Path) -> None:
    manifest = json.loads((folder / "Trial.assets.json").read_text())
    layers = [folder / one["source"]["path"] for one in manifest["files"].values()]
    [layer] = [path for path in layers if (path / "python" / "PIL").is_dir()]
    assert {path.name.partition("-")[0] for path in (layer / "python").iterdir()} <= {"PIL", "pillow", "pillow.libs"}
    assert list((layer / "python" / "PIL").glob("_imaging.cpython-313-aarch64-linux-gnu.so"))
    assert not (layer / "certs").exists()


def test_phase_1_gets_outputs_and_nothing_else(new_app: Callable[..., Any], folder: Path) -> None:
    app = new_app()
    lesson = next(one for one in all_lessons() if one.id == "1.4")
    Phase1Foundation(app, settings=Settings(account="111122223333", region="us-east-1", until=lesson))
    alone, together = (
        json.loads((path / f"{FOUNDATION}.template.json").read_text()) for path in (Path(app.synth().directory), folder)
    )
    assert {**alone, "Outputs": {}} == {**together, "Outputs": {}}


def test_whatever_it_calls_it_reaches(folder: Path) -> None:
    templates = {path.name.split(".")[0]: json.loads(path.read_text()) for path in folder.glob("*.template.json")}
    assert survey_templates(templates).missing == []


def test_nag_finds_nothing_that_is_not_acknowledged(new_app: Callable[..., Any]) -> None:
    app = new_app()
    for pack in (AwsSolutionsChecks, ServerlessChecks):
        cdk.Validations.of(app).add_plugins(pack(app, verbose=True))
    assert [finding for finding in findings(built(app)) if "Trial/" in finding] == []
