"""One break for each cloud check of phase 2: what is changed in the deployed shop, and what puts it back.

Most are plans of API calls, as the faults of the course are. Some are made where only the local cloud lets one in: in
PostgreSQL and in Valkey. A break makes one check fail and no other; a fault is felt, and so often fails several.
"""

from __future__ import annotations

import io
import json
import ssl
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pg8000.native
from valkey import Valkey

from brewhaven.course.cloud import Deployment
from brewhaven.course.faults import Plan, call, calls
from brewhaven.local.settings import REPOSITORY
from phases.phase2_orders.checks_queue import attributes_of
from phases.phase2_orders.probes import forget, foundation, shop_config
from tests.plugins.databases import wait_until

Break = Callable[[Deployment], AbstractContextManager[None]]

BREAKS: dict[str, tuple[Break, str]] = {}
"""Id of a check -> the break that it must find, and what it says then."""


def breaks(check: str, says: str) -> Callable[[Break], Break]:
    """Declare the break of a check."""

    def declare(function: Break) -> Break:
        BREAKS[check] = function, says
        return function

    return declare


def plans(check: str, says: str) -> Callable[[Callable[[Deployment], Plan]], None]:
    """Declare a break that is made and taken back by calls."""

    def declare(function: Callable[[Deployment], Plan]) -> None:
        @contextmanager
        def broken(cloud: Deployment) -> Iterator[None]:
            plan = function(cloud)
            answers: list[Mapping[str, Any]] = []
            try:
                answers = calls.run(plan.do, cloud.client)
                yield
            finally:
                calls.run([*plan.undo, *plan.tidy], cloud.client, answers)

        BREAKS[check] = broken, says

    return declare


def only(cloud: Deployment, type_: str, of: str) -> str:
    """The physical id of the first resource of a type that a construct made."""
    return cloud.resources(type_, of=of)[0].physical_id


def mapping(cloud: Deployment, of: str) -> dict[str, Any]:
    """A function's event source mapping."""
    found: dict[str, Any] = cloud.client("lambda").get_event_source_mapping(
        UUID=only(cloud, "AWS::Lambda::EventSourceMapping", of)
    )
    return found


# Ways in where only the local cloud has one


def connect(cloud: Deployment) -> pg8000.native.Connection:
    """The orders database, as its master user."""
    place = shop_config(cloud)["postgresql"]
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=place["secret_arn"])["SecretString"]
    user = json.loads(secret)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return pg8000.native.Connection(
        user["username"], password=user["password"], host=place["host"], port=place["port"],
        database=place["database"], ssl_context=context, timeout=30,
    )  # fmt: skip


@contextmanager
def sql(cloud: Deployment, do: str, undo: str) -> Iterator[None]:
    """The orders database with something changed in it."""

    def run(statements: str) -> None:
        connection = connect(cloud)
        try:
            connection.run(statements)
        finally:
            connection.close()

    run(do)
    try:
        yield
    finally:
        run(undo)


def trigger(cloud: Deployment, table: str, when: str, body: str) -> AbstractContextManager[None]:
    """A table with a trigger of somebody's on it."""
    do = (
        f"create function broken() returns trigger language plpgsql as $$ begin {body} end $$; "
        f"create trigger broken {when} on {table} for each row execute function broken()"
    )
    return sql(cloud, do, f"drop trigger broken on {table}; drop function broken()")


def valkey(cloud: Deployment) -> Valkey:
    """The shop's cache, as the shop's user."""
    place = shop_config(cloud)["valkey"]
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=place["secret_arn"])["SecretString"]
    return Valkey(
        host=place["host"], port=place["port"], **json.loads(secret), ssl=True, ssl_cert_reqs="none",
        ssl_check_hostname=False, socket_timeout=5,
    )  # fmt: skip


@contextmanager
def losing(cloud: Deployment, pattern: str) -> Iterator[None]:
    """The cache loses keys of a pattern as fast as they are written."""
    client, ended = valkey(cloud), threading.Event()

    def lose() -> None:
        while not ended.is_set():
            if keys := list(client.scan_iter(match=pattern, count=1000)):
                client.delete(*keys)

    thread = threading.Thread(target=lose)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        client.close()


def denied(action: str, resource: str) -> Plan:
    """The one who verifies is denied an action."""
    mine = {"UserName": "student", "PolicyName": "broken"}
    statement = {"Effect": "Deny", "Action": action, "Resource": resource}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return Plan(
        do=[call("iam", "put_user_policy", **mine, PolicyDocument=document)],
        undo=[call("iam", "delete_user_policy", **mine)],
    )


