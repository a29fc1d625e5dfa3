"""The storm itself: faults one after another while guests order, then calm, then what was put aside is sent back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.storm import books, faults
from tests.storm.guests import SCARCE, Crowd, Log, read_logs
from tests.storm.shop import Shop, until

ORDERS = 2_000
GUESTS = 12
CROISSANTS = 300
CALM_SECONDS = 600
"""A message that fails comes back after a minute, and is put aside after five tries."""


@dataclass
class Storm:
    """What happened, and what is there afterwards."""

    shop: Shop
    known: set[str]
    before: dict[str, int]
    expected: books.Expected = field(default_factory=books.Expected)
    lines: list[books.Line] = field(default_factory=list)
    faults: dict[str, Any] = field(default_factory=dict)
    """What each fault reports of itself."""
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
        made = [f"{name:<42}{reported!s:>8}" for name, reported in self.faults.items()]
        return "\n".join(["", "Faults", *made, "", "What guests were told", *told, "", books.HEADING, *map(str, self.lines)])


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

    stages: dict[str, Callable[[], Any]] = {
        "poison messages": lambda: faults.poison(shop),
        "messages delivered again": lambda: faults.repeat_messages(shop),
        "kill -9 of workers at work": lambda: faults.kill_workers(shop),
        "PostgreSQL frozen, seconds": lambda: faults.freeze_database(shop),
        "PostgreSQL stopped, seconds": lambda: faults.stop_database(shop),
        "Valkey frozen, then killed": lambda: faults.stop_cache(shop),
        "publishing denied, seconds": lambda: faults.deny_publishing(shop),
        "duels for the last piece": duel,
        "guests hang up and retry, seconds": lambda: faults.hurry(crowd),
        "messages whose tries are used up": lambda: faults.use_up_tries(shop),
    }
    try:
        for number, (name, fault) in enumerate(stages.items(), start=1):
            crowd.wait_for(10)
            storm.faults[name] = fault()
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
            shop.client("dynamodb").put_item(
                TableName=table, Item={name: {"S": value} for name, value in item.items()}
            )


def _calm(storm: Storm) -> None:
    """Wait until nothing is on its way any more, and send back what was put aside, but for the poison."""
    shop = storm.shop
    queues = [shop.outputs[f"{name}QueueUrl"] for name in ("Order", "Loyalty", "Board")]
    dead, dead_arn = shop.outputs["OrderDeadLetterQueueUrl"], shop.outputs["OrderDeadLetterQueueArn"]

    def is_calm() -> bool:
        unsent = shop.rows("select count(*) from outbox where sent_at is null")[0]["count"]
        return not unsent and not any(shop.waiting(queue) for queue in queues)

    until(is_calm, "everything is on its place", CALM_SECONDS)
    storm.poison_put_aside = _remove_poison(shop, dead)
    storm.sent_back = shop.waiting(dead)
    if storm.sent_back:
        shop.client("sqs").start_message_move_task(SourceArn=dead_arn)
        until(lambda: not shop.waiting(dead), "everything was sent back", 60)
        until(is_calm, "what was sent back is worked off", CALM_SECONDS)
    time.sleep(5)  # SNS calls a function and does not wait for it
    storm.left = {url.rpartition("/")[2]: shop.waiting(url) for url in [*queues, *_dead_letter_queues(shop)]}


def _remove_poison(shop: Shop, dead: str) -> int:
    """Take out of the dead-letter queue what nobody can ever handle; how many messages."""
    sqs, removed = shop.client("sqs"), 0
    while messages := sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, VisibilityTimeout=10).get("Messages"):
        for message in messages:
            if message["Body"].strip() in faults.POISON:
                sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
                removed += 1
    time.sleep(10)  # until the others can be seen again
    return removed


def _dead_letter_queues(shop: Shop) -> list[str]:
    return [url for url in shop.client("sqs").list_queues()["QueueUrls"] if "DeadLetters" in url or "Undelivered" in url or "Failures" in url]
