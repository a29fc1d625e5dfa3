"""SNS: filters, dead-letter queues, functions that fail, and mobile push (resources/sns_*.py)."""

from __future__ import annotations

import json
import textwrap
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.stacks import Resources, StackError, allow, att, ref, role, stack, typed
from tests.plugins.containers import until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


class Topic:
    """A topic and queues that subscribe to it."""

    def __init__(self, cloud: Cloud) -> None:
        self.sns, self.sqs = cloud.client("sns"), cloud.client("sqs")
        self.name = f"topic-{uuid.uuid4().hex[:8]}"
        self.arn = self.sns.create_topic(Name=self.name)["TopicArn"]

    def queue(self, *, open_to_topic: bool = True) -> tuple[str, str]:
        url = self.sqs.create_queue(QueueName=f"q-{uuid.uuid4().hex[:8]}")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if open_to_topic:
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(queue_policy(arn, self.arn))})
        return url, arn

    def subscribe(self, arn: str, protocol: str = "sqs", **attributes: Any) -> str:
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()}
        answer = self.sns.subscribe(TopicArn=self.arn, Protocol=protocol, Endpoint=arn, Attributes=texts)
        return str(answer["SubscriptionArn"])

    def publish(self, message: str, **attributes: Any) -> None:
        typed_ = {
            name: {"DataType": "Number" if isinstance(value, int) else "String", "StringValue": str(value)}
            for name, value in attributes.items()
        }
        self.sns.publish(TopicArn=self.arn, Message=message, MessageAttributes=typed_)

    def bodies(self, url: str) -> list[str]:
        found: list[str] = []
        while batch := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"] for message in batch]
        return sorted(found)


def queue_policy(queue: Any, topic: Any) -> dict[str, Any]:
    condition = {"ArnEquals": {"aws:SourceArn": topic}}
    sns = {"Service": "sns.amazonaws.com"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": sns,
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": condition,
            }
        ],
    }


@pytest.fixture
def topic(cloud: Cloud) -> Iterator[Topic]:
    made = Topic(cloud)
    yield made
    made.sns.delete_topic(TopicArn=made.arn)


@pytest.mark.parametrize(
    ("policy", "admitted"),
    [
        ({"type": ["order.paid"]}, ["paid 450"]),
        ({"type": [{"prefix": "order."}]}, ["paid 450", "placed 100"]),
        ({"type": [{"anything-but": ["order.placed"]}]}, ["paid 450"]),
        ({"cents": [{"numeric": [">=", 450]}]}, ["paid 450"]),
        ({"cents": [{"numeric": [">", 0, "<", 450]}]}, ["placed 100"]),
        ({"digits": [{"numeric": ["=", 7]}]}, []),  # a string of digits is no number
        ({"type": ["order.paid"], "cents": [{"numeric": ["<", 100]}]}, []),
        ({"coupon": [{"exists": False}]}, ["paid 450", "placed 100"]),
    ],
)
def test_filters_on_attributes(topic: Topic, policy: dict[str, Any], admitted: list[str]) -> None:
    url, arn = topic.queue()
    topic.subscribe(arn, FilterPolicy=policy, RawMessageDelivery="true")
    topic.publish("paid 450", type="order.paid", cents=450, digits="7")
    topic.publish("placed 100", type="order.placed", cents=100, digits="7")
    assert topic.bodies(url) == admitted


def test_filters_on_the_body(topic: Topic) -> None:
    url, arn = topic.queue()
    policy = {"order": {"cents": [{"numeric": [">", 100]}], "status": ["paid"]}}
    topic.subscribe(arn, FilterPolicy=policy, FilterPolicyScope="MessageBody", RawMessageDelivery="true")
    wanted = json.dumps({"order": {"cents": 450, "status": "paid"}})
    for message in (wanted, json.dumps({"order": {"cents": "450", "status": "paid"}}), "no JSON", "[]"):
        topic.publish(message)
    assert topic.bodies(url) == [wanted]


@pytest.mark.parametrize(
    "policy", ['{"type": "paid"}', "{type}", '{"type": [{"begins": "a"}]}', '{"n": [{"numeric": [">", "x"]}]}']
)
def test_filters_with_mistakes_are_refused(topic: Topic, policy: str) -> None:
    _, arn = topic.queue()
    with pytest.raises(ClientError, match="Invalid parameter: FilterPolicy"):
        topic.subscribe(arn, FilterPolicy=policy)
    subscription = topic.subscribe(arn)
    with pytest.raises(ClientError, match="Invalid parameter: FilterPolicy"):
        topic.sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName="FilterPolicy", AttributeValue=policy
        )


