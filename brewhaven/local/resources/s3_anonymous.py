"""S3: a request without credentials is judged by the bucket's policy and its public access block, as on AWS.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction, replace

_BUCKETS = "arn:aws:s3:::"
# Without a bucket there is no policy that could allow anything to everyone.
_NEVER_PUBLIC = frozenset({"s3:CreateBucket", "s3:ListAllMyBuckets"})


@correction
def anonymous_requests_meet_the_bucket_policy() -> None:
    """Leave requests without credentials to S3, which knows policy, ACL and public access block of the bucket.

    The emulator's front door looks for the caller first and takes an absent key for a wrong one (InvalidAccessKeyId).
    """
    from ministack.core import iam_evaluator

    def build(original: Any) -> Any:
        def enforce(
            access_key_id: str, iam_action: str, service: str, region: str, resource_arn: str = "*", **more: Any
        ) -> Any:
            if service == "s3" and not access_key_id and iam_evaluator._anonymous.get():
                if iam_action not in _NEVER_PUBLIC and resource_arn.startswith(_BUCKETS):
                    return None
                return iam_evaluator.EvalResult("ImplicitDeny", principal_arn="anonymous")
            return original(access_key_id, iam_action, service, region, resource_arn, **more)

        return enforce

    replace(iam_evaluator, "enforce", build)
