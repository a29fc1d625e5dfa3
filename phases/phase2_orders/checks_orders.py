"""Checks of lessons 2.2 and 2.3: orders are where they belong, whole and once; connections, copies and backups."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.cloud import Deployment
from brewhaven.course.template import Template
from brewhaven.local.settings import REPOSITORY
from phases.phase2_orders.checks_database import DATABASE_CODE, database, instance_of
from phases.phase2_orders.probes import (
    CONSTRUCTS,
    foundation,
    foundation_of,
    new_id,
    placed_order,
    shop_config,
)

CHECKS = CheckList()

SWITCH_CODE = f"{CONSTRUCTS}/storefront_switch.py"
SHOP_CODE = "storefront/shop/adapters/postgres_orders.py"
POOL_CODE = REPOSITORY / "storefront/shop/adapters/postgres.py"
GATES = 16
CONNECTIONS = 80
"""What a t4g.micro gives: about 110 by RDS's formula, less what RDS keeps for itself."""
KEPT_DAYS = 7
LAG_SECONDS = 30
RESTORABLE_MINUTES = 30


# 2.2 The shop's orders move

whole = CHECKS.check(
    "order-whole",
    lesson="2.2",
    objective="rds-transactions",
    proves="An order is there whole when it was taken, and nothing of it when it was refused",
)


@whole.on_cloud
def _(cloud: Deployment) -> str:
    order = cloud.shared(placed_order)
    parts = ("lines", "total_cents", "name", "number", "currency", "created_at")
    other = [part for part in parts if order.read.get(part) != order.body[part]]
    expect(
        not other and order.read["payment"]["status"] == "paid",
        f"order {order.id} was taken one way and is read another: {', '.join(other) or 'its payment'} differs",
        where=f"{SHOP_CODE}, and the order's rows in orders, order_lines and payments",
        next_step="write everything of an order in one transaction, and read what was written",
    )
    for product, quantity, why in (("espresso", 0, "0 espressos"), ("no-such-product", 1, "an unknown product")):
        refused = order.guest.order(new_id(), product=product, quantity=quantity)
        expect(
            400 <= refused.status < 500,
            f"an order for {why} is answered with {refused.status}: {refused.text[:120]}",
            where=f"{order.guest.url}/api/orders, and storefront/shop/domain/ordering.py",
            next_step="refuse it before the transaction begins, in words that help the guest",
        )
    listed = order.guest.ask("GET", "/api/orders").json()["orders"]
    placed = {order.id, str(order.again.json()["id"])}
    left = [found["id"] for found in listed if found["id"] not in placed]
    expect(
        not left,
        f"an order that was refused left something behind: {', '.join(left)}",
        where=f"{SHOP_CODE}",
        next_step="let all of an order's writes be in one transaction",
    )
    return f"order {order.body['number']}: {len(order.read['lines'])} line, paid, {order.read['total_cents']} cents"


once = CHECKS.check(
    "order-once",
    lesson="2.2",
    objective="rds-transactions",
    proves="The same order sent twice at the same moment is one order",
)


@once.on_cloud
def _(cloud: Deployment) -> str:
    order = cloud.shared(placed_order)
    again = order.again.json()["id"]
    expect(
        again == order.id,
        f"one Idempotency-Key has placed two orders, {order.id} and {again}: an impatient guest pays twice",
        where=f"the table idempotency_keys and its primary key, {SHOP_CODE}",
        next_step="write the key in the transaction of the order, and let its primary key decide who was first",
    )
    return f"two requests, order {order.body['number']}"


moved = CHECKS.check(
    "orders-moved",
    lesson="2.2",
    objective="moving-data",
    proves="Orders have one home: PostgreSQL, and the old one takes none any more",
)


