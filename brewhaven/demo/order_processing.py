"""An order on its way: from the shop through database, outbox, queue, worker and topic to three subscribers."""

from __future__ import annotations

import secrets
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from brewhaven.course.cloud import Deployment
from brewhaven.demo.journey import Journey, Leg, MissingHopError, now, wait_for
from brewhaven.demo.visitor import Visitor
from brewhaven.demo.witness import Cause, Line, Listener, LogGroup, depth, event_source, listening, only, published_at

NAME = "order-processing"
LESSON = "2.6"
NEEDS = ("OrderTopicArn", "OrderQueueUrl", "FollowUpTableName", "CatalogTableName")
LINES = [{"product_id": "espresso", "size": "double"}]
CARD = "tok_visa"
PAID, CANCELLED = "order.paid", "order.cancelled"

LEGS = (
    Leg("post", "A customer's POST to the shop makes an order"),
    Leg("database", "The order is in PostgreSQL"),
    Leg("payment", "Paid: its event is in the outbox, in the same transaction"),
    Leg("queue", "Outbox -> SQS: the relay sends the event to the order queue"),
    Leg("worker", "SQS -> Lambda: the worker has the event in its hands"),
    Leg("topic", "Lambda -> SNS: the worker announces the event"),
    Leg("notice", "SNS -> Lambda: the customer has a notice"),
    Leg("points", "SNS -> SQS -> Lambda: the customer has points"),
    Leg("ticket", "SNS -> SQS -> Lambda: the counter has a ticket"),
)
FIRST_HOP = (
    "The roadmap begins this flow with API Gateway and a Lambda function. They come with phase 3: today the shop's own "
    "server, on Fargate behind a load balancer, takes the POST."
)
SIGNED_UP = "The customer signs up for the demo, because guests have no account and so get no points."
INBOX = (
    "The notice is an item of the customer's inbox. A phone is told as well where one is registered, and a mailbox "
    "where the switch email_sender is set; this customer has no phone, and the mailbox of SES's own simulator."
)
STAYS = (
    "the cancelled order with its rows in PostgreSQL: a shop keeps its books, so nothing there is deleted",
    "what the functions wrote into their log groups, for a week, and remembered of the events, for a day",
)


@dataclass(frozen=True)
class _Subscriber:
    """Where a subscriber's traces are: the construct that made it, and what stands in its way when it hears nothing."""

    construct: str
    item: str
    behind_a_queue: bool = True


SUBSCRIBERS = {
    "notice": _Subscriber("OrderSubscribersNotification", "notice", behind_a_queue=False),
    "points": _Subscriber("OrderSubscribersLoyalty", "account with points"),
    "ticket": _Subscriber("OrderSubscribersBoard", "ticket"),
}


