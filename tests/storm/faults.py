"""What happens to the shop while guests order: signals to processes and calls of APIs, all of it from outside."""

from __future__ import annotations

import json
import time
from collections import Counter

from tests.storm.guests import Crowd, Guest, Log, at_once
from tests.storm.shop import Shop, frozen, until

KILLS = 6
COPIES = 5
AWAY_SECONDS = 20
PATIENCE_SECONDS = 300
"""How long anything may take that is waited for: the machine may be busy."""
POISON = ("latte", "[]", '{"id": "1"}')
DENY = "storm-denies-publishing"
DUELS = 20
DUEL_PRODUCT = "cinnamon-swirl"
_IN_A_BATCH = "select 1 from pg_stat_activity where application_name = 'order_worker' and state <> 'idle'"


def poison(shop: Shop) -> int:
    """Messages that nobody can read, among good ones; how many."""
    for text in POISON:
        shop.client("sqs").send_message(QueueUrl=shop.outputs["OrderQueueUrl"], MessageBody=text)
    return len(POISON)


def repeat_messages(shop: Shop) -> int:
    """Send events that were sent already, five times more each; how many messages that were."""
    old = shop.rows("select payload from outbox where sent_at is not null order by created_at desc limit 10")
    for event in old:
        body = json.dumps(event["payload"])
        shop.client("sqs").send_message_batch(
            QueueUrl=shop.outputs["OrderQueueUrl"],
            Entries=[{"Id": str(copy), "MessageBody": body} for copy in range(COPIES)],
        )
    return len(old) * COPIES


def kill_workers(shop: Shop) -> int:
    """kill -9 of the worker's processes while they hold a transaction of a message; how many times."""
    killed, deadline = 0, time.monotonic() + PATIENCE_SECONDS
    while killed < KILLS:
        assert time.monotonic() < deadline, f"the worker could be killed {killed} times only"
        if shop.rows(_IN_A_BATCH):
            for process in shop.workers():
                process.kill()
                killed += 1
            time.sleep(1)
    return killed


def freeze_database(shop: Shop) -> None:
    """PostgreSQL stands still for 20 s: connections stay open and nobody answers."""
    with frozen(shop.database_server()):
        time.sleep(AWAY_SECONDS)


def stop_database(shop: Shop) -> None:
    """The DB instance is stopped for 20 s, and started again."""
    rds, instance = shop.client("rds"), shop.outputs["DatabaseInstanceId"]

    def status() -> str:
        described = rds.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"]
        return str(described[0]["DBInstanceStatus"])

    begun = time.monotonic()
    rds.stop_db_instance(DBInstanceIdentifier=instance)
    until(lambda: status() == "stopped", "the database is stopped", PATIENCE_SECONDS)
    time.sleep(max(0.0, begun + AWAY_SECONDS - time.monotonic()))
    rds.start_db_instance(DBInstanceIdentifier=instance)
    until(lambda: status() == "available", "the database is available", PATIENCE_SECONDS)


def stop_cache(shop: Shop) -> None:
    """Valkey stands still for a while, and then dies."""
    (node,) = shop.cache_nodes()
    with frozen([node]):
        time.sleep(AWAY_SECONDS / 2)
    node.kill()
    node.wait(10)
    until(shop.cache_nodes, "Valkey was replaced", PATIENCE_SECONDS)


def deny_publishing(shop: Shop) -> None:
    """A policy takes from the worker the right to publish, for 20 s."""
    iam, role = shop.client("iam"), shop.logical("AWS::IAM::Role", "OrderPipelineWorkerRole")
    statement = {"Effect": "Deny", "Action": "sns:Publish", "Resource": shop.outputs["OrderTopicArn"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName=DENY, PolicyDocument=document)
    try:
        time.sleep(AWAY_SECONDS)
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName=DENY)


def duel(shop: Shop, log: Log) -> list[Counter[int]]:
    """Two customers and the last piece, again and again; the statuses of each pair."""
    manager, pair = Manager(shop), [Guest(shop.url, log), Guest(shop.url, log)]
    for guest in pair:
        guest.arrive()
    line = {"product_id": DUEL_PRODUCT, "size": "piece"}
    fought = []
    for _ in range(DUELS):
        manager.put_on_shelf(DUEL_PRODUCT, 1)
        won = at_once([lambda guest=guest: guest.buy([line]) for guest in pair])  # type: ignore[misc]
        fought.append(Counter(201 if order else 409 for order in won))
    return fought


def hurry(crowd: Crowd) -> None:
    """Everybody hangs up after a moment and sends the same order again."""
    crowd.hurry(0.03)
    time.sleep(AWAY_SECONDS / 2)
    crowd.hurry(None)


def use_up_tries(shop: Shop) -> int:
    """Somebody looks at the queue by hand while the worker is switched off, again and again, until messages are put
    aside that nothing is wrong with; how many.
    """
    sqs, url, dead = shop.client("sqs"), shop.outputs["OrderQueueUrl"], shop.outputs["OrderDeadLetterQueueUrl"]
    functions, mapping = shop.client("lambda"), shop.logical("AWS::Lambda::EventSourceMapping", "OrderPipelineWorker")
    before = shop.waiting(dead)
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        until(lambda: shop.waiting(url) > len(POISON) + 10, "messages wait", PATIENCE_SECONDS)
        until(
            lambda: (
                sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
                and shop.waiting(dead) - before >= 10
            ),
            "messages are put aside",
            PATIENCE_SECONDS,
        )
    finally:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    return shop.waiting(dead) - before


class Manager(Guest):
    """The manager, who puts pieces on the shelf."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.url, Log(shop.cloud.settings.home / "manager.jsonl"))
        self.arrive()
        email, password = shop.staff["manager"]
        status, _, session = self._ask("POST", "/api/session", {"email": email, "password": password})
        assert status == 200, f"the manager may not sign in: {status} {session}"
        self.headers["X-CSRF-Token"] = session["csrf_token"]
        self._shop = shop

    def put_on_shelf(self, product: str, pieces: int) -> None:
        """Say how many pieces there are now."""
        status, _, answer = self._ask("PUT", f"/api/products/{product}/stock", {"stock": pieces})
        assert status == 200, f"the stock of {product} cannot be set: {status} {answer}"
