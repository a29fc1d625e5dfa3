"""Checks of lesson 2.7: a new picture is looked at, and what is none is put aside."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.cloud import Deployment
from brewhaven.course.template import Template
from brewhaven.local.settings import REPOSITORY
from phases.phase2_orders.probes import CONSTRUCTS, PATIENCE_SECONDS, foundation, new_id, wait_for

CHECKS = CheckList()

PICTURES_CODE = f"{CONSTRUCTS}/image_pipeline.py"
FUNCTION_CODE = "lambda_src/picture_check"
UPLOADS, THUMBNAILS, QUARANTINE = "media/uploads/checked/", "media/thumbnails/", "quarantine/"
PICTURE = REPOSITORY / "storefront/menu/pictures/espresso.webp"

accepted = CHECKS.check(
    "picture-accepted",
    lesson="2.7",
    objective="event-driven-pictures",
    proves="An upload alone starts a function that says what is in the picture and makes a small copy",
)


@accepted.on_template
def _(template: Template) -> str:
    rule = template.resources("AWS::Events::Rule", of="ImagePipeline")[0]
    pattern, targets = rule.properties["EventPattern"], rule.properties.get("Targets", [])
    keys = pattern.get("detail", {}).get("object", {}).get("key", [])
    expect(
        rule.properties.get("State") == "ENABLED"
        and pattern.get("detail-type") == ["Object Created"]
        and keys == [{"prefix": UPLOADS}],
        f"the rule {rule.logical_id} does not listen to new objects under {UPLOADS} and to those alone; a function "
        "that is started by what it writes itself never ends",
        where=f"_listen in {PICTURES_CODE}",
        next_step="choose Object Created, and the prefix of uploads",
    )
    queues = template.resources("AWS::SQS::Queue", of="ImagePipelineUploadsQueue")
    expect(
        any(template.mentions(queue.logical_id, targets) for queue in queues)
        and all("DeadLetterConfig" in target for target in targets),
        f"the rule {rule.logical_id} does not hand over to the queue of uploads, or what it cannot hand over is lost",
        where=f"_listen in {PICTURES_CODE}",
        next_step="make the queue its target, with a dead-letter queue",
    )
    return f"new objects under {UPLOADS}"


@accepted.on_cloud
def _(cloud: Deployment) -> str:
    _hears_of_uploads(cloud)
    with uploaded(cloud, ".webp", PICTURE.read_bytes()) as name:
        item = _looked_at(cloud, name)
        reasons = [reason["S"] for reason in item.get("reasons", {}).get("L", [])]
        expect(
            item["status"]["S"] == "accepted",
            f"a picture of an espresso was rejected: {', '.join(reasons)}",
            where=f"{FUNCTION_CODE}/checking.py, and the function's log",
            next_step="reject what Rekognition is sure of and a coffee shop does not show, and nothing else",
        )
        labels = [label["M"]["name"]["S"] for label in item["labels"]["L"]]
        expect(
            labels,
            "Rekognition sees nothing in a picture of an espresso",
            where=f"{FUNCTION_CODE}/recognition.py, and the function's role",
            next_step="ask DetectLabels, and keep its answer with the picture",
        )
        small = item["thumbnail"]["S"]
        copy = cloud.client("s3").get_object(Bucket=bucket_of(cloud), Key=small)
        expect(
            copy["ContentLength"] > 0 and copy["ContentType"] == "image/webp",
            f"the thumbnail {small} is no picture: {copy['ContentLength']} bytes of {copy['ContentType']}",
            where=f"{FUNCTION_CODE}/studio.py",
            next_step="make it with Pillow from the pixels, as WebP",
        )
        return f"{', '.join(labels[:3])}; thumbnail of {copy['ContentLength']} bytes"


def _hears_of_uploads(cloud: Deployment) -> None:
    """See that the rule is on, and lets through what S3 says when the shop has written a picture."""
    client, name = cloud.client("events"), cloud.resources("AWS::Events::Rule", of="ImagePipeline")[0].physical_id
    rule = client.describe_rule(Name=name.rpartition("/")[2])
    bucket, account = bucket_of(cloud), rule["Arn"].split(":")[4]
    said = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": account,
        "time": "2026-01-01T00:00:00Z",
        "region": cloud.region,
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {"key": f"{UPLOADS}check.webp", "size": 1000},
            "requester": account,
            "reason": "PutObject",
        },
    }
    passes = client.test_event_pattern(EventPattern=rule["EventPattern"], Event=json.dumps(said))["Result"]
    expect(
        rule["State"] == "ENABLED" and passes,
        f"the rule {rule['Name']} is {rule['State']} and {'lets' if passes else 'does not let'} through what S3 says "
        "when the shop has written a picture",
        where=f"_listen in {PICTURES_CODE}, and EventBridge console: Rules, the event pattern",
        next_step="`aws events test-event-pattern` says which line of the pattern is not met",
    )


rejected = CHECKS.check(
    "picture-quarantined",
    lesson="2.7",
    objective="event-driven-pictures",
    proves="A file that is no picture is put where no guest can see it, with the reason",
)


@rejected.on_cloud
def _(cloud: Deployment) -> str:
    client, bucket = cloud.client("s3"), bucket_of(cloud)
    with uploaded(cloud, ".jpg", b"No picture, whatever its name says.") as name:
        item = _looked_at(cloud, name)
        reasons = [reason["S"] for reason in item.get("reasons", {}).get("L", [])]
        expect(
            item["status"]["S"] == "rejected" and reasons,
            "a text called .jpg was taken for a picture",
            where=f"{FUNCTION_CODE}/studio.py, and the function's log",
            next_step="open every upload before it is shown; a name is no proof",
        )
        aside = client.get_object(Bucket=bucket, Key=f"{QUARANTINE}{name}")["Body"].read()
        expect(
            aside.startswith(b"No picture"),
            f"{QUARANTINE}{name} is not what was uploaded",
            where=f"{FUNCTION_CODE}/bucket.py",
            next_step="copy the object within S3 as it is",
        )
        expect(
            not is_there(client, bucket, f"{UPLOADS}{name}"),
            f"the rejected file is still where the shop shows it, at {UPLOADS}{name}",
            where=f"{FUNCTION_CODE}/bucket.py, and the function's role",
            next_step="delete it there after it was copied; the role needs s3:DeleteObject under that folder",
        )
        return reasons[0]


def bucket_of(cloud: Deployment) -> str:
    return foundation(cloud).outputs["AssetBucketName"]


@contextmanager
def uploaded(cloud: Deployment, ending: str, data: bytes) -> Iterator[str]:
    """A file where the shop puts its uploads; it and all that was made of it are removed."""
    client, bucket, name = cloud.client("s3"), bucket_of(cloud), f"{new_id()}{ending}"
    stem = name.removesuffix(ending)
    client.put_object(Bucket=bucket, Key=f"{UPLOADS}{name}", Body=data, ContentType="image/jpeg")
    try:
        yield name
    finally:
        for folder in (UPLOADS, THUMBNAILS, QUARANTINE):
            listing = client.list_object_versions(Bucket=bucket, Prefix=f"{folder}{stem}")
            for version in [*listing.get("Versions", []), *listing.get("DeleteMarkers", [])]:
                client.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        cloud.client("dynamodb").delete_item(TableName=foundation(cloud).outputs["CatalogTableName"], Key=_key(name))


def _key(name: str) -> dict[str, Any]:
    return {"pk": {"S": f"PICTURE#{name}"}, "sk": {"S": "PICTURE"}}


def _looked_at(cloud: Deployment, name: str) -> dict[str, Any]:
    """The item of a picture, when everything that follows from it was carried out."""
    client, table = cloud.client("dynamodb"), foundation(cloud).outputs["CatalogTableName"]

    def look() -> dict[str, Any] | None:
        item: dict[str, Any] = client.get_item(TableName=table, Key=_key(name), ConsistentRead=True).get("Item", {})
        return item if item.get("done", {}).get("BOOL") else None

    item = wait_for(look)
    expect(
        item,
        f"nobody has looked at {UPLOADS}{name} within {PATIENCE_SECONDS} seconds",
        where=f"the rule in EventBridge, the queue {json.dumps(cloud.outputs['PictureQueueUrl'])}, the log of "
        f"{cloud.outputs['PictureFunctionName']}",
        next_step="follow it: does the bucket tell EventBridge, is the rule on, may it send to the queue, what does "
        "the function's log say?",
    )
    assert item
    return item


def is_there(client: Any, bucket: str, key: str) -> bool:
    with suppress(ClientError):
        client.head_object(Bucket=bucket, Key=key)
        return True
    return False
