"""``Custom::CDKBucketDeployment`` in-process: the construct's function calls the AWS CLI of a layer under ``/opt``.

The work is done with the credentials of that function's own role, through the S3 API, so what its policy does not allow
fails here as on AWS. https://docs.aws.amazon.com/cdk/api/v2/docs/aws-cdk-lib.aws_s3_deployment-readme.html
"""

from __future__ import annotations

import fnmatch
import io
import json
import mimetypes
import os
import uuid
import zipfile
from collections.abc import Iterator
from typing import Any

from brewhaven.local.emulator import ResourceHandlerError
from brewhaven.local.registry import Created, Properties, resource

_OWNER_TAG = "aws-cdk:cr-owned"
# What the construct hands to `aws s3 sync` as options, as the parameters of PutObject.
_SYSTEM_METADATA = {
    "acl": "ACL",
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "content-type": "ContentType",
    "expires": "Expires",
    "sse": "ServerSideEncryption",
    "sse-kms-key-id": "SSEKMSKeyId",
    "storage-class": "StorageClass",
    "website-redirect": "WebsiteRedirectLocation",
}


def _is_true(value: Any, default: str) -> bool:
    return str(value if value is not None else default).lower() == "true"


def _prefix(properties: Properties) -> str:
    prefix = str(properties.get("DestinationBucketKeyPrefix") or "").strip("/")
    return f"{prefix}/" if prefix else ""


def _client_of(service_token: str) -> Any:
    """An S3 client with the credentials of the deployment function's role."""
    import boto3
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    _, config, _ = lambda_svc._get_func_record_for_ref(service_token)
    if config is None:
        raise ResourceHandlerError(f"The deployment function {service_token} does not exist.")
    credentials = lambda_runtime.execution_credentials(config)
    return boto3.client(
        "s3",
        endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"],
        region_name=service_token.split(":")[3],
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=credentials["AWS_SESSION_TOKEN"],
    )


def _marked(content: bytes, markers: dict[str, Any], as_json: bool) -> bytes:
    """Put deploy-time values where the source has their markers."""
    for marker, value in markers.items():
        text = str(value)
        if as_json:
            text = json.dumps(value).removeprefix('"').removesuffix('"')
        content = content.replace(marker.encode(), text.encode())
    return content


def _sources(s3: Any, properties: Properties) -> Iterator[tuple[str, bytes]]:
    """Names below the destination and their contents, later sources over earlier ones."""
    count = len(properties["SourceBucketNames"])
    markers = properties.get("SourceMarkers") or [{}] * count
    settings = properties.get("SourceMarkersConfig") or [{}] * count
    for position, (bucket, key) in enumerate(
        zip(properties["SourceBucketNames"], properties["SourceObjectKeys"], strict=True)
    ):
        content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        if not _is_true(properties.get("Extract"), "true"):
            yield key.rpartition("/")[2], content
            continue
        as_json = _is_true(settings[position].get("jsonEscape"), "false")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    yield entry.filename, _marked(archive.read(entry), markers[position], as_json)


def _is_included(name: str, properties: Properties) -> bool:
    """Filters in the order of `aws s3 sync`: excludes first, then includes bring back."""
    excluded = any(fnmatch.fnmatchcase(name, pattern) for pattern in properties.get("Exclude") or [])
    return not excluded or any(fnmatch.fnmatchcase(name, pattern) for pattern in properties.get("Include") or [])


def _keys(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            yield item["Key"]


def _delete(s3: Any, bucket: str, keys: list[str]) -> None:
    for start in range(0, len(keys), 1000):
        objects = [{"Key": key} for key in keys[start : start + 1000]]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        for error in answer.get("Errors", []):
            raise ResourceHandlerError(f"{error['Key']}: {error['Code']}: {error['Message']}")


def _deploy(s3: Any, properties: Properties) -> None:
    bucket, prefix = properties["DestinationBucketName"], _prefix(properties)
    system = {_SYSTEM_METADATA[key.lower()]: value for key, value in (properties.get("SystemMetadata") or {}).items()}
    metadata = {key.lower(): value for key, value in (properties.get("UserMetadata") or {}).items()}
    contents = {name: content for name, content in _sources(s3, properties) if _is_included(name, properties)}
    for name, content in contents.items():
        guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
        options = {"ContentType": guessed, **system}
        s3.put_object(Bucket=bucket, Key=prefix + name, Body=content, Metadata=metadata, **options)
    if _is_true(properties.get("Prune"), "true"):
        stale = [
            key
            for key in _keys(s3, bucket, prefix)
            if key.removeprefix(prefix) not in contents and _is_included(key.removeprefix(prefix), properties)
        ]
        _delete(s3, bucket, stale)


def _is_owned_by_another(s3: Any, bucket: str, prefix: str) -> bool:
    """Whether a deployment that still exists claims the place: CDK tags the bucket for each."""
    from botocore.exceptions import ClientError

    tag = f"{_OWNER_TAG}:{prefix.rstrip('/')}" if prefix else _OWNER_TAG
    try:
        tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    except ClientError:
        return False
    return any(item["Key"].startswith(tag) for item in tags)


def _answer(physical_id: str, properties: Properties) -> Created:
    keys = properties["SourceObjectKeys"] if _is_true(properties.get("OutputObjectKeys"), "true") else []
    answer: dict[str, Any] = {"SourceObjectKeys": keys}
    if properties.get("DestinationBucketArn"):
        answer["DestinationBucketArn"] = properties["DestinationBucketArn"]
    return physical_id, answer


def _in_words(error: Exception, properties: Properties) -> ResourceHandlerError:
    return ResourceHandlerError(f"Deployment to {properties.get('DestinationBucketName')}: {error}")


@resource("Custom::CDKBucketDeployment")
class BucketDeployment:
    """Create and update copy and prune; delete removes what was deployed unless it is retained."""

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Created:
        return self._copy(f"aws.cdk.s3deployment.{uuid.uuid4()}", properties)

    def _copy(self, physical_id: str, properties: Properties) -> Created:
        from botocore.exceptions import ClientError

        try:
            _deploy(_client_of(properties["ServiceToken"]), properties)
        except (ClientError, zipfile.BadZipFile) as error:
            raise _in_words(error, properties) from error
        return _answer(physical_id, properties)

    def update(self, physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        moved = (old["DestinationBucketName"], _prefix(old)) != (new["DestinationBucketName"], _prefix(new))
        if moved and not _is_true(new.get("RetainOnDelete"), "true"):
            self._remove(new["ServiceToken"], old)
        return self._copy(physical_id, new)

    def _remove(self, service_token: str, properties: Properties) -> None:
        from botocore.exceptions import ClientError

        s3 = _client_of(service_token)
        bucket, prefix = properties["DestinationBucketName"], _prefix(properties)
        try:
            _delete(s3, bucket, list(_keys(s3, bucket, prefix)))
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise _in_words(error, properties) from error

    def delete(self, physical_id: str, properties: Properties) -> None:
        if _is_true(properties.get("RetainOnDelete"), "true"):
            return
        s3 = _client_of(properties["ServiceToken"])
        if not _is_owned_by_another(s3, properties["DestinationBucketName"], _prefix(properties)):
            self._remove(properties["ServiceToken"], properties)
