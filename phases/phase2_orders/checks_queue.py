"""Checks of lesson 2.5: the queue, its dead letters, and the worker that empties it."""

from __future__ import annotations

import json
import time
from typing import Any

from brewhaven.course.checks import CheckList, Failure, expect
from brewhaven.course.cloud import Deployment
from brewhaven.course.template import Resource, Template
from phases.phase2_orders.probes import (
    CONSTRUCTS,
    PATIENCE_SECONDS,
    order_event,
    placed_order,
    wait_for,
    worked_off,
    worker_lines,
)

CHECKS = CheckList()

QUEUE_CODE = f"{CONSTRUCTS}/worked_queue.py"
PIPELINE_CODE = f"{CONSTRUCTS}/order_pipeline.py"
MAPPING = "AWS::Lambda::EventSourceMapping"
FUNCTION = "AWS::Lambda::Function"
QUEUE = "AWS::SQS::Queue"
TIMES = 6
FEWEST_TRIES, MOST_TRIES = 3, 10
LEAST, MOST = 2, 1000
"""Maximum concurrency as Lambda takes it."""
LARGEST_PACKAGE = 5_000_000
LEAST_MEMORY = 512
LONGEST_INIT_MS = 10_000
"""As long as Lambda lets a start take; what is reasonable depends on the machine, so `make bench` measures that."""
COPIES = 4


def referred(template: Template, value: Any, type_: str) -> Resource:
    """The resource of a type that a part of the template refers to; without one the lookup fails."""
    return next(found for found in template.resources(type_) if template.mentions(found.logical_id, value))


def mappings_of(cloud: Deployment) -> list[dict[str, Any]]:
    """The event source mappings of the stack's functions."""
    client = cloud.client("lambda")
    return [client.get_event_source_mapping(UUID=entry.physical_id) for entry in cloud.resources(MAPPING)]


def attributes_of(cloud: Deployment, arn_or_url: str) -> dict[str, str]:
    """A queue's attributes, by its ARN or its URL."""
    client, url = cloud.client("sqs"), arn_or_url
    if url.startswith("arn:"):
        url = client.get_queue_url(QueueName=url.rpartition(":")[2])["QueueUrl"]
    found: dict[str, str] = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return found


def name_of(arn_or_url: str) -> str:
    """What a queue or function is called."""
    return arn_or_url.rpartition("/")[2].rpartition(":")[2]


visibility = CHECKS.check(
    "queue-visibility",
    lesson="2.5",
    objective="sqs-visibility-timeout",
    proves="While a function works on a message, nobody else gets it",
)


@visibility.on_template
def _(template: Template) -> str:
    pairs = []
    for mapping in template.resources(MAPPING):
        queue = referred(template, mapping.properties["EventSourceArn"], QUEUE)
        function = referred(template, mapping.properties["FunctionName"], FUNCTION)
        hidden, takes = queue.properties.get("VisibilityTimeout", 30), function.properties.get("Timeout", 3)
        pairs.append((queue.logical_id, int(hidden), int(takes)))
    return _long_enough(pairs)


@visibility.on_cloud
def _(cloud: Deployment) -> str:
    client, pairs = cloud.client("lambda"), []
    for mapping in mappings_of(cloud):
        function = client.get_function_configuration(FunctionName=mapping["FunctionArn"])
        hidden = attributes_of(cloud, mapping["EventSourceArn"])["VisibilityTimeout"]
        pairs.append((name_of(mapping["EventSourceArn"]), int(hidden), int(function["Timeout"])))
    return _long_enough(pairs)


def _long_enough(pairs: list[tuple[str, int, int]]) -> str:
    short = [f"{queue} hides it for {hidden} s, its function may take {takes} s" for queue, hidden, takes in pairs
             if hidden < TIMES * takes]  # fmt: skip
    expect(
        pairs and not short,
        f"a message may be given out again while it is worked on: {'; '.join(short) or 'there is no queue'}",
        where=f"visibility_timeout in {QUEUE_CODE}, and SQS console: the queue, Configuration",
        next_step=f"make it {TIMES} times the function's timeout: the event source may hold a message back for a while",
    )
    return ", ".join(f"{hidden} s for {takes} s" for _, hidden, takes in sorted(set(pairs), key=lambda p: p[1]))


kept = CHECKS.check(
    "dead-letters-kept",
    lesson="2.5",
    objective="sqs-dead-letters",
    proves="A message that fails again and again is put aside for a person, and can be sent back",
)


