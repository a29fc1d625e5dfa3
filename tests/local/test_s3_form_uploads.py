"""A browser's form upload is checked by its own signature (resources/s3_form_uploads.py)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

BUCKET = "form-uploads"


@pytest.fixture
def s3(cloud: Cloud) -> Any:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    yield s3
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    s3.delete_bucket(Bucket=BUCKET)


def send(cloud: Cloud, post: dict[str, Any], data: bytes = b"picture", **changed: str) -> requests.Response:
    return requests.post(
        post["url"],
        data={**post["fields"], **changed},
        files={"file": ("a", data)},
        verify=cloud.environment["AWS_CA_BUNDLE"],
        timeout=10,
    )


def presigned(s3: Any) -> dict[str, Any]:
    post: dict[str, Any] = s3.generate_presigned_post(
        BUCKET,
        "up/a",
        Fields={"Content-Type": "image/png"},
        Conditions=[{"Content-Type": "image/png"}, ["content-length-range", 1, 10]],
    )
    return post


def test_a_signed_form_uploads(cloud: Cloud, s3: Any) -> None:
    assert send(cloud, presigned(s3)).status_code == 204
    stored = s3.get_object(Bucket=BUCKET, Key="up/a")
    assert (stored["Body"].read(), stored["ContentType"]) == (b"picture", "image/png")


def test_a_form_that_was_changed_or_is_too_large_or_unsigned_does_not(cloud: Cloud, s3: Any) -> None:
    post = presigned(s3)
    assert send(cloud, post, key="up/b").status_code == 403
    assert send(cloud, post, **{"Content-Type": "image/svg+xml"}).status_code == 403
    assert send(cloud, post, b"x" * 11).status_code == 400
    assert send(cloud, {**post, "fields": {"key": "up/a"}}).status_code == 403
    signature = "signature" if "signature" in post["fields"] else "x-amz-signature"
    assert send(cloud, post, **{signature: "0" * 64}).status_code == 403
    unsigned = {name: value for name, value in post["fields"].items() if name not in {signature, "policy"}}
    assert send(cloud, {**post, "fields": unsigned}).status_code in {400, 403}
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_the_signer_needs_the_permission(cloud: Cloud, s3: Any) -> None:
    iam = cloud.client("iam")
    iam.create_user(UserName="uploader")
    key = iam.create_access_key(UserName="uploader")["AccessKey"]
    try:
        theirs = cloud.client("s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
        refused = send(cloud, presigned(theirs))
        assert refused.status_code == 403
        assert "user/uploader is not authorized to perform: s3:PutObject" in refused.text
        statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/up/*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
        iam.put_user_policy(UserName="uploader", PolicyName="p", PolicyDocument=policy)
        assert send(cloud, presigned(theirs)).status_code == 204
        deny = {**statement, "Effect": "Deny", "Principal": "*"}
        s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": deny}))
        refused = send(cloud, presigned(theirs))
        assert (refused.status_code, "with an explicit deny in a resource-based policy" in refused.text) == (403, True)
        s3.delete_bucket_policy(Bucket=BUCKET)
        iam.delete_user_policy(UserName="uploader", PolicyName="p")
    finally:
        iam.delete_access_key(UserName="uploader", AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName="uploader")
