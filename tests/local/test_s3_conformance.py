"""Buckets and what CDK puts into them (resources/s3_bucket.py, bucket_deployment.py)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.local.stacks import Resources, StackError, allow, att, ref, role, stack, typed
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def test_a_bucket_keeps_its_properties(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    bucket = typed(
        "AWS::S3::Bucket",
        Tags=[{"Key": "aws-cdk:auto-delete-objects", "Value": "true"}],
        VersioningConfiguration={"Status": "Enabled"},
        LifecycleConfiguration={
            "Rules": [
                {
                    "Id": "old", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}, "Prefix": "media/",
                },
                {"Status": "Enabled", "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 90}]},
            ]
        },
        BucketEncryption={
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        LoggingConfiguration={"DestinationBucketName": ref("Logs"), "LogFilePrefix": "a/"},
    )  # fmt: skip
    resources: Resources = {"Logs": typed("AWS::S3::Bucket"), "Bucket": bucket}
    with stack(cloud) as made:
        made.create(resources)
        name = made.physical_id("Bucket")
        tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
        assert tags["aws-cdk:auto-delete-objects"] == "true"
        assert tags["aws:cloudformation:stack-name"] == made.name
        first, second = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
        assert first["Filter"] == {"Prefix": "media/"}
        assert first["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
        assert first["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
        assert second["Transitions"] == [{"Days": 90, "StorageClass": "GLACIER"}]
        encryption = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        owner = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]
        assert owner == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        assert s3.get_bucket_logging(Bucket=name)["LoggingEnabled"]["TargetBucket"] == made.physical_id("Logs")

        for dropped in ("Tags", "LifecycleConfiguration", "LoggingConfiguration", "VersioningConfiguration"):
            del bucket["Properties"][dropped]
        made.update(resources)
        tags = {tag["Key"] for tag in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
        assert "aws-cdk:auto-delete-objects" not in tags
        with pytest.raises(s3.exceptions.ClientError, match="NoSuchLifecycleConfiguration"):
            s3.get_bucket_lifecycle_configuration(Bucket=name)
        assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"


def test_a_bucket_with_objects_or_versions_is_not_deleted(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    with stack(cloud) as made:
        made.create({"Bucket": typed("AWS::S3::Bucket", VersioningConfiguration={"Status": "Enabled"})})
        name = made.physical_id("Bucket")
        version = s3.put_object(Bucket=name, Key="a", Body=b"a")["VersionId"]
        marker = s3.delete_object(Bucket=name, Key="a")["VersionId"]
        with pytest.raises(StackError, match="The bucket you tried to delete is not empty"):
            made.delete()
        for identifier in (version, marker):
            s3.delete_object(Bucket=name, Key="a", VersionId=identifier)
        made.delete()
        with pytest.raises(s3.exceptions.ClientError, match="404"):
            s3.head_bucket(Bucket=name)


@pytest.fixture
def source(cloud: Cloud) -> Iterator[str]:
    """A bucket with two archives, like the bootstrap bucket."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="deployment-source")
    for key, files in (
        ("one.zip", {"a.svg": "<svg/>", "deep/b.json": '{"url": "<marker>"}', "skip.txt": "no"}),
        ("two.zip", {"a.svg": "<svg>2</svg>"}),
    ):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as made:
            for name, content in files.items():
                made.writestr(name, content)
        s3.put_object(Bucket="deployment-source", Key=key, Body=archive.getvalue())
    yield "deployment-source"
    for key in ("one.zip", "two.zip"):
        s3.delete_object(Bucket="deployment-source", Key=key)
    s3.delete_bucket(Bucket="deployment-source")


def deployment(source: str, *, key: str = "one.zip", policy: dict[str, Any] | None = None, **more: Any) -> Resources:
    granted = policy or allow("s3:GetObject*", "s3:GetBucket*", "s3:List*", "s3:DeleteObject*", "s3:PutObject*")
    return {
        "Bucket": typed("AWS::S3::Bucket"),
        "Role": role(Policies=[{"PolicyName": "deploy", "PolicyDocument": granted}]),
        "Function": typed(
            "AWS::Lambda::Function", Runtime="python3.13", Handler="index.handler", Role=att("Role", "Arn"),
            Code={"ZipFile": "raise RuntimeError('the local cloud does this work itself')"},
        ),
        "Deployment": typed(
            "Custom::CDKBucketDeployment", ServiceToken=att("Function", "Arn"), SourceBucketNames=[source],
            SourceObjectKeys=[key], DestinationBucketName=ref("Bucket"), DestinationBucketKeyPrefix="media/menu",
            DestinationBucketArn=att("Bucket", "Arn"), **more,
        ),
    }  # fmt: skip


def keys(cloud: Cloud, bucket: str) -> list[str]:
    return [item["Key"] for item in cloud.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_bucket_deployment_copies_prunes_and_removes(cloud: Cloud, source: str) -> None:
    s3 = cloud.client("s3")
    settings = {
        "Exclude": ["*.txt"],
        "SystemMetadata": {"cache-control": "max-age=60"},
        "UserMetadata": {"Origin": "menu"},
        "SourceMarkers": [{"<marker>": "https://here"}],
        "RetainOnDelete": False,
    }
    with stack(cloud) as made:
        outputs = made.create(deployment(source, **settings), Arn=att("Deployment", "DestinationBucketArn"))
        bucket = made.physical_id("Bucket")
        assert outputs["Arn"] == f"arn:aws:s3:::{bucket}"
        assert keys(cloud, bucket) == ["media/menu/a.svg", "media/menu/deep/b.json"]
        picture = s3.get_object(Bucket=bucket, Key="media/menu/a.svg")
        assert picture["ContentType"] == "image/svg+xml"
        assert picture["CacheControl"] == "max-age=60"
        assert picture["Metadata"] == {"origin": "menu"}
        assert s3.get_object(Bucket=bucket, Key="media/menu/deep/b.json")["Body"].read() == b'{"url": "https://here"}'

        s3.put_object(Bucket=bucket, Key="media/uploads/mine.png", Body=b"")
        made.update(deployment(source, key="two.zip", **settings))
        assert keys(cloud, bucket) == ["media/menu/a.svg", "media/uploads/mine.png"]
        assert s3.get_object(Bucket=bucket, Key="media/menu/a.svg")["Body"].read() == b"<svg>2</svg>"

        made.update({"Bucket": typed("AWS::S3::Bucket")})
        assert keys(cloud, bucket) == ["media/uploads/mine.png"]
        s3.delete_object(Bucket=bucket, Key="media/uploads/mine.png")


def test_a_bucket_deployment_may_do_what_its_role_may(cloud: Cloud, source: str) -> None:
    with stack(cloud) as made, pytest.raises(StackError, match=r"AccessDenied.*s3:PutObject"):
        made.create(deployment(source, policy=allow("s3:GetObject*", "s3:List*")))


def test_a_retained_deployment_stays(cloud: Cloud, source: str) -> None:
    with stack(cloud) as made:
        made.create(deployment(source))
        bucket = made.physical_id("Bucket")
        made.update({"Bucket": typed("AWS::S3::Bucket")})
        assert len(keys(cloud, bucket)) == 3
        for key in keys(cloud, bucket):
            cloud.client("s3").delete_object(Bucket=bucket, Key=key)
