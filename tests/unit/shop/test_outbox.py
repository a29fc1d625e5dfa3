"""Events: each with its order or not at all, and sent at least once, whatever is killed or away in between."""

import contextlib
import json
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from shop.adapters.outbox import BATCH, Relay
from shop.adapters.postgres import Database
from shop.domain.customers import Caller, Role
from shop.domain.errors import Conflict, OutOfStock, Unavailable
from shop.domain.orders import Choice, Order, Status
from shop.services import Services
from tests.plugins.engines import Postgres
from tests.unit.shop.conftest import PASSWORD, until

pytestmark = pytest.mark.parametrize("way", ["postgresql"], indirect=True, scope="session")
PIECE = Choice("croissant", "piece")
GUEST = Caller("guest-1")
BARISTA = Caller("guest-9", "staff", "Grace", "grace@example.org", Role.BARISTA)


@pytest.fixture
def queue(services: Services) -> Iterator[str]:
    sqs = boto3.client("sqs")
    url: str = sqs.create_queue(QueueName=f"orders-{uuid.uuid4()}")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def relay() -> Iterator[Relay]:
    made = Relay(lambda: boto3.client("sqs"))
    yield made
    made.stop()


def database(services: Services) -> Database:
    found: Database = services.orders._home.postgres.database  # type: ignore[attr-defined]
    return found


def placed(services: Services, *choices: Choice, caller: Caller = GUEST) -> Order:
    return services.ordering.place(caller, choices or (PIECE,), key=str(uuid.uuid4()), name="Ada")


def received(queue: str, count: int) -> list[dict[str, Any]]:
    """So many messages, as a consumer gets them."""
    sqs = boto3.client("sqs")
    messages: list[Any] = []
    deadline = time.monotonic() + 15
    while len(messages) < count and time.monotonic() < deadline:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        messages += answer.get("Messages", [])
    assert len(messages) == count
    return messages


def unsent(postgres: Postgres) -> int:
    count: int = postgres.sql("select count(*) from outbox where sent_at is null")[0][0]
    return count


def test_each_step_that_concerns_others_leaves_an_event(services: Services, postgres: Postgres) -> None:
    email = f"{uuid.uuid4()}@example.org"
    ada = services.accounts.register(name="Ada", email=email, password=PASSWORD, role=Role.CUSTOMER)
    caller = Caller("guest-2", ada.id, "Ada", email, Role.CUSTOMER)
    latte = Choice("latte", "large", ("oat-milk",), 2)
    order = placed(services, latte, PIECE, caller=caller)
    with contextlib.suppress(Exception):
        services.ordering.pay(caller, order.id, "tok_declined")
    order = services.ordering.pay(caller, order.id, "tok_visa")
    for step in (Status.MAKING, Status.READY, Status.COLLECTED):
        order = services.ordering.move(BARISTA, order.id, step, order.version)
    other = placed(services, PIECE)
    services.ordering.cancel(GUEST, other.id)
    rows = postgres.sql("select id, order_id, type, payload, sent_at from outbox order by created_at")
    assert [(row[1], row[2]) for row in rows] == [
        (order.id, "order.placed"),
        (order.id, "order.paid"),
        (order.id, "order.ready"),
        (order.id, "order.collected"),
        (other.id, "order.placed"),
        (other.id, "order.cancelled"),
    ]
    id_, _, _, payload, sent_at = rows[1]
    assert sent_at is None
    assert datetime.fromisoformat(payload["at"]) == order.paid_at
    assert payload == {
        "id": str(id_),
        "type": "order.paid",
        "order_id": order.id,
        "at": payload["at"],
        "order": {
            "number": order.id[-4:],
            "owner": ada.id,
            "customer_id": ada.id,
            "email": email,
            "name": "Ada",
            "total_cents": order.total_cents,
            "status": "new",
            "lines": [
                {"product_id": "latte", "name": "Caffè latte", "size": "Large", "quantity": 2},
                {"product_id": "croissant", "name": "Croissant", "size": "Piece", "quantity": 1},
            ],
        },
    }
    guests = rows[5][3]["order"]
    assert (guests["customer_id"], guests["email"], guests["status"]) == (None, None, "cancelled")


def test_what_did_not_happen_leaves_none(services: Services, postgres: Postgres) -> None:
    with pytest.raises(OutOfStock):
        placed(services, Choice("croissant", "piece", quantity=6))
    order = services.ordering.place(GUEST, [PIECE], key="one-and-the-same")
    assert services.ordering.place(GUEST, [PIECE], key="one-and-the-same") == order
    changed = order.declined("no")
    services.orders.save(order, changed)
    with pytest.raises(Conflict):
        services.orders.save(order, order.cancelled(order.created_at, by_staff=False))
    assert postgres.sql("select type from outbox") == [("order.placed",)]


def test_events_arrive_within_a_moment(services: Services, postgres: Postgres, relay: Relay, queue: str) -> None:
    relay.turn(database(services), queue)
    order = placed(services)
    relay.poke()
    [message] = received(queue, 1)
    assert message["MessageAttributes"]["type"]["StringValue"] == "order.placed"
    body = json.loads(message["Body"])
    assert body["order_id"] == order.id
    assert body == postgres.sql("select payload from outbox")[0][0]
    until(lambda: unsent(postgres) == 0, 5, "the row was not marked")


