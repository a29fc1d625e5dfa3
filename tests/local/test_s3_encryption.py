"""A write with aws:kms and no key id takes the AWS managed key (resources/s3_encryption.py)."""

from __future__ import annotations

import pytest

from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


def test_kms_without_a_key_id_takes_the_aws_managed_key(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="kms-default")
    written = s3.put_object(Bucket="kms-default", Key="a", Body=b"x", ServerSideEncryption="aws:kms")
    assert written["ServerSideEncryption"] == "aws:kms"
    assert written["SSEKMSKeyId"].endswith(":alias/aws/s3")
    assert s3.get_object(Bucket="kms-default", Key="a")["Body"].read() == b"x"
