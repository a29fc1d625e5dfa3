"""Somebody is told when orders stand still."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch  # noqa: F401
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions  # noqa: F401
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class Exercise(cdk.Stack):
    """The queue of orders, what was put aside, the nightly closing, whoever is on call, and no alarm yet."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.put_aside = sqs.Queue(self, "PutAside", retention_period=cdk.Duration.days(14))
        self.orders = sqs.Queue(
            self, "Orders", dead_letter_queue=sqs.DeadLetterQueue(queue=self.put_aside, max_receive_count=5)
        )
        self.closing = lambda_.Function(
            self,
            "Closing",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline("def handler(event, context):\n    print('the till is closed')\n"),
        )
        self.on_call = sns.Topic(self, "OnCall")
        # Your alarms go here.
