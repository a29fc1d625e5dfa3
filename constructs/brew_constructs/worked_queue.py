"""WorkedQueue: a queue whose messages a function works off, and what happens with those that it cannot."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import SqsEventSource
from constructs import Construct

from brew_constructs.acknowledge import acknowledge
from brew_constructs.dead_letters import DeadLetters
from brew_constructs.staff_alarms import StaffAlarms

TRIES = 5
TIMES_THE_TIMEOUT = 6
BATCH = 10
LEAST_CONCURRENCY = 2
OLD = cdk.Duration.minutes(2)

_QUEUE_KEEPS = (
    "The queue is its safety net: a message that fails stays in the queue, and after five times goes to the queue's "
    "own dead letters. A second place for what failed would never get anything."
)
NO_TRACES = {
    "Serverless-LambdaTracing": "Traces cost by the million and answer questions about a path through many services. "
    "The phase about observability turns them on for all functions at once."
}
BY_THE_QUEUE = {
    "Serverless-LambdaDLQ": _QUEUE_KEEPS,
    "Serverless-LambdaEventSourceMappingDestination": _QUEUE_KEEPS,
    **NO_TRACES,
}
"""Findings about every function behind a queue."""


class WorkedQueue(Construct):
    """An SQS queue, its dead-letter queue, and an alarm on each.

    A message that is received becomes invisible, and is deleted when its function has succeeded. If nobody deletes it,
    it is visible again after the *visibility timeout* and is tried once more. So that timeout must be longer than the
    work: six times the function's own timeout, as AWS advises, because the event source may hold a message back for a
    while before a function is free. After five times a message is put aside into the dead-letter queue, where it waits
    14 days for a person. When its cause is mended, it is sent back: `aws sqs start-message-move-task`.

    Both queues are encrypted and accept TLS alone.

    The alarms: the oldest message is two minutes old (nobody works, or too slowly), and anything is in the dead-letter
    queue.

    :param of: what the messages are, for people: `orders`.
    :param function_timeout: how long the function may take for a batch.
    :param alarms: who is told.
    :raises ValueError: when the function's timeout is so long that a message would be invisible for more than 12 hours.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    """

    def __init__(
        self, scope: Construct, id_: str, *, of: str, function_timeout: cdk.Duration, alarms: StaffAlarms
    ) -> None:
        super().__init__(scope, id_)
        hidden = cdk.Duration.seconds(TIMES_THE_TIMEOUT * function_timeout.to_seconds())
        if hidden.to_hours(integral=False) > 12:
            raise ValueError(
                f"function_timeout must be 2 hours or less, because SQS hides a message for 12 hours at most and "
                f"{TIMES_THE_TIMEOUT} times the timeout is needed, got {function_timeout.to_human_string()}"
            )
        self.dead_letters = DeadLetters(
            self,
            "DeadLetters",
            says=f"{of} failed {TRIES} times and are in the dead-letter queue. Read one, mend its cause, and send them "
            "back with aws sqs start-message-move-task.",
            alarms=alarms,
        )
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=hidden,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=TRIES),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        alarms.add(
            self,
            "TooOld",
            metric=self.age,
            threshold=OLD.to_seconds(),
            says=f"{of} have waited two minutes or more for their function. Look at its errors, and at what it calls.",
        )

    @property
    def age(self) -> cloudwatch.Metric:
        """How old the oldest message is, in seconds."""
        return self.queue.metric_approximate_age_of_oldest_message(period=cdk.Duration.minutes(1), statistic="Maximum")

    def feed(self, function: lambda_.Function, *, at_most: int) -> None:
        """Let a function work off the queue, up to ten messages at a time, each of which may fail by itself.

        :param at_most: how many of the function run for this queue at the same time, 2 or more. It is a limit of the
            event source: messages above it wait in the queue, and are not counted as tried. (Reserved concurrency would
            be a limit of the function: what is above it fails, and is.)
        :raises ValueError: when `at_most` is less than 2, which Lambda does not accept.

        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
        """
        if at_most < LEAST_CONCURRENCY:
            raise ValueError(f"at_most must be {LEAST_CONCURRENCY} or more, got {at_most}")
        function.add_event_source(
            SqsEventSource(self.queue, batch_size=BATCH, report_batch_item_failures=True, max_concurrency=at_most)
        )
        acknowledge(function, BY_THE_QUEUE)
