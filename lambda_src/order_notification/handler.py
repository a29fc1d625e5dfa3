"""The function's entrance: SNS calls it with one event of a type that customers hear of.

SNS hands the event over and does not wait. If this function fails, Lambda tries it twice more and then puts the event
into the dead-letter queue. It may also call twice with one event, and an e-mail that was sent cannot be taken back: see
`once.py`.
"""

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config

from order_events.event import read_event
from order_notification.channels import Channel, tell
from order_notification.email import Email
from order_notification.inbox import Inbox
from order_notification.notice import notice_of
from order_notification.once import Once
from order_notification.push import MobilePush
from order_notification.unrepeated import UNREPEATED

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

QUICK = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
# What was sent and cannot be written down is sent again by the next try. So that is tried harder than anything else.
CAREFUL = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 4})

logger = Logger()
metrics = Metrics()
once = Once(os.environ["IDEMPOTENCY_TABLE"], boto3.client("dynamodb", config=CAREFUL))
table = boto3.resource("dynamodb", config=QUICK).Table(os.environ["FOLLOW_UP_TABLE"])
channels: list[Channel] = [Inbox(table), once.each(MobilePush(table, boto3.client("sns", config=UNREPEATED)))]
if sender := os.environ.get("EMAIL_SENDER"):
    channels.append(once.each(Email(boto3.client("sesv2", config=UNREPEATED), sender)))


@metrics.log_metrics(capture_cold_start_metric=True)
@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> None:
    """Called by SNS with one record.

    :raises order_events.event.MalformedEventError: for a message that is no order event.
    :raises order_notification.channels.NotToldError: when a channel failed; the others were served.
    """
    once.register(context)
    for record in event["Records"]:
        order_event = read_event(record["Sns"]["Message"])
        logger.append_keys(event_id=order_event.id, event_type=order_event.type, order_id=order_event.order_id)
        told = tell(notice_of(order_event), channels)
        metrics.add_metric("NoticesSent", MetricUnit.Count, sum(told.values()))
        logger.info("customer told", told=told)