@kept.on_template
def _(template: Template) -> str:
    worked = [
        referred(template, mapping.properties["EventSourceArn"], QUEUE) for mapping in template.resources(MAPPING)
    ]
    found = []
    for queue in worked:
        policy = queue.properties.get("RedrivePolicy")
        dead = referred(template, policy["deadLetterTargetArn"], QUEUE) if policy else None
        keeps = dead.properties.get("MessageRetentionPeriod", 345600) if dead else 0
        found.append(
            (queue.logical_id, policy, int(queue.properties.get("MessageRetentionPeriod", 345600)), int(keeps))
        )
    return _put_aside(found)


@kept.on_cloud
def _(cloud: Deployment) -> str:
    found = []
    for mapping in mappings_of(cloud):
        queue = attributes_of(cloud, mapping["EventSourceArn"])
        policy = json.loads(queue["RedrivePolicy"]) if queue.get("RedrivePolicy") else None
        keeps = attributes_of(cloud, policy["deadLetterTargetArn"])["MessageRetentionPeriod"] if policy else 0
        found.append((name_of(mapping["EventSourceArn"]), policy, int(queue["MessageRetentionPeriod"]), int(keeps)))
    return _put_aside(found)


def _put_aside(found: list[tuple[str, Any, int, int]]) -> str:
    without = [queue for queue, policy, _, _ in found if not policy]
    expect(
        found and not without,
        f"a message that {', '.join(without) or 'no queue'} cannot get rid of is tried until it expires, and is lost",
        where=f"dead_letter_queue in {QUEUE_CODE}, and SQS console: the queue, Dead-letter queue",
        next_step="give the queue a redrive policy with a dead-letter queue",
    )
    tries = {queue: int(policy["maxReceiveCount"]) for queue, policy, _, _ in found}
    odd = [f"{queue} ({number})" for queue, number in tries.items() if not FEWEST_TRIES <= number <= MOST_TRIES]
    expect(
        not odd,
        f"a message is tried too often or hardly at all before it is put aside: {', '.join(odd)}",
        where=f"TRIES in {QUEUE_CODE}, and SQS console: the queue, Dead-letter queue",
        next_step=f"try it {FEWEST_TRIES} to {MOST_TRIES} times: a database that restarts is no reason to put aside, "
        "and a poison message holds up the others",
    )
    soon = [queue for queue, _, here, there in found if there <= here]
    expect(
        not soon,
        f"the dead letters of {', '.join(soon)} are kept no longer than the queue keeps a message: they expire before "
        "anybody looks, because their age counts from the first day",
        where=f"retention_period in {CONSTRUCTS}/dead_letters.py",
        next_step="keep them for 14 days",
    )
    return f"{len(found)} queues, after {sorted(set(tries.values()))[0]} tries"


empty = CHECKS.check(
    "dead-letters-empty",
    lesson="2.5",
    objective="sqs-dead-letters",
    proves="Nothing lies in a dead-letter queue that nobody has looked at",
)


@empty.on_cloud
def _(cloud: Deployment) -> str:
    client, aside = cloud.client("sqs"), []
    worked = {mapping["EventSourceArn"] for mapping in mappings_of(cloud)}
    urls = [
        entry.physical_id
        for entry in cloud.resources(QUEUE)
        if attributes_of(cloud, entry.physical_id)["QueueArn"] not in worked
    ]
    for url in urls:
        attributes = attributes_of(cloud, url)
        if number := int(attributes["ApproximateNumberOfMessages"]):
            # Seen and left where it is: nobody else has to wait for it.
            seen = client.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages", [])
            text = f", the first begins {seen[0]['Body'][:80]!r}" if seen else ""
            aside.append(f"{number} in {name_of(url)}{text}")
    expect(
        urls and not aside,
        f"messages failed and wait for a person: {'; '.join(aside) or 'there is no dead-letter queue'}",
        where="SQS console: the dead-letter queue, Send and receive messages; the log of the function says why",
        next_step="mend the cause, then `aws sqs start-message-move-task --source-arn <the dead-letter queue's ARN>`; "
        "what can never succeed is deleted",
    )
    return f"{len(urls)} queues, all empty"


bounded = CHECKS.check(
    "workers-bounded",
    lesson="2.5",
    objective="lambda-event-source",
    proves="Functions work off their queues, so many at a time, and say of each message whether it failed",
)


