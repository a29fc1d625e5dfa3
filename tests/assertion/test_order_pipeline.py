"""The order queue, its worker, the topic and its subscribers: nothing lost, nobody overrun, each by itself."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Match, Template

from brew_constructs.image_pipeline import ImagePipeline
from brew_constructs.order_dashboard import OrderDashboard
from brew_constructs.order_database import OrderDatabase
from brew_constructs.order_pipeline import OrderPipeline
from brew_constructs.order_subscribers import OrderSubscribers
from brew_constructs.private_functions import PrivateFunctions
from brew_constructs.python_layer import PythonLayer
from brew_constructs.shop_cache import ShopCache
from brew_constructs.shop_network import ShopNetwork
from brew_constructs.staff_alarms import StaffAlarms
from brew_constructs.worked_queue import WorkedQueue

FUNCTIONS = ("OrderPipelineWorker", "OrderSubscribersLoyalty", "OrderSubscribersBoard")
QUEUES = {
    "OrderPipelineOrders": "OrderPipelineWorker",
    "OrderSubscribersLoyalty": "OrderSubscribersLoyalty",
    "OrderSubscribersBoard": "OrderSubscribersBoard",
}


def whole(stack: Stack, *, reserved: int | None = None, sender: str | None = None) -> None:
    vpc = ShopNetwork(stack, "ShopNetwork").vpc
    database = OrderDatabase(stack, "OrderDatabase", vpc=vpc, name="orders")
    network = PrivateFunctions(stack, "PrivateFunctions", vpc=vpc, database=database)
    libraries = PythonLayer(stack, "Layer")
    alarms = StaffAlarms(stack, "StaffAlarms")
    pipeline = OrderPipeline(
        stack,
        "OrderPipeline",
        database=database,
        network=network,
        libraries=libraries,
        alarms=alarms,
        metrics_namespace="s01-BrewHaven",
        reserved_concurrency=reserved,
    )
    subscribers = OrderSubscribers(
        stack,
        "OrderSubscribers",
        pipeline=pipeline,
        libraries=libraries,
        alarms=alarms,
        metrics_namespace="s01-BrewHaven",
        push_applications="s01-brew-haven",
        email_sender=sender,
    )
    pictures = ImagePipeline(
        stack,
        "ImagePipeline",
        bucket=s3.Bucket(stack, "Pictures"),
        table=pipeline.seen,
        libraries=libraries,
        alarms=alarms,
        metrics_namespace="s01-BrewHaven",
    )
    OrderDashboard(
        stack,
        "OrderDashboard",
        database=database,
        cache=ShopCache(stack, "ShopCache", vpc=vpc, name="brew-haven"),
        pipeline=pipeline,
        subscribers=subscribers,
        pictures=pictures,
        alarms=alarms,
        metrics_namespace="s01-BrewHaven",
    )


@pytest.fixture(scope="module")
def default(synthesize_alone: Callable[..., Template]) -> Template:
    return synthesize_alone(whole)


@pytest.fixture(scope="module")
def other(synthesize_alone: Callable[..., Template]) -> Template:
    """With reserved concurrency and e-mail."""
    return synthesize_alone(lambda stack: whole(stack, reserved=7, sender="shop@example.com"))


def one(template: Template, kind: str, beginning: str) -> tuple[str, dict[str, Any]]:
    """The id and the properties of the one resource of a type whose id begins so."""
    found = [
        (name, it["Properties"]) for name, it in template.find_resources(kind).items() if name.startswith(beginning)
    ]
    assert len(found) == 1, f"{beginning}: {[name for name, _ in found]}"
    return found[0]


def function(template: Template, beginning: str) -> dict[str, Any]:
    return one(template, "AWS::Lambda::Function", f"{beginning}Function")[1]


def statements(template: Template, beginning: str) -> list[dict[str, Any]]:
    document: dict[str, Any] = one(template, "AWS::IAM::Policy", f"{beginning}Role")[1]["PolicyDocument"]
    return list(document["Statement"])


def actions_of(statement: dict[str, Any]) -> set[str]:
    said = statement["Action"]
    return {said} if isinstance(said, str) else set(said)


# Queues


@pytest.mark.parametrize(("queue", "worker"), QUEUES.items())
def test_a_message_is_hidden_for_six_times_as_long_as_its_function_may_take(
    default: Template, queue: str, worker: str
) -> None:
    properties = one(default, "AWS::SQS::Queue", f"{queue}Queue")[1]
    assert properties["VisibilityTimeout"] == 6 * function(default, worker)["Timeout"] == 60


@pytest.mark.parametrize("queue", QUEUES)
def test_a_message_that_fails_five_times_waits_two_weeks_for_a_person(default: Template, queue: str) -> None:
    name, letters = one(default, "AWS::SQS::Queue", f"{queue}DeadLetters")
    assert letters["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert one(default, "AWS::SQS::Queue", f"{queue}Queue")[1]["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [name, "Arn"]},
        "maxReceiveCount": 5,
    }


def test_every_queue_is_encrypted_and_refuses_plain_http(default: Template) -> None:
    queues = default.find_resources("AWS::SQS::Queue")
    assert len(queues) == 10
    assert all(queue["Properties"]["SqsManagedSseEnabled"] for queue in queues.values())
    refusing = {
        policy["Properties"]["Queues"][0]["Ref"]
        for policy in default.find_resources("AWS::SQS::QueuePolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and statement["Principal"] == {"AWS": "*"}
    }
    assert refusing == set(queues)


@pytest.mark.parametrize(("queue", "worker"), QUEUES.items())
def test_functions_take_ten_at_a_time_say_which_failed_and_are_limited_by_the_source(
    default: Template, queue: str, worker: str
) -> None:
    source = one(default, "AWS::Lambda::EventSourceMapping", worker)[1]
    assert source["EventSourceArn"] == {"Fn::GetAtt": [one(default, "AWS::SQS::Queue", f"{queue}Queue")[0], "Arn"]}
    assert (source["BatchSize"], source["FunctionResponseTypes"]) == (10, ["ReportBatchItemFailures"])
    assert source["ScalingConfig"] == {"MaximumConcurrency": 5 if worker == "OrderPipelineWorker" else 2}


def test_nothing_is_reserved_unless_it_is_asked_for(default: Template, other: Template) -> None:
    for worker in FUNCTIONS:
        assert "ReservedConcurrentExecutions" not in function(default, worker)
    assert function(other, "OrderPipelineWorker")["ReservedConcurrentExecutions"] == 7


def test_less_than_the_source_uses_cannot_be_reserved(synthesize_alone: Callable[..., Template]) -> None:
    with pytest.raises(ValueError, match=r"reserved_concurrency must be 5 or more, .* got 4"):
        synthesize_alone(lambda stack: whole(stack, reserved=4))


def queue_of(stack: Stack, timeout: Duration) -> WorkedQueue:
    return WorkedQueue(stack, "Queue", of="Cups", function_timeout=timeout, alarms=StaffAlarms(stack, "StaffAlarms"))


def test_a_function_that_takes_too_long_for_a_queue_is_refused(synthesize_alone: Callable[..., Template]) -> None:
    with pytest.raises(ValueError, match=r"function_timeout must be 2 hours or less, .* got 3 hours"):
        synthesize_alone(lambda stack: queue_of(stack, Duration.hours(3)))


def test_a_limit_of_one_is_refused(synthesize_alone: Callable[..., Template]) -> None:
    with pytest.raises(ValueError, match="at_most must be 2 or more, got 1"):
        synthesize_alone(lambda stack: queue_of(stack, Duration.seconds(5)).feed(None, at_most=1))  # type: ignore[arg-type]


# The worker


def test_the_worker_is_where_the_database_is_and_told_what_it_needs(default: Template) -> None:
    worker = function(default, "OrderPipelineWorker")
    assert len(worker["VpcConfig"]["SubnetIds"]) == 2
    variables = worker["Environment"]["Variables"]
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "s01-BrewHaven"
    assert variables["IDEMPOTENCY_TABLE"] == {"Ref": one(default, "AWS::DynamoDB::GlobalTable", "OrderPipelineSeen")[0]}
    assert set(variables) == {
        "POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "PGHOST", "PGPORT", "PGDATABASE", "PGSSLROOTCERT",
        "DATABASE_SECRET_ARN", "IDEMPOTENCY_TABLE", "ORDER_TOPIC_ARN",
    }  # fmt: skip


def test_the_worker_may_do_what_it_does_each_on_its_own_resource(default: Template) -> None:
    may = {
        frozenset(actions_of(statement)): statement["Resource"]
        for statement in statements(default, "OrderPipelineWorker")
        if statement.get("Sid") != "NetworkInterfaces"
    }
    topic = one(default, "AWS::SNS::Topic", "OrderPipelineTopic")[0]
    memory = one(default, "AWS::DynamoDB::GlobalTable", "OrderPipelineSeen")[0]
    assert may[frozenset({"sns:Publish"})] == {"Ref": topic}
    items = frozenset(f"dynamodb:{action}Item" for action in ("Get", "Put", "Update", "Delete"))
    assert may[items] == {"Fn::GetAtt": [memory, "Arn"]}
    assert {action.split(":")[0] for actions in may for action in actions} == {
        "dynamodb", "logs", "secretsmanager", "sns", "sqs",
    }  # fmt: skip
    assert all(resource != "*" for resource in may.values())


def test_what_was_seen_is_forgotten_after_its_time(default: Template) -> None:
    memory = one(default, "AWS::DynamoDB::GlobalTable", "OrderPipelineSeen")[1]
    assert memory["TimeToLiveSpecification"] == {"AttributeName": "expiration", "Enabled": True}
    assert memory["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert memory["BillingMode"] == "PAY_PER_REQUEST"


def test_the_door_to_sns_is_for_one_topic(default: Template) -> None:
    door = one(default, "AWS::EC2::VPCEndpoint", "OrderPipelineSnsEndpoint")[1]
    (statement,) = door["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == (
        "sns:Publish",
        {"Ref": one(default, "AWS::SNS::Topic", "OrderPipelineTopic")[0]},
    )
    assert (statement["Effect"], statement["Principal"]) == ("Allow", {"AWS": "*"})
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}, "and one account"
    assert len(door["SubnetIds"]) == 1


def test_the_topic_is_encrypted_and_refuses_plain_http(default: Template) -> None:
    name, topic = one(default, "AWS::SNS::Topic", "OrderPipelineTopic")
    assert topic["KmsMasterKeyId"] == "arn:aws:kms:us-east-1:111122223333:alias/aws/sns"
    policy = one(default, "AWS::SNS::TopicPolicy", "OrderPipelineTopic")[1]
    assert policy["Topics"] == [{"Ref": name}]
    assert policy["PolicyDocument"]["Statement"][0]["Effect"] == "Deny"


# Subscribers


def subscriptions(template: Template) -> list[dict[str, Any]]:
    return [found["Properties"] for found in template.find_resources("AWS::SNS::Subscription").values()]


def test_each_subscriber_hears_what_it_needs_and_no_more(default: Template) -> None:
    heard = {json.dumps(it["Endpoint"]): it["FilterPolicy"] for it in subscriptions(default)}

    def of(kind: str, beginning: str) -> Any:
        return heard[json.dumps({"Fn::GetAtt": [one(default, kind, beginning)[0], "Arn"]})]

    assert of("AWS::Lambda::Function", "OrderSubscribersNotificationFunction") == {
        "type": ["order.paid", "order.ready", "order.cancelled"]
    }
    assert of("AWS::SQS::Queue", "OrderSubscribersLoyaltyQueue") == {
        "type": ["order.paid"],
        "total_cents": [{"numeric": [">=", 100]}],
    }
    assert of("AWS::SQS::Queue", "OrderSubscribersBoardQueue") == {"type": ["order.placed", "order.paid"]}
    assert len(heard) == 3


def test_queues_get_the_message_itself_and_what_cannot_be_delivered_is_kept(default: Template) -> None:
    undelivered = {"Fn::GetAtt": [one(default, "AWS::SQS::Queue", "OrderSubscribersUndelivered")[0], "Arn"]}
    for it in subscriptions(default):
        assert it["RedrivePolicy"] == {"deadLetterTargetArn": undelivered}
        assert it.get("RawMessageDelivery", False) is (it["Protocol"] == "sqs")


def test_a_notification_that_fails_for_good_is_kept_with_its_error(default: Template) -> None:
    failures = one(default, "AWS::SQS::Queue", "OrderSubscribersNotificationFailures")[0]
    default.has_resource_properties(
        "AWS::Lambda::EventInvokeConfig",
        {"DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": [failures, "Arn"]}}}},
    )


@pytest.mark.parametrize(
    ("beginning", "actions", "keys"),
    [
        ("OrderSubscribersNotification", {"PutItem", "Query", "DeleteItem"}, ["OWNER#*"]),
        ("OrderSubscribersLoyalty", {"PutItem", "UpdateItem"}, ["LOYALTY#*"]),
        ("OrderSubscribersBoard", {"UpdateItem"}, ["BOARD"]),
    ],
)
def test_each_function_ends_at_its_own_keys_of_the_table(
    default: Template, beginning: str, actions: set[str], keys: list[str]
) -> None:
    table = {"Fn::GetAtt": [one(default, "AWS::DynamoDB::GlobalTable", "OrderSubscribersFollowUps")[0], "Arn"]}
    (statement,) = [it for it in statements(default, beginning) if it["Resource"] == table]
    assert actions_of(statement) == {f"dynamodb:{action}" for action in actions}
    assert statement["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}}


def test_functions_without_the_database_stay_outside_the_network(default: Template) -> None:
    for beginning in ("OrderSubscribersNotification", "OrderSubscribersLoyalty", "OrderSubscribersBoard"):
        assert "VpcConfig" not in function(default, beginning)


def test_phones_are_those_of_the_courses_applications(default: Template) -> None:
    (push,) = [it for it in statements(default, "OrderSubscribersNotification") if actions_of(it) == {"sns:Publish"}]
    assert push["Resource"] == "arn:aws:sns:us-east-1:111122223333:endpoint/*/s01-brew-haven*"


def test_mail_is_off_until_there_is_a_sender(default: Template, other: Template) -> None:
    def may_send(template: Template) -> list[Any]:
        rights = statements(template, "OrderSubscribersNotification")
        return [it["Resource"] for it in rights if actions_of(it) == {"ses:SendEmail"}]

    def sender(template: Template) -> Any:
        return function(template, "OrderSubscribersNotification")["Environment"]["Variables"].get("EMAIL_SENDER")

    assert (may_send(default), sender(default)) == ([], None)
    assert may_send(other) == ["arn:aws:ses:us-east-1:111122223333:identity/shop@example.com"]
    assert sender(other) == "shop@example.com"


def test_follow_ups_expire_and_can_be_put_back(default: Template) -> None:
    table = one(default, "AWS::DynamoDB::GlobalTable", "OrderSubscribersFollowUps")[1]
    assert table["TimeToLiveSpecification"]["AttributeName"] == "expires_at"
    assert table["Replicas"][0]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


# Every function


def test_every_function_runs_on_arm_with_the_layer_and_a_log_that_ends(default: Template) -> None:
    functions = [
        it["Properties"]
        for it in default.find_resources("AWS::Lambda::Function").values()
        if it["Properties"]["Runtime"].startswith("python")
    ]
    assert len(functions) == 5
    groups = default.find_resources("AWS::Logs::LogGroup")
    for it in functions:
        assert (it["Architectures"], it["Runtime"]) == (["arm64"], "python3.13")
        assert len(it["Layers"]) >= 1
        assert it["LoggingConfig"]["LogFormat"] == "JSON"
        group = groups[it["LoggingConfig"]["LogGroup"]["Ref"]]
        assert (group["Properties"]["RetentionInDays"], group["DeletionPolicy"]) == (7, "Delete")


# Seeing


def alarms(template: Template) -> list[dict[str, Any]]:
    return [it["Properties"] for it in template.find_resources("AWS::CloudWatch::Alarm").values()]


def dimension(alarm: dict[str, Any]) -> str:
    return str(alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0])


def test_age_is_alarmed_for_every_worked_queue_and_depth_for_every_last_place(default: Template) -> None:
    queues = set(default.find_resources("AWS::SQS::Queue"))
    aged = {dimension(it): it for it in alarms(default) if it["MetricName"] == "ApproximateAgeOfOldestMessage"}
    deep = {dimension(it): it for it in alarms(default) if it["MetricName"] == "ApproximateNumberOfMessagesVisible"}
    assert set(aged) | set(deep) == queues
    assert set(aged) & set(deep) == set()
    assert {(it["Threshold"], it["Statistic"], it["Period"]) for it in aged.values()} == {(120, "Maximum", 60)}
    assert {(it["Threshold"], it["Statistic"], it["Period"]) for it in deep.values()} == {(1, "Maximum", 60)}
    assert len(aged) == 4


def test_a_worker_that_keeps_failing_is_alarmed(default: Template) -> None:
    (alarm,) = [it for it in alarms(default) if it["MetricName"] == "Errors"]
    assert (alarm["EvaluationPeriods"], alarm["Threshold"]) == (3, 1)


def test_what_the_database_refuses_is_counted_in_its_log(default: Template) -> None:
    default.has_resource_properties(
        "AWS::Logs::MetricFilter",
        {
            "FilterPattern": '"FATAL"',
            "LogGroupName": {"Ref": Match.string_like_regexp("^OrderDatabaseLogs")},
            "MetricTransformations": [
                Match.object_like({"MetricNamespace": "s01-BrewHaven", "MetricName": "DatabaseRefusals"})
            ],
        },
    )
    assert any(it["MetricName"] == "DatabaseRefusals" for it in alarms(default))


def test_the_dashboard_shows_every_alarm_first_and_then_the_flow(default: Template) -> None:
    body = one(default, "AWS::CloudWatch::Dashboard", "OrderDashboard")[1]["DashboardBody"]
    text = "".join(part if isinstance(part, str) else "<token>" for part in body["Fn::Join"][1])
    widgets = json.loads(text)["widgets"]
    assert widgets[0]["type"] == "alarm"
    assert len(widgets[0]["properties"]["alarms"]) == len(alarms(default))
    for metric in (
        "EventsProcessed", "EventsFailed", "SecondsToProcess", "PicturesRejected", "DatabaseConnections", "CacheHits",
    ):  # fmt: skip
        assert f'"{metric}"' in text
    assert len(widgets) == 11
