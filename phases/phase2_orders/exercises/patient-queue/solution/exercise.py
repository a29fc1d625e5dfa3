"""Receipts are printed from a queue, each of them once, and bad ones are put aside."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import SqsEventSource
from constructs import Construct

PRINTER = """
import json

def handler(event, context):
    failed = []
    for record in event["Records"]:
        try:
            print(json.loads(record["body"])["receipt"])
        except Exception as error:
            print(f"not printed: {error}")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
"""


class Exercise(cdk.Stack):
    """The queue of receipts, the function that prints them, and the queue of what cannot be printed."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.put_aside = sqs.Queue(self, "PutAside", enforce_ssl=True, retention_period=cdk.Duration.days(14))
        self.receipts = sqs.Queue(
            self,
            "Receipts",
            enforce_ssl=True,
            visibility_timeout=cdk.Duration.seconds(6 * 45),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.put_aside, max_receive_count=5),
        )
        self.printer = lambda_.Function(
            self,
            "Printer",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline(PRINTER),
            timeout=cdk.Duration.seconds(45),
        )
        self.printer.add_event_source(SqsEventSource(self.receipts, report_batch_item_failures=True, max_concurrency=2))
