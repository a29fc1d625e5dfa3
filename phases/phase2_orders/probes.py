"""What several checks and faults of phase 2 look at in the same way."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from brewhaven.course.checks import Failure, expect
from brewhaven.course.cloud import Answer, Deployment, ask
from phases.phase1_foundation.probes import shop_url

T = TypeVar("T")

FOUNDATION = "BrewHaven-Phase1-Foundation"
CONSTRUCTS = "constructs/brew_constructs"
PATIENCE_SECONDS = 100
"""A first message meets functions that have to start, and one that fails is visible again after a minute. On AWS a line
of a log is to be found some seconds after it was written."""
NOTE_SECONDS = 30 * 24 * 60 * 60
"""How long loyalty remembers an event: longer than any queue keeps one."""
SETTLED_SECONDS = 16
"""So long after the parameter was written the shop reads copies in the cache: a second more than its own SETTLED."""
CARD = "tok_visa"
NAME = "check"


def foundation(cloud: Deployment) -> Deployment:
    """Phase 1's stack, which the shop itself belongs to."""
    return cloud.beside(foundation_of(cloud.stacks[-1]))


def foundation_of(stack: str) -> str:
    """The name of phase 1's stack beside this one, with the same student's prefix."""
    return stack.partition("BrewHaven-")[0] + FOUNDATION


def wait_for(look: Callable[[], T | None], seconds: float | None = None) -> T | None:
    """Look until something is there; None when patience ends, or after so many seconds."""
    deadline = time.monotonic() + (PATIENCE_SECONDS if seconds is None else seconds)
    while not (found := look()):
        if time.monotonic() > deadline:
            return None
        time.sleep(0.2)
    return found


def until_settled(cloud: Deployment) -> None:
    """Wait until the shop reads from the cache, when its parameter was written a moment ago.

    All its processes take copies away for a while before any reads one (storefront/shop/adapters/valkey_store.py).
    """
    name = cloud.outputs["ShopConfigParameter"]
    written = cloud.client("ssm").get_parameter(Name=name)["Parameter"]["LastModifiedDate"]
    time.sleep(max(0.0, SETTLED_SECONDS - (datetime.now(UTC) - written).total_seconds()))


def new_id() -> str:
    """A name that no student uses."""
    return f"check-{uuid.uuid4().hex[:12]}"


