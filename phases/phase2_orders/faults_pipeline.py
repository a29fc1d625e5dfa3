"""Faults of lessons 2.5 and 2.6: between an order that is paid and whoever should hear of it."""

from __future__ import annotations

import json

from brewhaven.course.checks import listed, statements
from brewhaven.course.cloud import Deployment
from brewhaven.course.faults import Call, Explanation, FaultList, Plan, call
from brewhaven.course.template import Template
from phases.phase1_foundation.faults_hosting import DEPLOY_YOUR_CODE
from phases.phase2_orders.faults_orders import ONE_ORDER
from phases.phase2_orders.probes import follow_ups, forget_points, order_event, placed_order, publish, wait_for

FAULTS = FaultList()

SEND_BACK = """\
aws sqs start-message-move-task --source-arn "$(output OrderDeadLetterQueueArn)" --query TaskHandle --output text
"""
# How long somebody waits before he says that nothing comes.
PATIENCE_SECONDS = 15
REGULAR = "break-regular"
"""Who pays for coffee while `points-stand-still` is proven, and is nobody's customer."""


def heard_of(cloud: Deployment) -> set[str]:
    """Where a new order that was paid is heard of: in a `note` for the guest, by a `ticket` at the counter."""
    with placed_order(cloud) as order:
        places = {"note": (f"OWNER#{order.guest.owner}", "NOTICE#"), "ticket": ("BOARD", f"TICKET#{order.id}")}

        def look() -> set[str]:
            return {name for name, place in places.items() if follow_ups(cloud, *place)}

        wait_for(lambda: len(look()) == len(places), seconds=PATIENCE_SECONDS)
        return look()


def silence(cloud: Deployment) -> str | None:
    """What a guest says who has paid and hears nothing."""
    return None if heard_of(cloud) else f"an order was paid, and after {PATIENCE_SECONDS} s nobody has heard of it"


paid_and_no_word = FAULTS.fault(
    "paid-and-no-word",
    lesson="2.6",
    check="batch-partial",
    may_fail=("subscribers-hear", "event-once", "metrics-arrive", "cold-start-measured", "dead-letters-empty"),
    symptom="A guest: *\"I have paid, my order's page says so, and I got my flat white. But the note that used to come "
    "at once, 'order so-and-so is paid', has not come, and the one that it is ready neither.\"* The barista: *\"And at "
    'my counter no ticket comes out any more. I read it off the screen."*',
    hints=(
        "The order is taken and paid, and the shop's own pages know it. What is missing is everything that comes "
        "*after*: outbox, queue, worker, topic, subscribers. Go from hop to hop and find the last one where the event "
        "was. `aws sqs get-queue-attributes --queue-url <OrderQueueUrl> --attribute-names All` shows how many wait, "
        "and how many are being worked on.",
        "The events are in the queue, are taken out, and come back: the worker fails at them. It writes down why: `aws "
        "logs filter-log-events --log-group-name <WorkerLogGroupName> --filter-pattern '{ $.why = * }' --query "
        "'events[-1].message'`. Read the end of the sentence: what, on *which* resource.",
        "The worker's role may publish to the topic's ARN with `:*` behind it, and there is no such thing: compare "
        "`cdk diff`. Somebody deployed other code; deploy yours again. What failed five times meanwhile was put aside: "
        "send it back with `aws sqs start-message-move-task --source-arn <OrderDeadLetterQueueArn>`.",
    ),
    explanation=Explanation(
        cause="Somebody wanted to tidy up the roles, and hung `:*` onto the topic's ARN, 'as we do it with log "
        "groups'. Below a log group there are streams, and `:*` means them. Below a topic there is nothing that one "
        "could publish to, so the statement allows nothing that exists. It still looks right.",
        found_by="The worker's log: *AuthorizationError ... is not authorized to perform ... on resource ... because "
        "no identity-based policy allows*. The function's own metric `Errors` stays at 0, because it answers which "
        "messages failed, and that is no error: so the alarms that ring are the age of the queue after two minutes, "
        "and later the dead letters. `cdk diff` shows the two ARNs.",
        prevention="Let a grant write the statement where there is one. And after a change of a role do once what the "
        "role is for, as the check `batch-partial` does; `aws iam simulate-principal-policy` says it even before.",
        page="https://docs.aws.amazon.com/sns/latest/dg/sns-using-identity-based-policies.html",
    ),
    repair=DEPLOY_YOUR_CODE + SEND_BACK,
)


@paid_and_no_word.on_template
def _(template: Template) -> None:
    (policy,) = template.resources("AWS::IAM::Policy", of="OrderPipelineWorkerRole")
    for statement in statements(policy.properties["PolicyDocument"]):
        if "sns:Publish" in listed(statement["Action"]):
            statement["Resource"] = {"Fn::Join": ["", [statement["Resource"], ":*"]]}


