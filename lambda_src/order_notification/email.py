"""E-mail with Amazon SES."""

from functools import partial
from typing import TYPE_CHECKING

from order_notification.notice import Notice
from order_notification.unrepeated import unrepeated

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


class Email:
    """Implements `order_notification.channels.Channel`, for customers who signed in and so left an address."""

    name = "email"

    def __init__(self, client: "SESV2Client", sender: str) -> None:
        """:param sender: an address that SES has verified as yours."""
        self._client = client
        self._sender = sender

    def send(self, notice: Notice) -> int:
        """Send to the customer's address, if there is one."""
        if notice.email is None:
            return 0
        unrepeated(
            partial(
                self._client.send_email,
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": [notice.email]},
                Content={
                    "Simple": {
                        "Subject": {"Data": notice.subject, "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": notice.text, "Charset": "UTF-8"}},
                    }
                },
            )
        )
        return 1
