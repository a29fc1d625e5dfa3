"""Queues, topics and subscriptions of phase 2's stack: who may send, who hears, and where it ends what fails."""

from __future__ import annotations

import pytest

from brewhaven.course.checks import listed
from brewhaven.mutate.references import all_needed, needs
from tests.assertion.phase2 import LAST_PLACES, QUEUES, STACK, Read, as_text, of_type, without_hash


@pytest.mark.parametrize("queue", QUEUES.values())
def test_a_queue_has_dead_letters_of_its_own(template: Read, queue: str) -> None:
    found = of_type(template(STACK), "AWS::SQS::Queue")[queue]
    redrive = found["RedrivePolicy"]
    assert as_text(redrive["deadLetterTargetArn"]) == f"<{queue.removesuffix('Queue')}DeadLetters.Arn>"
    assert redrive["maxReceiveCount"] == 5
    assert found["VisibilityTimeout"] == (360 if queue.startswith("Image") else 60)


def test_every_queue_is_encrypted_and_accepts_tls_alone(template: Read) -> None:
    built = template(STACK)
    queues, policies = of_type(built, "AWS::SQS::Queue"), of_type(built, "AWS::SQS::QueuePolicy")
    assert len(queues) == len(policies) == 10
    for name, queue in queues.items():
        assert queue["SqsManagedSseEnabled"] is True, name
        policy = policies[f"{name}Policy"]
        assert [as_text(one) for one in policy["Queues"]] == [f"<{name}>"]
        assert policy["PolicyDocument"]["Statement"][0] == {
            "Action": "sqs:*",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            "Resource": {"Fn::GetAtt": [policy["Queues"][0]["Ref"], "Arn"]},
        }, name


@pytest.mark.parametrize(
    ("queue", "service", "source"),
    [
        ("OrderSubscribersUndelivered", "sns.amazonaws.com", "<OrderPipelineTopic>"),
        ("OrderSubscribersLoyaltyQueue", "sns.amazonaws.com", "<OrderPipelineTopic>"),
        ("OrderSubscribersBoardQueue", "sns.amazonaws.com", "<OrderPipelineTopic>"),
        ("ImagePipelineUploadsQueue", "events.amazonaws.com", "<ImagePipelineNewPictures.Arn>"),
        ("ImagePipelineUploadsDeadLetters", "events.amazonaws.com", "<ImagePipelineNewPictures.Arn>"),
    ],
)
def test_a_queue_lets_in_who_delivers_to_it_and_nobody_else(
    template: Read, queue: str, service: str, source: str
) -> None:
    policy = of_type(template(STACK), "AWS::SQS::QueuePolicy")[f"{queue}Policy"]["PolicyDocument"]
    allowed = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    assert allowed
    for statement in allowed:
        assert statement["Principal"] == {"Service": service}
        assert "sqs:SendMessage" in statement["Action"]
        assert as_text(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == source
        assert as_text(statement["Resource"]) == f"<{queue}.Arn>"


SUBSCRIPTIONS = {
    "OrderSubscribersNotificationFunction": (
        "lambda",
        {"type": ["order.paid", "order.ready", "order.cancelled"]},
    ),
    "OrderSubscribersLoyaltyQueue": ("sqs", {"type": ["order.paid"], "total_cents": [{"numeric": [">=", 100]}]}),
    "OrderSubscribersBoardQueue": ("sqs", {"type": ["order.placed", "order.paid"]}),
}


@pytest.mark.parametrize("subscriber", SUBSCRIPTIONS)
def test_a_subscriber_hears_what_its_filter_names(template: Read, subscriber: str) -> None:
    protocol, hears = SUBSCRIPTIONS[subscriber]
    (found,) = of_type(template(STACK), "AWS::SNS::Subscription", subscriber.removesuffix("Queue")).values()
    assert (found["Protocol"], found["FilterPolicy"]) == (protocol, hears)
    assert as_text(found["Endpoint"]) == f"<{subscriber}.Arn>"
    assert as_text(found["TopicArn"]) == "<OrderPipelineTopic>"
    assert as_text(found["RedrivePolicy"]["deadLetterTargetArn"]) == "<OrderSubscribersUndelivered.Arn>"
    assert found.get("RawMessageDelivery") is (True if protocol == "sqs" else None)


@pytest.mark.parametrize("queue", LAST_PLACES)
def test_what_failed_for_good_waits_two_weeks_for_a_person(template: Read, queue: str) -> None:
    """SQS itself forgets after four days, which a long weekend with an illness is."""
    assert of_type(template(STACK), "AWS::SQS::Queue")[queue]["MessageRetentionPeriod"] == 14 * 24 * 3600


@pytest.mark.parametrize("subscriber", ["Loyalty", "Board"])
def test_a_queue_lets_the_topic_in_before_it_subscribes(template: Read, subscriber: str) -> None:
    """Else what is announced in between cannot be delivered."""
    resources = template(STACK)["Resources"]
    queue = f"OrderSubscribers{subscriber}Queue"
    (subscription,) = [
        one for name, one in resources.items() if one["Type"] == "AWS::SNS::Subscription" and name.startswith(queue)
    ]
    assert f"{queue}Policy" in {without_hash(one) for one in all_needed(resources, needs(subscription))}


@pytest.mark.parametrize("topic", ["OrderPipelineTopic", "StaffAlarmsTopic"])
def test_a_topic_refuses_whoever_publishes_without_tls(template: Read, topic: str) -> None:
    (policy,) = of_type(template(STACK), "AWS::SNS::TopicPolicy", topic).values()
    assert [as_text(one) for one in policy["Topics"]] == [f"<{topic}>"]
    (refusal,) = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
    assert (refusal["Action"], refusal["Principal"]) == ("sns:Publish", "*")
    assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert as_text(refusal["Resource"]) == f"<{topic}>"


def test_cloudwatch_may_tell_the_staff_and_nothing_else_and_nobody_else_may(template: Read) -> None:
    (policy,) = of_type(template(STACK), "AWS::SNS::TopicPolicy", "StaffAlarmsTopic").values()
    (allowed,) = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Allow"]
    assert (listed(allowed["Action"]), as_text(allowed["Resource"])) == (["sns:Publish"], "<StaffAlarmsTopic>")
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}, "alarms of this account"