def test_raw_and_wrapped(topic: Topic) -> None:
    (raw, raw_arn), (wrapped, wrapped_arn) = topic.queue(), topic.queue()
    topic.subscribe(raw_arn, RawMessageDelivery="true")
    topic.subscribe(wrapped_arn)
    topic.publish("hello", type="order.paid")
    [message] = topic.sqs.receive_message(QueueUrl=raw, MessageAttributeNames=["All"])["Messages"]
    assert (message["Body"], message["MessageAttributes"]["type"]["StringValue"]) == ("hello", "order.paid")
    [body] = topic.bodies(wrapped)
    assert json.loads(body)["Message"] == "hello"
    assert json.loads(body)["MessageAttributes"]["type"] == {"Type": "String", "Value": "order.paid"}


def test_a_notification_tells_when_it_was_published_to_the_millisecond(topic: Topic) -> None:
    url, arn = topic.queue()
    topic.subscribe(arn)
    fractions = set()
    for number in range(8):
        before = datetime.now(UTC)
        topic.publish(f"{number}")
        after = datetime.now(UTC)
        [body] = topic.bodies(url)
        told = datetime.fromisoformat(json.loads(body)["Timestamp"].replace("Z", "+00:00"))
        assert before - timedelta(milliseconds=1) <= told <= after
        fractions.add(told.microsecond)
        time.sleep(0.003)
    assert len(fractions) > 1, "the notifications tell whole seconds alone"


@pytest.mark.parametrize("broken", ["queue is gone", "queue is shut", "function is gone"])
def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(topic: Topic, broken: str) -> None:
    dead, dead_arn = topic.queue()
    redrive = {"RedrivePolicy": {"deadLetterTargetArn": dead_arn}}
    if broken == "queue is gone":
        url, arn = topic.queue()
        topic.subscribe(arn, **redrive)
        topic.sqs.delete_queue(QueueUrl=url)
    elif broken == "queue is shut":
        topic.subscribe(topic.queue(open_to_topic=False)[1], **redrive)
    else:
        topic.subscribe("arn:aws:lambda:us-east-1:111122223333:function:gone", "lambda", **redrive)
    topic.publish("do not lose me")
    [body] = topic.bodies(dead)
    assert json.loads(body)["Message"] == "do not lose me"


def test_a_dead_letter_queue_that_is_shut_loses_it(topic: Topic) -> None:
    dead, dead_arn = topic.queue(open_to_topic=False)
    redrive = {"RedrivePolicy": {"deadLetterTargetArn": dead_arn}}
    topic.subscribe(topic.queue(open_to_topic=False)[1], **redrive)
    topic.publish("lost")
    assert topic.bodies(dead) == []


def subscriber(code: str) -> Resources:
    """A function that subscribes to a topic, with everything that the CDK makes of ``LambdaSubscription``."""
    sending = allow("sqs:SendMessage", on=[att("Dead", "Arn"), att("Out", "Arn")])
    return {
        "Topic": typed("AWS::SNS::Topic"),
        "Dead": typed("AWS::SQS::Queue"),
        "Out": typed("AWS::SQS::Queue"),
        "Role": role(Policies=[{"PolicyName": "send", "PolicyDocument": sending}]),
        "Function": typed(
            "AWS::Lambda::Function", Runtime="python3.13", Handler="index.handler", Role=att("Role", "Arn"), Timeout=20,
            Code={"ZipFile": textwrap.dedent(code)}, DeadLetterConfig={"TargetArn": att("Dead", "Arn")},
            Environment={"Variables": {"OUT": ref("Out")}},
        ),
        "Subscription": typed(
            "AWS::SNS::Subscription", TopicArn=ref("Topic"), Protocol="lambda", Endpoint=att("Function", "Arn"),
            FilterPolicy={"type": ["order.paid"]},
        ),
        "Permission": typed(
            "AWS::Lambda::Permission", Action="lambda:InvokeFunction", FunctionName=att("Function", "Arn"),
            Principal="sns.amazonaws.com", SourceArn=ref("Topic"),
        ),
    }  # fmt: skip


TELLS = """
    import boto3, json, os
    def handler(event, context):
        boto3.client("sqs").send_message(QueueUrl=os.environ["OUT"], MessageBody=event["Records"][0]["Sns"]["Message"])
"""
FAILS = """
    def handler(event, context):
        raise ValueError("for ever")
"""


