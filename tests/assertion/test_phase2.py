"""Phase 2 as a stack: what a student sees of it, how its parts are joined, and in which order they are made."""

from __future__ import annotations

import json

import pytest

from brewhaven.mutate.references import all_needed, needs
from tests.assertion.phase2 import STACK, Read, as_text, of_type, rights, without_hash

FOUNDATION = "BrewHaven-Phase1-Foundation"
NOBODY = ("255.255.255.255/32", "icmp", 252, 86)
"""The one rule that the CDK gives a group which is to call nobody: messages that do not exist, to no address."""

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


@pytest.mark.parametrize("policy", ["DeletionPolicy", "UpdateReplacePolicy"])
def test_nothing_is_kept_when_the_stack_goes_or_a_resource_is_replaced(template: Read, policy: str) -> None:
    kept = [name for name, one in template(STACK)["Resources"].items() if one.get(policy, "Delete") != "Delete"]
    assert [name for name in kept if "Version" not in name] == [], "a version of a function costs nothing"


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


def test_the_parameter_has_the_name_under_which_phase_1s_shop_looks_for_it(template: Read) -> None:
    (parameter,) = of_type(template(STACK), "AWS::SSM::Parameter").values()
    (task,) = of_type(template(FOUNDATION), "AWS::ECS::TaskDefinition").values()
    said = {one["Name"]: one["Value"] for one in task["ContainerDefinitions"][0]["Environment"]}
    assert parameter["Name"] == said["SHOP_CONFIG_PARAMETER"]


def test_the_database_has_the_courses_name_after_which_rds_calls_its_log_group(template: Read) -> None:
    (instance,) = of_type(template(STACK), "AWS::RDS::DBInstance").values()
    assert instance["DBInstanceIdentifier"] == "brew-haven-orders"
    logs = of_type(template(STACK), "AWS::Logs::LogGroup")["OrderDatabaseLogs"]
    assert logs["LogGroupName"] == f"/aws/rds/instance/{instance['DBInstanceIdentifier']}/postgresql"


def test_the_caches_users_and_their_group_have_the_courses_name(template: Read) -> None:
    """They are the whole account's, so a student's begin with the student's prefix."""
    users = of_type(template(STACK), "AWS::ElastiCache::User")
    assert {one["UserName"]: one["UserId"] for one in users.values()} == {
        "shop": "brew-haven-shop",
        "default": "brew-haven-default",
    }
    (group,) = of_type(template(STACK), "AWS::ElastiCache::UserGroup").values()
    assert group["UserGroupId"] == "brew-haven"


def test_the_caches_password_is_its_own_and_not_the_databases(template: Read) -> None:
    for name, user in of_type(template(STACK), "AWS::ElastiCache::User").items():
        (password,) = user["AuthenticationMode"]["Passwords"]
        assert "<ShopCacheSecret>" in as_text(password), name


KEYS = {
    "OrderPipelineSeen": {"id": "HASH"},
    "OrderSubscribersFollowUps": {"pk": "HASH", "sk": "RANGE"},
}


@pytest.mark.parametrize("table", KEYS)
def test_a_table_has_the_keys_by_which_its_functions_find_items_and_costs_by_the_request(
    template: Read, table: str
) -> None:
    found = of_type(template(STACK), "AWS::DynamoDB::GlobalTable")[table]
    assert {one["AttributeName"]: one["KeyType"] for one in found["KeySchema"]} == KEYS[table]
    assert {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]} == dict.fromkeys(
        KEYS[table], "S"
    )
    assert found["BillingMode"] == "PAY_PER_REQUEST"
    assert [replica["Region"] for replica in found["Replicas"]] == ["us-east-1"], "where the stack is"
    assert found["TimeToLiveSpecification"]["Enabled"] is True, "items go by themselves when their time is over"


def test_follow_ups_can_be_put_back_to_any_moment_of_a_week(template: Read) -> None:
    (replica,) = of_type(template(STACK), "AWS::DynamoDB::GlobalTable")["OrderSubscribersFollowUps"]["Replicas"]
    assert replica["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True,
        "RecoveryPeriodInDays": 7,
    }


def test_what_only_answers_calls_nobody(template: Read) -> None:
    """A security group that is given no rule at all lets everything out."""
    groups = of_type(template(STACK), "AWS::EC2::SecurityGroup")
    assert groups.keys() - {"PrivateFunctionsSecurityGroup"} == {
        "OrderDatabaseSecurityGroup",
        "ShopCacheSecurityGroup",
        "PrivateFunctionsEndpointSecurityGroup",
    }
    for name, group in groups.items():
        if name != "PrivateFunctionsSecurityGroup":
            (out,) = group["SecurityGroupEgress"]
            assert (out["CidrIp"], out["IpProtocol"], out["FromPort"], out["ToPort"]) == NOBODY, name


def test_the_endpoints_admit_functions_and_shop_at_https_alone(template: Read) -> None:
    doors = of_type(template(STACK), "AWS::EC2::SecurityGroup")["PrivateFunctionsEndpointSecurityGroup"]
    callers = [as_text(rule["SourceSecurityGroupId"]) for rule in doors["SecurityGroupIngress"]]
    assert len(callers) == 3
    assert {(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in doors["SecurityGroupIngress"]} == {
        ("tcp", 443, 443)
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
