"""Checks of lesson 2.6: who must hears of an event, nobody else does, and a phone that is gone is forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from brewhaven.course.checks import CheckList, Failure, expect, listed, statements
from brewhaven.course.cloud import Deployment
from brewhaven.course.template import Template
from phases.phase2_orders.checks_queue import QUEUE, attributes_of, name_of, referred
from phases.phase2_orders.probes import (
    CONSTRUCTS,
    PATIENCE_SECONDS,
    follow_ups,
    forget,
    forget_points,
    new_id,
    order_event,
    placed_order,
    publish,
    wait_for,
)

CHECKS = CheckList()

SUBSCRIBERS_CODE = f"{CONSTRUCTS}/order_subscribers.py"
SUBSCRIPTION = "AWS::SNS::Subscription"
ENOUGH, TOO_LITTLE = 480, 50
"""Cents of an order that is worth points, and of one that is not."""


@dataclass(frozen=True)
class Told:
    """One event to publish, of an order that nobody placed, and who it is about."""

    order: str
    owner: str
    customer: str
    event: str

    @classmethod
    def new(cls, kind: str = "order.paid") -> Told:
        name = new_id()
        event = order_event(kind, name, owner=f"guest-{name}", customer=name, cents=ENOUGH)
        return cls(order=name, owner=f"guest-{name}", customer=name, event=event)

    def heard_by(self, cloud: Deployment) -> set[str]:
        """Which subscribers have left something behind that says so."""
        places = {
            "board": ("BOARD", f"TICKET#{self.order}"),
            "notification": (f"OWNER#{self.owner}", "NOTICE#"),
            "loyalty": (f"LOYALTY#{self.customer}", "POINTS"),
        }
        return {name for name, place in places.items() if follow_ups(cloud, *place)}

    def forget(self, cloud: Deployment) -> None:
        """Remove what the subscribers made of it; what they make of it later expires by itself."""
        forget(cloud, ("BOARD", f"TICKET#{self.order}"), (f"OWNER#{self.owner}", ""))
        forget_points(cloud, self.customer, json.loads(self.event)["id"])


EVERYBODY = {"board", "notification", "loyalty"}
ANNOUNCED = {"order.placed", "order.paid", "order.ready", "order.collected", "order.cancelled"}
"""The types of events that the worker announces."""


@dataclass(frozen=True)
class Published:
    """Three events, and who had heard of each when all who must had heard, or time was up."""

    right: set[str]
    of_no_interest: set[str]
    worth_nothing: set[str]


@contextmanager
def published(cloud: Deployment) -> Iterator[Published]:
    """Events that are all well-formed and paid; what differs is the attributes by which subscriptions choose."""
    ignored, small, right = Told.new(), Told.new(), Told.new()
    try:
        for told, kind, cents in (
            (ignored, "order.collected", ENOUGH),
            (small, "order.paid", TOO_LITTLE),
            (right, "order.paid", ENOUGH),
        ):
            publish(cloud, told.event, kind=kind, cents=cents)

        def all_heard() -> bool:
            return right.heard_by(cloud) == EVERYBODY and small.heard_by(cloud) >= EVERYBODY - {"loyalty"}

        wait_for(all_heard)
        yield Published(right.heard_by(cloud), ignored.heard_by(cloud), small.heard_by(cloud))
    finally:
        for told in (ignored, small, right):
            told.forget(cloud)


hear = CHECKS.check(
    "subscribers-hear",
    lesson="2.6",
    objective="sns-fan-out",
    proves="One order is a ticket at the counter, a notice for its customer and points for a member",
)


@hear.on_cloud
def _(cloud: Deployment) -> str:
    order = cloud.shared(placed_order)
    owner = f"OWNER#{order.guest.owner}"

    def missing() -> list[str]:
        subjects = " ".join(item["subject"]["S"] for item in follow_ups(cloud, owner, "NOTICE#"))
        said = [word for word in ("paid", "cancelled") if word not in subjects]
        ticket = follow_ups(cloud, "BOARD", f"TICKET#{order.id}")
        at_board = [] if ticket and ticket[0]["says"]["S"] == "to be made" else ["a ticket at the board"]
        return [*at_board, *(f"a notice that it is {word}" for word in said)]

    wait_for(lambda: not missing())
    unheard = missing()
    deaf = sorted(EVERYBODY - cloud.shared(published).right)
    expect(
        not unheard and not deaf,
        f"of order {order.id} there is not {' and not '.join(unheard)}"
        if unheard
        else f"an event that concerns everybody was published and not heard by {' and '.join(deaf)}",
        where=f"follow it: the worker's log {cloud.outputs['WorkerLogGroupName']}, the topic's subscriptions, the "
        "queue of the subscriber, its log, the queue of what could not be delivered",
        next_step="confirm that the subscription is there and its filter policy lets the type through",
    )
    return f"order {order.body['number']}: ticket, two notices; points of a published event"


def subscriptions_of(cloud: Deployment) -> dict[str, dict[str, str]]:
    """The attributes of the order topic's subscriptions, by their ARNs."""
    client = cloud.client("sns")
    found = {
        entry.physical_id: client.get_subscription_attributes(SubscriptionArn=entry.physical_id)["Attributes"]
        for entry in cloud.resources(SUBSCRIPTION)
    }
    topic = cloud.outputs["OrderTopicArn"]
    return {arn: attributes for arn, attributes in found.items() if attributes["TopicArn"] == topic}


