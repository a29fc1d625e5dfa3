"""SNS: each subscriber gets what its filter admits, or its dead-letter queue does; what is written down says so.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

from brewhaven.local.emulator import wrap_handler
from brewhaven.local.engines.metric_points import publish
from brewhaven.local.registry import REGISTRY, correction, replace
from brewhaven.local.resources.sns_written import forget, write_down

logger = logging.getLogger("brewhaven.local.sns")

Record = dict[str, Any]
_MAY_BE_RAW = ("sqs", "http", "https")
# AWS tries an HTTP endpoint 50 times within an hour.
HTTP_TRIES, HTTP_PAUSE_SECONDS = 4, 1.0


@dataclass(frozen=True)
class Notification:
    """One message for one subscriber.

    Attributes:
        message: The text for its protocol.
        envelope: What is delivered: the text, or the notification around it.
    """

    topic: str
    subscription: Record
    identity: str
    message: str
    envelope: str
    attributes: Record = field(default_factory=dict)
    subject: str = ""
    group: str = ""
    deduplication: str = ""

    @property
    def endpoint(self) -> str:
        return str(self.subscription["endpoint"])

    @property
    def is_raw(self) -> bool:
        return bool(self.subscription["attributes"].get("RawMessageDelivery") == "true")


def _count(topic: str, name: str) -> None:
    publish("AWS/SNS", f"NumberOf{name}", 1, "Count", {"TopicName": topic.rpartition(":")[2]})


def _to_queue(notification: Notification) -> str | None:
    """Deliver; return why it cannot be."""
    from ministack.services import sns, sqs

    account = notification.topic.split(":")[4]
    if sqs._queue_by_arn(notification.endpoint) is None:
        return "the queue does not exist"
    if not sqs.queue_policy_allows(notification.endpoint, "sns.amazonaws.com", notification.topic, account):
        return "the queue's policy does not allow the topic to send to it"
    sns._deliver_to_sqs(
        notification.endpoint,
        notification.envelope,
        notification.is_raw,
        notification.message,
        message_group_id=notification.group,
        message_dedup_id=notification.deduplication,
        message_attributes=notification.attributes,
        topic_arn=notification.topic,
    )
    return None


def _to_function(notification: Notification) -> str | None:
    """Hand over to Lambda, which tries an event that fails twice more and has a dead-letter queue of its own."""
    from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
    from ministack.services import lambda_svc

    function, config, _name = lambda_svc._get_func_record_for_ref(notification.endpoint)
    if not function or not config:
        return "the function does not exist"
    context = EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="lambda:InvokeFunction",
        resource_arn=notification.endpoint,
        region=notification.topic.split(":")[3],
        service_context={"aws:sourcearn": notification.topic, "aws:sourceaccount": notification.topic.split(":")[4]},
    )
    if evaluate_resource_policy(function["policy"], context, service="sns.amazonaws.com").decision != "Allow":
        return "the function's policy does not allow the topic to invoke it"
    record = {
        "EventVersion": "1.0",
        "EventSubscriptionArn": notification.subscription["arn"],
        "EventSource": "aws:sns",
        "Sns": json.loads(notification.envelope),
    }
    lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), {"Records": [record]})
    return None


def _to_web(notification: Notification) -> str | None:
    """Post, a few times if need be; runs in a thread of its own."""
    from ministack.services import sns

    problem = ""
    for attempt in range(HTTP_TRIES):
        time.sleep(HTTP_PAUSE_SECONDS if attempt else 0)
        try:
            sns._http_post_sync(notification.endpoint, notification.envelope, "Notification")
        except OSError as error:
            problem = str(error)
        else:
            return None
    return problem


def _to_person(notification: Notification) -> str | None:
    """E-mail and SMS are written down."""
    name = f"{notification.topic.rpartition(':')[2]}/{notification.subscription['protocol']}"
    subject = notification.subject
    write_down(name, notification.identity, notification.endpoint, notification.message, subject=subject)
    return None


def _to_device(notification: Notification) -> str | None:
    from brewhaven.local.resources.sns_mobile_push import push

    return push(notification.endpoint, notification.message, notification.identity, structured=False)


_WAYS: dict[str, Callable[[Notification], str | None]] = {
    "sqs": _to_queue,
    "lambda": _to_function,
    "http": _to_web,
    "https": _to_web,
    "email": _to_person,
    "email-json": _to_person,
    "sms": _to_person,
    "application": _to_device,
}


def deliver(notification: Notification) -> None:
    """Deliver a notification, or put it into the subscription's dead-letter queue."""
    protocol = notification.subscription["protocol"]
    way = _WAYS.get(protocol)
    problem = way(notification) if way else f"the local cloud does not deliver over {protocol}"
    if problem is None:
        _count(notification.topic, "NotificationsDelivered")
        return
    _count(notification.topic, "NotificationsFailed")
    logger.warning("%s to %s: %s", notification.topic, notification.endpoint, problem)
    policy = notification.subscription["attributes"].get("RedrivePolicy")
    if policy:
        _redrive(notification, str(json.loads(policy).get("deadLetterTargetArn", "")))


