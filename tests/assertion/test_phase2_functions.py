"""The functions of phase 2's stack: what each runs, what it is told, what it may do, and what starts it."""

from __future__ import annotations

import re

import pytest

from brewhaven.course.checks import listed
from brewhaven.mutate.references import all_needed, needs
from tests.assertion.phase2 import QUEUES, STACK, Read, as_text, of_type, rights, without_hash


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


PICTURE_BUCKET, CATALOG = "AssetBucket", "CatalogTable"
"""What phase 1 made, whose outputs are named after it."""


@pytest.mark.parametrize("name", TOLD)
def test_a_function_is_told_where_its_things_are(template: Read, name: str) -> None:
    said = of_type(template(STACK), "AWS::Lambda::Function")[name]["Environment"]["Variables"]
    own = {key: as_text(value) for key, value in said.items() if not key.startswith("POWERTOOLS")}
    assert own == TOLD[name]


def test_the_function_for_pictures_is_told_of_phase_1s_bucket_and_table_and_of_its_folders(template: Read) -> None:
    said = of_type(template(STACK), "AWS::Lambda::Function")["ImagePipelineCheckFunction"]["Environment"]["Variables"]
    own = {key: as_text(value) for key, value in said.items() if not key.startswith("POWERTOOLS")}
    assert PICTURE_BUCKET in own.pop("PICTURE_BUCKET")
    assert CATALOG in own.pop("CATALOG_TABLE")
    assert own == {
        "STAFF_TOPIC_ARN": "<StaffAlarmsTopic>",
        "PICTURES_PREFIX": "media/uploads/checked/",
        "THUMBNAILS_PREFIX": "media/thumbnails/",
        "QUARANTINE_PREFIX": "quarantine/",
    }


SIZES = {
    "OrderSchemaFunction": (256, 300),  # a migration may take minutes
    "OrderPipelineWorkerFunction": (512, 10),
    "OrderSubscribersNotificationFunction": (256, 30),  # e-mail and push, one customer after the other
    "OrderSubscribersLoyaltyFunction": (256, 10),
    "OrderSubscribersBoardFunction": (256, 10),
    "ImagePipelineCheckFunction": (1024, 60),  # a picture that is unfolded takes 108 MB, and its copies as much again
}


@pytest.mark.parametrize("name", SIZES)
def test_a_function_has_the_memory_and_the_seconds_that_its_work_takes(template: Read, name: str) -> None:
    """Lambda's own 128 MB and 3 seconds are too little for each, and more memory is paid for at every call."""
    function = of_type(template(STACK), "AWS::Lambda::Function")[name]
    assert (function["MemorySize"], function["Timeout"]) == SIZES[name]


def test_every_function_writes_json_which_the_metric_filters_and_the_demos_read(template: Read) -> None:
    for name, function in of_type(template(STACK), "AWS::Lambda::Function").items():
        if not name.startswith("AWSCDK"):
            assert function["LoggingConfig"]["LogFormat"] == "JSON", name


def test_a_function_with_the_database_is_in_both_isolated_subnets(template: Read) -> None:
    """With one of them alone, a zone that fails takes the way to the database along."""
    for name, function in of_type(template(STACK), "AWS::Lambda::Function").items():
        network = function.get("VpcConfig")
        assert bool(network) == (name in ("OrderSchemaFunction", "OrderPipelineWorkerFunction")), name
        if network:
            subnets = [as_text(subnet) for subnet in network["SubnetIds"]]
            assert len(subnets) == len(set(subnets)) == 2, name
            assert all("IsolatedSubnet" in subnet for subnet in subnets), name
            assert [as_text(group) for group in network["SecurityGroupIds"]] == [
                "<PrivateFunctionsSecurityGroup.GroupId>"
            ]


@pytest.mark.parametrize("name", HANDLERS)
def test_a_function_is_made_when_its_role_may_do_its_work(template: Read, name: str) -> None:
    """Lambda refuses an event source, or a function in a network, whose role has no policy yet."""
    resources = template(STACK)["Resources"]
    (function,) = [one for logical_id, one in resources.items() if without_hash(logical_id) == name]
    policy = f"{name.removesuffix('Function')}RoleDefaultPolicy"
    assert policy in {without_hash(one) for one in all_needed(resources, needs(function))}