undelivered = CHECKS.check(
    "undelivered-kept",
    lesson="2.6",
    objective="sns-fan-out",
    proves="What SNS cannot deliver to a subscriber is kept",
)


@undelivered.on_template
def _(template: Template) -> str:
    topic = template.resources("AWS::SNS::Topic", of="OrderPipeline")[0]
    found = [
        subscription
        for subscription in template.resources(SUBSCRIPTION)
        if template.mentions(topic.logical_id, subscription.properties["TopicArn"])
    ]
    without = [entry.logical_id for entry in found if not entry.properties.get("RedrivePolicy")]
    _kept(len(found), without)
    policies = template.resources("AWS::SQS::QueuePolicy")
    for entry in found:
        dead = referred(template, entry.properties["RedrivePolicy"]["deadLetterTargetArn"], QUEUE)
        documents = [
            policy.properties["PolicyDocument"]
            for policy in policies
            if template.mentions(dead.logical_id, policy.properties["Queues"])
        ]
        _lets_sns_in(documents, dead.logical_id)
    return f"{len(found)} subscriptions"


@undelivered.on_cloud
def _(cloud: Deployment) -> str:
    mine = subscriptions_of(cloud)
    targets = {
        name_of(attributes["Endpoint"]): json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
        for attributes in mine.values()
    }
    _kept(len(mine), [name for name, target in targets.items() if not target])
    for target in set(targets.values()):
        policy = attributes_of(cloud, str(target)).get("Policy")
        _lets_sns_in([json.loads(policy)] if policy else [], name_of(str(target)))
    return f"{len(mine)} subscriptions"


def _kept(number: int, without: list[str]) -> None:
    expect(
        number and not without,
        f"what SNS cannot deliver to {', '.join(without) or 'anybody'} is lost after its last try",
        where=f"dead_letter_queue in {SUBSCRIBERS_CODE}, and SNS console: the subscription, Redrive policy",
        next_step="give each subscription a dead-letter queue",
    )


def _lets_sns_in(documents: list[Any], queue: str) -> None:
    admitted = [
        statement
        for document in documents
        for statement in statements(document)
        if statement["Effect"] == "Allow"
        and "sns.amazonaws.com" in json.dumps(statement["Principal"])
        and "sqs:SendMessage" in listed(statement["Action"])
    ]
    expect(
        admitted,
        f"the queue {queue} does not let SNS in, so what cannot be delivered cannot be kept either",
        where="SQS console: the queue, Access policy",
        next_step="allow sns.amazonaws.com to send to it, for this topic (aws:SourceArn)",
    )


