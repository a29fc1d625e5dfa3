"""DatabaseAlarms: what goes wrong with a small database before anybody notices."""

import aws_cdk as cdk
from constructs import Construct

from brew_constructs.order_database import CONNECTIONS, OrderDatabase
from brew_constructs.staff_alarms import StaffAlarms

MINUTE = cdk.Duration.minutes(1)
GIGABYTE = 1_000_000_000


class DatabaseAlarms(Construct):
    """Alarms on the four things that a small database runs out of: connections, disk, processor credits, and its
    replica's breath.

    A t4g instance may use more processor than it has paid for, from a balance of credits. When the balance is empty,
    RDS bills the surplus, and the alarm comes before the bill.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
    """

    def __init__(self, scope: Construct, id_: str, *, database: OrderDatabase, alarms: StaffAlarms) -> None:
        super().__init__(scope, id_)
        instance = database.instance
        alarms.add(
            self,
            "Connections",
            metric=instance.metric_database_connections(period=MINUTE, statistic="Maximum"),
            threshold=CONNECTIONS * 3 // 4,
            minutes=3,
            says=f"Three quarters of the database's {CONNECTIONS} connections are in use. Look at pg_stat_activity "
            "for who has them.",
        )
        alarms.add(
            self,
            "Disk",
            metric=instance.metric_free_storage_space(period=MINUTE, statistic="Minimum"),
            threshold=4 * GIGABYTE,
            below=True,
            says="The database has 4 GB of disk left. A full disk stops it: enlarge it, or delete what is old.",
        )
        alarms.add(
            self,
            "Credits",
            metric=instance.metric("CPUCreditBalance", period=cdk.Duration.minutes(5), statistic="Minimum"),
            threshold=20,
            below=True,
            says="The database has hardly any processor credits left, and will be billed for more. Look for slow "
            "statements in its log, or take a larger instance.",
        )
        if database.replica:
            alarms.add(
                self,
                "ReplicaLag",
                metric=database.replica.metric("ReplicaLag", period=MINUTE, statistic="Maximum"),
                threshold=30,  # seconds
                minutes=3,
                says="The replica is half a minute behind. Whoever reads there sees the past: read from the database "
                "until it has caught up.",
            )
