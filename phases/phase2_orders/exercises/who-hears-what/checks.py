"""Each queue hears what it wants to hear, as it was published."""

import json
import time
from dataclasses import dataclass
from typing import Any

from brewhaven.course.checks import CheckList, expect
from brewhaven.course.cloud import Deployment
from brewhaven.course.template import Template
from brewhaven.local.resources.sns_filters import admits, refusal

CHECKS = CheckList()
POLICIES = "https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html"
RAW = "https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html"
PATIENCE_SECONDS = 10.0
QUEUES = ("Kitchen", "Accounting", "Audit")


@dataclass(frozen=True)
class Event:
    """Something that happens in the shop, and who wants to hear of it."""

    type: str
    cents: int | None
    heard_by: tuple[str, ...]
    words: str = ""

    @property
    def attributes(self) -> dict[str, dict[str, str]]:
        found = {"type": {"DataType": "String", "StringValue": self.type}}
        if self.cents is not None:
            found["total_cents"] = {"DataType": "Number", "StringValue": str(self.cents)}
        return found

    @property
    def body(self) -> str:
        order = {"order": {"id": "A7", "total_cents": self.cents}} if self.cents is not None else {}
        return json.dumps({"id": f"e-{self}", "type": self.type, **order})

    def __str__(self) -> str:
        of = "" if self.cents is None else f" of {self.cents}"
        return f"{self.type}{of}{self.words}"


EVENTS = (
    Event("order.paid", 6400, ("Kitchen", "Accounting", "Audit")),
    Event("order.paid", 300, ("Kitchen", "Audit")),
    Event("order.paid", 5000, ("Kitchen", "Accounting", "Audit")),
    Event("order.paid", 12000, ("Kitchen", "Accounting", "Audit")),
    Event("order.cancelled", 300, ("Kitchen", "Audit")),
    Event("order.placed", 9000, ("Audit",)),
    Event("order.refunded", 7000, ("Accounting", "Audit")),
    Event("order.refunded", 1000, ("Audit",)),
    Event("order.collected", None, ("Audit",)),
    Event("order.praised", None, ("Audit",), ", a type of next year"),
    Event("stock.low", None, ()),
    Event("basket.viewed", 8000, ()),
)

_hears = {
    "Kitchen": CHECKS.check(
        "kitchen-hears",
        lesson="2.6",
        objective="sns-filter-policies",
        proves="The kitchen hears of what is paid and what is cancelled, and of nothing else",
    ),
    "Accounting": CHECKS.check(
        "accounting-hears",
        lesson="2.6",
        objective="sns-filter-policies",
        proves="Accounting hears of large payments and refunds, and of nothing else",
    ),
    "Audit": CHECKS.check(
        "audit-hears",
        lesson="2.6",
        objective="sns-filter-policies",
        proves="The audit hears of everything that happens to an order, and of nothing else",
    ),
}
_published = CHECKS.check(
    "as-published", lesson="2.6", objective="sns-fan-out", proves="Each queue gets a message's body as it was published"
)
_heard = CHECKS.check(
    "heard",
    lesson="2.6",
    objective="sns-filter-policies",
    proves="Of the events that are published, each queue gets those that it wants",
)


def _subscription(template: Template, queue: str) -> dict[str, Any]:
    ids = [found.logical_id for found in template.resources("AWS::SQS::Queue", of=queue)]
    found = [
        subscription.properties
        for subscription in template.resources("AWS::SNS::Subscription")
        if any(template.mentions(id_, subscription.properties.get("Endpoint")) for id_ in ids)
    ]
    what = f"is subscribed {len(found)} times, and SNS has one subscription for a topic and a queue"
    expect(
        len(found) == 1,
        f"{queue} {what if found else 'is not subscribed to the topic'}",
        where="add_subscription in your file",
        next_step="one subscription for each of the three queues; keep their ids",
    )
    return found[0]