class Guest:
    """A guest of the shop who has just come in: a session cookie, and the token for writes.

    Raises:
        Failure: The shop gives no session.
    """

    def __init__(self, cloud: Deployment) -> None:
        self.url = shop_url(foundation(cloud))
        answer = ask(f"{self.url}/api/session", timeout=30)
        expect(
            answer.status == 200,
            f"the shop at {self.url} gives nobody a session: {answer.text[:200]}",
            where=f"{self.url}/ready, and the log of the shop's tasks",
            next_step="verify phase 1 first: brewhaven verify 1",
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        cookie = headers["set-cookie"].partition(";")[0]
        self._headers = {"Cookie": cookie, "X-CSRF-Token": answer.json()["csrf_token"]}
        self.session_id = cookie.partition("=")[2].rsplit(".", 2)[0]

    @property
    def session_key(self) -> dict[str, Any]:
        """Where the session would be in phase 1's table: the table knows only a hash of its id."""
        return {"pk": {"S": f"SESSION#{hashlib.sha256(self.session_id.encode()).hexdigest()}"}, "sk": {"S": "SESSION"}}

    @property
    def owner(self) -> str:
        """Whose the guest's orders are."""
        return "guest-" + hashlib.sha256(f"guest {self.session_id}".encode()).hexdigest()[:32]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask the shop as this guest."""
        return ask(f"{self.url}{path}", method=method, body=body, headers={**self._headers, **headers}, timeout=30)

    def order(self, key: str, *, product: str = "espresso", quantity: int = 1) -> Answer:
        """Place an order of one line, with an idempotency key."""
        line = {"product_id": product, "size": "single", "quantity": quantity}
        return self.ask("POST", "/api/orders", {"lines": [line], "name": NAME}, **{"Idempotency-Key": key})


def follow_ups(cloud: Deployment, partition: str, prefix: str) -> list[dict[str, Any]]:
    """Items of the subscribers' table under one key."""
    found: list[dict[str, Any]] = cloud.client("dynamodb").query(
        TableName=cloud.outputs["FollowUpTableName"],
        KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
        ExpressionAttributeValues={":pk": {"S": partition}, ":sk": {"S": prefix}},
        ConsistentRead=True,
    )["Items"]
    return found


def forget(cloud: Deployment, *places: tuple[str, str]) -> None:
    """Remove items of the subscribers' table. What cannot be removed expires by itself."""
    if "FollowUpTableName" not in cloud.outputs:
        return
    for partition, prefix in places:
        with suppress(ClientError):
            for item in follow_ups(cloud, partition, prefix):
                cloud.client("dynamodb").delete_item(
                    TableName=cloud.outputs["FollowUpTableName"], Key={"pk": item["pk"], "sk": item["sk"]}
                )


def forget_points(cloud: Deployment, customer: str, event_id: str) -> None:
    """Remove the points of a customer that there is not, also those that an event is yet to make.

    A queue delivers an event late, or once more, and loyalty then counts one that it has no note of. So a note is left
    that this one was counted; it expires by itself, as loyalty's own does. The points, which do not, go after that.
    """
    if "FollowUpTableName" not in cloud.outputs:
        return
    account = f"LOYALTY#{customer}"
    note = {
        "pk": {"S": account},
        "sk": {"S": f"EVENT#{event_id}"},
        "type": {"S": "counted event"},
        "points": {"N": "0"},
        "expires_at": {"N": str(int(time.time()) + NOTE_SECONDS)},
    }
    with suppress(ClientError):
        cloud.client("dynamodb").put_item(TableName=cloud.outputs["FollowUpTableName"], Item=note)
    forget(cloud, (account, "POINTS"))


@dataclass(frozen=True)
class PlacedOrder:
    """An order as the shop answered it, once when it was placed, paid and cancelled.

    Attributes:
        again: What the shop answered to the same order with the same key, sent at the same moment.
        body: The order as it was placed.
        read: The order as it was read back while it was paid.
        began: When, in seconds since 1970.
    """

    guest: Guest
    first: Answer
    again: Answer
    body: dict[str, Any]
    read: dict[str, Any]
    began: float

    @property
    def id(self) -> str:
        return str(self.body["id"])


@contextmanager
def placed_order(cloud: Deployment) -> Iterator[PlacedOrder]:
    """An espresso that a guest orders, pays and cancels, shared by the checks of a run.

    It stays in the database as what it is, a cancelled order of nobody's: orders are not deleted. What the subscribers
    made of it is removed.

    Raises:
        Failure: The shop does not take it.
    """
    began = time.time()
    guest, key = Guest(cloud), new_id()
    first, again = _at_once(lambda: guest.order(key), lambda: guest.order(key))
    for answer in (first, again):
        _expect_status(answer, 201, "takes no order", guest)
    body = first.json()
    path = f"/api/orders/{body['id']}"
    try:
        _expect_status(guest.ask("POST", f"{path}/payment", {"token": CARD}), 200, "takes no payment", guest)
        read = guest.ask("GET", path)
        _expect_status(read, 200, "does not find the order that it has just taken", guest)
        _expect_status(guest.ask("POST", f"{path}/cancel"), 200, "cancels no order", guest)
        yield PlacedOrder(guest, first, again, body, read.json(), began)
    finally:
        for order in {str(answer.json()["id"]) for answer in (first, again)}:
            with suppress(OSError):
                guest.ask("POST", f"/api/orders/{order}/cancel")
            forget(cloud, ("BOARD", f"TICKET#{order}"))
        forget(cloud, (f"OWNER#{guest.owner}", "NOTICE#"))


def _at_once(*calls: Callable[[], Answer]) -> list[Answer]:
    """Both at the same moment, as an impatient finger sends them."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def _expect_status(answer: Answer, status: int, what: str, guest: Guest) -> None:
    expect(
        answer.status == status,
        f"the shop at {guest.url} {what}: it answered {answer.status}, {answer.text[:200]}",
        where=f"{guest.url}/ready, and the log of the shop's tasks (StorefrontLogGroupName of phase 1)",
        next_step="the part that is not 'ok' names what the shop does not reach: its policy is in the stack's ShopMay, "
        "its way to the database in the rules of IntoDatabase",
    )


@contextmanager
def worked_off(cloud: Deployment) -> Iterator[dict[str, str]]:
    """The ids of the events of the shared order, by type, when the worker has processed all of them.

    Raises:
        Failure: One never came, was never processed, or the worker may not do what it has to.
    """
    order = cloud.shared(placed_order)
    wanted = {"order.placed", "order.paid", "order.cancelled"}

    def look() -> dict[str, str] | None:
        lines = worker_lines(cloud, order.id, order.began)
        for line in lines:
            # Whatever else fails may succeed the next time; what IAM refuses will not.
            if "not authorized" in line.get("why", ""):
                raise Failure(
                    f"the worker may not do its work: {line['why']}",
                    where=f"the log group {cloud.outputs['WorkerLogGroupName']}, and the role of the function",
                    next_step="compare the resource in the refusal with the one that the role names",
                )
        found = {line["event_type"]: line["event_id"] for line in lines if line["message"] == "event processed"}
        return found if wanted <= set(found) else None

    found = wait_for(look)
    if found is None:
        raise Failure(
            f"not all events of order {order.id} were processed within {PATIENCE_SECONDS} seconds",
            where="follow the event: the table outbox (type, sent_at) in the database, the messages of the queue "
            f"{cloud.outputs['OrderQueueUrl']}, the log group {cloud.outputs['WorkerLogGroupName']}",
            next_step="not sent: the shop may not send, or the parameter does not name the queue; in the queue: the "
            "event source is off; failed in the log: it says why",
        )
    yield found


def worker_lines(cloud: Deployment, text: str, since: float) -> list[dict[str, Any]]:
    """Lines of the worker's log that hold a text and are JSON."""
    pages = cloud.client("logs").get_paginator("filter_log_events")
    found = []
    for page in pages.paginate(
        logGroupName=cloud.outputs["WorkerLogGroupName"],
        filterPattern=f'"{text}"',
        startTime=int((since - 60) * 1000),
    ):
        for event in page["events"]:
            with suppress(ValueError):
                line = json.loads(event["message"])
                if isinstance(line, dict) and "message" in line:
                    found.append(line)
    return found


def order_event(kind: str, order_id: str, *, owner: str, customer: str | None = None, cents: int = 480) -> str:
    """An event as the shop writes it, of an order that nobody placed."""
    order = {
        "number": "CHCK",
        "owner": owner,
        "customer_id": customer,
        "email": None,
        "name": NAME,
        "total_cents": cents,
        "status": "new",
        "lines": [{"product_id": "espresso", "name": "Espresso", "size": "single", "quantity": 1}],
    }
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"id": str(uuid.uuid4()), "type": kind, "order_id": order_id, "at": at, "order": order})


