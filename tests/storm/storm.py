"""The storm itself: faults one after another while guests order, then calm, then what was put aside is sent back."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.storm import books, faults
from tests.storm.guests import SCARCE, Crowd, Log, read_logs
from tests.storm.shop import Shop, until

ORDERS = 2_000
GUESTS = 12
CROISSANTS = 300
CALM_SECONDS = 900
"""A message that fails comes back after a minute, and is put aside after five tries."""
ROUNDS = 20
LOOKING_SECONDS = 10


@dataclass
class Storm:
    """What happened, and what is there afterwards."""

    shop: Shop
    known: set[str]
    before: dict[str, int]
    expected: books.Expected = field(default_factory=books.Expected)
    lines: list[books.Line] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    """What each fault counts, or for how many seconds it lasted."""
    duels: list[Counter[int]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    poison_put_aside: int = 0
    sent_back: int = 0
    left: dict[str, int] = field(default_factory=dict)
    """Messages that are still in a queue or dead-letter queue."""

    def line(self, where: str) -> books.Line:
        (found,) = [line for line in self.lines if line.where == where]
        return found

    def table(self) -> str:
        """All counts."""
        told = [f"{sentence:<42}{number:>8}" for sentence, number in sorted(self.expected.answers.items())]
        made = [f"{name:<42}{number:>8}" for name, number in self.faults.items()]
        return "\n".join(
            ["", "Faults", *made, "", "What guests were told", *told, "", books.HEADING, *map(str, self.lines)]
        )


def weather(shop: Shop, folder: Path, orders: int = ORDERS) -> Storm:
    """Let it storm over a shop."""
    manager = faults.Manager(shop)
    manager.put_on_shelf(SCARCE, CROISSANTS)
    before = {**books.stock_of(shop), faults.DUEL_PRODUCT: faults.DUELS}
    known = {row["id"] for row in shop.rows("select id from orders")}
    storm = Storm(shop, known, before)
    crowd = Crowd(shop.url, folder, GUESTS)
    crowd.start()
    _register_phones(shop, crowd)

    def duel() -> int:
        storm.duels = faults.duel(shop, Log(folder / "duel.jsonl"))
        return len(storm.duels)

    stages: dict[str, Callable[[], int | None]] = {
        "poison messages": lambda: faults.poison(shop),
        "messages delivered again": lambda: faults.repeat_messages(shop),
        "kill -9 of workers at work": lambda: faults.kill_workers(shop),
        "PostgreSQL frozen, seconds": lambda: faults.freeze_database(shop),
        "PostgreSQL stopped, seconds": lambda: faults.stop_database(shop),
        "Valkey frozen, then killed, seconds": lambda: faults.stop_cache(shop),
        "publishing denied, seconds": lambda: faults.deny_publishing(shop),
        "duels for the last piece": duel,
        "guests hang up and retry, seconds": lambda: faults.hurry(crowd),
        "messages whose tries are used up": lambda: faults.use_up_tries(shop),
    }
    try:
        for number, (name, fault) in enumerate(stages.items(), start=1):
            crowd.wait_for(10)
            begun = time.monotonic()
            counted = fault()
            storm.faults[name] = round(time.monotonic() - begun) if counted is None else counted
            crowd.wait_for(max(10, number * orders // len(stages) - crowd.accepted))
    finally:
        crowd.stop()
    storm.failures = crowd.failures
    _calm(storm)
    storm.expected = books.expected_from(read_logs(folder))
    storm.lines = books.check(storm.expected, books.found_in(shop, known), before)
    return storm


def _register_phones(shop: Shop, crowd: Crowd) -> None:
    """Give every customer a phone, as the app of a real shop would."""
    sns, table = shop.client("sns"), shop.outputs["FollowUpTableName"]
    application = sns.create_platform_application(
        Name="brew-haven-storm", Platform="GCM", Attributes={"PlatformCredential": "none"}
    )["PlatformApplicationArn"]
    for guest in crowd.guests:
        if guest.customer_id:
            phone = sns.create_platform_endpoint(
                PlatformApplicationArn=application, Token=guest.customer_id, CustomUserData=guest.customer_id
            )["EndpointArn"]
            item = {"pk": f"OWNER#{guest.customer_id}", "sk": "DEVICE#storm", "endpoint_arn": phone}
            shop.client("dynamodb").put_item(TableName=table, Item={name: {"S": value} for name, value in item.items()})


def _calm(storm: Storm) -> None:
    """Wait until nothing is on its way any more, and send back what was put aside, until only the poison is left."""
    shop = storm.shop
    queues = [shop.outputs[f"{name}QueueUrl"] for name in ("Order", "Loyalty", "Board")]

    def is_calm() -> bool:
        unsent = shop.rows("select count(*) from outbox where sent_at is null")[0]["count"]
        return not unsent and not any(shop.waiting(queue) for queue in queues)

    for _ in range(ROUNDS):
        until(is_calm, "everything is on its place", CALM_SECONDS)
        time.sleep(5)  # SNS calls a function and does not wait for it
        storm.poison_put_aside += _remove_poison(shop)
        sent_back = sum(_send_back(shop, queue) for queue in queues) + _tell_again(shop)
        storm.sent_back += sent_back
        if not sent_back:
            break
    every = shop.client("sqs").list_queues()["QueueUrls"]
    storm.left = {url.rpartition("/")[2]: number for url in every if (number := shop.waiting(url))}


def _remove_poison(shop: Shop) -> int:
    """Take out of the dead-letter queue what nobody can ever handle; how many messages."""
    sqs, dead, removed = shop.client("sqs"), shop.outputs["OrderDeadLetterQueueUrl"], 0
    looking = {"QueueUrl": dead, "MaxNumberOfMessages": 10, "VisibilityTimeout": LOOKING_SECONDS}
    while messages := sqs.receive_message(**looking).get("Messages"):
        for message in messages:
            if message["Body"] in faults.POISON:
                sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
                removed += 1
    time.sleep(LOOKING_SECONDS)  # until the others can be seen again
    return removed


def _send_back(shop: Shop, queue: str) -> int:
    """Redrive the dead-letter queue of a queue; how many messages."""
    sqs = shop.client("sqs")
    policy = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
    arn = json.loads(policy)["deadLetterTargetArn"]
    dead = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    if number := shop.waiting(dead):
        sqs.start_message_move_task(SourceArn=arn)
        until(lambda: not shop.waiting(dead), "everything was sent back", CALM_SECONDS)
    return number


def _tell_again(shop: Shop) -> int:
    """Call the notification function again with what it failed at, which Lambda put aside; how many events."""
    sqs, told = shop.client("sqs"), 0
    (failed,) = [url for url in sqs.list_queues()["QueueUrls"] if "NotificationFailures" in url]
    while messages := sqs.receive_message(QueueUrl=failed, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            shop.client("lambda").invoke(
                FunctionName=shop.outputs["NotificationFunctionName"],
                InvocationType="Event",
                Payload=json.dumps(json.loads(message["Body"])["requestPayload"]),
            )
            sqs.delete_message(QueueUrl=failed, ReceiptHandle=message["ReceiptHandle"])
            told += 1
    return told