@moved.on_template
def _(template: Template) -> str:
    parameter = template.resources("AWS::SSM::Parameter", of="StorefrontSwitch")[0]
    text = json.dumps(parameter.properties["Value"])
    expect(
        r"\"orders\":\"postgresql\"" in text.replace(r"\\", "\\"),
        "the shop's parameter does not send its orders to postgresql",
        where=f"`orders` in {SWITCH_CODE}",
        next_step="say in the parameter where orders live",
    )
    types = {template.body["Resources"].get(name, {}).get("Type") for name in parameter.body.get("DependsOn", [])}
    early = {"AWS::IAM::Policy", "AWS::EC2::SecurityGroupIngress", "Custom::Trigger"} - types
    expect(
        not early,
        f"the parameter does not wait for {', '.join(sorted(early))}: the shop would move before it may or can",
        where=f"{SWITCH_CODE}: node.add_dependency",
        next_step="let the parameter depend on the policy, the rules and the tables, so that it is made last",
    )
    return "made last"


@moved.on_cloud
def _(cloud: Deployment) -> str:
    home = shop_config(cloud).get("orders")
    expect(
        home == "postgresql",
        f"the shop's parameter sends its orders to {home}",
        where=f"`aws ssm get-parameter --name {cloud.outputs['ShopConfigParameter']}`",
        next_step="deploy the stack's parameter again, or put its value back as the template has it",
    )
    dynamodb, table = cloud.client("dynamodb"), foundation(cloud).outputs["CatalogTableName"]
    order = cloud.shared(placed_order)
    gate = dynamodb.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "ORDERBOOK"}},
        ConsistentRead=True,
    )["Items"]
    closed = [item for item in gate if "closing" in item]
    expect(
        len(closed) == GATES,
        f"{GATES - len(closed)} of the {GATES} gates of the old order book are open: an order that meets one of "
        "them is taken in DynamoDB, where no barista looks",
        where=f"the items with pk = ORDERBOOK in {table}, and storefront/shop/adapters/order_gate.py",
        next_step="restart the shop's tasks: whoever begins to use PostgreSQL closes all of them",
    )
    key = {"pk": {"S": f"ORDER#{order.id}"}, "sk": {"S": "ORDER"}}
    old = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    expect(
        old is None,
        f"order {order.id} is in DynamoDB, so the task that took it has not moved",
        where=f"the log of the shop's tasks, and {order.guest.url}/ready",
        next_step="see that every task may read the parameter and reaches the database",
    )
    return f"{GATES} gates closed; order {order.body['number']} is in PostgreSQL alone"


bounded = CHECKS.check(
    "connections-bounded",
    lesson="2.2",
    objective="rds-connection-pooling",
    proves="All pools and functions together take fewer connections than the database gives",
)


def pool_size() -> int:
    """How many connections one process of the shop keeps, as its code says."""
    found = re.search(r"^CONNECTIONS = (\d+)", POOL_CODE.read_text(encoding="utf-8"), re.MULTILINE)
    expect(
        found,
        f"{POOL_CODE.name} does not say any more how large the shop's pool is",
        where=str(POOL_CODE.relative_to(REPOSITORY)),
        next_step="bound the pool by a number: CONNECTIONS = ...",
    )
    assert found
    return int(found[1])


@bounded.on_template
def _(template: Template) -> str:
    database(template)
    first = template.beside[foundation_of(template.stack)]["Resources"].values()
    tasks = [
        int(body["Properties"]["MaxCapacity"])
        for body in first
        if body["Type"] == "AWS::ApplicationAutoScaling::ScalableTarget"
    ]
    mappings = template.resources("AWS::Lambda::EventSourceMapping", of="OrderPipelineWorker")
    return _sum(
        sum(tasks),
        [mapping.properties.get("ScalingConfig", {}).get("MaximumConcurrency") for mapping in mappings],
    )


@bounded.on_cloud
def _(cloud: Deployment) -> str:
    first = foundation(cloud)
    tasks = 0
    if "StorefrontServiceName" in first.outputs:
        resource = f"service/{first.outputs['StorefrontClusterName']}/{first.outputs['StorefrontServiceName']}"
        (target,) = cloud.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=[resource]
        )["ScalableTargets"]
        tasks = int(target["MaxCapacity"])
    limits = []
    if "WorkerFunctionName" in cloud.outputs:
        mappings = cloud.client("lambda").list_event_source_mappings(FunctionName=cloud.outputs["WorkerFunctionName"])
        limits = [
            mapping.get("ScalingConfig", {}).get("MaximumConcurrency") for mapping in mappings["EventSourceMappings"]
        ]
    counted = _sum(tasks, limits)
    most = max((point["Maximum"] for point in metric(cloud, "DatabaseConnections", hours=1)), default=0)
    expect(
        most < CONNECTIONS,
        f"in the last hour there were {most:.0f} connections to the database at once",
        where="`select application_name, count(*) from pg_stat_activity group by 1` in the database",
        next_step="bound the pool or the concurrency of whoever has them",
    )
    return f"{counted}; at most {most:.0f} in the last hour"


