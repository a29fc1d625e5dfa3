"""The function's entrance: a batch of messages of the order queue, of which each succeeds or fails by itself.

What fails is named in the answer, and only that comes back after the queue's visibility timeout; after five times it
goes to the dead-letter queue. What succeeds is deleted. So one bad message does not send its neighbours round again.

A batch that takes too long would end with the function's time, without an answer: all of it would come back, done or
not, to an environment that has to start anew. So a message is not begun when little time is left, but named as failed.

Nothing may happen twice, although everything may arrive twice:

1. Powertools keeps the id of each event in DynamoDB, while it is worked on and for a day afterwards. A copy that
   arrives meanwhile, or later, ends here.
2. `processed_events` in PostgreSQL has one row for each event, written in the transaction around the announcement.
   It decides for good, also when the record of step 1 has expired or was lost with a killed function.
3. What is left is a worker that dies between the announcement and its commit: then the event is announced again. So
   each subscriber looks at the event's id, too.
"""

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from botocore.config import Config

from order_events.event import OrderEvent, read_event
from order_worker.processed_events import ProcessedEvents
from order_worker.processing import Outcome, process
from order_worker.topic import Topic
from shop_database.connection import Database, Place

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Shorter than the function's own ten seconds, so that a service that is away ends in a failed message, not in a
# timeout.
QUICK = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
REMEMBERED_SECONDS = 24 * 60 * 60
LEAST_MS = 4_000
"""What one message may need when a service is slow. With less time left, none is begun."""


class TooLateError(Exception):
    """There is not enough time left for a message; it comes back."""


logger = Logger()
metrics = Metrics()
batch = BatchProcessor(event_type=EventType.SQS)


def note_repeat(response: Any, idempotent_data: "DataRecord") -> Any:
    """Count a copy that Powertools recognized."""
    metrics.add_metric("EventsRepeated", MetricUnit.Count, 1)
    logger.info("event repeated")
    return response


idempotency = IdempotencyConfig(
    event_key_jmespath="id",
    raise_on_no_idempotency_key=True,
    expires_after_seconds=REMEMBERED_SECONDS,
    response_hook=note_repeat,
)
# A client of its own would be one of a session of its own, which reads all of AWS's endpoints once more.
seen = DynamoDBPersistenceLayer(
    table_name=os.environ["IDEMPOTENCY_TABLE"], boto3_client=boto3.client("dynamodb", config=QUICK)
)
# Made once an environment and kept: the connection is opened by the first message and serves all later ones.
events = ProcessedEvents(
    Database(
        Place.from_environment(os.environ), boto3.client("secretsmanager", config=QUICK), application="order_worker"
    )
)
topic = Topic(boto3.client("sns", config=QUICK), os.environ["ORDER_TOPIC_ARN"])


@logger.inject_lambda_context
@metrics.log_metrics(capture_cold_start_metric=True)
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """Called by the event source with up to ten messages; answers which of them failed."""
    idempotency.register_lambda_context(context)  # a record of an invocation that was killed ends with its time
    return process_partial_response(event=event, record_handler=handle_message, processor=batch, context=context)


def handle_message(record: "SQSRecord", lambda_context: "LambdaContext") -> None:
    """One message. What it raises fails this message alone."""
    try:
        left = lambda_context.get_remaining_time_in_millis()
        if left < LEAST_MS:
            raise TooLateError(f"{left} ms are left, and a message may need {LEAST_MS}")
        event = read_event(record.body)
        sent_at = int(record.attributes.sent_timestamp)
        logger.append_keys(
            event_id=event.id,
            event_type=event.type,
            order_id=event.order_id,
            sent_at=sent_at,
            waited_ms=max(0, int(time.time() * 1000) - sent_at),
        )
        handle_event(message={"id": event.id}, event=event, text=record.body)
    except Exception as error:
        metrics.add_metric("EventsFailed", MetricUnit.Count, 1)
        logger.exception(
            "message failed",
            message_id=record.message_id,
            receive_count=record.attributes.approximate_receive_count,
            why=str(error),
        )
        raise
    finally:
        logger.remove_keys(["event_id", "event_type", "order_id", "sent_at", "waited_ms"])


@idempotent_function(  # type: ignore[untyped-decorator]  # Powertools' own type says nothing
    data_keyword_argument="message", persistence_store=seen, config=idempotency
)
def handle_event(*, message: dict[str, str], event: OrderEvent, text: str) -> str:
    """Process an event whose id Powertools does not remember; its answer is what a copy of the message would get."""
    outcome = process(event, text, events, topic)
    if outcome is Outcome.PROCESSED:
        metrics.add_metric("EventsProcessed", MetricUnit.Count, 1)
        waited = (datetime.now(UTC) - event.at).total_seconds()
        metrics.add_metric("SecondsToProcess", MetricUnit.Seconds, max(0.0, waited))
    else:
        metrics.add_metric("EventsRepeated", MetricUnit.Count, 1)
    logger.info("event %s", outcome.value)
    return outcome.value