@bounded.on_template
def _(template: Template) -> str:
    return _bounded(
        [
            (
                mapping.logical_id,
                mapping.properties.get("Enabled", True) is True,
                mapping.properties.get("FunctionResponseTypes", []),
                mapping.properties.get("ScalingConfig", {}).get("MaximumConcurrency"),
            )
            for mapping in template.resources(MAPPING)
        ]
    )


@bounded.on_cloud
def _(cloud: Deployment) -> str:
    return _bounded(
        [
            (
                name_of(mapping["FunctionArn"]),
                mapping["State"] in ("Enabled", "Enabling", "Updating"),
                mapping.get("FunctionResponseTypes", []),
                mapping.get("ScalingConfig", {}).get("MaximumConcurrency"),
            )
            for mapping in mappings_of(cloud)
        ]
    )


def _bounded(found: list[tuple[str, bool, list[str], int | None]]) -> str:
    off = [name for name, is_on, _, _ in found if not is_on]
    expect(
        found and not off,
        f"nobody empties the queue of {', '.join(off) or 'any function'}: its event source is off",
        where="Lambda console: the function, Configuration, Triggers",
        next_step="`aws lambda update-event-source-mapping --uuid <id> --enabled`",
    )
    whole = [name for name, _, types, _ in found if "ReportBatchItemFailures" not in types]
    expect(
        not whole,
        f"one message that fails brings back the whole batch of {', '.join(whole)}",
        where=f"report_batch_item_failures in {QUEUE_CODE}, and the trigger of the function",
        next_step="let the event source read which messages failed: ReportBatchItemFailures",
    )
    endless = [name for name, _, _, most in found if most is None or not LEAST <= int(most) <= MOST]
    expect(
        not endless,
        f"in a rush any number of {', '.join(endless)} run at once",
        where=f"max_concurrency in {QUEUE_CODE}, and the trigger of the function",
        next_step="give the event source a maximum concurrency, 2 or more",
    )
    return f"{len(found)} event sources, at most {', '.join(str(most) for _, _, _, most in found)} at a time"


partial = CHECKS.check(
    "batch-partial",
    lesson="2.5",
    objective="lambda-event-source",
    proves="A poison message among good ones fails alone",
)


@partial.on_cloud
def _(cloud: Deployment) -> str:
    events = cloud.shared(worked_off)
    order = cloud.shared(placed_order)
    good = _copy_of(events["order.cancelled"], "order.cancelled", order.id, order.guest.owner)
    answer = cloud.client("lambda").invoke(
        FunctionName=cloud.outputs["WorkerFunctionName"],
        Payload=json.dumps({"Records": [_record("good", good), _record("poison", "no order event")]}).encode(),
    )
    said = json.loads(answer["Payload"].read())
    failed = said.get("batchItemFailures") if isinstance(said, dict) else None
    expect(
        failed == [{"itemIdentifier": "poison"}],
        f"the worker got a good message and a poison one and answered {json.dumps(said)[:300]}: it must name the "
        "poison one, and it alone",
        where="lambda_handler in lambda_src/order_worker/handler.py, and the worker's log",
        next_step="return what Powertools' process_partial_response answers; with nothing returned the poison message "
        "is deleted, with an exception the good one comes again",
    )
    return "of two messages the poison one"


def _copy_of(event_id: str, kind: str, order_id: str, owner: str) -> str:
    return json.dumps({**json.loads(order_event(kind, order_id, owner=owner)), "id": event_id})


def _record(message_id: str, body: str) -> dict[str, Any]:
    """A message as the event source hands it over."""
    return {
        "messageId": message_id,
        "receiptHandle": "check",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(int(time.time() * 1000)),
            "SenderId": "check",
            "ApproximateFirstReceiveTimestamp": str(int(time.time() * 1000)),
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:::check",
        "awsRegion": "",
    }


once = CHECKS.check(
    "event-once",
    lesson="2.5",
    objective="lambda-event-source",
    proves="An event that is delivered five times has its effect once",
)