@dataclass
class OrderProcessing:
    """The journey of one order.

    Attributes:
        shop: The shop's address.
        patience: Seconds that a hop is waited for.
    """

    deployment: Deployment
    shop: str
    patience: float
    journey: Journey = field(default_factory=lambda: Journey(NAME, LEGS))
    customer: str = ""
    email: str = field(default_factory=lambda: f"success+demo-{uuid.uuid4().hex[:12]}@simulator.amazonses.com")
    order: dict[str, Any] = field(default_factory=dict)
    visitor: Visitor | None = None

    def run(self) -> Journey:
        """Send an order on its way and watch it, then take away what can be taken away."""
        self.journey.notes += [FIRST_HOP, SIGNED_UP, INBOX]
        self.logs = {
            name: LogGroup(self.deployment, of=f"{construct}Logs")
            for name, construct in (
                ("worker", "OrderPipelineWorker"),
                *((name, subscriber.construct) for name, subscriber in SUBSCRIBERS.items()),
            )
        }
        self.table = self.deployment.client("dynamodb")
        topic = self.deployment.outputs["OrderTopicArn"]
        try:
            with suppress(MissingHopError), listening(self.deployment, topic, "brewhaven-demo") as listener:
                self._travel(listener)
        finally:
            self._clean_up()
        return self.journey

    def _travel(self, listener: Listener) -> None:
        self._post()
        self._look_into_the_database()
        paid_at = self._pay()
        line = self._follow_into_the_worker(paid_at)
        announced_at = self._hear(listener, line)
        for name in SUBSCRIBERS:
            with suppress(MissingHopError):  # each hears by itself: one that is deaf does not hide the others
                self._find(name, announced_at)

    def _post(self) -> None:
        with self.journey.hop("post") as hop:
            self.visitor = Visitor(self.shop)
            self._wait_for_the_switch(self.visitor)
            self.customer = self.visitor.sign_up("Demo", self.email, secrets.token_urlsafe(16))
            sent = now()
            self.order = self.visitor.order(LINES, "Demo")
            hop.proves(f"201: order {self.order['number']}, {self.order['id']}", since=sent, at=now())

    def _wait_for_the_switch(self, visitor: Visitor) -> None:
        """A shop that was just deployed reads within seconds where orders go, and until then takes them as before."""

        def ready() -> bool | None:
            answer = visitor.answer("GET", "/ready")
            return True if answer.status == 200 and "orders" in answer.json()["checks"] else None

        if wait_for(ready, self.patience) is None:
            said = visitor.answer("GET", "/ready").text
            raise MissingHopError(
                f"The shop has no orders database that answers within {self.patience:.0f} s; it says: {said}",
                "The parameter of the output ShopConfigParameter says where orders go, and `brewhaven verify 2.2` "
                "looks at the way there.",
            )

    def _look_into_the_database(self) -> None:
        """Nobody outside reaches a database in isolated subnets, so it is seen through the shop, which has no other."""
        assert self.visitor
        with self.journey.hop("database") as hop:
            asked = now()
            ready = self.visitor.get("/ready")["checks"]
            found = self.visitor.get(f"/api/orders/{self.order['id']}")
            key = {"pk": {"S": f"ORDER#{self.order['id']}"}, "sk": {"S": "ORDER"}}
            table = self.deployment.outputs["CatalogTableName"]
            if self.table.get_item(TableName=table, Key=key).get("Item"):
                raise MissingHopError(
                    "The order is in DynamoDB, where phase 1 keeps orders, and not in PostgreSQL.",
                    "The parameter of the output ShopConfigParameter says where orders go. `brewhaven verify 2.2` "
                    "looks at it.",
                )
            hop.proves(
                f"the shop reads it back ({found['status']}), its orders database answers "
                f"({ready.get('orders', 'not named')}), and DynamoDB has no such order",
                since=asked,
                at=now(),
            )

    def _pay(self) -> datetime:
        assert self.visitor
        with self.journey.hop("payment") as hop:
            sent = now()
            paid = self.visitor.send("POST", f"/api/orders/{self.order['id']}/payment", {"token": CARD})
            hop.proves(f"200: {paid['payment']['message']}", since=sent, at=now())
        return datetime.fromisoformat(paid["updated_at"].replace("Z", "+00:00"))

    def _follow_into_the_worker(self, paid_at: datetime) -> Line:
        """The worker's line tells of both: when SQS took the message, and when the worker had it."""
        log = self.logs["worker"]

        def look() -> Line | None:
            return log.line(self.order["id"], lambda line: _is(line, PAID) and "sent_at" in line.content)

        with self.journey.hop("queue") as hop:
            hop.waits("until the worker's log tells when SQS took it")
            line = wait_for(look, self.patience)
            if line is None and not self._waits_in_the_queue():
                raise MissingHopError(
                    f"No event of the order came out of the outbox within {self.patience:.0f} s: the queue is empty, "
                    "and the worker has written nothing.",
                    "The shop's log group (the output StorefrontLogGroupName) says why its relay does not send.",
                )
            if line:
                hop.proves(f"SQS took it at {_clock(line.sent_at)} UTC", since=paid_at, at=line.sent_at)
            else:
                hop.proves("messages wait in the queue; when this one came, only its receiver could say")
        with self.journey.hop("worker") as hop:
            if line is None:
                raise self._deaf(
                    "OrderPipelineWorker", f"The worker wrote nothing of the event within {self.patience:.0f} s"
                )
            hop.proves(f"its log says '{line.message}'{line.start}", since=line.sent_at, at=line.received_at)
        return line

    def _waits_in_the_queue(self) -> bool:
        return depth(self.deployment, self.deployment.outputs["OrderQueueUrl"]) > 0

    def _hear(self, listener: Listener, line: Line) -> datetime:
        with self.journey.hop("topic") as hop:
            if line.content.get("level") == "ERROR":
                raise self._deaf("OrderPipelineWorker", "The worker failed with the event, which comes again", line)
            heard = listener.wait_for(lambda message: self._concerns(message, PAID), self.patience)
            if heard is None:
                raise MissingHopError(
                    f"The worker has the event, but its topic announced nothing within {self.patience:.0f} s.",
                    f"Its log group says why: {self.logs['worker'].name}",
                )
            hop.proves(
                f"a queue that listens for the demo got it, message {heard['MessageId'][:8]}",
                since=line.received_at,
                at=published_at(heard),
            )
        return published_at(heard)

    def _concerns(self, message: dict[str, Any], type_: str) -> bool:
        return self.order["id"] in message["Message"] and f'"{type_}"' in message["Message"]

    def _find(self, name: str, announced_at: datetime) -> None:
        with self.journey.hop(name) as hop:
            item = wait_for(lambda: self._item(name), self.patience)
            if item is None:
                subscriber = SUBSCRIBERS[name]
                what = f"SNS announced the event, but {self.patience:.0f} s later there is no {subscriber.item}"
                raise self._deaf(subscriber.construct, what)
            line = wait_for(lambda: self.logs[name].line(self.order["id"], lambda line: _tells(name, line)), 30)
            if line is None:
                raise MissingHopError(
                    f"There is {self._words(name, item)}, but the function's log does not tell of it.",
                    f"Look into the log group {self.logs[name].name}.",
                )
            hop.proves(f"{self._words(name, item)}{line.start}", since=announced_at, at=line.at)

    def _item(self, name: str) -> dict[str, Any] | None:
        """What a subscriber leaves behind in the follow-up table, when it has."""
        if name == "notice":
            return next((item for item in self._notices() if item["order_id"]["S"] == self.order["id"]), None)
        if name == "points":
            return self._get(f"LOYALTY#{self.customer}", "POINTS")
        ticket = self._get("BOARD", f"TICKET#{self.order['id']}")
        return ticket if ticket and ticket["says"]["S"] == "to be made" else None

    def _get(self, pk: str, sk: str) -> dict[str, Any] | None:
        item: dict[str, Any] | None = self.table.get_item(
            TableName=self._follow_ups, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
        ).get("Item")
        return item

    def _notices(self) -> list[dict[str, Any]]:
        return self._partition(f"OWNER#{self.customer}") if self.customer else []

    def _partition(self, pk: str) -> list[dict[str, Any]]:
        answer = self.table.query(
            TableName=self._follow_ups,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )
        return list(answer["Items"])

    @property
    def _follow_ups(self) -> str:
        return self.deployment.outputs["FollowUpTableName"]

    def _words(self, name: str, item: dict[str, Any]) -> str:
        if name == "notice":
            return f"'{item['subject']['S']}'"
        if name == "points":
            return f"{item['points']['N']} points"
        return f"ticket {item['number']['S']}, '{item['says']['S']}'"

    def _deaf(self, construct: str, what: str, line: Line | None = None) -> MissingHopError:
        """Why a function has done nothing, as far as its event source, its queue and its log tell."""
        key = next((name for name, one in SUBSCRIBERS.items() if one.construct == construct), "worker")
        causes: list[Cause] = []
        if key == "worker" or SUBSCRIBERS[key].behind_a_queue:
            queue = "OrderPipelineOrdersQueue" if key == "worker" else f"{construct}Queue"
            stopped = event_source(self.deployment, of=f"{construct}Function")
            waiting = depth(self.deployment, only(self.deployment, "AWS::SQS::Queue", of=queue))
            if stopped:
                causes.append(Cause(f"{stopped.says}, and {waiting} messages are in its queue", stopped.remedy))
        log = self.logs[key]
        said = (line and line.content.get("why")) or log.complaint(self.order["id"])
        if said:
            causes.append(Cause(f"it says: {said}", f"Its log group is {log.name}"))
        if not causes:
            causes.append(
                Cause("its log says nothing of the order", f"Look into its log group: {log.name}; `brewhaven redrive` "
                      "shows what was put aside")
            )  # fmt: skip
        why = "; ".join(cause.says for cause in causes)
        return MissingHopError(f"{what}: {why}.", f"{causes[0].remedy}.")

    def _clean_up(self) -> None:
        """Cancel the order, wait for what follows from that, and remove what is the customer's own."""
        if not self.visitor:
            return
        worked = self.journey.complete
        if self.order:
            try:
                self.visitor.send("POST", f"/api/orders/{self.order['id']}/cancel")
                self.journey.stays += STAYS
            except MissingHopError as error:
                number = self.order["number"]
                self.journey.stays.append(f"order {number}, which could not be cancelled: {error.message}")
            if worked:
                wait_for(lambda: True if len(self._notices()) > 1 else None, self.patience)
            else:
                self.journey.stays.append(
                    "what waits in the queues: once they are worked off again, the order makes its notices, which go "
                    "after 30 days, its ticket, which goes after one, and points"
                )
        with suppress(MissingHopError):
            self.visitor.sign_out()
        if self.customer:
            for pk in (f"OWNER#{self.customer}", f"LOYALTY#{self.customer}"):
                for item in self._partition(pk):
                    self._remove(self._follow_ups, item["pk"]["S"], item["sk"]["S"])
            forget_account(self.deployment, self.email, self.customer)
        if self.order:
            self._remove(self._follow_ups, "BOARD", f"TICKET#{self.order['id']}")

    def _remove(self, table: str, pk: str, sk: str) -> None:
        self.table.delete_item(TableName=table, Key={"pk": {"S": pk}, "sk": {"S": sk}})


def forget_account(deployment: Deployment, email: str, customer: str) -> None:
    """Remove an account that a demo has made, whatever it was made for."""
    client, table = deployment.client("dynamodb"), deployment.outputs["CatalogTableName"]
    for pk, sk in ((f"CUSTOMER#{customer}", "PROFILE"), (f"EMAIL#{email}", "CUSTOMER"), ("STAFF", email)):
        with suppress(ClientError):
            client.delete_item(TableName=table, Key={"pk": {"S": pk}, "sk": {"S": sk}})


def _is(line: Line, type_: str) -> bool:
    return line.content.get("event_type") == type_


def _tells(name: str, line: Line) -> bool:
    """Whether a subscriber's line is the one about the paid order."""
    if name == "notice":
        return line.message == "customer told" and _is(line, PAID)
    return line.message.startswith("points of order") if name == "points" else line.message.endswith(": pinned")


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S.%f")[:-3]