def _sum(tasks: int, workers: list[int | None]) -> str:
    """Add up who may hold how many: tasks and the instance a pool each, workers and the schema function one.

    While a new version is rolled out, the service has old and new tasks, twice as many.
    """
    expect(
        None not in workers,
        "the worker's event source has no maximum concurrency: in a rush there are hundreds, with a connection each",
        where=f"max_concurrency in {CONSTRUCTS}/worked_queue.py",
        next_step="give the event source a maximum concurrency",
    )
    pool, functions = pool_size(), sum(limit or 0 for limit in workers)
    total = (2 * tasks + 1) * pool + functions + 1
    expect(
        total < CONNECTIONS,
        f"{tasks} tasks, twice as many during a deployment, and the instance with {pool} connections each, {functions} "
        f"workers and the schema function may want {total} connections, and a db.t4g.micro gives about {CONNECTIONS}: "
        "whoever comes last is refused",
        where=f"WORKERS in {CONSTRUCTS}/order_pipeline.py, CONNECTIONS in {POOL_CODE.relative_to(REPOSITORY)}, the "
        "scaling of the shop's service",
        next_step="lower one of them, take a larger instance, or put RDS Proxy between (database_proxy)",
    )
    return f"at most {total} of about {CONNECTIONS}"


def metric(cloud: Deployment, name: str, *, hours: int, instance: str = "") -> list[dict[str, Any]]:
    """What CloudWatch has of a metric of the database, minute by minute."""
    now = datetime.now(UTC)
    points: list[dict[str, Any]] = cloud.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName=name,
        Dimensions=[{"Name": "DBInstanceIdentifier", "Value": instance or cloud.outputs["DatabaseInstanceId"]}],
        StartTime=now - timedelta(hours=hours),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return points


# 2.3 Copies, backups and alarms

backed_up = CHECKS.check(
    "database-backed-up",
    lesson="2.3",
    objective="rds-backup-restore",
    proves="Any second of the last week can be restored, from a backup that is encrypted",
)


@backed_up.on_template
def _(template: Template) -> str:
    instance = database(template)
    days = instance.properties.get("BackupRetentionPeriod", 1)
    # One that is built from a snapshot is encrypted as that is, and the template may not say it again.
    encrypted = instance.properties.get("StorageEncrypted") is True or "DBSnapshotIdentifier" in instance.properties
    _keeps(int(days), encrypted=encrypted, name=instance.logical_id)
    return f"{days} days"


@backed_up.on_cloud
def _(cloud: Deployment) -> str:
    instance = instance_of(cloud)
    name = instance["DBInstanceIdentifier"]
    _keeps(instance["BackupRetentionPeriod"], encrypted=instance["StorageEncrypted"], name=name)
    until = instance.get("LatestRestorableTime")
    late = (datetime.now(UTC) - until).total_seconds() / 60 if until else None
    expect(
        late is not None and late < RESTORABLE_MINUTES,
        f"the database {name} can be restored "
        + (f"up to {late:.0f} minutes ago only" if late is not None else "to no moment: there is no backup yet"),
        where="RDS console: the database, Maintenance & backups",
        next_step="a new database makes its first backup within minutes; if it stays so, see whether backups are on",
    )
    return f"{instance['BackupRetentionPeriod']} days, up to {until:%H:%M:%S} UTC"


def _keeps(days: int, *, encrypted: bool, name: str) -> None:
    expect(
        days >= KEPT_DAYS,
        f"the database {name} keeps its backups for {days} day(s): a mistake of last Friday cannot be taken back",
        where=f"backup_retention in {DATABASE_CODE}, and RDS console: Maintenance & backups",
        next_step=f"keep them for {KEPT_DAYS} days: `aws rds modify-db-instance --backup-retention-period {KEPT_DAYS} "
        "--apply-immediately`",
    )
    expect(
        encrypted,
        f"the database {name} is not encrypted, and so its backups are not",
        where=f"storage_encrypted in {DATABASE_CODE}",
        next_step="encryption cannot be added later: copy a snapshot with encryption and build from that",
    )