def messages(cloud: Cloud, url: str, seconds: float = 20) -> list[dict[str, Any]]:
    def take() -> list[dict[str, Any]]:
        answer = cloud.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=1
        )
        return list(answer.get("Messages", []))

    return list(until(take, seconds))


def test_a_function_is_invoked_only_if_its_policy_lets_the_topic(cloud: Cloud) -> None:
    resources = subscriber(TELLS)
    permission = resources.pop("Permission")
    paid = {"type": {"DataType": "String", "StringValue": "order.paid"}}
    with stack(cloud) as made:
        made.create(resources)
        topic = made.physical_id("Topic")
        cloud.client("sns").publish(TopicArn=topic, Message="not allowed", MessageAttributes=paid)
        made.update({**resources, "Permission": permission})
        cloud.client("sns").publish(TopicArn=topic, Message="filtered out")
        cloud.client("sns").publish(TopicArn=topic, Message="allowed", MessageAttributes=paid)
        assert [m["Body"] for m in messages(cloud, made.physical_id("Out"))] == ["allowed"]


def test_a_function_that_fails_for_ever_is_tried_again_and_then_given_up(cloud: Cloud) -> None:
    paid = {"type": {"DataType": "String", "StringValue": "order.paid"}}
    with stack(cloud) as made:
        made.create(subscriber(FAILS))
        cloud.client("sns").publish(TopicArn=made.physical_id("Topic"), Message="poison", MessageAttributes=paid)
        [dead] = messages(cloud, made.physical_id("Dead"), 60)
        assert dead["MessageAttributes"]["ErrorMessage"]["StringValue"] == "for ever"
        assert json.loads(dead["Body"])["Records"][0]["Sns"]["Message"] == "poison"
        logs = cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{made.physical_id('Function')}")
        assert len([e for e in logs["events"] if e["message"].startswith("START")]) == 3


def test_subscriptions_of_a_template(cloud: Cloud) -> None:
    resources: Resources = {
        "Topic": typed("AWS::SNS::Topic"),
        "Dead": typed("AWS::SQS::Queue"),
        "Queue": typed("AWS::SQS::Queue"),
        "Policy": typed(
            "AWS::SQS::QueuePolicy",
            Queues=[ref("Dead")],
            PolicyDocument=queue_policy(att("Dead", "Arn"), ref("Topic")),
        ),
        "Subscription": typed(
            "AWS::SNS::Subscription",
            TopicArn=ref("Topic"),
            Protocol="sqs",
            Endpoint=att("Queue", "Arn"),
            RawMessageDelivery=True,
            FilterPolicyScope="MessageBody",
            FilterPolicy={"cents": [{"numeric": [">", 100]}]},
            RedrivePolicy={"deadLetterTargetArn": att("Dead", "Arn")},
        ),
    }
    with stack(cloud) as made:
        made.create(resources)
        sns = cloud.client("sns")
        [found] = sns.list_subscriptions_by_topic(TopicArn=made.physical_id("Topic"))["Subscriptions"]
        attributes = sns.get_subscription_attributes(SubscriptionArn=found["SubscriptionArn"])["Attributes"]
        assert attributes["Protocol"] == "sqs"
        assert attributes["RawMessageDelivery"] == "true"
        assert attributes["FilterPolicyScope"] == "MessageBody"
        for cents in (50, 450):
            sns.publish(TopicArn=made.physical_id("Topic"), Message=json.dumps({"cents": cents}))
        # The queue admits nobody: the subscription's dead-letter queue gets what its filter admits.
        assert [m["Body"] for m in messages(cloud, made.physical_id("Dead"))] == ['{"cents": 450}']
    resources["Subscription"]["Properties"]["FilterPolicy"] = {"cents": "450"}
    with stack(cloud) as made, pytest.raises(StackError, match="FilterPolicy"):
        made.create(resources)


@pytest.fixture
def application(cloud: Cloud) -> Iterator[tuple[Any, str]]:
    sns = cloud.client("sns")
    arn = sns.create_platform_application(
        Name=f"app-{uuid.uuid4().hex[:8]}", Platform="GCM", Attributes={"PlatformCredential": "key"}
    )["PlatformApplicationArn"]
    yield sns, arn
    sns.delete_platform_application(PlatformApplicationArn=arn)


