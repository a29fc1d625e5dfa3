"""ImagePipeline on the local cloud, beside a deployed phase 1: from an upload to the manager's page."""

from __future__ import annotations

import io
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from PIL import Image

from brew_constructs.asset_bucket import CHECKED
from brew_constructs.image_pipeline import QUARANTINE, THUMBNAILS, ImagePipeline
from brew_constructs.python_layer import PythonLayer
from brew_constructs.staff_alarms import StaffAlarms
from brewhaven import toolchain
from brewhaven.local.settings import REPOSITORY
from stacks.course import all_lessons
from stacks.phase1_foundation import Phase1Foundation
from stacks.settings import Settings
from tests.plugins.local_cloud import DeployedShop
from tests.unit.shop.browser import Browser

pytestmark = pytest.mark.local

STACK = "PictureTrial"


class PictureTrial(cdk.Stack):
    """What a lesson of phase 2 adds."""

    def __init__(self, scope: cdk.App, foundation: Phase1Foundation, env: cdk.Environment) -> None:
        super().__init__(scope, STACK, env=env)
        alarms = StaffAlarms(self, "StaffAlarms")
        pipeline = ImagePipeline(
            self,
            "ImagePipeline",
            bucket=foundation.assets.bucket,
            table=foundation.catalog.table,
            libraries=PythonLayer(self, "PythonLayer"),
            alarms=alarms,
            metrics_namespace="BrewHaven",
        )
        cdk.CfnOutput(self, "Topic", value=alarms.topic.topic_arn)
        cdk.CfnOutput(self, "Logs", value=pipeline.check.log_group.log_group_name)
        cdk.CfnOutput(self, "DeadLetters", value=pipeline.uploads.dead_letters.queue_url)


class Pictures:
    """Uploads, and what became of them."""

    def __init__(self, shop: DeployedShop, outputs: dict[str, str]) -> None:
        self.outputs = outputs
        self.bucket, self.table = shop.outputs["AssetBucketName"], shop.outputs["CatalogTableName"]
        self.s3, self.dynamodb, self.sqs, self.logs = (
            shop.cloud.client(name) for name in ("s3", "dynamodb", "sqs", "logs")
        )

    def upload(self, name: str, data: bytes) -> dict[str, Any]:
        """Put a picture where the shop puts what it has taken; wait for what is written down of it."""
        self.s3.put_object(Bucket=self.bucket, Key=CHECKED + name, Body=data)
        return self.known(name, done=True)

    def known(self, name: str, *, done: bool, seconds: float = 30) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        key = {"pk": {"S": f"PICTURE#{name}"}, "sk": {"S": "PICTURE"}}
        while time.monotonic() < deadline:
            item = self.dynamodb.get_item(TableName=self.table, Key=key).get("Item")
            if item and item["done"]["BOOL"] is done:
                return dict(item)
            time.sleep(0.1)
        pytest.fail(f"nothing was written down of {name}: {self.log()}")

    def log(self) -> str:
        events = self.logs.filter_log_events(logGroupName=self.outputs["Logs"])["events"]
        return "\n".join(event["message"] for event in events)[-3000:]

    def keys(self, prefix: str) -> list[str]:
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])]