watched = CHECKS.check(
    "replica-watched",
    lesson="2.3",
    objective="rds-read-replica",
    proves="The shop asks the database itself, and every copy that is there is followed by an alarm on its lag",
)


@watched.on_template
def _(template: Template) -> str:
    primary = database(template)
    replicas = [
        instance.logical_id
        for instance in template.resources("AWS::RDS::DBInstance")
        if "SourceDBInstanceIdentifier" in instance.properties
    ]
    value = template.resources("AWS::SSM::Parameter", of="StorefrontSwitch")[0].properties["Value"]
    _asks_the_original([name for name in replicas if template.mentions(name, value)])
    expect(
        int(primary.properties.get("BackupRetentionPeriod", 0)) > 0,
        f"the database {primary.logical_id} makes no backups, and without them RDS makes no replica",
        where=f"backup_retention in {DATABASE_CODE}",
        next_step="keep backups for a day at least",
    )
    alarms = [alarm for alarm in template.resources("AWS::CloudWatch::Alarm") if lag(alarm.properties)]
    _followed([name for name in replicas if not any(template.mentions(name, a.properties) for a in alarms)])
    return f"{len(replicas)} replicas, each with an alarm" if replicas else "no replica; one could be made"


@watched.on_cloud
def _(cloud: Deployment) -> str:
    instance, rds = instance_of(cloud), cloud.client("rds")
    names = instance["ReadReplicaDBInstanceIdentifiers"]
    replicas = [rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0] for name in names]
    place = shop_config(cloud)["postgresql"]
    _asks_the_original(
        [
            replica["DBInstanceIdentifier"]
            for replica in replicas
            if (replica.get("Endpoint", {}).get("Address"), replica.get("Endpoint", {}).get("Port"))
            == (place["host"], place["port"])
        ]
    )
    pages = cloud.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"] if lag(alarm)]
    followed = {dimension["Value"] for alarm in alarms for dimension in alarm["Dimensions"]}
    _followed([name for name in names if name not in followed])
    behind = []
    for replica in replicas:
        name = replica["DBInstanceIdentifier"]
        last = max(metric(cloud, "ReplicaLag", hours=1, instance=name), key=lambda p: p["Timestamp"], default=None)
        if replica["DBInstanceStatus"] != "available" or (last and last["Maximum"] >= LAG_SECONDS):
            behind.append(f"{name} ({replica['DBInstanceStatus']}, {last['Maximum'] if last else '?'} s)")
    expect(
        not behind,
        f"a replica does not keep up: {', '.join(behind)}",
        where="RDS console: the replica, Monitoring, Replica lag",
        next_step="look for a long transaction or a lack of processor there; until then read at the database itself",
    )
    expect(
        instance["BackupRetentionPeriod"] > 0,
        f"the database {instance['DBInstanceIdentifier']} makes no backups, and without them RDS makes no replica",
        where="RDS console: the database, Maintenance & backups",
        next_step="`aws rds modify-db-instance --backup-retention-period 7 --apply-immediately`",
    )
    return f"{len(replicas)} replicas keep up" if replicas else "no replica; the shop asks the database itself"


def lag(alarm: dict[str, Any]) -> bool:
    """Whether an alarm is about a replica's lag."""
    return bool(alarm.get("MetricName") == "ReplicaLag")


def _asks_the_original(replicas: list[str]) -> None:
    expect(
        not replicas,
        f"the shop's parameter names the replica {', '.join(replicas)}: it takes no order, and shows yesterday's",
        where=f"database.host in {SWITCH_CODE}, and the shop's parameter",
        next_step="name the database itself; only reports that may be late read from a replica",
    )


def _followed(alone: list[str]) -> None:
    expect(
        not alone,
        f"the replica {', '.join(alone)} may fall behind for hours and nobody is told",
        where=f"{CONSTRUCTS}/database_alarms.py, and CloudWatch console: Alarms",
        next_step="put an alarm on its ReplicaLag, or delete a replica that nobody reads from",
    )