def _policy(subscription: dict[str, Any], queue: str) -> tuple[dict[str, Any], str]:
    given = subscription.get("FilterPolicy", {})
    policy = json.loads(given) if isinstance(given, str) else given
    scope = subscription.get("FilterPolicyScope", "MessageAttributes")
    wrong = refusal(json.dumps(policy), scope) if policy else None
    expect(
        wrong is None,
        f"SNS refuses the policy of {queue}: {wrong}",
        where=POLICIES,
        next_step="write it with sns.SubscriptionFilter, which knows the forms that there are",
    )
    return policy, scope


def _compares_text(policy: dict[str, Any]) -> bool:
    """Whether the sum is compared, and never as a number."""
    rules = policy.get("total_cents")
    return bool(rules) and not any(
        isinstance(rule, (int, float)) or (isinstance(rule, dict) and ("numeric" in rule or "exists" in rule))
        for rule in (rules if isinstance(rules, list) else [rules])
    )


def _look(template: Template, queue: str) -> str:
    policy, scope = _policy(_subscription(template, queue), queue)
    expect(
        policy,
        f"{queue} has no filter policy, so it hears everything",
        where=POLICIES,
        next_step="give its subscription a filter policy",
    )
    heard = [event for event in EVENTS if admits(policy, scope, event.attributes, event.body)]
    wanted = [event for event in EVENTS if queue in event.heard_by]
    missed = [event for event in wanted if event not in heard]
    more = [event for event in heard if event not in wanted]
    what = "; ".join(
        [
            *([f"{queue} does not hear {' and '.join(map(str, missed))}"] if missed else []),
            *([f"{queue} hears {' and '.join(map(str, more))}"] if more else []),
            *(["total_cents is compared as text, and it is a number"] if _compares_text(policy) else []),
        ]
    )
    expect(
        not missed and not more,
        f"{what} (the policy: {json.dumps(policy)}{', on the body' if scope == 'MessageBody' else ''})",
        where=POLICIES,
        next_step="between attributes a policy says 'and', between the values of one 'or'; compare it with the table",
    )
    return f"{len(heard)} of {len(EVENTS)} events"


def _declare(queue: str) -> None:
    @_hears[queue].on_template
    def _(template: Template) -> str:
        return _look(template, queue)


for _queue in QUEUES:
    _declare(_queue)


@_published.on_template
def _(template: Template) -> str:
    wrapped = [
        queue
        for queue in QUEUES
        if str(_subscription(template, queue).get("RawMessageDelivery", False)).lower() != "true"
    ]
    expect(
        not wrapped,
        f"{' and '.join(wrapped)} would get the body as text in an envelope of SNS, which the program must open",
        where=RAW,
        next_step="switch raw message delivery on for each subscription",
    )
    return "raw"


@_heard.on_cloud
def _(cloud: Deployment) -> str:
    for event in EVENTS:
        cloud.client("sns").publish(
            TopicArn=cloud.outputs["EventsArn"], Message=event.body, MessageAttributes=event.attributes
        )
    for queue in QUEUES:
        wanted = {event.body: str(event) for event in EVENTS if queue in event.heard_by}
        got = _received(cloud, cloud.outputs[f"{queue}Url"], set(wanted))
        missed = [wanted[body] for body in wanted if body not in got]
        strange = [body for body in got if body not in wanted]
        if not got:
            what = f"{queue} got nothing: the queue's policy does not let the topic send to it"
        elif missed:
            what = f"{queue} did not get {' and '.join(missed)}"
        else:
            what = f"{queue} got {strange[0]}, which it does not want" if strange else ""
        expect(
            not missed and not strange,
            what,
            where="https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html",
            next_step="subscribe the queue with SqsSubscription, which writes the queue's policy as well",
        )
    return f"{len(EVENTS)} events were published, and each queue got its own"


def _received(cloud: Deployment, url: str, wanted: set[str]) -> set[str]:
    """The bodies in a queue, once those that are wanted have arrived or cannot be expected any more."""
    client, found = cloud.client("sqs"), set[str]()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        messages = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        found |= {message["Body"] for message in messages}
        if not messages and wanted <= found:
            break  # everything is there, and for a second nothing else came
    return found