choose = CHECKS.check(
    "filters-choose",
    lesson="2.6",
    objective="sns-filter-policies",
    proves="A subscriber gets what its filter policy names, and is not woken for anything else",
)


@choose.on_template
def _(template: Template) -> str:
    topic = template.resources("AWS::SNS::Topic", of="OrderPipeline")[0]
    found = [
        entry
        for entry in template.resources(SUBSCRIPTION)
        if template.mentions(topic.logical_id, entry.properties["TopicArn"])
    ]
    everything = [entry.logical_id for entry in found if not entry.properties.get("FilterPolicy", {}).get("type")]
    expect(
        found and not everything,
        f"{', '.join(everything) or 'nobody'} hears of every event: each wakes a function, which throws it away",
        where=f"filter_policy in {SUBSCRIBERS_CODE}",
        next_step="say in a filter policy which types the subscriber waits for",
    )
    _wait_for_what_comes({entry.logical_id: entry.properties["FilterPolicy"] for entry in found})
    return f"{len(found)} filter policies"


@choose.on_cloud
def _(cloud: Deployment) -> str:
    _wait_for_what_comes(
        {
            name_of(attributes["Endpoint"]): json.loads(attributes.get("FilterPolicy") or "{}")
            for attributes in subscriptions_of(cloud).values()
        }
    )
    seen = cloud.shared(published)
    if not seen.right:
        raise Failure(
            "a published event reached nobody, so what is kept out cannot be told",
            where=f"the topic {cloud.outputs['OrderTopicArn']} and its subscriptions",
            next_step="let subscribers-hear pass first",
        )
    expect(
        not seen.of_no_interest,
        f"an event whose type nobody waits for reached {' and '.join(sorted(seen.of_no_interest))}",
        where=f"filter_policy in {SUBSCRIBERS_CODE}, and SNS console: the subscription, Subscription filter policy",
        next_step="name the types that it waits for in the subscription's filter policy",
    )
    expect(
        "loyalty" not in seen.worth_nothing,
        f"an event of {TOO_LITTLE} cents reached loyalty, which gives points from a euro on",
        where=f"WORTH_A_POINT in {SUBSCRIBERS_CODE}, and the filter policy of loyalty's subscription",
        next_step="filter by the number: total_cents >= 100",
    )
    expect(
        seen.worth_nothing,
        f"an event of {TOO_LITTLE} cents reached nobody, and the counter and the customer must hear of it",
        where=f"filter_policy in {SUBSCRIBERS_CODE}",
        next_step="filter by the number at loyalty alone",
    )
    return f"another type: nobody; {TOO_LITTLE} cents: {' and '.join(sorted(seen.worth_nothing))}"


def _wait_for_what_comes(policies: Mapping[str, Any]) -> None:
    """See that the types by which subscriptions choose are types that there are."""
    others = {
        name: sorted(kind for kind in listed(policy.get("type", [])) if isinstance(kind, str) and kind not in ANNOUNCED)
        for name, policy in policies.items()
    }
    strange = [f"{name} waits for {', '.join(kinds)}" for name, kinds in others.items() if kinds]
    expect(
        not strange,
        f"{'; '.join(strange)}, which nobody announces",
        where=f"filter_policy in {SUBSCRIBERS_CODE}, and SNS console: the subscription, Subscription filter policy",
        next_step="name types that the shop's events have; they are in lambda_src/order_events/event.py",
    )


phones = CHECKS.check(
    "push-gone-phone",
    lesson="2.6",
    objective="sns-mobile-push",
    proves="A notice is pushed to each phone of its customer, and a phone that is gone is forgotten",
)


