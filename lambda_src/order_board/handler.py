"""The function's entrance: a batch of messages of the board's queue."""

import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from botocore.config import Config

from order_board.board import Board
from order_board.ticket import ticket_of
from order_events.event import read_event

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

QUICK = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})

logger = Logger()
metrics = Metrics()
batch = BatchProcessor(event_type=EventType.SQS, logger=logger)  # type: ignore[arg-type]  # it hands itself on
board = Board(boto3.client("dynamodb", config=QUICK), os.environ["FOLLOW_UP_TABLE"])


@metrics.log_metrics(capture_cold_start_metric=True)
@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """Called by the event source with up to ten messages; answers which of them failed."""
    return process_partial_response(event=event, record_handler=handle_message, processor=batch, context=context)


def handle_message(record: "SQSRecord") -> None:
    """One message: the ticket of one order, as far as this event knows it."""
    ticket = ticket_of(read_event(record.body))
    moved = board.pin(ticket)
    logger.info("ticket %s of order %s: %s", ticket.number, ticket.order_id, "pinned" if moved else "as it was")
