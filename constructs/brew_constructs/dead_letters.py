"""DeadLetters: the last place for a message that failed for good."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from brew_constructs.acknowledge import acknowledge
from brew_constructs.staff_alarms import StaffAlarms


class DeadLetters(sqs.Queue):
    """A queue from which no function receives: what is in it waits 14 days, the longest there is, for a person.

    It is encrypted and accepts TLS alone. One message in it is an alarm.

    :param says: what the alarm says: what has failed, and where to look.
    :param alarms: who is told.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    """

    def __init__(self, scope: Construct, id_: str, *, says: str, alarms: StaffAlarms) -> None:
        super().__init__(
            scope,
            id_,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        alarms.add(self, "PutAside", metric=self.put_aside, threshold=1, says=says)
        acknowledge(
            self,
            dict.fromkeys(
                ("AwsSolutions-SQS3", "Serverless-SQSRedrivePolicy"),
                "It is itself the last place for what failed, and no function receives from it, so nothing in it can "
                "fail once more.",
            ),
        )

    @property
    def put_aside(self) -> cloudwatch.Metric:
        """How many messages are in it."""
        return self.metric_approximate_number_of_messages_visible(period=cdk.Duration.minutes(1), statistic="Maximum")