def open_to_addresses(cloud: Deployment, of: str, port: int) -> Plan:
    """A security group with a rule for a range of addresses."""
    group = only(cloud, "AWS::EC2::SecurityGroup", of)
    rule = {"GroupId": group, "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "10.99.0.0/16"}
    return Plan(
        do=[call("ec2", "authorize_security_group_ingress", **rule)],
        undo=[call("ec2", "revoke_security_group_ingress", **rule)],
    )


# 2.1 The database


@plans("database-private", "lets in 10.99.0.0/16")
def _(cloud: Deployment) -> Plan:
    return open_to_addresses(cloud, "OrderDatabaseSecurityGroup", 5432)


@plans("endpoints-guarded", "lets in 10.99.0.0/16")
def _(cloud: Deployment) -> Plan:
    return open_to_addresses(cloud, "PrivateFunctionsEndpointSecurityGroup", 443)


def with_variables(cloud: Deployment, of: str, **more: str) -> Plan:
    """A function with further environment variables."""
    name = only(cloud, "AWS::Lambda::Function", of)
    before = cloud.client("lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def setting(variables: dict[str, str]) -> Any:
        return call("lambda", "update_function_configuration", FunctionName=name, Environment={"Variables": variables})

    return Plan(do=[setting({**before, **more})], undo=[setting(before)])


@plans("secret-by-role", "a password stands in the settings of")
def _(cloud: Deployment) -> Plan:
    secret = cloud.client("secretsmanager").get_secret_value(SecretId=cloud.outputs["DatabaseSecretArn"])
    return with_variables(cloud, "OrderSubscribersBoard", PGPASSWORD=json.loads(secret["SecretString"])["password"])


@plans("tls-forced", "rds.force_ssl is 0")
def _(cloud: Deployment) -> Plan:
    group = {"DBParameterGroupName": only(cloud, "AWS::RDS::DBParameterGroup", "OrderDatabase")}

    def forced(value: str) -> Any:
        parameter = {"ParameterName": "rds.force_ssl", "ParameterValue": value, "ApplyMethod": "immediate"}
        return call("rds", "modify_db_parameter_group", **group, Parameters=[parameter])

    return Plan(do=[forced("0")], undo=[forced("1")])


@breaks("schema-current", "was changed after it was applied")
def _(cloud: Deployment) -> AbstractContextManager[None]:
    change = "update schema_migrations set checksum = reverse(checksum) where version = 1"
    return sql(cloud, change, change)


@breaks("tables-constrained", "does not keep out the last croissant sold twice")
def _(cloud: Deployment) -> AbstractContextManager[None]:
    return sql(
        cloud,
        "alter table inventory drop constraint inventory_stock_check",
        "alter table inventory add constraint inventory_stock_check check (stock >= 0)",
    )


# 2.2 and 2.3 Orders, connections, copies


@breaks("order-whole", "lines, total_cents differs")
def _(cloud: Deployment) -> AbstractContextManager[None]:
    more = "update order_lines set quantity = 2 where order_id = new.order_id; return new;"
    return trigger(cloud, "payments", "after insert", more)


@breaks("order-once", "has placed two orders")
def _(cloud: Deployment) -> AbstractContextManager[None]:
    forgets = "delete from idempotency_keys where key = new.key; return new;"
    return trigger(cloud, "idempotency_keys", "after insert", forgets)


@plans("orders-moved", "1 of the 16 gates")
def _(cloud: Deployment) -> Plan:
    table = {"TableName": foundation(cloud).outputs["CatalogTableName"]}
    key = {"pk": {"S": "ORDERBOOK"}, "sk": {"S": "STATE#07"}}
    item = cloud.client("dynamodb").get_item(**table, Key=key)["Item"]
    return Plan(
        do=[call("dynamodb", "delete_item", **table, Key=key)],
        undo=[call("dynamodb", "put_item", **table, Item=item)],
    )


def changed_mapping(cloud: Deployment, of: str, before: dict[str, Any], after: dict[str, Any]) -> Plan:
    """An event source mapping with other settings."""
    identity = {"UUID": mapping(cloud, of)["UUID"]}
    return Plan(
        do=[call("lambda", "update_event_source_mapping", **identity, **after)],
        undo=[call("lambda", "update_event_source_mapping", **identity, **before)],
    )


@plans("connections-bounded", "may want 164 connections")
def _(cloud: Deployment) -> Plan:
    before, after = ({"ScalingConfig": {"MaximumConcurrency": limit}} for limit in (5, 100))
    return changed_mapping(cloud, "OrderPipelineWorker", before, after)


@plans("database-backed-up", "keeps its backups for 1 day(s)")
def _(cloud: Deployment) -> Plan:
    instance = {"DBInstanceIdentifier": cloud.outputs["DatabaseInstanceId"], "ApplyImmediately": True}
    return Plan(
        do=[call("rds", "modify_db_instance", **instance, BackupRetentionPeriod=1)],
        undo=[call("rds", "modify_db_instance", **instance, BackupRetentionPeriod=7)],
    )


@breaks("replica-watched", "check-replica may fall behind")
@contextmanager
def _(cloud: Deployment) -> Iterator[None]:
    rds, name = cloud.client("rds"), {"DBInstanceIdentifier": "check-replica"}
    rds.create_db_instance_read_replica(**name, SourceDBInstanceIdentifier=cloud.outputs["DatabaseInstanceId"])
    try:
        rds.get_waiter("db_instance_available").wait(**name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
        yield
    finally:
        rds.delete_db_instance(**name, SkipFinalSnapshot=True)
        rds.get_waiter("db_instance_deleted").wait(**name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


# 2.4 The cache


@breaks("menu-cached", "at once, so every guest reads the table")
def _(cloud: Deployment) -> AbstractContextManager[None]:
    return losing(cloud, "shop:*menu")


@breaks("session-survives", "is read from the table at every request")
def _(cloud: Deployment) -> AbstractContextManager[None]:
    return losing(cloud, "shop:*SESSION*")


@plans("cache-guarded", "lets in 10.99.0.0/16")
def _(cloud: Deployment) -> Plan:
    return open_to_addresses(cloud, "ShopCacheSecurityGroup", 6379)


@breaks("copies-expire", "keys in the cache never expire")
@contextmanager
def _(cloud: Deployment) -> Iterator[None]:
    """A key that stays; what CloudWatch has of it is a minute's average, before and after."""
    from phases.phase2_orders.checks_cache import expire  # noqa: PLC0415

    def passes() -> bool:
        try:
            assert expire.cloud
            expire.cloud(cloud)
        except Exception:
            return False
        return True

    client = valkey(cloud)
    client.set("shop:check-for-ever", "here")
    try:
        wait_until(lambda: not passes(), 150)
        yield
    finally:
        client.delete("shop:check-for-ever")
        client.close()
        wait_until(passes, 150)


# 2.5 The queue and its worker


def changed_queue(cloud: Deployment, of: str, **after: str) -> Plan:
    """A queue with other attributes."""
    url = only(cloud, "AWS::SQS::Queue", of)
    all_of_it = attributes_of(cloud, url)
    before = {name: all_of_it[name] for name in after}
    return Plan(
        do=[call("sqs", "set_queue_attributes", QueueUrl=url, Attributes=after)],
        undo=[call("sqs", "set_queue_attributes", QueueUrl=url, Attributes=before)],
    )


@plans("queue-visibility", "hides it for 20 s")
def _(cloud: Deployment) -> Plan:
    return changed_queue(cloud, "OrderSubscribersLoyaltyQueue", VisibilityTimeout="20")


@plans("dead-letters-kept", "(100)")
def _(cloud: Deployment) -> Plan:
    attributes = attributes_of(cloud, only(cloud, "AWS::SQS::Queue", "OrderPipelineOrdersQueue"))
    policy = json.loads(attributes["RedrivePolicy"])
    return changed_queue(
        cloud, "OrderPipelineOrdersQueue", RedrivePolicy=json.dumps({**policy, "maxReceiveCount": 100})
    )


@plans("dead-letters-empty", "1 in")
def _(cloud: Deployment) -> Plan:
    queue = {"QueueUrl": only(cloud, "AWS::SQS::Queue", "OrderSubscribersLoyaltyDeadLetters")}
    return Plan(
        do=[call("sqs", "send_message", **queue, MessageBody="poison")], undo=[call("sqs", "purge_queue", **queue)]
    )


@plans("workers-bounded", "brings back the whole batch of")
def _(cloud: Deployment) -> Plan:
    before, after = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}, {"FunctionResponseTypes": []}
    return changed_mapping(cloud, "OrderSubscribersBoard", before, after)


@breaks("batch-partial", "it must name the poison one")
@contextmanager
def _(cloud: Deployment) -> Iterator[None]:
    """Somebody has put something around the worker, and forgotten to return what it answers."""
    client, name = cloud.client("lambda"), cloud.outputs["WorkerFunctionName"]
    before = client.get_function_configuration(FunctionName=name)["Handler"]
    around = "from order_worker.handler import lambda_handler\ndef forgetful(event, context):\n"
    around += "    lambda_handler(event, context)\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for package in ("order_worker", "order_events", "shop_database"):
            for path in (REPOSITORY / "lambda_src" / package).rglob("*.py"):
                archive.write(path, str(path.relative_to(REPOSITORY / "lambda_src")))
        archive.writestr("around.py", around)
    client.update_function_code(FunctionName=name, ZipFile=packed.getvalue())
    client.update_function_configuration(FunctionName=name, Handler="around.forgetful")
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, Handler=before)


@breaks("event-once", "had its effect 5 times")
@contextmanager
def _(cloud: Deployment) -> Iterator[None]:
    """Both memories are gone: Powertools' is switched off, and the database's forgets at once."""
    plan = with_variables(cloud, "OrderPipelineWorkerFunction", POWERTOOLS_IDEMPOTENCY_DISABLED="1")
    forgets = "delete from processed_events where event_id = new.event_id; return new;"
    with trigger(cloud, "processed_events", "after insert", forgets):
        calls.run(plan.do, cloud.client)
        try:
            yield
        finally:
            calls.run(plan.undo, cloud.client)


@plans("cold-start-measured", "has 256 MB")
def _(cloud: Deployment) -> Plan:
    worker = {"FunctionName": cloud.outputs["WorkerFunctionName"]}
    return Plan(
        do=[call("lambda", "update_function_configuration", **worker, MemorySize=256)],
        undo=[call("lambda", "update_function_configuration", **worker, MemorySize=512)],
    )


# 2.6 Fan-out


@breaks("subscribers-hear", "not a notice that it is cancelled")
@contextmanager
def _(cloud: Deployment) -> Iterator[None]:
    """Of a cancelled order somebody else is told."""
    astray = (
        "if new.type = 'order.cancelled' then "
        "new.payload := jsonb_set(new.payload, '{order,owner}', '\"nobody\"'); end if; return new;"
    )
    try:
        with trigger(cloud, "outbox", "before insert", astray):
            yield
    finally:
        forget(cloud, ("OWNER#nobody", "NOTICE#"))


def changed_subscription(cloud: Deployment, of: str, name: str, value: str) -> Plan:
    """A subscription of the order topic with another attribute."""
    subscription = {"SubscriptionArn": only(cloud, "AWS::SNS::Subscription", of)}
    before = cloud.client("sns").get_subscription_attributes(**subscription)["Attributes"][name]
    setting = {**subscription, "AttributeName": name}
    return Plan(
        do=[call("sns", "set_subscription_attributes", **setting, AttributeValue=value)],
        undo=[call("sns", "set_subscription_attributes", **setting, AttributeValue=before)],
    )


@plans("undelivered-kept", "is lost after its last try")
def _(cloud: Deployment) -> Plan:
    return changed_subscription(cloud, "OrderSubscribersBoard", "RedrivePolicy", "{}")


@plans("filters-choose", "an event whose type nobody waits for reached board")
def _(cloud: Deployment) -> Plan:
    everything = json.dumps({"type": ["order.placed", "order.paid", "order.collected"]})
    return changed_subscription(cloud, "OrderSubscribersBoard", "FilterPolicy", everything)


@plans("push-gone-phone", "was not told within")
def _(cloud: Deployment) -> Plan:
    narrow = json.dumps({"type": ["order.paid", "order.cancelled"]})
    return changed_subscription(cloud, "OrderSubscribersNotification", "FilterPolicy", narrow)


# 2.7 Seeing that it flows


@plans("alarms-watch", "tells nobody")
def _(cloud: Deployment) -> Plan:
    names = {"AlarmNames": [only(cloud, "AWS::CloudWatch::Alarm", "OrderPipelineOrdersTooOld")]}
    return Plan(
        do=[call("cloudwatch", "disable_alarm_actions", **names)],
        undo=[call("cloudwatch", "enable_alarm_actions", **names)],
    )


@plans("logs-expire", "keeps its lines for ever")
def _(cloud: Deployment) -> Plan:
    group = {"logGroupName": cloud.outputs["WorkerLogGroupName"]}
    return Plan(
        do=[call("logs", "delete_retention_policy", **group)],
        undo=[call("logs", "put_retention_policy", **group, retentionInDays=7)],
    )


@plans("metrics-arrive", "CoffeeShop EventsProcessed")
def _(cloud: Deployment) -> Plan:
    board = {"DashboardName": only(cloud, "AWS::CloudWatch::Dashboard", "OrderDashboard")}
    body = cloud.client("cloudwatch").get_dashboard(**board)["DashboardBody"]
    renamed = body.replace('["BrewHaven"', '["CoffeeShop"')
    return Plan(
        do=[call("cloudwatch", "put_dashboard", **board, DashboardBody=renamed)],
        undo=[call("cloudwatch", "put_dashboard", **board, DashboardBody=body)],
    )


def unseen(cloud: Deployment, folder: str) -> Plan:
    """The one who verifies may not see what the function has put into a folder."""
    return denied("s3:GetObject", f"arn:aws:s3:::{foundation(cloud).outputs['AssetBucketName']}/{folder}/check*")


@plans("picture-accepted", "AccessDenied")
def _(cloud: Deployment) -> Plan:
    return unseen(cloud, "media/thumbnails")


@plans("picture-quarantined", "AccessDenied")
def _(cloud: Deployment) -> Plan:
    return unseen(cloud, "quarantine")
