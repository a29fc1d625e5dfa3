"""Phase 2: orders leave the shop's process, for a database, a queue and the functions behind it."""

import aws_cdk as cdk
from constructs import Construct

from brew_constructs.database_alarms import DatabaseAlarms
from brew_constructs.image_pipeline import ImagePipeline
from brew_constructs.order_dashboard import OrderDashboard
from brew_constructs.order_database import OrderDatabase
from brew_constructs.order_pipeline import OrderPipeline
from brew_constructs.order_schema import OrderSchema
from brew_constructs.order_subscribers import OrderSubscribers
from brew_constructs.private_functions import PrivateFunctions
from brew_constructs.python_layer import PythonLayer
from brew_constructs.shop_cache import ShopCache
from brew_constructs.staff_alarms import StaffAlarms
from brew_constructs.storefront_switch import Shop, StorefrontSwitch
from stacks.lessons import lesson
from stacks.phase1_foundation import Phase1Foundation
from stacks.phase_stack import PhaseStack
from stacks.settings import Settings


class Phase2Orders(PhaseStack):
    """RDS, ElastiCache, SQS, SNS, Lambda, Rekognition: an order is taken once, and everybody hears of it who must.

    :param foundation: phase 1's stack, whose network, roles and parameter are used and not changed.
    """

    phase = 2
    title = "Orders"

    def __init__(self, scope: Construct, *, settings: Settings, foundation: Phase1Foundation) -> None:
        self.foundation = foundation
        self.shops = _shops(foundation, settings)
        self.name = f"{settings.prefix}brew-haven-orders"
        self.metrics_namespace = f"{settings.prefix}BrewHaven"
        super().__init__(scope, settings=settings)

    @lesson("2.1", "A database for orders")
    def database_and_schema(self) -> None:
        vpc = self.foundation.network.vpc
        orders = self.settings.orders
        self.database = OrderDatabase(
            self,
            "OrderDatabase",
            vpc=vpc,
            name=self.name,
            multi_az=orders.database_multi_az,
            replica=orders.database_replica,
            proxy=orders.database_proxy,
            snapshot=orders.database_snapshot,
            removal_policy=(
                cdk.RemovalPolicy.SNAPSHOT if orders.database_on_destroy == "snapshot" else cdk.RemovalPolicy.DESTROY
            ),
        )
        self.private_functions = PrivateFunctions(
            self,
            "PrivateFunctions",
            vpc=vpc,
            database=self.database,
            neighbours=[shop.security_group for shop in self.shops],
        )
        self.libraries = PythonLayer(self, "PythonLayer")
        self.schema = OrderSchema(
            self, "OrderSchema", database=self.database, network=self.private_functions, libraries=self.libraries
        )
        self.output("DatabaseInstanceId", self.database.instance.instance_identifier, "The orders database")
        self.output("DatabaseHost", self.database.host, "Where it is, inside the network")
        self.output("DatabaseSecretArn", self.database.secret.secret_arn, "The secret with its user and password")
        self.output("DatabaseLogGroupName", self.database.log_group.log_group_name, "What PostgreSQL writes")
        self.output("SchemaFunctionName", self.schema.function.function_name, "The function that applies migrations")

    @lesson("2.2", "The shop's orders move")
    def orders_move(self) -> None:
        self.switch = StorefrontSwitch(
            self,
            "StorefrontSwitch",
            parameter_name=self.foundation.runtime.config_parameter_name,
            shops=self.shops,
        )
        self.switch.orders(self.database, before=self.foundation.catalog.table, after=[self.schema])
        self.output("ShopConfigParameter", self.switch.parameter.parameter_name, "What tells the shop which way to go")

    @lesson("2.3", "Copies, backups and alarms")
    def copies_and_alarms(self) -> None:
        self.alarms = StaffAlarms(self, "StaffAlarms", email=self.settings.orders.alarm_email)
        DatabaseAlarms(self, "DatabaseAlarms", database=self.database, alarms=self.alarms)
        self.output("AlarmTopicArn", self.alarms.topic.topic_arn, "Subscribe to it to hear of alarms")
        if self.database.replica:
            host = self.database.replica.db_instance_endpoint_address
            self.output("DatabaseReplicaHost", host, "The copy for reading, which lags behind a little")

    @lesson("2.4", "A cache for sessions and the menu")
    def cache_and_sessions(self) -> None:
        self.cache = ShopCache(
            self, "ShopCache", vpc=self.foundation.network.vpc, name=f"{self.settings.prefix}brew-haven"
        )
        self.switch.sessions(self.cache)
        self.output("CacheHost", self.cache.host, "Where the cache is, inside the network")
        self.output("CacheSecretArn", self.cache.secret.secret_arn, "The secret with the shop's user of the cache")

    @lesson("2.5", "A queue and its worker")
    def queue_and_worker(self) -> None:
        self.pipeline = OrderPipeline(
            self,
            "OrderPipeline",
            database=self.database,
            network=self.private_functions,
            libraries=self.libraries,
            alarms=self.alarms,
            metrics_namespace=self.metrics_namespace,
            reserved_concurrency=self.settings.orders.worker_reserved_concurrency,
        )
        self.switch.events(self.pipeline.orders.queue)
        self.output(
            "OrderQueueUrl", self.pipeline.orders.queue.queue_url, "Where the shop sends what happens to orders"
        )
        self.output(
            "OrderDeadLetterQueueUrl", self.pipeline.orders.dead_letters.queue_url, "What the worker could not handle"
        )
        self.output(
            "OrderDeadLetterQueueArn", self.pipeline.orders.dead_letters.queue_arn, "For start-message-move-task"
        )
        self.output("OrderTopicArn", self.pipeline.topic.topic_arn, "Where the worker announces what happened")
        self.output("WorkerFunctionName", self.pipeline.worker.function_name, "The worker")
        self.output("WorkerLogGroupName", self.pipeline.worker.log_group.log_group_name, "What the worker writes")

    @lesson("2.6", "One event, three subscribers")
    def fan_out(self) -> None:
        self.subscribers = OrderSubscribers(
            self,
            "OrderSubscribers",
            pipeline=self.pipeline,
            libraries=self.libraries,
            alarms=self.alarms,
            metrics_namespace=self.metrics_namespace,
            push_applications=f"{self.settings.prefix}brew-haven",
            email_sender=self.settings.orders.email_sender,
        )
        self.output("FollowUpTableName", self.subscribers.follow_ups.table_name, "Notices, phones, points and tickets")
        self.output(
            "NotificationFunctionName", self.subscribers.notification.function_name, "The function that tells customers"
        )
        self.output("LoyaltyQueueUrl", self.subscribers.loyalty.queue.queue_url, "Paid orders, for points")
        self.output("BoardQueueUrl", self.subscribers.board.queue.queue_url, "Orders, for the tickets at the counter")

    @lesson("2.7", "Seeing that orders flow")
    def pictures_and_dashboard(self) -> None:
        self.pictures = ImagePipeline(
            self,
            "ImagePipeline",
            bucket=self.foundation.assets.bucket,
            table=self.foundation.catalog.table,
            libraries=self.libraries,
            alarms=self.alarms,
            metrics_namespace=self.metrics_namespace,
        )
        self.order_dashboard = OrderDashboard(
            self,
            "OrderDashboard",
            database=self.database,
            cache=self.cache,
            pipeline=self.pipeline,
            subscribers=self.subscribers,
            pictures=self.pictures,
            alarms=self.alarms,
            metrics_namespace=self.metrics_namespace,
        )
        self.output("PictureFunctionName", self.pictures.check.function_name, "The function that looks at pictures")
        self.output("PictureQueueUrl", self.pictures.uploads.queue.queue_url, "New pictures, to be looked at")
        self.output("DashboardUrl", self.order_dashboard.url, "The dashboard, in the AWS console")


def _shops(foundation: Phase1Foundation, settings: Settings) -> list[Shop]:
    """The processes of the shop that phase 1 runs."""
    shops = [Shop("OnEc2", foundation.instance.role, foundation.instance.security_group)]
    if settings.storefront == "both":
        shops.append(Shop("OnFargate", foundation.storefront.task_role, foundation.storefront.security_group))
    return shops