@phones.on_template
def _(template: Template) -> str:
    rights = [
        statement
        for policy in template.resources("AWS::IAM::Policy", of="OrderSubscribersNotification")
        for statement in statements(policy.properties["PolicyDocument"])
        if "sns:Publish" in listed(statement["Action"])
    ]
    to_phones = [statement for statement in rights if ":endpoint/" in json.dumps(statement["Resource"])]
    expect(
        to_phones and len(to_phones) == len(rights),
        "the notification function may not push to the endpoints of the course's platform applications, or may publish "
        "to other places, too",
        where=f"_grant_push in {SUBSCRIBERS_CODE}",
        next_step="allow sns:Publish on endpoint/*/<the applications' names>*, and on nothing else",
    )
    return "sns:Publish on endpoints alone"


@phones.on_cloud
def _(cloud: Deployment) -> str:
    dynamodb, table, told = cloud.client("dynamodb"), cloud.outputs["FollowUpTableName"], Told.new("order.ready")
    account = cloud.outputs["OrderTopicArn"].split(":")[4]
    name = f"{cloud.stacks[-1].partition('BrewHaven-')[0]}brew-haven-check"
    gone = f"arn:aws:sns:{cloud.region}:{account}:endpoint/GCM/{name}/{new_id()}"
    with _endpoint(cloud, told) as there:
        devices = {"DEVICE#gone": gone, **({"DEVICE#there": there} if there else {})}
        try:
            for device, arn in devices.items():
                item = {"pk": f"OWNER#{told.owner}", "sk": device, "endpoint_arn": arn}
                dynamodb.put_item(TableName=table, Item={key: {"S": value} for key, value in item.items()})
            publish(cloud, told.event, kind="order.ready", cents=ENOUGH)
            notice = wait_for(lambda: follow_ups(cloud, f"OWNER#{told.owner}", "NOTICE#"))
            expect(
                notice,
                f"a customer was not told within {PATIENCE_SECONDS} seconds that an order is ready",
                where=f"the log of {cloud.outputs['NotificationFunctionName']}, and its subscription's filter policy",
                next_step="let order.ready through, and see what the function's log says",
            )
            wait_for(lambda: not follow_ups(cloud, f"OWNER#{told.owner}", "DEVICE#gone"))
            left = [item["sk"]["S"] for item in follow_ups(cloud, f"OWNER#{told.owner}", "DEVICE#")]
            expect(
                "DEVICE#gone" not in left,
                f"the phone {gone} is gone, and the next notice will be pushed to it again",
                where="lambda_src/order_notification/push.py, and the function's log",
                next_step="delete a device whose endpoint is disabled or not found; the function needs "
                f"dynamodb:DeleteItem and sns:Publish on {name.removesuffix('-check')}*",
            )
            expect(
                not there or "DEVICE#there" in left,
                f"the phone {there} is there and was forgotten",
                where="lambda_src/order_notification/push.py",
                next_step="forget a device only when SNS says that it is disabled or not there",
            )
        finally:
            told.forget(cloud)
    return "a phone that is gone is forgotten" + (", one that is there is kept" if there else "")


@contextmanager
def _endpoint(cloud: Deployment, told: Told) -> Iterator[str | None]:
    """A phone on the course's platform application, for a moment; None where the account has no such application.

    The application itself holds credentials of Google or Apple, so no check can make one.
    """
    client, prefix = cloud.client("sns"), f":app/GCM/{cloud.stacks[-1].partition('BrewHaven-')[0]}brew-haven"
    pages = client.get_paginator("list_platform_applications").paginate()
    applications = [entry["PlatformApplicationArn"] for page in pages for entry in page["PlatformApplications"]]
    ours = next((arn for arn in applications if prefix in arn), None)
    if ours is None:
        yield None
        return
    made = client.create_platform_endpoint(PlatformApplicationArn=ours, Token=told.owner * 4)["EndpointArn"]
    try:
        yield made
    finally:
        client.delete_endpoint(EndpointArn=made)
