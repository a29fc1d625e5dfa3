"""Mobile push with Amazon SNS: a message to each phone that the customer has registered.

A phone is an item of the follow-up table, `pk=OWNER#<owner>`, `sk=DEVICE#<any name>`, with the ARN of its SNS platform
endpoint under `endpoint_arn`. SNS knows how to talk to Apple and Google; the platform application holds the
credentials."""

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key

from order_notification.notice import Notice
from order_notification.unrepeated import unrepeated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table
    from mypy_boto3_sns import SNSClient

UNKNOWN = "No endpoint found"
"""SNS's words for an endpoint that was deleted; it calls that an invalid parameter."""


class MobilePush:
    """Implements `order_notification.channels.Channel`."""

    name = "push"

    def __init__(self, table: "Table", client: "SNSClient") -> None:
        self._table = table
        self._client = client

    def send(self, notice: Notice) -> int:
        """Send to every registered phone. One that is gone (the app was removed) is forgotten, as Apple and Google
        ask."""
        sent = 0
        for device in self._devices(notice.owner):
            try:
                unrepeated(
                    partial(
                        self._client.publish,
                        TargetArn=device["endpoint_arn"],
                        Message=payload_of(notice),
                        MessageStructure="json",
                    )
                )
                sent += 1
            except (self._client.exceptions.EndpointDisabledException, self._client.exceptions.NotFoundException):
                self._forget(device)
            except self._client.exceptions.InvalidParameterException as error:
                if UNKNOWN not in str(error):
                    raise
                self._forget(device)
        return sent

    def _forget(self, device: dict[str, Any]) -> None:
        self._table.delete_item(Key={"pk": device["pk"], "sk": device["sk"]})

    def _devices(self, owner: str) -> list[dict[str, Any]]:
        condition = Key("pk").eq(f"OWNER#{owner}") & Key("sk").begins_with("DEVICE#")
        return self._table.query(KeyConditionExpression=condition)["Items"]


def payload_of(notice: Notice) -> str:
    """A notice in the words of each platform, chosen by SNS: each is JSON inside the JSON."""
    google = {"fcmV1Message": {"message": {"notification": {"title": notice.subject, "body": notice.text}}}}
    apple = {"aps": {"alert": {"title": notice.subject, "body": notice.text}, "sound": "default"}}
    return json.dumps(
        {
            "default": notice.text,
            "GCM": json.dumps(google),
            "APNS": json.dumps(apple),
            "APNS_SANDBOX": json.dumps(apple),
        }
    )