def test_the_shop_pokes_the_relay_after_each_commit(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = services.orders._home._relay  # type: ignore[attr-defined]
    poked: list[int] = []
    monkeypatch.setattr(relay, "poke", lambda: poked.append(1))
    book = services.orders._home.postgres  # type: ignore[attr-defined]
    monkeypatch.setattr(book, "_written", relay.poke)
    order = placed(services)
    services.ordering.cancel(GUEST, order.id)
    assert len(poked) == 2


def test_leftovers_are_worked_off_in_their_order(
    services: Services, postgres: Postgres, relay: Relay, queue: str
) -> None:
    services.catalog.set_stock("croissant", 100, expected=None)
    orders = [placed(services) for _ in range(2 * BATCH + 3)]
    assert unsent(postgres) == len(orders)
    assert [relay.send_batch(database(services), queue) for _ in range(4)] == [BATCH, BATCH, 3, 0]
    bodies = [json.loads(message["Body"]) for message in received(queue, len(orders))]
    assert {body["order_id"] for body in bodies} == {order.id for order in orders}


def test_relays_of_several_tasks_do_not_send_the_same_rows(services: Services, postgres: Postgres, queue: str) -> None:
    services.catalog.set_stock("croissant", 100, expected=None)
    orders = [placed(services) for _ in range(40)]
    gate = threading.Barrier(4)

    def send(_: int) -> int:
        relay = Relay(lambda: boto3.client("sqs"))
        gate.wait()
        return sum(iter(lambda: relay.send_batch(database(services), queue), 0))

    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(send, range(4)))
    assert sum(sent) == 40
    bodies = [json.loads(message["Body"]) for message in received(queue, 40)]
    assert Counter(body["order_id"] for body in bodies) == Counter(order.id for order in orders)


class DiesAfterSending:
    """SQS, and a task that ends before it can write down that it has sent."""

    def __init__(self) -> None:
        self._sqs = boto3.client("sqs")

    def send_message_batch(self, **batch: Any) -> None:
        self._sqs.send_message_batch(**batch)
        raise KeyboardInterrupt


def test_killed_between_sending_and_marking_it_is_sent_again(
    services: Services, postgres: Postgres, relay: Relay, queue: str
) -> None:
    order = placed(services)
    dying: Any = DiesAfterSending()
    with pytest.raises(KeyboardInterrupt):
        Relay(lambda: dying).send_batch(database(services), queue)
    assert unsent(postgres) == 1
    assert relay.send_batch(database(services), queue) == 1
    first, second = (json.loads(message["Body"]) for message in received(queue, 2))
    assert first == second  # so that who receives can see by the id that it is the same
    assert first["order_id"] == order.id
    assert unsent(postgres) == 0


class Flaky:
    """SQS that fails until it is well; then it refuses the first of each batch for a while."""

    def __init__(self) -> None:
        self._sqs = boto3.client("sqs")
        self.failures = 1
        self.refusals = 1

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> Any:  # noqa: N803
        if self.failures:
            self.failures -= 1
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "no"}}, "SendMessageBatch")
        if self.refusals:
            self.refusals -= 1
            answer: Any = self._sqs.send_message_batch(QueueUrl=QueueUrl, Entries=Entries[1:])
            refused = {"Id": Entries[0]["Id"], "Code": "InternalError", "SenderFault": False}
            return {**answer, "Failed": [refused]}
        return self._sqs.send_message_batch(QueueUrl=QueueUrl, Entries=Entries)


def test_a_queue_that_fails_for_a_while_gets_everything_in_the_end(
    services: Services, postgres: Postgres, queue: str, caplog: pytest.LogCaptureFixture
) -> None:
    orders = [placed(services) for _ in range(3)]
    flaky: Any = Flaky()
    relay = Relay(lambda: flaky)
    with caplog.at_level(logging.WARNING):
        relay.turn(database(services), queue)
        until(lambda: unsent(postgres) == 0, 20, "not everything was sent")
        relay.stop()
    bodies = [json.loads(message["Body"]) for message in received(queue, 3)]
    assert {body["order_id"] for body in bodies} == {order.id for order in orders}
    assert caplog.text.count("events wait in the outbox") == 2
    assert "the queue refused 1 of 3" in caplog.text


def test_only_what_was_taken_is_marked(services: Services, postgres: Postgres, queue: str) -> None:
    for _ in range(3):
        placed(services)
    flaky: Any = Flaky()
    flaky.failures = 0
    with pytest.raises(Unavailable, match="refused 1 of 3"):
        Relay(lambda: flaky).send_batch(database(services), queue)
    assert unsent(postgres) == 1


def test_it_ends_when_told_and_sends_what_is_left(services: Services, postgres: Postgres, queue: str) -> None:
    relay = Relay(lambda: boto3.client("sqs"))
    relay.turn(database(services), queue)
    for _ in range(3):
        placed(services)
    begun = time.monotonic()
    relay.stop()
    assert time.monotonic() - begun < 5
    assert not any(thread.name == "outbox relay" and thread.is_alive() for thread in _threads_of(relay))
    assert unsent(postgres) == 0
    received(queue, 3)


def _threads_of(relay: Relay) -> list[threading.Thread]:
    return [relay._thread] if relay._thread else []


def test_without_a_queue_events_wait(services: Services, postgres: Postgres, relay: Relay, queue: str) -> None:
    relay.turn(database(services), None)
    placed(services)
    relay.poke()
    time.sleep(0.3)
    assert unsent(postgres) == 1
    relay.turn(database(services), queue)
    received(queue, 1)
