"""Requests without credentials, and a browser's preflight (resources/s3_anonymous.py)."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local
BUCKET = "open-or-not"


@pytest.fixture
def bucket(cloud: Cloud) -> Iterator[Any]:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="menu.txt", Body=b"espresso")
    yield s3
    for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    s3.delete_bucket(Bucket=BUCKET)


def call(cloud: Cloud, path: str, method: str = "GET", **headers: str) -> tuple[int, str, Any]:
    request = urllib.request.Request(f"{cloud.settings.s3_endpoint}/{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def open_to_all(s3: Any, *actions: str) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": list(actions),
        "Resource": [f"arn:aws:s3:::{BUCKET}/*", f"arn:aws:s3:::{BUCKET}"],
    }
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


@pytest.mark.parametrize(
    ("path", "method"),
    [("", "GET"), (BUCKET, "GET"), (f"{BUCKET}/menu.txt", "GET"), (f"{BUCKET}/new", "PUT"), ("another-bucket", "PUT")],
)
def test_nobody_in_particular_is_denied(cloud: Cloud, bucket: Any, path: str, method: str) -> None:
    status, body, _ = call(cloud, path, method)
    assert status == 403
    assert "<Code>AccessDenied</Code>" in body


def test_a_public_policy_opens_only_without_the_block(cloud: Cloud, bucket: Any) -> None:
    with pytest.raises(bucket.exceptions.ClientError, match="BlockPublicPolicy"):
        open_to_all(bucket, "s3:GetObject")
    bucket.delete_public_access_block(Bucket=BUCKET)
    open_to_all(bucket, "s3:GetObject")
    assert call(cloud, f"{BUCKET}/menu.txt")[:2] == (200, "espresso")
    assert call(cloud, BUCKET)[0] == 403
    assert call(cloud, f"{BUCKET}/new", "PUT")[0] == 403
    bucket.put_public_access_block(
        Bucket=BUCKET, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True, "BlockPublicPolicy": False}
    )
    assert call(cloud, f"{BUCKET}/menu.txt")[0] == 403


def test_a_browser_may_ask_before_it_uploads(cloud: Cloud, bucket: Any) -> None:
    ask = {"Origin": "http://127.0.0.1:8080", "Access-Control-Request-Method": "PUT"}
    assert call(cloud, f"{BUCKET}/media/uploads/a.png", "OPTIONS", **ask)[0] == 403
    rule = {"AllowedMethods": ["PUT"], "AllowedOrigins": ["http://127.0.0.1:8080"], "AllowedHeaders": ["*"]}
    bucket.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})
    status, _, headers = call(cloud, f"{BUCKET}/media/uploads/a.png", "OPTIONS", **ask)
    assert status == 200
    assert headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:8080"
    assert "PUT" in headers["Access-Control-Allow-Methods"]
    wanted = {"Bucket": BUCKET, "Key": "media/uploads/a.png", "ContentType": "image/png"}
    url = bucket.generate_presigned_url("put_object", Params=wanted)
    sent = {"Origin": ask["Origin"], "Content-Type": "image/png"}
    upload = urllib.request.Request(url, b"picture", method="PUT", headers=sent)
    with urllib.request.urlopen(upload) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:8080"