def _redrive(notification: Notification, target: str) -> None:
    """A queue that is gone, or whose policy does not admit the topic, loses it; AWS counts that as well."""
    subscription = {**notification.subscription, "endpoint": target, "protocol": "sqs"}
    refused = _to_queue(Notification(**{**vars(notification), "subscription": subscription}))
    _count(notification.topic, "NotificationsFailedToRedriveToDlq" if refused else "NotificationsRedrivenToDlq")
    if refused:
        logger.warning("%s: its dead-letter queue %s took nothing: %s", notification.topic, target, refused)


def _wrapped(  # noqa: PLR0917 - the emulator's own signature, and the moment
    topic_arn: str, identity: str, text: str, subject: str, attributes: Record, published_at: str
) -> str:
    """The notification around a text. It tells the moment of the publication to the millisecond, as SNS does."""
    from ministack.services import sns

    envelope = json.loads(sns._build_envelope(topic_arn, identity, text, subject, attributes, False))
    return json.dumps({**envelope, "Timestamp": published_at})


def fan_out(  # noqa: PLR0917 - the emulator's own signature
    topic_arn: str,
    identity: str,
    message: str,
    subject: str,
    structure: str = "",
    attributes: Record | None = None,
    message_group_id: str = "",
    message_dedup_id: str = "",
) -> None:
    """Send a message to every subscriber whose filter policy admits it."""
    from ministack.core.responses import now_iso, request_scope
    from ministack.services import sns

    published_at = now_iso()
    topic = sns._topic_by_arn_any_scope(topic_arn)
    if topic is None:
        return
    _count(topic_arn, "MessagesPublished")
    with request_scope(topic_arn.split(":")[4], topic_arn.split(":")[3]):
        for subscription in list(topic["subscriptions"]):
            protocol = subscription["protocol"]
            if not subscription.get("confirmed"):
                continue
            text = sns._resolve_message_for_protocol(message, structure, protocol)
            if not sns._matches_filter_policy(subscription, attributes or {}, text):
                _count(topic_arn, "NotificationsFilteredOut")
                continue
            raw = protocol in _MAY_BE_RAW and subscription["attributes"].get("RawMessageDelivery") == "true"
            notification = Notification(
                topic=topic_arn,
                subscription=subscription,
                identity=identity,
                message=text,
                envelope=text if raw else _wrapped(topic_arn, identity, text, subject, attributes or {}, published_at),
                attributes=attributes or {},
                subject=subject or "",
                group=message_group_id,
                deduplication=message_dedup_id,
            )
            if protocol in ("http", "https"):
                threading.Thread(target=copy_context().run, args=(deliver, notification), daemon=True).start()
            else:
                deliver(notification)


@correction
def subscribers_get_it_or_their_dead_letter_queue_does() -> None:
    """What cannot be delivered goes to the subscription's dead-letter queue, and Lambda tries a failed event again.

    A function is only invoked if its policy allows the topic to. The emulator drops what fails, and asks nobody.
    """
    from ministack.services import sns

    replace(sns, "_fanout", lambda _: fan_out)


@correction
def a_topic_takes_its_log_groups_along() -> None:
    """What was written down for a topic goes with it."""
    from ministack.services import sns

    def through_api(original: Any) -> Any:
        def delete(parameters: Record) -> Any:
            forget(sns._p(parameters, "TopicArn").rpartition(":")[2])
            return original(parameters)

        return delete

    def through_stack(original: Any) -> Any:
        def delete(physical_id: str, properties: Record) -> None:
            forget(physical_id.rpartition(":")[2])
            original(physical_id, properties)

        return delete

    replace(sns, "_delete_topic", through_api)
    wrap_handler("AWS::SNS::Topic", "delete", through_stack)


REGISTRY.recorded["AWS::SNS::Topic"] = (
    "queues, functions and HTTP endpoints really get its messages; e-mail, SMS and mobile push are written to the log "
    "groups sns/... and sent nowhere"
)
