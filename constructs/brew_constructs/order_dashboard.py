"""OrderDashboard: what the staff looks at to see whether orders flow."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from brew_constructs.image_pipeline import ImagePipeline
from brew_constructs.order_database import CONNECTIONS, OrderDatabase
from brew_constructs.order_pipeline import OrderPipeline
from brew_constructs.order_subscribers import OrderSubscribers
from brew_constructs.shop_cache import ShopCache
from brew_constructs.staff_alarms import StaffAlarms

MINUTE = cdk.Duration.minutes(1)


class OrderDashboard(Construct):
    """A CloudWatch dashboard that is read from top to bottom: is something wrong, do orders flow, and if not, where.

    Where its figures come from:

    - most are metrics that the services write by themselves;
    - how many events were processed, and how long they waited, the worker writes into its log as *embedded metrics*,
      from which CloudWatch makes metrics;
    - how often the database refused somebody is counted by a *metric filter* in PostgreSQL's log, which nobody here
      writes.

    Three dashboards are free, each further one costs 3 USD a month. Ten metrics of one's own are free, each further one
    costs 0.30 USD a month.

    :param metrics_namespace: under which name the course's own metrics are in CloudWatch.
    :param alarms: whose alarms are shown at the top.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Dashboards.html
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        database: OrderDatabase,
        cache: ShopCache,
        pipeline: OrderPipeline,
        subscribers: OrderSubscribers,
        pictures: ImagePipeline,
        alarms: StaffAlarms,
        metrics_namespace: str,
    ) -> None:
        super().__init__(scope, id_)
        self.refusals = self._refusals(database, metrics_namespace)
        alarms.add(
            self,
            "DatabaseRefuses",
            metric=self.refusals,
            threshold=1,
            says="The database has refused a connection: too many, a wrong password, or no TLS. Its log says which.",
        )
        self.dashboard = cloudwatch.Dashboard(self, "Dashboard", default_interval=cdk.Duration.hours(3))
        self.dashboard.add_widgets(
            cloudwatch.AlarmStatusWidget(title="Is something wrong?", alarms=alarms.alarms, width=24, height=4)
        )
        self.dashboard.add_widgets(
            _graph(
                "Do orders flow?",
                left=[pipeline.metric(name) for name in ("EventsProcessed", "EventsRepeated", "EventsFailed")],
            ),
            _graph(
                "Seconds from the shop to the worker",
                left=[pipeline.metric("SecondsToProcess", statistic=which) for which in ("p50", "p99")],
            ),
        )
        queues = (pipeline.orders, subscribers.loyalty, subscribers.board, pictures.uploads)
        self.dashboard.add_widgets(
            _graph("Seconds that the oldest message waits", left=[queue.age for queue in queues]),
            _graph(
                "Put aside",
                left=[
                    last.put_aside
                    for last in (
                        *(queue.dead_letters for queue in queues),
                        subscribers.notification_failures,
                        subscribers.undelivered,
                    )
                ],
            ),
        )
        self.dashboard.add_widgets(
            _graph(
                "Functions: errors, and how long they take",
                left=[
                    pipeline.worker.metric_errors(period=MINUTE),
                    subscribers.notification.metric_errors(period=MINUTE),
                ],
                right=[
                    pipeline.worker.metric_duration(period=MINUTE, statistic="p99"),
                    subscribers.notification.metric_duration(period=MINUTE, statistic="p99"),
                ],
            ),
            _graph(
                f"Database: connections of {CONNECTIONS}, refusals",
                left=[database.instance.metric_database_connections(period=MINUTE, statistic="Maximum")],
                right=[self.refusals],
            ),
        )
        self.dashboard.add_widgets(
            _graph("Pictures", left=[pictures.metric(name) for name in ("PicturesAccepted", "PicturesRejected")]),
            _graph(
                "Pictures: errors, and how long they take",
                left=[pictures.check.metric_errors(period=MINUTE)],
                right=[pictures.check.metric_duration(period=MINUTE, statistic="p99")],
            ),
        )
        self.dashboard.add_widgets(
            _graph(
                "Database: processor, credits",
                left=[database.instance.metric_cpu_utilization(period=MINUTE)],
                right=[database.instance.metric("CPUCreditBalance", statistic="Minimum")],
            ),
            _graph(
                "Cache: found, not found",
                left=[cache.metric("CacheHits"), cache.metric("CacheMisses")],
                right=[cache.metric("DatabaseMemoryUsagePercentage", statistic="Maximum")],
            ),
        )

    @property
    def url(self) -> str:
        """Where the dashboard is in the AWS console."""
        region = cdk.Stack.of(self).region
        return (
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#dashboards/dashboard/{self.dashboard.dashboard_name}"
        )

    def _refusals(self, database: OrderDatabase, metrics_namespace: str) -> cloudwatch.Metric:
        counted = logs.MetricFilter(
            self,
            "Refusals",
            log_group=database.log_group,
            filter_pattern=logs.FilterPattern.any_term("FATAL"),
            metric_namespace=metrics_namespace,
            metric_name="DatabaseRefusals",
            metric_value="1",
            unit=cloudwatch.Unit.COUNT,
        )
        return counted.metric(period=MINUTE, statistic="Sum")


def _graph(
    title: str, *, left: Sequence[cloudwatch.IMetric], right: Sequence[cloudwatch.IMetric] = ()
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(left), right=list(right), width=12, height=6)
