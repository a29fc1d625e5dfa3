"""SQS: messages move back out of a dead-letter queue (resources/sqs_move_tasks.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.stacks import allow, stack, typed
from tests.plugins.containers import until
from tests.plugins.local_cloud import Cloud

pytestmark = pytest.mark.local


class Queues:
    """A queue with a dead-letter queue, and a third one."""

    def __init__(self, cloud: Cloud) -> None:
        self.sqs = cloud.client("sqs")
        self.dead, self.other = self.create("move-dead"), self.create("move-other")
        policy = {"deadLetterTargetArn": self.arn(self.dead), "maxReceiveCount": 1}
        self.source = self.create("move-source", VisibilityTimeout="0", RedrivePolicy=json.dumps(policy))

    def create(self, name: str, **attributes: str) -> str:
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def arn(self, url: str) -> str:
        return str(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    def count(self, url: str) -> int:
        name = "ApproximateNumberOfMessages"
        return int(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    def fill(self, count: int) -> None:
        """Let messages fail until they lie in the dead-letter queue."""
        for number in range(count):
            attributes = {"type": {"DataType": "String", "StringValue": "order.paid"}}
            self.sqs.send_message(QueueUrl=self.source, MessageBody=f"order {number}", MessageAttributes=attributes)
        until(lambda: not self.sqs.receive_message(QueueUrl=self.source, MaxNumberOfMessages=10).get("Messages"))
        assert (self.count(self.source), self.count(self.dead)) == (0, count)
        self.sqs.set_queue_attributes(QueueUrl=self.source, Attributes={"VisibilityTimeout": "30"})

    def take(self, url: str) -> list[dict[str, Any]]:
        """Everything that can be received, with all attributes."""
        found: list[dict[str, Any]] = []
        while batch := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
        ).get("Messages"):
            found += batch
        return found

    def task(self) -> dict[str, Any]:
        [task] = self.sqs.list_message_move_tasks(SourceArn=self.arn(self.dead))["Results"]
        return dict(task)


@pytest.fixture
def queues(cloud: Cloud) -> Iterator[Queues]:
    made = Queues(cloud)
    yield made
    for url in (made.source, made.dead, made.other):
        made.sqs.delete_queue(QueueUrl=url)


def test_messages_go_back_to_where_they_came_from(queues: Queues) -> None:
    queues.fill(12)
    queues.sqs.start_message_move_task(SourceArn=queues.arn(queues.dead))
    until(lambda: queues.task()["Status"] == "COMPLETED")
    assert queues.task()["ApproximateNumberOfMessagesMoved"] == 12
    assert queues.count(queues.dead) == 0
    messages = queues.take(queues.source)
    assert sorted(message["Body"] for message in messages) == sorted(f"order {number}" for number in range(12))
    # As new messages: they are tried as often as the first time.
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in messages} == {"1"}
    assert messages[0]["MessageAttributes"]["type"]["StringValue"] == "order.paid"


def test_messages_go_where_they_are_sent(queues: Queues) -> None:
    queues.fill(3)
    queues.sqs.start_message_move_task(SourceArn=queues.arn(queues.dead), DestinationArn=queues.arn(queues.other))
    until(lambda: queues.task()["Status"] == "COMPLETED")
    assert [queues.count(url) for url in (queues.source, queues.dead, queues.other)] == [0, 0, 3]


def test_a_slow_task_can_be_cancelled(queues: Queues) -> None:
    queues.fill(5)
    arn = queues.arn(queues.dead)
    handle = queues.sqs.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    with pytest.raises(ClientError, match="Only one active task"):
        queues.sqs.start_message_move_task(SourceArn=arn)
    assert queues.task()["TaskHandle"] == handle
    moved = queues.sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    assert moved < 5
    assert queues.task()["Status"] == "CANCELLED"
    assert queues.count(queues.dead) == 5 - moved
    with pytest.raises(ClientError, match="Only active tasks can be cancelled"):
        queues.sqs.cancel_message_move_task(TaskHandle=handle)


def test_only_a_dead_letter_queue_can_be_the_source(queues: Queues) -> None:
    with pytest.raises(ClientError, match="must be configured as a Dead Letter Queue"):
        queues.sqs.start_message_move_task(SourceArn=queues.arn(queues.other))
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        queues.sqs.start_message_move_task(SourceArn=queues.arn(queues.other) + "-gone")


def test_it_needs_the_permissions_of_what_it_does(cloud: Cloud, queues: Queues) -> None:
    arn = queues.arn(queues.dead)
    queues.fill(1)

    def attempt(*actions: str, on: str) -> None:
        document = allow(*actions, on=on)
        with stack(cloud) as made:
            resources = {
                "User": typed("AWS::IAM::User", Policies=[{"PolicyName": "it", "PolicyDocument": document}]),
                "Key": typed("AWS::IAM::AccessKey", UserName={"Ref": "User"}),
            }  # fmt: skip
            keys = made.create(resources, Id={"Ref": "Key"}, Secret={"Fn::GetAtt": ["Key", "SecretAccessKey"]})
            sqs = cloud.client("sqs", aws_access_key_id=keys["Id"], aws_secret_access_key=keys["Secret"])
            sqs.start_message_move_task(SourceArn=arn)

    with pytest.raises(ClientError, match="StartMessageMoveTask"):
        attempt("sqs:StartMessageMoveTask", on=queues.arn(queues.other))
    with pytest.raises(ClientError, match="ReceiveMessage"):
        attempt("sqs:StartMessageMoveTask", on=arn)
    with pytest.raises(ClientError, match="SendMessage"):
        attempt("sqs:*", on=arn)
    assert queues.count(queues.dead) == 1
    attempt("sqs:*", on="arn:aws:sqs:*:*:move-*")
    until(lambda: queues.task()["Status"] == "COMPLETED")
