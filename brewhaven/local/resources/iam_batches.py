"""IAM: a batch is allowed by the permission for one; there is no permission for batches.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
"""

from __future__ import annotations

from typing import Any

from brewhaven.local.registry import correction, replace

_ALLOWED_BY = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sns:PublishBatch": "sns:Publish",
}


@correction
def batches_are_allowed_by_the_permission_for_one() -> None:
    """The emulator asks for ``sqs:SendMessageBatch``, which no policy on AWS can name."""
    from ministack.core import iam_actions

    def extract(original: Any) -> Any:
        def action(*call: Any) -> Any:
            name = original(*call)
            return _ALLOWED_BY.get(name, name)

        return action

    replace(iam_actions, "extract_iam_action", extract)
