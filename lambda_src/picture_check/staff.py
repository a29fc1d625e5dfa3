"""Tells the staff of a picture that was rejected, through a topic to which a mailbox can subscribe."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from picture_check.checking import Record

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

SUBJECT = "Brew Haven: a picture was rejected"
TYPE = "picture.rejected"


class Topic:
    """Implements `Staff`."""

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def tell(self, record: Record, products: Sequence[str]) -> None:
        shown = f"It was the picture of {', '.join(products)}, which has none now." if products else ""
        self._client.publish(
            TopicArn=self._topic_arn,
            Subject=SUBJECT,
            Message="\n".join(filter(None, [f"The picture {record.key} was rejected.", *record.reasons, shown])),
            MessageAttributes={"type": {"DataType": "String", "StringValue": TYPE}},
        )
