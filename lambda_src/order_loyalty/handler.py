"""The function's entrance: a batch of messages of the loyalty queue, all of them paid orders."""

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from botocore.config import Config

from order_events.event import read_event
from order_loyalty.accounts import Accounts
from order_loyalty.points import points_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

QUICK = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})

logger = Logger()
metrics = Metrics()
batch = BatchProcessor(event_type=EventType.SQS, logger=logger)  # type: ignore[arg-type]  # it hands itself on
accounts = Accounts(boto3.client("dynamodb", config=QUICK), os.environ["FOLLOW_UP_TABLE"])


@metrics.log_metrics(capture_cold_start_metric=True)
@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """Called by the event source with up to ten messages; answers which of them failed."""
    return process_partial_response(event=event, record_handler=handle_message, processor=batch, context=context)


def handle_message(record: "SQSRecord") -> None:
    """One message: the points of one paid order, once."""
    event = read_event(record.body)
    customer, points = event.order.customer_id, points_of(event)
    if customer is None or points == 0:
        return  # guests have no account, and less than a euro makes no point
    if accounts.add(customer, points, event.id, event.at):
        metrics.add_metric("PointsGiven", MetricUnit.Count, points)
    logger.info("points of order %s: %d", event.order_id, points, event_id=event.id)
