"""Somebody is told when orders stand still."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class Exercise(cdk.Stack):
    """The queue of orders, what was put aside, the nightly closing, and an alarm for each."""

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
        minute, day = cdk.Duration.minutes(1), cdk.Duration.days(1)
        operator, missing = cloudwatch.ComparisonOperator, cloudwatch.TreatMissingData
        alarms = [
            self.orders.metric_approximate_number_of_messages_visible(statistic="Maximum", period=minute).create_alarm(
                self,
                "OrdersWait",
                threshold=120,
                evaluation_periods=3,
                comparison_operator=operator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=missing.NOT_BREACHING,
                alarm_description="Orders wait for two minutes and more: look at the worker's duration and errors",
            ),
            self.put_aside.metric_approximate_number_of_messages_visible(
                statistic="Maximum", period=minute
            ).create_alarm(
                self,
                "OrdersPutAside",
                threshold=1,
                evaluation_periods=1,
                comparison_operator=operator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
                treat_missing_data=missing.NOT_BREACHING,
                alarm_description="An order failed five times: read it, mend its cause, and send it back",
            ),
            self.closing.metric_invocations(statistic="Sum", period=day).create_alarm(
                self,
                "ClosingMissed",
                threshold=1,
                evaluation_periods=1,
                comparison_operator=operator.LESS_THAN_THRESHOLD,
                treat_missing_data=missing.BREACHING,
                alarm_description="The till was not closed last night: look at what should have called the function",
            ),
        ]
        for alarm in alarms:
            alarm.add_alarm_action(cloudwatch_actions.SnsAction(self.on_call))