paid_and_no_word.noticed(silence)


silent_since_monday = FAULTS.fault(
    "silent-since-monday",
    lesson="2.6",
    check="endpoints-guarded",
    may_fail=(*ONE_ORDER, "dead-letters-empty", "secret-by-role", "schema-current", "tables-constrained"),
    symptom='The barista: *"Since Monday I get no tickets, and guests ask me why they hear nothing from us. The orders '
    'themselves are on my screen, and I can move them along."* The manager: *"On Monday? There was nothing on Monday. '
    'Somebody cleaned up some duplicate lines in the network, he said, nothing that anybody uses."*',
    hints=(
        "The screen works, so the database does, and the shop reaches it. Tickets and notes go another way. Follow an "
        "event: outbox, queue, worker, topic. How far does it come, and how *long* does the worker take over it? Its "
        "`REPORT` lines say so.",
        "`aws logs filter-log-events --log-group-name <WorkerLogGroupName> --filter-pattern '{ $.why = * }' --query "
        "'events[-1].message'`: it could not connect. A role that lacks something is told *AccessDenied*, at once. "
        "Here nobody answers at all. Which hops does a call from an isolated subnet make on its way to a service of "
        "AWS (lesson 2.1)?",
        "`aws ec2 describe-vpc-endpoints --query 'VpcEndpoints[].[ServiceName,Groups[].GroupId]'` names the endpoints' "
        "security group, and `aws ec2 describe-security-group-rules --filters Name=group-id,Values=<that>` whom it "
        "lets in: the shop, and not the functions. `cdk diff` shows the rule that was deployed away. Deploy your code "
        "again, and send back what was put aside: `aws sqs start-message-move-task`.",
    ),
    explanation=Explanation(
        cause="The endpoints' security group has a rule for each caller, with the same port and nearly the same words. "
        "Somebody took two of them for the same one and deployed one less. Since then the functions stand before the "
        "private doors to Secrets Manager and SNS, and nobody opens. The shop, which uses the same doors, goes on.",
        found_by="In the worker's log *Could not connect to the endpoint URL*, or a connection that times out, in "
        "place of a refusal: who is refused was at least heard. `aws ec2 describe-security-group-rules` lists whom the "
        "doors let in. On AWS, VPC Flow Logs have a `REJECT` for each try, and Reachability Analyzer names the rule "
        "that is missing.",
        prevention="Rules that are made in code for each caller, in the construct that makes the door. And before a "
        "deployment the check `paths-complete`, which follows every call through subnets, doors and rules and says "
        "which hop is missing: `brewhaven verify 2 --on template` needs no account for it.",
        page="https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html",
    ),
    repair=DEPLOY_YOUR_CODE + SEND_BACK,
)


@silent_since_monday.on_template
def _(template: Template) -> None:
    (group,) = template.resources("AWS::EC2::SecurityGroup", of="PrivateFunctionsEndpointSecurityGroup")
    (functions,) = template.resources("AWS::EC2::SecurityGroup", of="PrivateFunctionsSecurityGroup")
    rules = group.properties["SecurityGroupIngress"]
    group.properties["SecurityGroupIngress"] = [
        rule for rule in rules if not template.mentions(functions.logical_id, rule)
    ]


silent_since_monday.noticed(silence)


no_tickets = FAULTS.fault(
    "no-tickets",
    lesson="2.6",
    check="filters-choose",
    may_fail=("subscribers-hear",),
    symptom='The barista: *"Not one ticket has come out at my counter since noon, I write them by hand. Everything '
    'else works: the orders are on my screen, guests get their notes, and even the points are counted, they say."*',
    hints=(
        "Others hear of the same orders, so they are announced. From there on each listener has a way of its own. Go "
        "along that of the tickets: has anything arrived in `BoardQueueUrl`, has its function done anything, was "
        "anything put aside? If nothing ever arrived, look at who should have handed it over.",
        "A topic hands to each subscription what that one has asked for, and nothing else; what it does not hand over "
        "is no failure, and no alarm. `aws sns list-subscriptions-by-topic --topic-arn <OrderTopicArn>`, then `aws sns "
        "get-subscription-attributes --subscription-arn <that of the board's queue>`: what has it asked for?",
        "Its filter policy waits for `order.placed.v2`, and the worker announces `order.placed`: the message is in the "
        "worker's log, and the code of `OrderSubscribers` has the right words. Somebody deployed half of a change: "
        "`cdk diff`, then deploy yours. The tickets of the time between do not come back.",
    ),
    explanation=Explanation(
        cause="A colleague prepared for a new kind of event, `order.placed.v2`, and began with the listener. The "
        "filter policy was deployed on its own, before anybody sends such an event. So nothing matched any more, and "
        "what does not match is not delivered, not kept, and not counted as a failure.",
        found_by="All queues and dead-letter queues are empty, nobody has failed, and something is missing all the "
        "same: that is what a filter looks like from behind. `aws sns get-subscription-attributes` shows the policy. "
        "On AWS the metric `NumberOfNotificationsFilteredOut` of the topic climbs. `cdk diff` shows the two lists.",
        prevention='New words go in beside the old ones, listener first: `["order.placed", "order.placed.v2"]`, '
        "and the old ones go out when nobody sends them any more. A test sends each type of event that there is, and "
        "sees who got it.",
        page="https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html",
    ),
    repair=DEPLOY_YOUR_CODE,
)


