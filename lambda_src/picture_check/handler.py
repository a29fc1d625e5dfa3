"""The function's entrance: a batch of messages, each with S3's event of one new picture."""

import os
import time
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from botocore.config import Config

from picture_check.bucket import Bucket, Places
from picture_check.catalog import Catalog
from picture_check.checking import PictureCheck
from picture_check.recognition import Recognition
from picture_check.staff import Topic
from picture_check.studio import PillowStudio
from picture_check.upload import read_upload

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

# A try that fails is repeated by the queue, with more patience than a function that is paid by the millisecond.
QUICK = Config(connect_timeout=1, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})

logger = Logger()
metrics = Metrics()
batch = BatchProcessor(event_type=EventType.SQS, logger=logger)  # type: ignore[arg-type]  # it hands itself on
places = Places(os.environ["PICTURES_PREFIX"], os.environ["THUMBNAILS_PREFIX"], os.environ["QUARANTINE_PREFIX"])
picture_check = PictureCheck(
    pictures=Bucket(boto3.client("s3", config=QUICK), os.environ["PICTURE_BUCKET"], places),
    studio=PillowStudio(),
    eyes=Recognition(boto3.client("rekognition", config=QUICK)),
    records=Catalog(boto3.client("dynamodb", config=QUICK), os.environ["CATALOG_TABLE"], places),
    staff=Topic(boto3.client("sns", config=QUICK), os.environ["STAFF_TOPIC_ARN"]),
)


@metrics.log_metrics(capture_cold_start_metric=True)
@logger.inject_lambda_context
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> "PartialItemFailureResponse":
    """Called by the event source with a few messages; answers which of them failed."""
    return process_partial_response(event=event, record_handler=handle_message, processor=batch, context=context)


def handle_message(record: "SQSRecord") -> None:
    """One message: one picture."""
    sent_at = int(record.attributes.sent_timestamp)
    waited_ms = max(0, int(time.time() * 1000) - sent_at)
    upload = read_upload(record.body)
    outcome = picture_check.check(upload)
    metrics.add_metric(f"Pictures{outcome.capitalize()}", MetricUnit.Count, 1)
    logger.info("picture %s: %s", upload.key, outcome, size=upload.size, sent_at=sent_at, waited_ms=waited_ms)