def test_the_topic_may_call_the_function_that_tells_customers_and_no_other_topic_may(template: Read) -> None:
    (permission,) = of_type(template(STACK), "AWS::Lambda::Permission").values()
    assert permission["Action"] == "lambda:InvokeFunction"
    assert permission["Principal"] == "sns.amazonaws.com"
    assert as_text(permission["FunctionName"]) == "<OrderSubscribersNotificationFunction.Arn>"
    assert as_text(permission["SourceArn"]) == "<OrderPipelineTopic>"


def test_a_notice_that_fails_for_good_is_kept_with_its_error(template: Read) -> None:
    """SNS calls the version `$LATEST`; a destination of another version would hear nothing."""
    (config,) = of_type(template(STACK), "AWS::Lambda::EventInvokeConfig").values()
    assert as_text(config["FunctionName"]) == "<OrderSubscribersNotificationFunction>"
    assert config["Qualifier"] == "$LATEST"
    failed = config["DestinationConfig"]["OnFailure"]["Destination"]
    assert as_text(failed) == "<OrderSubscribersNotificationFailures.Arn>"


def test_new_pictures_of_the_shops_bucket_are_looked_at_and_no_other_objects(template: Read) -> None:
    (rule,) = of_type(template(STACK), "AWS::Events::Rule").values()
    pattern = rule["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    (bucket,) = pattern["detail"]["bucket"]["name"]
    assert "AssetBucket" in as_text(bucket), "every bucket of the account tells the same bus"
    assert pattern["detail"]["object"]["key"] == [{"prefix": "media/uploads/checked/"}]


def test_an_event_about_a_picture_goes_to_the_queue_and_if_it_cannot_to_the_dead_letters(template: Read) -> None:
    (rule,) = of_type(template(STACK), "AWS::Events::Rule").values()
    (target,) = rule["Targets"]
    assert as_text(target["Arn"]) == "<ImagePipelineUploadsQueue.Arn>"
    assert as_text(target["DeadLetterConfig"]["Arn"]) == "<ImagePipelineUploadsDeadLetters.Arn>"
