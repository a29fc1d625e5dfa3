"""S3: `aws:kms` without a key id means the account's own key for S3, as the CDK's bootstrap bucket relies on."""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction, replace

_ALGORITHM = "x-amz-server-side-encryption"
_KEY_ID = "x-amz-server-side-encryption-aws-kms-key-id"


@correction
def aws_managed_key_is_the_default() -> None:
    """On AWS a write with ``aws:kms`` and no key id uses the AWS managed key ``aws/s3``; the emulator refuses it.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import s3

    def with_managed_key(original: Any) -> Any:
        def resolve(headers: dict[str, str], bucket_name: str) -> Any:
            if headers.get(_ALGORITHM) == "aws:kms" and not headers.get(_KEY_ID):
                managed = f"arn:aws:kms:{get_region()}:{get_account_id()}:alias/aws/s3"
                headers = {**headers, _KEY_ID: managed}
            return original(headers, bucket_name)

        return resolve

    replace(s3, "_resolve_sse_write_headers", with_managed_key)