def test_a_layer_says_what_it_is_built_for(template: Read) -> None:
    layers = of_type(template(STACK), "AWS::Lambda::LayerVersion")
    assert layers.keys() == {"PythonLayer", "ImagePipelinePillow"}
    for name, layer in layers.items():
        assert layer["CompatibleArchitectures"] == ["arm64"], name
        assert layer["CompatibleRuntimes"] == ["python3.13"], name


def test_the_tables_are_brought_up_to_date_before_the_deployment_goes_on_and_it_fails_with_them(template: Read) -> None:
    built = template(STACK)
    (trigger,) = of_type(built, "Custom::Trigger").values()
    assert trigger["InvocationType"] == "RequestResponse", "the deployment waits for the answer"
    seconds = of_type(built, "AWS::Lambda::Function")["OrderSchemaFunction"]["Timeout"]
    assert trigger["Timeout"] == str(seconds * 1000), "as long as the function may take, in milliseconds"
    assert trigger["ExecuteOnHandlerChange"] is True, "a new migration is a new version of the function"


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
    "ImagePipelineCheck": {
        ("s3:GetObject", "<the bucket>/media/uploads/checked/*"),
        ("s3:DeleteObject", "<the bucket>/media/uploads/checked/*"),
        ("s3:PutObject", "<the bucket>/media/thumbnails/*"),
        ("s3:PutObject", "<the bucket>/quarantine/*"),
        *((f"dynamodb:{verb}Item", "<the catalog>") for verb in ("Get", "Put", "Update")),
        ("dynamodb:Query", "<the catalog>/index/ByCategory"),
        ("sns:Publish", "<StaffAlarmsTopic>"),
        ("rekognition:DetectLabels", "*"),
        ("rekognition:DetectModerationLabels", "*"),
    },
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
RECEIVES = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage")
NETWORK = (
    "AssignPrivateIpAddresses",
    "CreateNetworkInterface",
    "DeleteNetworkInterface",
    "DescribeNetworkInterfaces",
    "DescribeSubnets",
    "UnassignPrivateIpAddresses",
)


@pytest.mark.parametrize("owner", RIGHTS)
def test_a_function_may_do_what_it_does_and_no_more(template: Read, owner: str) -> None:
    (policy,) = of_type(template(STACK), "AWS::IAM::Policy", f"{owner}RoleDefaultPolicy").values()
    found = {(action, _of_phase_1(arn)) for action, arn in rights(policy)}
    expected = {
        *RIGHTS[owner],
        *((f"logs:{verb}", f"<{owner}Logs.Arn>") for verb in ("CreateLogStream", "PutLogEvents")),
    }
    if owner in QUEUES:
        expected |= {(f"sqs:{verb}", f"<{QUEUES[owner]}.Arn>") for verb in RECEIVES}
    if owner in ("OrderSchema", "OrderPipelineWorker"):
        expected |= {(f"ec2:{verb}", "*") for verb in NETWORK}
    assert found == expected


def _of_phase_1(arn: str) -> str:
    """An ARN in which phase 1's bucket and table are named without the hashes in the name of its output."""
    for part, name in ((PICTURE_BUCKET, "<the bucket>"), (CATALOG, "<the catalog>")):
        arn = re.sub(rf"<PublishOutput\w*{part}\w*>", name, arn)
    return arn


def test_the_function_for_pictures_ends_at_its_keys_of_the_catalog(template: Read) -> None:
    """Orders, customers and staff are in the same table."""
    (policy,) = of_type(template(STACK), "AWS::IAM::Policy", "ImagePipelineCheckRoleDefaultPolicy").values()
    keys = {
        action: statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
        if action.startswith("dynamodb:")
    }
    assert keys == {
        "dynamodb:GetItem": ["PICTURE#*"],
        "dynamodb:PutItem": ["PICTURE#*"],
        "dynamodb:UpdateItem": ["PICTURE#*", "PRODUCT#*"],
        "dynamodb:Query": ["MENU", "RETIRED"],
    }


@pytest.mark.parametrize("owner", QUEUES)
def test_a_queue_is_worked_off_by_its_function(template: Read, owner: str) -> None:
    (mapping,) = of_type(template(STACK), "AWS::Lambda::EventSourceMapping", f"{owner}Function").values()
    assert as_text(mapping["EventSourceArn"]) == f"<{QUEUES[owner]}.Arn>"
    assert as_text(mapping["FunctionName"]) == f"<{owner}Function>"
    assert mapping["BatchSize"] == 10
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 5 if owner == "OrderPipelineWorker" else 2}
