"""Nobody reaches the local cloud's account without a key that exists and a signature that fits (resources/iam.py)."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local

CALLS = [("sts", "get_caller_identity"), ("dynamodb", "list_tables"), ("s3", "list_buckets"), ("ec2", "describe_vpcs")]


@pytest.mark.parametrize(("service", "operation"), CALLS)
@pytest.mark.parametrize("key_id", ["test", "111122223333", "AKIAIOSFODNN7EXAMPLE"])
def test_an_easy_key_is_refused(cloud: Cloud, service: str, operation: str, key_id: str) -> None:
    client = cloud.client(service, aws_access_key_id=key_id, aws_secret_access_key="test")
    with pytest.raises(ClientError) as refusal:
        getattr(client, operation)()
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 401, 403)
    assert refusal.value.response["Error"]["Code"] in (
        "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure",
    )  # fmt: skip


@pytest.mark.parametrize(("service", "operation"), CALLS)
def test_a_wrong_secret_is_refused(cloud: Cloud, service: str, operation: str) -> None:
    key_id = cloud.environment["AWS_ACCESS_KEY_ID"]
    client = cloud.client(service, aws_access_key_id=key_id, aws_secret_access_key="wrong")
    with pytest.raises(ClientError, match=r"[Ss]ignature|AuthFailure"):
        getattr(client, operation)()


def test_the_operator_is_an_iam_user(cloud: Cloud) -> None:
    assert cloud.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::111122223333:user/student"