@once.on_cloud
def _(cloud: Deployment) -> str:
    events = cloud.shared(worked_off)
    order = cloud.shared(placed_order)
    event_id = events["order.paid"]
    body = _copy_of(event_id, "order.paid", order.id, order.guest.owner)
    attributes = {"type": {"DataType": "String", "StringValue": "order.paid"}}
    cloud.client("sqs").send_message_batch(
        QueueUrl=cloud.outputs["OrderQueueUrl"],
        Entries=[{"Id": str(number), "MessageBody": body, "MessageAttributes": attributes} for number in range(COPIES)],
    )

    def counted() -> tuple[int, int] | None:
        lines = [line["message"] for line in worker_lines(cloud, event_id, order.began)]
        effects, repeats = lines.count("event processed"), lines.count("event repeated")
        return (effects, repeats) if effects + repeats > COPIES else None

    found = wait_for(counted)
    if found is None:
        raise Failure(
            f"of {COPIES} more copies of event {event_id} not all were looked at within {PATIENCE_SECONDS} seconds",
            where=f"the queue {name_of(cloud.outputs['OrderQueueUrl'])}, the log {cloud.outputs['WorkerLogGroupName']}",
            next_step="see whether the event source is on, and what the worker's log says",
        )
    expect(
        found[0] == 1,
        f"event {event_id} was delivered {COPIES + 1} times and had its effect {found[0]} times: a queue delivers at "
        "least once, and so a customer is told, and charged, more than once",
        where="lambda_src/order_worker: idempotent_function in handler.py, the table processed_events",
        next_step="note the event's id in the transaction of its effect, and look there first; see that nobody has set "
        "POWERTOOLS_IDEMPOTENCY_DISABLED",
    )
    return f"delivered {COPIES + 1} times, one effect, {found[1]} repeats"


cold = CHECKS.check(
    "cold-start-measured",
    lesson="2.5",
    objective="lambda-cold-starts",
    proves="The worker has little to load and enough processor to load it, and each of its cold starts is counted",
)


@cold.on_template
def _(template: Template) -> str:
    (worker,) = template.resources(FUNCTION, of="OrderPipelineWorkerFunction")
    return _memory(int(worker.properties.get("MemorySize", 128)), worker.logical_id)


@cold.on_cloud
def _(cloud: Deployment) -> str:
    name = cloud.outputs["WorkerFunctionName"]
    settings = cloud.client("lambda").get_function_configuration(FunctionName=name)
    memory = _memory(settings["MemorySize"], name)
    sizes = [settings["CodeSize"], *(layer["CodeSize"] for layer in settings.get("Layers", []))]
    expect(
        max(sizes) <= LARGEST_PACKAGE,
        f"the function {name} loads a package of {max(sizes) / 1e6:.1f} MB before it handles its first message",
        where="lambda_src/requirements.in and the asset of the function: what is in it that it does not import?",
        next_step="leave out what the function does not use; large libraries go where they are needed alone",
    )
    cloud.shared(worked_off)  # so that there is a line to look for
    lines = cloud.client("logs").filter_log_events(
        logGroupName=cloud.outputs["WorkerLogGroupName"], filterPattern='"ColdStart"', limit=100
    )["events"]
    expect(
        lines,
        f"no cold start of {name} was counted in its log, though it must have started once",
        where=f"the log group {cloud.outputs['WorkerLogGroupName']}, and lambda_src/order_worker/handler.py",
        next_step="let Powertools count them: capture_cold_start_metric=True",
    )
    inits = [float(init) for line in _reports(cloud) if (init := line.get("initDurationMs")) is not None]
    expect(
        not inits or min(inits) <= LONGEST_INIT_MS,
        f"the fastest cold start of {name} took {min(inits, default=0):.0f} ms",
        where="the lines platform.report of its log (initDurationMs)",
        next_step="import less, give it more memory, or take SnapStart; lesson 2.5 weighs them",
    )
    init = f", {min(inits):.0f} ms to start" if inits else ""
    return f"{memory}; packages of {sum(sizes) / 1e6:.1f} MB; {len(lines)} cold starts counted{init}"


def _reports(cloud: Deployment) -> list[dict[str, Any]]:
    """What Lambda itself reports of each call, where it does so in JSON."""
    events = cloud.client("logs").filter_log_events(
        logGroupName=cloud.outputs["WorkerLogGroupName"], filterPattern='{ $.type = "platform.report" }', limit=100
    )["events"]
    return [json.loads(event["message"]).get("record", {}).get("metrics", {}) for event in events]


def _memory(size: int, name: str) -> str:
    expect(
        size >= LEAST_MEMORY,
        f"the function {name} has {size} MB, and with them so little of a processor that its imports take seconds",
        where=f"memory_size in {PIPELINE_CODE}, and Lambda console: Configuration, General",
        next_step=f"give it {LEAST_MEMORY} MB: a start is paid by its time times its memory, so it costs the same",
    )
    return f"{size} MB"