@no_tickets.on_template
def _(template: Template) -> None:
    (subscription,) = template.resources("AWS::SNS::Subscription", of="OrderSubscribersBoard")
    policy = subscription.properties["FilterPolicy"]
    policy["type"] = [f"{kind}.v2" for kind in policy["type"]]


@no_tickets.noticed
def _(cloud: Deployment) -> str | None:
    heard = heard_of(cloud)
    return "the guest has a note that the order is paid, and there is no ticket" if heard == {"note"} else None


points_stand_still = FAULTS.fault(
    "points-stand-still",
    lesson="2.6",
    check="workers-bounded",
    may_fail=("subscribers-hear", "filters-choose"),
    symptom='A regular: *"Eleven coffees since Friday, all of them paid, and my points stand where they stood. The '
    'notes that I have paid come as ever. Have you changed the rules?"* A colleague has left a slip of paper: '
    "*\"Friday, five o'clock: somebody got points twice, or so it looked. Have stopped it until we know. Nothing gets "
    'lost! Back on Monday."*',
    hints=(
        "Guests get their notes, so each payment is announced. The points go a way of their own from there. Are the "
        "payments lost on it, or do they wait? `aws sqs get-queue-attributes --queue-url <LoyaltyQueueUrl> "
        "--attribute-names All`.",
        "They wait, and nobody even tries: none is being worked on, none was put aside, and the function writes "
        "nothing into its log. A function does not come to its queue by itself. Who fetches the messages and calls it "
        "(lesson 2.5)?",
        "`aws lambda list-event-source-mappings --event-source-arn <the queue's ARN>` has the state `Disabled`. It was "
        "done by hand, so deploying changes nothing: `aws lambda update-event-source-mapping --uuid <its UUID> "
        "--enabled`. What has waited since Friday is worked off by itself.",
    ),
    explanation=Explanation(
        cause="On a Friday somebody disabled the event source of the loyalty function, because of a suspicion, and "
        "went home. The queue kept what came in, as it should, for four days at most: had nobody noticed until "
        "Wednesday, the first points would have been lost for good.",
        found_by="The queue grows, `ApproximateNumberOfMessagesNotVisible` is 0, and the function's log is silent: "
        "nobody fetches. `aws lambda list-event-source-mappings` says `Disabled`. The alarm on the age of the oldest "
        "message rings after two minutes. On AWS, CloudTrail has the `UpdateEventSourceMapping` with name and time.",
        prevention="The alarm on the age rings on a Friday at five, too, if somebody is told (lesson 2.3). To disable "
        "an event source is a good way to stop harm, with a note where all look and an hour at which it ends.",
        page="https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html",
    ),
    repair="""\
QUEUE=$(aws sqs get-queue-attributes --queue-url "$(output LoyaltyQueueUrl)" --attribute-names QueueArn \\
  --query Attributes.QueueArn --output text)
MAPPING=$(aws lambda list-event-source-mappings --event-source-arn "$QUEUE" \\
  --query 'EventSourceMappings[0].UUID' --output text)
aws lambda update-event-source-mapping --uuid "$MAPPING" --enabled --query State --output text
""",
)


@points_stand_still.out_of_band
def _(cloud: Deployment) -> Plan:
    (mapping,) = cloud.resources("AWS::Lambda::EventSourceMapping", of="OrderSubscribersLoyalty")

    def enabled(whether: bool) -> Call:
        return call("lambda", "update_event_source_mapping", UUID=mapping.physical_id, Enabled=whether)

    return Plan(do=[enabled(False)], undo=[enabled(True)])


@points_stand_still.noticed
def _(cloud: Deployment) -> str | None:
    """A payment of a regular is announced; points that come too late are nobody's any more."""
    event = order_event("order.paid", REGULAR, owner=REGULAR, customer=REGULAR)
    id_ = json.loads(event)["id"]
    publish(cloud, event, kind="order.paid", cents=480)
    counted = wait_for(lambda: follow_ups(cloud, f"LOYALTY#{REGULAR}", f"EVENT#{id_}"), seconds=PATIENCE_SECONDS)
    forget_points(cloud, REGULAR, id_)
    return None if counted else f"4.80 EUR were paid, and after {PATIENCE_SECONDS} s there is no point for them"
