"""Paid orders come through a queue, and each gives points."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import SqsEventSource
from constructs import Construct

# What is deployed here is a stand-in: your work is handler.py, and the check runs it as Lambda would.
STAND_IN = "def handler(event, context):\n    raise NotImplementedError('see handler.py')\n"


class Exercise(cdk.Stack):
    """The queue of paid orders, and the function behind it."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        paid = sqs.Queue(self, "Paid", visibility_timeout=cdk.Duration.seconds(60))
        points = lambda_.Function(
            self,
            "Points",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline(STAND_IN),
            timeout=cdk.Duration.seconds(10),
        )
        points.add_event_source(SqsEventSource(paid))
