"""The topic of order events."""

from typing import TYPE_CHECKING

from order_events.event import OrderEvent

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class Topic:
    """Implements `order_worker.processing.Announcements`."""

    def __init__(self, client: "SNSClient", arn: str) -> None:
        self._client = client
        self._arn = arn

    def announce(self, event: OrderEvent, text: str) -> None:
        """Publish the message as it came, with the attributes that subscribers filter by."""
        self._client.publish(
            TopicArn=self._arn,
            Message=text,
            MessageAttributes={
                "type": {"DataType": "String", "StringValue": event.type},
                "total_cents": {"DataType": "Number", "StringValue": str(event.order.total_cents)},
            },
        )
