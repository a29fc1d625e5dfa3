"""The customer's inbox: an item of the follow-up table for each notice, for thirty days."""

from datetime import timedelta
from typing import TYPE_CHECKING

from order_notification.notice import Notice

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

KEPT = timedelta(days=30)


class Inbox:
    """Implements `order_notification.channels.Channel`. The one way that reaches guests, who leave no address."""

    name = "inbox"

    def __init__(self, table: "Table") -> None:
        self._table = table

    def send(self, notice: Notice) -> int:
        """Put the notice under a key made of its event, so that a second time changes nothing."""
        self._table.put_item(
            Item={
                "pk": f"OWNER#{notice.owner}",
                "sk": f"NOTICE#{notice.at.isoformat(timespec='milliseconds')}#{notice.event_id}",
                "type": "notice",
                "order_id": notice.order_id,
                "subject": notice.subject,
                "text": notice.text,
                "expires_at": int((notice.at + KEPT).timestamp()),
            }
        )
        return 1