def written(cloud: Cloud, name: str) -> list[dict[str, Any]]:
    """What was written down for a topic or an application."""
    group = f"sns/us-east-1/{cloud.settings.account_id}/{name}"
    events = cloud.client("logs").filter_log_events(logGroupName=group)["events"]
    return [json.loads(event["message"]) for event in events]


def test_a_push_to_a_device_is_written_down(cloud: Cloud, application: tuple[Any, str]) -> None:
    sns, arn = application
    device = sns.create_platform_endpoint(PlatformApplicationArn=arn, Token="t-1", CustomUserData="ana")["EndpointArn"]
    texts = json.dumps({"default": "ready", "GCM": '{"notification": {"title": "Your latte"}}'})
    identity = sns.publish(TargetArn=device, Message=texts, MessageStructure="json")["MessageId"]
    [entry] = written(cloud, arn.split(":", 5)[5])
    assert entry["notification"]["messageId"] == identity
    assert entry["delivery"]["destination"] == device
    assert "sent nowhere" in entry["delivery"]["providerResponse"]
    assert entry["writtenDown"] == {
        "message": '{"notification": {"title": "Your latte"}}', "token": "t-1", "customUserData": "ana",
    }  # fmt: skip
    [listed] = sns.list_endpoints_by_platform_application(PlatformApplicationArn=arn)["Endpoints"]
    assert (listed["EndpointArn"], listed["Attributes"]["Token"]) == (device, "t-1")
    sns.set_endpoint_attributes(EndpointArn=device, Attributes={"Enabled": "false"})
    with pytest.raises(sns.exceptions.EndpointDisabledException):
        sns.publish(TargetArn=device, Message="anyone there?")
    with pytest.raises(ClientError, match="no text for the platform"):
        sns.set_endpoint_attributes(EndpointArn=device, Attributes={"Enabled": "true"})
        sns.publish(TargetArn=device, Message=json.dumps({"APNS": "x"}), MessageStructure="json")
    sns.delete_endpoint(EndpointArn=device)
    with pytest.raises(sns.exceptions.InvalidParameterException, match="No endpoint found"):
        sns.publish(TargetArn=device, Message="anyone there?")


def test_a_device_can_subscribe_and_what_was_written_goes_with_its_owner(
    cloud: Cloud, application: tuple[Any, str], topic: Topic
) -> None:
    sns, arn = application
    device = sns.create_platform_endpoint(PlatformApplicationArn=arn, Token="t-2")["EndpointArn"]
    topic.subscribe(device, "application")
    topic.subscribe("ana@example.com", "email")
    sns.publish(TopicArn=topic.arn, Message="closing early", Subject="Today")
    assert [entry["writtenDown"]["message"] for entry in written(cloud, arn.split(":", 5)[5])] == ["closing early"]
    [mail] = written(cloud, f"{topic.name}/email")
    assert mail["delivery"]["destination"] == "ana@example.com"
    assert mail["writtenDown"] == {"message": "closing early", "subject": "Today"}
    sns.delete_topic(TopicArn=topic.arn)
    sns.delete_platform_application(PlatformApplicationArn=arn)
    groups = cloud.client("logs").describe_log_groups(logGroupNamePrefix="sns/")["logGroups"]
    assert [
        g["logGroupName"] for g in groups if topic.name in g["logGroupName"] or arn[-12:] in g["logGroupName"]
    ] == []


def test_a_policy_on_one_application_is_enough(cloud: Cloud, application: tuple[Any, str]) -> None:
    _, arn = application
    document = allow("sns:CreatePlatformEndpoint", "sns:Publish", on=[arn, arn.replace(":app/", ":endpoint/") + "/*"])
    user = typed("AWS::IAM::User", Policies=[{"PolicyName": "it", "PolicyDocument": document}])
    with stack(cloud) as made:
        keys = made.create(
            {"User": user, "Key": typed("AWS::IAM::AccessKey", UserName=ref("User"))},
            Id=ref("Key"), Secret=att("Key", "SecretAccessKey"),
        )  # fmt: skip
        sns = cloud.client("sns", aws_access_key_id=keys["Id"], aws_secret_access_key=keys["Secret"])
        device = sns.create_platform_endpoint(PlatformApplicationArn=arn, Token="t-3")["EndpointArn"]
        sns.publish(TargetArn=device, Message="hello")
        with pytest.raises(ClientError, match="AuthorizationError"):
            sns.create_platform_endpoint(PlatformApplicationArn=arn + "-other", Token="t-4")