@pytest.fixture(scope="module")
def pictures(shop: DeployedShop, new_app: Callable[..., Any]) -> Iterator[Pictures]:
    """The pipeline, deployed with the CDK's command line from a cloud assembly."""
    settings = shop.cloud.settings
    env = cdk.Environment(account=settings.account_id, region=settings.region)
    app = new_app(account=settings.account_id, region=settings.region)
    foundation = Phase1Foundation(
        app, settings=Settings(account=settings.account_id, region=settings.region, until=all_lessons()[6])
    )
    PictureTrial(app, foundation, env)
    folder = Path(app.synth().directory)

    def run(*arguments: str) -> None:
        done = subprocess.run(
            [str(toolchain.cdk_command()), *arguments, "--app", str(folder)],
            cwd=REPOSITORY,
            env={"PATH": toolchain.search_path("/usr/bin:/bin"), "HOME": str(settings.home), **shop.cloud.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    run("deploy", "--all", "--require-approval", "never")
    stack = shop.cloud.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    yield Pictures(shop, {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]})
    run("destroy", STACK, "--force")


def drawn(colour: str, format_: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (800, 600), colour).save(out, format_)
    return out.getvalue()


@pytest.fixture(scope="module")
def manager(shop: DeployedShop) -> Browser:
    browser = Browser(shop.url)
    email, password = shop.staff["manager"]
    browser.use_session(browser.post("/api/session", {"email": email, "password": password}, expect=200))
    return browser


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_a_good_picture_is_known_and_has_a_thumbnail(pictures: Pictures, format_: str) -> None:
    name = f"cake.{format_.lower()}"
    item = pictures.upload(name, drawn("saddlebrown", format_))
    assert item["status"] == {"S": "accepted"}
    assert item["labels"]["L"][0]["M"]["name"]["S"].startswith("Local: ")
    key = item["thumbnail"]["S"]
    assert key == f"{THUMBNAILS}cake.webp"
    thumbnail = Image.open(io.BytesIO(pictures.s3.get_object(Bucket=pictures.bucket, Key=key)["Body"].read()))
    assert (thumbnail.format, thumbnail.size) == ("WEBP", (480, 360))


def test_a_rejected_picture_goes_to_quarantine_and_from_the_menu_and_the_manager_is_told(
    pictures: Pictures, manager: Browser, shop: DeployedShop
) -> None:
    inbox = pictures.sqs.create_queue(QueueName="staff-inbox")["QueueUrl"]
    arn = pictures.sqs.get_queue_attributes(QueueUrl=inbox, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    pictures.sqs.set_queue_attributes(QueueUrl=inbox, Attributes={"Policy": json.dumps({"Statement": [sns]})})
    shop.cloud.client("sns").subscribe(TopicArn=pictures.outputs["Topic"], Protocol="sqs", Endpoint=arn)
    product = {"pk": {"S": "PRODUCT#check-cake"}, "sk": {"S": "PRODUCT"}}
    fields = {"category": "bakery", "name": "Check cake", "description": "", "picture": f"{CHECKED}rude.jpg"}
    pictures.dynamodb.put_item(
        TableName=pictures.table,
        Item={
            **product, **{name: {"S": value} for name, value in fields.items()}, "id": {"S": "check-cake"},
            "version": {"N": "1"}, "gsi1pk": {"S": "MENU"}, "gsi1sk": {"S": "bakery#999999#check-cake"},
            "sizes": {"L": [{"M": {"id": {"S": "one"}, "name": {"S": "One"}, "price_cents": {"N": "300"}}}]},
        },
    )  # fmt: skip
    try:
        item = pictures.upload("rude.jpg", drawn("magenta"))
        assert item["status"] == {"S": "rejected"}
        assert pictures.keys(f"{CHECKED}rude") == []
        assert pictures.keys(QUARANTINE) == [f"{QUARANTINE}rude.jpg"]
        changed = pictures.dynamodb.get_item(TableName=pictures.table, Key=product)["Item"]
        assert "picture" not in changed
        assert changed["version"] == {"N": "2"}
        [told] = pictures.sqs.receive_message(QueueUrl=inbox, WaitTimeSeconds=10)["Messages"]
        message = json.loads(told["Body"])["Message"]
        assert "rude.jpg was rejected" in message
        assert "sure of Rude Gestures" in message
        assert "It was the picture of Check cake" in message
        [shown] = manager.get("/api/pictures/rejected")["pictures"]
        assert (shown["id"], shown["reasons"]) == ("rude.jpg", ["Rekognition is 100 per cent sure of Rude Gestures."])
        assert manager.raw("DELETE", "/api/pictures/rejected/rude.jpg", None).json() == {"pictures": []}
    finally:
        pictures.dynamodb.delete_item(TableName=pictures.table, Key=product)
        pictures.sqs.delete_queue(QueueUrl=inbox)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("fake.png", b"this is no picture at all", "not a JPEG, PNG or WebP"),
        ("cut.jpg", drawn("brown")[:2000], "only a part"),
        ("huge.jpg", b"\xff\xd8\xff" + bytes(50_000_000), "has 50000003"),
    ],
)
def test_what_is_no_picture_is_put_aside_with_its_reason(pictures: Pictures, name: str, data: bytes, why: str) -> None:
    item = pictures.upload(name, data)
    assert item["status"] == {"S": "rejected"}
    assert why in item["reasons"]["L"][0]["S"]
    assert f"{QUARANTINE}{name}" in pictures.keys(QUARANTINE)
    assert pictures.keys(f"{CHECKED}{name}") == []


def test_what_arrives_and_what_it_writes_itself_is_not_its_business(pictures: Pictures) -> None:
    pictures.s3.put_object(Bucket=pictures.bucket, Key="media/uploads/incoming/new", Body=drawn("brown"))
    pictures.upload("last.jpg", drawn("brown"))
    counted = pictures.dynamodb.query(
        TableName=pictures.table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "PICTURE#media/uploads/incoming/new"}},
        Select="COUNT",
    )["Count"]
    assert counted == 0
    assert "incoming" not in pictures.log()
    depth = pictures.sqs.get_queue_attributes(
        QueueUrl=pictures.outputs["DeadLetters"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert depth["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_the_status_says_what_stands_in_and_which_wheels_are_this_machines(
    pictures: Pictures, shop: DeployedShop
) -> None:
    said = " ".join(shop.brewhaven("local", "status").stdout.split())
    assert "Rekognition recognizes nothing here" in said
    assert "Native pillow" in said
