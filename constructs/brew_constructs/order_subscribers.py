"""OrderSubscribers: who wants to know what happens to orders, and how each of them is told."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from brew_constructs.acknowledge import acknowledge
from brew_constructs.dead_letters import DeadLetters
from brew_constructs.function_variables import function_variables
from brew_constructs.order_pipeline import OrderPipeline, grant_idempotency
from brew_constructs.python_function import python_function
from brew_constructs.python_layer import PythonLayer
from brew_constructs.staff_alarms import StaffAlarms
from brew_constructs.worked_queue import NO_TRACES, WorkedQueue

HEARD_BY_CUSTOMERS = ("order.paid", "order.ready", "order.cancelled")
HEARD_AT_THE_COUNTER = ("order.placed", "order.paid")
WORTH_A_POINT = 100  # cents
AT_MOST = 2


class OrderSubscribers(Construct):
    """Three subscribers of the order topic. None knows of another, and a fourth would change none of them.

    | Subscriber     | Hears of                    | How                      | Does                            |
    |----------------|-----------------------------|--------------------------|---------------------------------|
    | `Notification` | paid, ready, cancelled      | called by SNS            | inbox, mobile push, e-mail      |
    | `Loyalty`      | paid, of a euro or more     | a queue, then a function | points for signed-in customers  |
    | `Board`        | placed, paid                | a queue, then a function | tickets at the counter          |

    What each hears of is a *filter policy* of its subscription. SNS compares it with the message's attributes and does
    not deliver what does not match, so no function is started, and none is paid for, to throw something away.

    A queue between topic and function keeps what the function cannot take right now, for days. Without one, SNS calls
    the function, Lambda tries it three times within some minutes, and what failed goes to a dead-letter queue. That is
    enough for a notification, which is worth nothing an hour later.

    What SNS itself cannot deliver (a queue's policy was changed, a function is gone) goes to `Undelivered`.

    They share one table, `FollowUps`: notices and phones under `OWNER#`, points under `LOYALTY#`, tickets under
    `BOARD`. Each function's role ends at its own keys.

    :param pipeline: whose topic they subscribe to.
    :param libraries: the layer with Powertools.
    :param alarms: who is told when anything was put aside.
    :param metrics_namespace: under which name the functions' own metrics are in CloudWatch.
    :param push_applications: the SNS platform applications that notifications are pushed to, by the beginning of their
        name. CloudFormation cannot make one, because it holds credentials of Apple or Google.
    :param email_sender: the address that customers get e-mail from. By default no e-mail is sent. SES asks the address
        to confirm, and lets a new account send only to addresses that have confirmed, too.

    https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        pipeline: OrderPipeline,
        libraries: PythonLayer,
        alarms: StaffAlarms,
        metrics_namespace: str,
        push_applications: str,
        email_sender: str | None = None,
    ) -> None:
        super().__init__(scope, id_)
        self._topic = pipeline.topic
        self._libraries = libraries
        self._alarms = alarms
        self._metrics_namespace = metrics_namespace
        self.follow_ups = self._table()
        self.undelivered = DeadLetters(
            self,
            "Undelivered",
            says="SNS could not deliver order events. Look at the subscriptions and at the queues' policies.",
            alarms=alarms,
        )
        self.notification_failures = DeadLetters(
            self,
            "NotificationFailures",
            says="Customers were not told. The log group of order_notification says why.",
            alarms=alarms,
        )
        self.notification = self._notification(pipeline.seen, push_applications, email_sender)
        self.loyalty = self._behind_a_queue(
            "Loyalty",
            "order_loyalty",
            of="Loyalty points",
            hears={
                "type": sns.SubscriptionFilter.string_filter(allowlist=["order.paid"]),
                "total_cents": sns.SubscriptionFilter.numeric_filter(greater_than_or_equal_to=WORTH_A_POINT),
            },
            does=["dynamodb:PutItem", "dynamodb:UpdateItem"],
            keys=["LOYALTY#*"],
            description="Gives a point for each euro, once for each order",
        )
        self.board = self._behind_a_queue(
            "Board",
            "order_board",
            of="Tickets for the counter",
            hears={"type": sns.SubscriptionFilter.string_filter(allowlist=list(HEARD_AT_THE_COUNTER))},
            does=["dynamodb:UpdateItem"],
            keys=["BOARD"],
            description="Pins a ticket for each order that was placed or paid",
        )

    def _table(self) -> dynamodb.TableV2:
        return dynamodb.TableV2(
            self,
            "FollowUps",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            time_to_live_attribute="expires_at",
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True, recovery_period_in_days=7
            ),
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _notification(
        self, seen: dynamodb.ITableV2, push_applications: str, email_sender: str | None
    ) -> lambda_.Function:
        scope = Construct(self, "Notification")
        settings = python_function(scope, "order_notification", shares=("order_events",))
        notification = lambda_.Function(
            scope,
            "Function",
            **settings,
            layers=[self._libraries],
            description="Tells customers how their order is doing",
            on_failure=destinations.SqsDestination(self.notification_failures),
            environment={
                **function_variables("order_notification", self._metrics_namespace),
                "FOLLOW_UP_TABLE": self.follow_ups.table_name,
                "IDEMPOTENCY_TABLE": seen.table_name,
                **({"EMAIL_SENDER": email_sender} if email_sender else {}),
            },
        )
        self._grant_keys(notification, ["dynamodb:PutItem", "dynamodb:Query", "dynamodb:DeleteItem"], ["OWNER#*"])
        grant_idempotency(seen, notification)
        self._grant_push(settings["role"], push_applications)
        if email_sender:
            self._grant_email(settings["role"], email_sender)
        self._topic.add_subscription(
            subscriptions.LambdaSubscription(
                notification,
                filter_policy={"type": sns.SubscriptionFilter.string_filter(allowlist=list(HEARD_BY_CUSTOMERS))},
                dead_letter_queue=self.undelivered,
            )
        )
        acknowledge(
            notification,
            {
                "Serverless-LambdaDLQ": "It has an on-failure destination, which is the newer way: there the event "
                "arrives together with the error, and not alone.",
                **NO_TRACES,
            },
        )
        return notification

    def _behind_a_queue(
        self,
        id_: str,
        package: str,
        *,
        of: str,
        hears: dict[str, sns.SubscriptionFilter],
        does: Sequence[str],
        keys: Sequence[str],
        description: str,
    ) -> WorkedQueue:
        timeout = cdk.Duration.seconds(10)
        worked = WorkedQueue(self, id_, of=of, function_timeout=timeout, alarms=self._alarms)
        settings = python_function(worked, package, shares=("order_events",))
        settings["timeout"] = timeout
        function = lambda_.Function(
            worked,
            "Function",
            **settings,
            layers=[self._libraries],
            description=description,
            environment={
                **function_variables(package, self._metrics_namespace),
                "FOLLOW_UP_TABLE": self.follow_ups.table_name,
            },
        )
        self._grant_keys(function, does, keys)
        worked.feed(function, at_most=AT_MOST)
        self._topic.add_subscription(
            subscriptions.SqsSubscription(
                worked.queue, raw_message_delivery=True, filter_policy=hears, dead_letter_queue=self.undelivered
            )
        )
        return worked

    def _grant_keys(self, function: lambda_.Function, actions: Sequence[str], keys: Sequence[str]) -> None:
        """Allow actions on items under some keys alone; no grant of a table knows of keys.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
        """
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=list(actions),
                resources=[self.follow_ups.table_arn],
                conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)}},
            )
        )

    def _grant_push(self, role: iam.Role, applications: str) -> None:
        """Allow publishing to phones of the course's platform applications; there is no construct to grant it."""
        endpoints = cdk.Stack.of(self).format_arn(
            service="sns", resource="endpoint", resource_name=f"*/{applications}*"
        )
        role.add_to_policy(iam.PolicyStatement(actions=["sns:Publish"], resources=[endpoints]))
        acknowledge(
            role,
            {
                f"AwsSolutions-IAM5[Resource::{endpoints}]": "A phone's endpoint is made when its owner registers it, "
                "on Apple's or Google's platform. The wildcard ends at platform applications with the course's name."
            },
        )

    def _grant_email(self, role: iam.Role, sender: str) -> None:
        """Allow sending from one address; the identity is made by hand, because its owner has to confirm it."""
        identity = cdk.Stack.of(self).format_arn(service="ses", resource="identity", resource_name=sender)
        role.add_to_policy(iam.PolicyStatement(actions=["ses:SendEmail"], resources=[identity]))
