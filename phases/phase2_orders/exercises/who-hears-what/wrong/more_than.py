"""One topic, three queues, and each hears what it wants to hear."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class Exercise(cdk.Stack):
    """The topic of events, and the queues of the kitchen, of accounting and of the audit."""

    def __init__(self, scope: Construct, id_: str, **kwargs: Any) -> None:
        super().__init__(scope, id_, **kwargs)
        self.events = sns.Topic(self, "Events")
        self.kitchen = sqs.Queue(self, "Kitchen", removal_policy=cdk.RemovalPolicy.DESTROY)
        self.accounting = sqs.Queue(self, "Accounting", removal_policy=cdk.RemovalPolicy.DESTROY)
        self.audit = sqs.Queue(self, "Audit", removal_policy=cdk.RemovalPolicy.DESTROY)
        cdk.CfnOutput(self, "EventsArn", value=self.events.topic_arn)
        cdk.CfnOutput(self, "KitchenUrl", value=self.kitchen.queue_url)
        cdk.CfnOutput(self, "AccountingUrl", value=self.accounting.queue_url)
        cdk.CfnOutput(self, "AuditUrl", value=self.audit.queue_url)
        text, number = sns.SubscriptionFilter.string_filter, sns.SubscriptionFilter.numeric_filter
        self.events.add_subscription(
            subscriptions.SqsSubscription(
                self.kitchen,
                raw_message_delivery=True,
                filter_policy={"type": text(allowlist=["order.paid", "order.cancelled"])},
            )
        )
        self.events.add_subscription(
            subscriptions.SqsSubscription(
                self.accounting,
                raw_message_delivery=True,
                filter_policy={
                    "type": text(allowlist=["order.paid", "order.refunded"]),
                    "total_cents": number(greater_than=5000),
                },
            )
        )
        self.events.add_subscription(
            subscriptions.SqsSubscription(
                self.audit, raw_message_delivery=True, filter_policy={"type": text(match_prefixes=["order."])}
            )
        )
