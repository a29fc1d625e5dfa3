"""Phase 2 as a stack: what a student sees of it, how its parts are joined, and in which order they are made."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from brewhaven.course.checks import listed
from brewhaven.mutate.references import all_needed, needs

STACK = "BrewHaven-Phase2-Orders"
Read = Callable[..., dict[str, Any]]

OUTPUTS = {
    "2.1": {
        "DatabaseInstanceId",
        "DatabaseHost",
        "DatabaseSecretArn",
        "DatabaseLogGroupName",
        "SchemaFunctionName",
    },
    "2.2": {"ShopConfigParameter"},
    "2.3": {"AlarmTopicArn"},
    "2.4": {"CacheHost", "CacheSecretArn"},
    "2.5": {
        "OrderQueueUrl",
        "OrderDeadLetterQueueUrl",
        "OrderDeadLetterQueueArn",
        "OrderTopicArn",
        "WorkerFunctionName",
        "WorkerLogGroupName",
    },
    "2.6": {"FollowUpTableName", "NotificationFunctionName", "LoyaltyQueueUrl", "BoardQueueUrl"},
    "2.7": {"PictureFunctionName", "PictureQueueUrl", "DashboardUrl"},
}


def of_type(template: dict[str, Any], type_: str, part: str = "") -> dict[str, dict[str, Any]]:
    """The resources of a type whose ids contain `part`, by their ids without the hash."""
    found = template["Resources"].items()
    return {without_hash(name): one["Properties"] for name, one in found if one["Type"] == type_ and part in name}


def without_hash(name: str) -> str:
    return re.sub(r"[0-9A-F]{8}$", "", name)


def as_text(value: Any) -> str:
    """A value as one line, with a reference as `<resource>` or `<resource.attribute>`."""
    if isinstance(value, dict) and "Ref" in value:
        return f"<{without_hash(value['Ref'])}>"
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        return f"<{without_hash(value['Fn::GetAtt'][0])}.{value['Fn::GetAtt'][1]}>"
    if isinstance(value, dict) and "Fn::GetStackOutput" in value:
        return f"<{value['Fn::GetStackOutput']['OutputName']}>"
    if isinstance(value, dict) and "Fn::Join" in value:
        return str(value["Fn::Join"][0]).join(as_text(part) for part in value["Fn::Join"][1])
    return str(value)


@pytest.mark.parametrize("lesson", ["2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7"])
def test_each_lesson_publishes_what_it_made(template: Read, lesson: str) -> None:
    expected = set().union(*(names for since, names in OUTPUTS.items() if since <= lesson))
    assert template(STACK, lesson=lesson)["Outputs"].keys() == expected


VALUES = {
    "DatabaseInstanceId": "<OrderDatabaseInstance>",
    "DatabaseHost": "<OrderDatabaseInstance.Endpoint.Address>",
    "DatabaseSecretArn": "<OrderDatabaseInstanceSecretAttachment>",
    "DatabaseLogGroupName": "<OrderDatabaseLogs>",
    "SchemaFunctionName": "<OrderSchemaFunction>",
    "ShopConfigParameter": "<StorefrontSwitchParameter>",
    "AlarmTopicArn": "<StaffAlarmsTopic>",
    "CacheHost": "<ShopCacheValkey.PrimaryEndPoint.Address>",
    "CacheSecretArn": "<ShopCacheSecret>",
    "OrderQueueUrl": "<OrderPipelineOrdersQueue>",
    "OrderDeadLetterQueueUrl": "<OrderPipelineOrdersDeadLetters>",
    "OrderDeadLetterQueueArn": "<OrderPipelineOrdersDeadLetters.Arn>",
    "OrderTopicArn": "<OrderPipelineTopic>",
    "WorkerFunctionName": "<OrderPipelineWorkerFunction>",
    "WorkerLogGroupName": "<OrderPipelineWorkerLogs>",
    "FollowUpTableName": "<OrderSubscribersFollowUps>",
    "NotificationFunctionName": "<OrderSubscribersNotificationFunction>",
    "LoyaltyQueueUrl": "<OrderSubscribersLoyaltyQueue>",
    "BoardQueueUrl": "<OrderSubscribersBoardQueue>",
    "PictureFunctionName": "<ImagePipelineCheckFunction>",
    "PictureQueueUrl": "<ImagePipelineUploadsQueue>",
    "DashboardUrl": "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#dashboards/dashboard/"
    "<OrderDashboard>",
}


@pytest.mark.parametrize("name", VALUES)
def test_an_output_leads_where_its_name_says(template: Read, name: str) -> None:
    assert as_text(template(STACK)["Outputs"][name]["Value"]).replace("<AWS::Region>", "us-east-1") == VALUES[name]


def test_every_function_writes_to_a_log_group_of_its_own_for_a_week(template: Read) -> None:
    built = template(STACK)
    functions = of_type(built, "AWS::Lambda::Function")
    assert len(functions) == 7
    for name, function in functions.items():
        group = function["LoggingConfig"]["LogGroup"]["Ref"]
        owner = name.removesuffix("Function") if not name.startswith("AWSCDK") else "CdkHelper"
        assert without_hash(group) == f"{owner}Logs"
        assert built["Resources"][group]["Properties"]["RetentionInDays"] == 7, name
        assert built["Resources"][group]["DeletionPolicy"] == "Delete", name


@pytest.mark.parametrize("policy", ["DeletionPolicy", "UpdateReplacePolicy"])
def test_nothing_is_kept_when_the_stack_goes_or_a_resource_is_replaced(template: Read, policy: str) -> None:
    kept = [name for name, one in template(STACK)["Resources"].items() if one.get(policy, "Delete") != "Delete"]
    assert [name for name in kept if "Version" not in name] == [], "a version of a function costs nothing"


def test_every_role_of_a_function_is_assumed_by_lambda_alone(template: Read) -> None:
    roles = {name: one for name, one in of_type(template(STACK), "AWS::IAM::Role").items() if "AWSCDK" not in name}
    assert len(roles) == 6
    for name, role in roles.items():
        assert role["AssumeRolePolicyDocument"]["Statement"] == [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
        ], name


def test_every_function_works_with_its_own_role_and_policy(template: Read) -> None:
    built = template(STACK)
    for name, function in of_type(built, "AWS::Lambda::Function").items():
        if not name.startswith("AWSCDK"):
            role = f"{name.removesuffix('Function')}Role"
            assert as_text(function["Role"]) == f"<{role}.Arn>"
            (policy,) = of_type(built, "AWS::IAM::Policy", f"{role}DefaultPolicy").values()
            assert [as_text(entry) for entry in policy["Roles"]] == [f"<{role}>"]


HANDLERS = {
    "OrderSchemaFunction": "order_schema",
    "OrderPipelineWorkerFunction": "order_worker",
    "OrderSubscribersNotificationFunction": "order_notification",
    "OrderSubscribersLoyaltyFunction": "order_loyalty",
    "OrderSubscribersBoardFunction": "order_board",
    "ImagePipelineCheckFunction": "picture_check",
}


@pytest.mark.parametrize("name", HANDLERS)
def test_a_function_runs_its_own_package_on_arm_with_its_libraries(template: Read, name: str) -> None:
    function = of_type(template(STACK), "AWS::Lambda::Function")[name]
    assert function["Handler"] == f"{HANDLERS[name]}.handler.lambda_handler"
    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    layers = {as_text(layer) for layer in function["Layers"]}
    assert layers == {"<PythonLayer>", *(["<ImagePipelinePillow>"] if name.startswith("Image") else [])}
    variables = function["Environment"]["Variables"]
    if name != "OrderSchemaFunction":
        assert variables["POWERTOOLS_SERVICE_NAME"] == HANDLERS[name]
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "BrewHaven"


TOLD = {
    "OrderPipelineWorkerFunction": {
        "PGHOST": "<OrderDatabaseInstance.Endpoint.Address>",
        "PGPORT": "<OrderDatabaseInstance.Endpoint.Port>",
        "PGDATABASE": "brewhaven",
        "PGSSLROOTCERT": "/opt/certs/rds-global-bundle.pem",
        "DATABASE_SECRET_ARN": "<OrderDatabaseInstanceSecretAttachment>",
        "IDEMPOTENCY_TABLE": "<OrderPipelineSeen>",
        "ORDER_TOPIC_ARN": "<OrderPipelineTopic>",
    },
    "OrderSchemaFunction": {
        "PGHOST": "<OrderDatabaseInstance.Endpoint.Address>",
        "PGPORT": "<OrderDatabaseInstance.Endpoint.Port>",
        "PGDATABASE": "brewhaven",
        "PGSSLROOTCERT": "/opt/certs/rds-global-bundle.pem",
        "DATABASE_SECRET_ARN": "<OrderDatabaseInstanceSecretAttachment>",
    },
    "OrderSubscribersNotificationFunction": {
        "FOLLOW_UP_TABLE": "<OrderSubscribersFollowUps>",
        "IDEMPOTENCY_TABLE": "<OrderPipelineSeen>",
    },
    "OrderSubscribersLoyaltyFunction": {"FOLLOW_UP_TABLE": "<OrderSubscribersFollowUps>"},
    "OrderSubscribersBoardFunction": {"FOLLOW_UP_TABLE": "<OrderSubscribersFollowUps>"},
}


@pytest.mark.parametrize("name", TOLD)
def test_a_function_is_told_where_its_things_are(template: Read, name: str) -> None:
    said = of_type(template(STACK), "AWS::Lambda::Function")[name]["Environment"]["Variables"]
    own = {key: as_text(value) for key, value in said.items() if not key.startswith("POWERTOOLS")}
    assert own == TOLD[name]


RIGHTS = {
    "OrderSchema": {
        ("secretsmanager:GetSecretValue", "<OrderDatabaseInstanceSecretAttachment>"),
        ("secretsmanager:DescribeSecret", "<OrderDatabaseInstanceSecretAttachment>"),
    },
    "OrderPipelineWorker": {
        ("secretsmanager:GetSecretValue", "<OrderDatabaseInstanceSecretAttachment>"),
        ("secretsmanager:DescribeSecret", "<OrderDatabaseInstanceSecretAttachment>"),
        ("sns:Publish", "<OrderPipelineTopic>"),
        *((f"dynamodb:{verb}Item", "<OrderPipelineSeen.Arn>") for verb in ("Get", "Put", "Update", "Delete")),
    },
    "OrderSubscribersLoyalty": {
        *((f"dynamodb:{verb}Item", "<OrderSubscribersFollowUps.Arn>") for verb in ("Put", "Update")),
    },
    "OrderSubscribersBoard": {("dynamodb:UpdateItem", "<OrderSubscribersFollowUps.Arn>")},
    "OrderSubscribersNotification": {
        *((f"dynamodb:{verb}", "<OrderSubscribersFollowUps.Arn>") for verb in ("PutItem", "Query", "DeleteItem")),
        *((f"dynamodb:{verb}Item", "<OrderPipelineSeen.Arn>") for verb in ("Get", "Put", "Update", "Delete")),
        ("sns:Publish", "arn:aws:sns:us-east-1:111122223333:endpoint/*/brew-haven*"),
        *(
            (f"sqs:{verb}", "<OrderSubscribersNotificationFailures.Arn>")
            for verb in ("GetQueueAttributes", "GetQueueUrl", "SendMessage")
        ),
    },
}
QUEUES = {
    "OrderPipelineWorker": "OrderPipelineOrdersQueue",
    "OrderSubscribersLoyalty": "OrderSubscribersLoyaltyQueue",
    "OrderSubscribersBoard": "OrderSubscribersBoardQueue",
    "ImagePipelineCheck": "ImagePipelineUploadsQueue",
}
RECEIVES = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage")
NETWORK = (
    "AssignPrivateIpAddresses",
    "CreateNetworkInterface",
    "DeleteNetworkInterface",
    "DescribeNetworkInterfaces",
    "DescribeSubnets",
    "UnassignPrivateIpAddresses",
)


def rights(policy: dict[str, Any]) -> set[tuple[str, str]]:
    """Each action that a policy allows, with the resource that it is allowed on."""
    statements = policy["PolicyDocument"]["Statement"]
    assert {statement["Effect"] for statement in statements} == {"Allow"}
    return {
        (action, as_text(resource))
        for statement in statements
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


@pytest.mark.parametrize("owner", RIGHTS)
def test_a_function_may_do_what_it_does_and_no_more(template: Read, owner: str) -> None:
    (policy,) = of_type(template(STACK), "AWS::IAM::Policy", f"{owner}RoleDefaultPolicy").values()
    found = rights(policy)
    expected = {
        *RIGHTS[owner],
        *((f"logs:{verb}", f"<{owner}Logs.Arn>") for verb in ("CreateLogStream", "PutLogEvents")),
    }
    if owner in QUEUES:
        expected |= {(f"sqs:{verb}", f"<{QUEUES[owner]}.Arn>") for verb in RECEIVES}
    if owner in ("OrderSchema", "OrderPipelineWorker"):
        expected |= {(f"ec2:{verb}", "*") for verb in NETWORK}
    assert found == expected


@pytest.mark.parametrize("owner", QUEUES)
def test_a_queue_is_worked_off_by_its_function(template: Read, owner: str) -> None:
    (mapping,) = of_type(template(STACK), "AWS::Lambda::EventSourceMapping", f"{owner}Function").values()
    assert as_text(mapping["EventSourceArn"]) == f"<{QUEUES[owner]}.Arn>"
    assert as_text(mapping["FunctionName"]) == f"<{owner}Function>"
    assert mapping["BatchSize"] == 10
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 5 if owner == "OrderPipelineWorker" else 2}


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


ALARMS = {
    "DatabaseAlarmsConnections": ("AWS/RDS DatabaseConnections <OrderDatabaseInstance>", "Maximum", ">=", 60, 60, 3),
    "DatabaseAlarmsDisk": ("AWS/RDS FreeStorageSpace <OrderDatabaseInstance>", "Minimum", "<=", 4_000_000_000, 60, 1),
    "DatabaseAlarmsCredits": ("AWS/RDS CPUCreditBalance <OrderDatabaseInstance>", "Minimum", "<=", 20, 300, 1),
    "OrderPipelineWorkerFails": ("AWS/Lambda Errors <OrderPipelineWorkerFunction>", "Sum", ">=", 1, 60, 3),
    "OrderDashboardDatabaseRefuses": ("BrewHaven DatabaseRefusals ", "Sum", ">=", 1, 60, 1),
    **{
        f"{queue.removesuffix('Queue')}TooOld": (
            f"AWS/SQS ApproximateAgeOfOldestMessage <{queue}.QueueName>", "Maximum", ">=", 120, 60, 1,
        )
        for queue in QUEUES.values()
    },
    **{
        f"{queue}PutAside": (
            f"AWS/SQS ApproximateNumberOfMessagesVisible <{queue}.QueueName>", "Maximum", ">=", 1, 60, 1,
        )
        for queue in (
            "OrderPipelineOrdersDeadLetters", "OrderSubscribersLoyaltyDeadLetters", "OrderSubscribersBoardDeadLetters",
            "OrderSubscribersUndelivered", "OrderSubscribersNotificationFailures", "ImagePipelineUploadsDeadLetters",
        )
    },
}  # fmt: skip
SIGNS = {"GreaterThanOrEqualToThreshold": ">=", "LessThanOrEqualToThreshold": "<="}


def test_there_is_an_alarm_for_everything_that_hurts(template: Read) -> None:
    assert of_type(template(STACK), "AWS::CloudWatch::Alarm").keys() == ALARMS.keys()


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_rings_when_something_is_wrong_and_tells_the_staff(template: Read, name: str) -> None:
    alarm = of_type(template(STACK), "AWS::CloudWatch::Alarm")[name]
    dimensions = " ".join(as_text(one["Value"]) for one in alarm.get("Dimensions", []))
    assert (
        f"{alarm['Namespace']} {alarm['MetricName']} {dimensions}",
        alarm["Statistic"],
        SIGNS[alarm["ComparisonOperator"]],
        alarm["Threshold"],
        alarm["Period"],
        alarm["EvaluationPeriods"],
    ) == ALARMS[name]
    assert alarm["TreatMissingData"] == "notBreaching", "no value means that nothing happens"
    assert [as_text(one) for one in alarm["AlarmActions"]] == ["<StaffAlarmsTopic>"]
    assert [as_text(one) for one in alarm["OKActions"]] == ["<StaffAlarmsTopic>"], "the staff hears that it is over"


@pytest.mark.parametrize(
    ("later", "earlier", "why"),
    [
        ("OrderSchemaFunctionTrigger", "OrderDatabaseInstance", "it connects at once"),
        ("OrderSchemaFunctionTrigger", "PrivateFunctionsIntoDatabase", "through this rule"),
        ("OrderSchemaFunctionTrigger", "PrivateFunctionsToDatabase", "and this one"),
        ("OrderSchemaFunctionTrigger", "PrivateFunctionsSecretsManager", "and reads its secret through this door"),
        ("OrderSchemaFunctionTrigger", "OrderSchemaRoleDefaultPolicy", "which its role allows"),
        ("OrderDatabaseInstance", "OrderDatabaseLogs", "RDS would make the log group first"),
        ("StorefrontSwitchParameter", "OrderSchemaFunctionTrigger", "the shop moves as soon as it reads it"),
        ("StorefrontSwitchParameter", "StorefrontSwitchShopMay", "and needs its rights then"),
        ("StorefrontSwitchParameter", "StorefrontSwitchIntoDatabaseOnEc2", "and its way to the database"),
        ("StorefrontSwitchParameter", "StorefrontSwitchIntoDatabaseOnFargate", "from wherever it runs"),
        ("StorefrontSwitchParameter", "StorefrontSwitchIntoCacheOnEc2", "and to the cache"),
        ("StorefrontSwitchParameter", "StorefrontSwitchIntoCacheOnFargate", "from wherever it runs"),
        ("StorefrontSwitchParameter", "ShopCacheValkey", "which must be there"),
        ("StorefrontSwitchParameter", "OrderPipelineOrdersQueue", "and the queue for its events"),
    ],
)
def test_nothing_is_made_before_what_it_needs_at_once(template: Read, later: str, earlier: str, why: str) -> None:
    """CloudFormation makes resources at the same time unless one refers to the other or depends on it."""
    resources = template(STACK)["Resources"]
    (first,) = [name for name in resources if without_hash(name) == later]
    assert earlier in {without_hash(name) for name in all_needed(resources, needs(resources[first]))}, why


def test_the_shop_may_read_its_secrets_carry_its_orders_over_and_send_events(template: Read) -> None:
    policy = of_type(template(STACK), "AWS::IAM::Policy")["StorefrontSwitchShopMay"]
    assert len(policy["Roles"]) == 2
    assert {"StorefrontInstanceRole" in as_text(role) for role in policy["Roles"]} == {True, False}
    found = rights(policy)
    secrets = ("<OrderDatabaseInstanceSecretAttachment>", "<ShopCacheSecret>")
    expected = {(f"secretsmanager:{verb}", arn) for verb in ("GetSecretValue", "DescribeSecret") for arn in secrets}
    expected |= {
        (f"sqs:{verb}", "<OrderPipelineOrdersQueue.Arn>")
        for verb in ("SendMessage", "GetQueueAttributes", "GetQueueUrl")
    }
    scans = found - expected
    assert expected < found
    assert {action for action, _ in scans} == {"dynamodb:Scan"}
    assert all("CatalogTable" in arn for _, arn in scans)


def test_the_parameter_says_the_whole_way(template: Read) -> None:
    text = as_text(of_type(template(STACK), "AWS::SSM::Parameter")["StorefrontSwitchParameter"]["Value"])
    ports = text.replace("<OrderDatabaseInstance.Endpoint.Port>", "1").replace(
        "<ShopCacheValkey.PrimaryEndPoint.Port>", "2"
    )
    assert json.loads(ports) == {
        "orders": "postgresql",
        "postgresql": {
            "host": "<OrderDatabaseInstance.Endpoint.Address>",
            "port": 1,
            "database": "brewhaven",
            "secret_arn": "<OrderDatabaseInstanceSecretAttachment>",
        },
        "sessions": "valkey",
        "menu_cache": "valkey",
        "valkey": {
            "host": "<ShopCacheValkey.PrimaryEndPoint.Address>",
            "port": 2,
            "secret_arn": "<ShopCacheSecret>",
        },
        "order_queue_url": "<OrderPipelineOrdersQueue>",
    }


def test_rules_between_security_groups_open_one_port_to_one_group(template: Read) -> None:
    rules = of_type(template(STACK), "AWS::EC2::SecurityGroupIngress")
    assert len(rules) == 5
    for name, rule in rules.items():
        server, port = ("OrderDatabase", 5432) if "IntoDatabase" in name else ("ShopCache", 6379)
        assert as_text(rule["GroupId"]) == f"<{server}SecurityGroup.GroupId>", name
        assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", port, port), name
        assert "CidrIp" not in rule, name
    clients = {name: as_text(rule["SourceSecurityGroupId"]) for name, rule in rules.items()}
    assert clients.pop("PrivateFunctionsIntoDatabase") == "<PrivateFunctionsSecurityGroup.GroupId>"
    for name, client in clients.items():
        assert ("StorefrontInstance" in client) == name.endswith("OnEc2"), name
