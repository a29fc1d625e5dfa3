"""One topic, three queues, and everybody hears everything."""

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
        # Everybody hears everything: let each subscription choose.
        self.events.add_subscription(subscriptions.SqsSubscription(self.kitchen))
        self.events.add_subscription(subscriptions.SqsSubscription(self.accounting))
        self.events.add_subscription(subscriptions.SqsSubscription(self.audit))
