"""OrderPipeline: from the shop's message about an order to everybody who wants to know of it."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from brew_constructs.acknowledge import acknowledge
from brew_constructs.database_client import database_variables
from brew_constructs.function_variables import function_variables
from brew_constructs.order_database import OrderDatabase
from brew_constructs.private_functions import PrivateFunctions
from brew_constructs.python_function import python_function
from brew_constructs.python_layer import PythonLayer
from brew_constructs.staff_alarms import StaffAlarms
from brew_constructs.worked_queue import WorkedQueue

WORKERS = 5
"""How many workers run at once: with one connection each they take 5 of the database's 80."""


class OrderPipeline(Construct):
    """The order queue, the worker that empties it, and the topic to which it announces what happened.

    The shop writes an order and its event in one transaction, and sends the event to the queue afterwards. So the queue
    gets every event *at least* once, and the worker sees to it that each has its effect once: Powertools keeps the ids
    of the last day in a DynamoDB table of its own, and the database keeps all of them. See
    `lambda_src/order_worker/handler.py`.

    A queue in between lets the shop take orders faster than they are worked off, and while the worker or the database
    is away. How fast they are worked off is limited by the event source: five workers at a time, one connection each,
    so that no rush can use up the database's connections.

    The topic is encrypted with SNS's own key and accepts TLS alone. Its messages carry the attributes `type` and
    `total_cents`, by which subscribers filter.

    What it costs: by use alone. A thousand orders are four thousand events, about a cent.

    :param database: where processed events are noted.
    :param network: where the worker runs. It gets a door to SNS.
    :param libraries: the layer with the PostgreSQL client and Powertools.
    :param alarms: who is told when the queue is old, a message was put aside, or the worker fails.
    :param metrics_namespace: under which name the worker's own metrics are in CloudWatch.
    :param reserved_concurrency: concurrency of the account that belongs to the worker alone, at least `WORKERS`. By
        default none is reserved: a new account may have 10 in all, and then nothing can be.
    :raises ValueError: when less concurrency is reserved than the event source uses.

    https://docs.aws.amazon.com/prescriptive-guidance/latest/cloud-design-patterns/transactional-outbox.html
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        database: OrderDatabase,
        network: PrivateFunctions,
        libraries: PythonLayer,
        alarms: StaffAlarms,
        metrics_namespace: str,
        reserved_concurrency: int | None = None,
    ) -> None:
        super().__init__(scope, id_)
        timeout = cdk.Duration.seconds(10)
        if reserved_concurrency is not None and reserved_concurrency < WORKERS:
            raise ValueError(
                f"reserved_concurrency must be {WORKERS} or more, which is what the event source uses, "
                f"got {reserved_concurrency}"
            )
        self._metrics_namespace = metrics_namespace
        self.topic = sns.Topic(
            self,
            "Topic",
            display_name="Brew Haven orders",
            enforce_ssl=True,
            master_key=kms.Alias.from_alias_name(self, "SnsKey", "alias/aws/sns"),
        )
        self.seen = self._memory()
        self.worker = self._worker(database, network, libraries, timeout, reserved_concurrency)
        self.orders = WorkedQueue(self, "Orders", of="Orders", function_timeout=timeout, alarms=alarms)
        self.orders.feed(self.worker, at_most=WORKERS)
        alarms.add(
            self,
            "WorkerFails",
            metric=self.worker.metric_errors(period=cdk.Duration.minutes(1)),
            threshold=1,
            minutes=3,
            says="The order worker has failed as a whole for three minutes. Its log group says why.",
        )

    def metric(self, name: str, *, statistic: str = "Sum") -> cloudwatch.Metric:
        """A metric that the worker writes: EventsProcessed, EventsRepeated, EventsFailed, SecondsToProcess."""
        return cloudwatch.Metric(
            namespace=self._metrics_namespace,
            metric_name=name,
            dimensions_map={"service": "order_worker"},
            period=cdk.Duration.minutes(1),
            statistic=statistic,
        )

    def _memory(self) -> dynamodb.TableV2:
        """The table in which Powertools keeps what was seen, for a day."""
        table = dynamodb.TableV2(
            self,
            "Seen",
            partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            time_to_live_attribute="expiration",
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        acknowledge(
            table,
            {
                "AwsSolutions-DDB3": "Nothing in it is worth restoring: every item expires after a day, and if all "
                "were lost the database would still know which events were processed."
            },
        )
        return table

    def _worker(
        self,
        database: OrderDatabase,
        network: PrivateFunctions,
        libraries: PythonLayer,
        timeout: cdk.Duration,
        reserved_concurrency: int | None,
    ) -> lambda_.Function:
        scope = Construct(self, "Worker")
        settings = python_function(scope, "order_worker", shares=("order_events", "shop_database"))
        settings["timeout"] = timeout
        # More memory is more processor: at 512 MB its first message is handled in half the time, for the same price.
        settings["memory_size"] = 512
        worker = lambda_.Function(
            scope,
            "Function",
            **settings,
            **network.settings(settings["role"]),
            layers=[libraries],
            description="Notes each order event once and announces it",
            reserved_concurrent_executions=reserved_concurrency,
            environment={
                **function_variables("order_worker", self._metrics_namespace),
                **database_variables(database),
                "IDEMPOTENCY_TABLE": self.seen.table_name,
                "ORDER_TOPIC_ARN": self.topic.topic_arn,
            },
        )
        database.secret.grant_read(worker)
        # The topic's own grant would allow the use of every key of the account that SNS might be given; the key of SNS
        # admits whoever may publish.
        iam.Grant.add_to_principal(grantee=worker, actions=["sns:Publish"], resource_arns=[self.topic.topic_arn])
        grant_idempotency(self.seen, worker)
        network.open_door(
            self,
            "SnsEndpoint",
            service=ec2.InterfaceVpcEndpointAwsService.SNS,
            actions=["sns:Publish"],
            resource=self.topic.topic_arn,
        )
        return worker


def grant_idempotency(table: dynamodb.ITableV2, function: lambda_.Function) -> None:
    """Allow what Powertools does with its table; `grant_read_write_data` would allow Scan and more as well."""
    table.grant(function, "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem")