def publish(cloud: Deployment, body: str, *, kind: str, cents: int) -> None:
    """Publish an event with the attributes by which subscribers choose."""
    cloud.client("sns").publish(
        TopicArn=cloud.outputs["OrderTopicArn"],
        Message=body,
        MessageAttributes={
            "type": {"DataType": "String", "StringValue": kind},
            "total_cents": {"DataType": "Number", "StringValue": str(cents)},
        },
    )


@dataclass(frozen=True)
class Described:
    """What the schema function answered when it was asked to describe the tables."""

    tables: Mapping[str, Any]


@contextmanager
def described_tables(cloud: Deployment) -> Iterator[Described]:
    """What the database says of its tables, asked through the one function that may connect to it and be called.

    Raises:
        Failure: The function fails: it does not get its secret, or the database does not take it.
    """
    answer = call_schema(cloud, {"describe": True})
    expect(
        "tables" in answer,
        f"the function {cloud.outputs['SchemaFunctionName']} cannot ask the database: "
        f"{answer.get('errorMessage', answer)}",
        where="its log group (OrderSchemaLogs of the stack); the sentence says whether the secret, the way or the user "
        "is missing",
        next_step="its role reads the secret by `grant_read` in OrderSchema, over the endpoint of PrivateFunctions",
    )
    yield Described(answer["tables"])


def call_schema(cloud: Deployment, event: Mapping[str, Any]) -> dict[str, Any]:
    """Call the schema function and wait for its answer, or for its error."""
    answer = cloud.client("lambda").invoke(
        FunctionName=cloud.outputs["SchemaFunctionName"], Payload=json.dumps(event).encode()
    )
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    return found


def addresses_let_in(rules: list[dict[str, Any]]) -> list[str]:
    """The address ranges among what is let in."""
    return [rule.get("CidrIpv4") or rule.get("CidrIpv6") for rule in rules if "ReferencedGroupInfo" not in rule]  # type: ignore[misc]


def shop_config(cloud: Deployment) -> dict[str, Any]:
    """The parameter that tells the shop which way to go."""
    value = cloud.client("ssm").get_parameter(Name=cloud.outputs["ShopConfigParameter"])["Parameter"]["Value"]
    found: dict[str, Any] = json.loads(value)
    return found
