"""OrderDatabase, its client's network and its schema: shut, encrypted, verified, and up to date by itself."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Match, Template

from brew_constructs.database_alarms import DatabaseAlarms
from brew_constructs.order_database import OrderDatabase
from brew_constructs.order_schema import OrderSchema
from brew_constructs.private_functions import PrivateFunctions
from brew_constructs.python_layer import PythonLayer
from brew_constructs.shop_network import ShopNetwork
from brew_constructs.staff_alarms import StaffAlarms

INSTANCE = "AWS::RDS::DBInstance"


def whole(stack: Stack, **options: Any) -> None:
    """The database with everything that belongs to it, and a neighbour in the network."""
    vpc = ShopNetwork(stack, "ShopNetwork").vpc
    neighbour = ec2.SecurityGroup(stack, "Neighbour", vpc=vpc)
    database = OrderDatabase(stack, "OrderDatabase", vpc=vpc, name="s01-orders", **options)
    network = PrivateFunctions(stack, "PrivateFunctions", vpc=vpc, database=database, neighbours=[neighbour])
    OrderSchema(stack, "OrderSchema", database=database, network=network, libraries=PythonLayer(stack, "Layer"))
    DatabaseAlarms(stack, "DatabaseAlarms", database=database, alarms=StaffAlarms(stack, "StaffAlarms"))


@pytest.fixture(scope="module")
def default(synthesize_alone: Callable[..., Template]) -> Template:
    return synthesize_alone(whole)


@pytest.fixture(scope="module")
def everything(synthesize_alone: Callable[..., Template]) -> Template:
    """Every option that can be had at the same time."""
    return synthesize_alone(
        lambda stack: whole(
            stack,
            multi_az=True,
            replica=True,
            proxy=True,
            snapshot="before-the-mistake",
            removal_policy=RemovalPolicy.SNAPSHOT,
        )
    )


def named(template: Template, kind: str, beginning: str) -> dict[str, Any]:
    """The one resource of a type whose id begins so."""
    found = [one for name, one in template.find_resources(kind).items() if name.startswith(beginning)]
    assert len(found) == 1, f"{beginning}: {len(found)}"
    return dict(found[0])


def group(template: Template, beginning: str) -> dict[str, Any]:
    """A reference to the security group whose id begins so."""
    (name,) = [
        name
        for name in template.find_resources("AWS::EC2::SecurityGroup")
        if name.startswith(f"{beginning}SecurityGroup")
    ]
    return {"Fn::GetAtt": [name, "GroupId"]}


# The instance


def test_it_is_the_smallest_postgresql_16_in_one_zone(default: Template) -> None:
    default.resource_count_is(INSTANCE, 1)
    default.has_resource_properties(
        INSTANCE,
        {
            "Engine": "postgres",
            "EngineVersion": "16",
            "AutoMinorVersionUpgrade": True,
            "DBInstanceClass": "db.t4g.micro",
            "MultiAZ": False,
            "AllocatedStorage": "20",
            "StorageType": "gp3",
            "DBInstanceIdentifier": "s01-orders",
            "DBName": "brewhaven",
        },
    )


def test_nobody_from_outside_reaches_it_and_its_data_is_encrypted(default: Template) -> None:
    default.has_resource_properties(INSTANCE, {"PubliclyAccessible": False, "StorageEncrypted": True})
    subnets = named(default, "AWS::RDS::DBSubnetGroup", "OrderDatabase")["Properties"]["SubnetIds"]
    assert len(subnets) == 2
    assert all(subnet["Ref"].startswith("ShopNetworkVpcIsolated") for subnet in subnets)


def test_it_listens_where_its_rules_lead_in_the_isolated_subnets(default: Template) -> None:
    (subnets,) = default.find_resources("AWS::RDS::DBSubnetGroup")
    instance = named(default, INSTANCE, "OrderDatabase")["Properties"]
    assert instance["DBSubnetGroupName"] == {"Ref": subnets}, "else it is made in the account's default network"
    assert instance["Port"] == "5432"


def test_a_snapshot_says_whose_it_is(default: Template) -> None:
    default.has_resource_properties(INSTANCE, {"CopyTagsToSnapshot": True})


def test_it_speaks_tls_only_and_tells_what_is_slow(default: Template) -> None:
    default.has_resource_properties(
        "AWS::RDS::DBParameterGroup",
        {
            "Family": "postgres16",
            "Parameters": {
                "rds.force_ssl": "1",
                "log_connections": "1",
                "log_min_duration_statement": "500",
                "idle_in_transaction_session_timeout": "60000",
            },
        },
    )
    assert "Ref" in named(default, INSTANCE, "OrderDatabase")["Properties"]["DBParameterGroupName"]


def test_it_is_backed_up_for_a_week_and_leaves_nothing_behind(default: Template) -> None:
    default.has_resource_properties(INSTANCE, {"BackupRetentionPeriod": 7, "DeleteAutomatedBackups": True})
    default.has_resource(INSTANCE, {"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"})


def test_its_log_group_is_made_before_it_and_goes_with_the_stack(default: Template) -> None:
    logs = named(default, "AWS::Logs::LogGroup", "OrderDatabase")
    assert logs["Properties"] == {"LogGroupName": "/aws/rds/instance/s01-orders/postgresql", "RetentionInDays": 7}
    assert logs["DeletionPolicy"] == "Delete"
    instance = named(default, INSTANCE, "OrderDatabase")
    assert instance["Properties"]["EnableCloudwatchLogsExports"] == ["postgresql"]
    assert any(name.startswith("OrderDatabaseLogs") for name in instance["DependsOn"])


def test_its_password_is_generated_and_stands_nowhere(default: Template) -> None:
    default.has_resource_properties(
        "AWS::SecretsManager::Secret",
        {
            "GenerateSecretString": Match.object_like(
                {
                    "GenerateStringKey": "password",
                    "SecretStringTemplate": '{"username":"brewhaven"}',
                    "PasswordLength": 30,
                }
            ),
            "SecretString": Match.absent(),
        },
    )
    password = named(default, INSTANCE, "OrderDatabase")["Properties"]["MasterUserPassword"]
    (secret,) = default.find_resources("AWS::SecretsManager::Secret")
    assert password == {"Fn::Join": ["", ["{{resolve:secretsmanager:", {"Ref": secret}, ":SecretString:password::}}"]]}
    assert named(default, INSTANCE, "OrderDatabase")["Properties"]["MasterUsername"] == "brewhaven"
    default.has_resource_properties("AWS::SecretsManager::SecretTargetAttachment", {"TargetType": INSTANCE})


def test_its_password_has_no_character_that_rds_refuses_and_every_letter(default: Template) -> None:
    (secret,) = default.find_resources("AWS::SecretsManager::Secret").values()
    excluded = secret["Properties"]["GenerateSecretString"]["ExcludeCharacters"]
    assert set('/@" ') <= set(excluded), "with one of them the instance is not made, once in a while"
    assert not any(character.isalnum() for character in excluded)


def test_cfn_lints_word_about_the_major_version_is_answered_at_the_instance_alone(default: Template) -> None:
    metadata = named(default, INSTANCE, "OrderDatabase")["Metadata"]
    assert metadata["cfn-lint"] == {"config": {"ignore_checks": ["W3691"]}}


# Options


def test_a_standby_is_one_word(everything: Template) -> None:
    assert named(everything, INSTANCE, "OrderDatabaseInstance")["Properties"]["MultiAZ"] is True


def test_a_replica_reads_from_it_behind_the_same_wall(everything: Template) -> None:
    replica = named(everything, INSTANCE, "OrderDatabaseReplica")["Properties"]
    assert replica["SourceDBInstanceIdentifier"]["Fn::Join"][1][-1] == {
        "Ref": next(name for name in everything.find_resources(INSTANCE) if "Replica" not in name)
    }
    assert replica["DBInstanceIdentifier"].endswith("-replica")
    assert replica["VPCSecurityGroups"] == [group(everything, "OrderDatabase")]
    assert replica["PubliclyAccessible"] is False


def test_from_a_snapshot_it_is_another_instance_with_a_name_and_a_password_of_its_own(everything: Template) -> None:
    instance = named(everything, INSTANCE, "OrderDatabaseInstance")["Properties"]
    assert instance["DBSnapshotIdentifier"] == "before-the-mistake"
    assert instance["DBInstanceIdentifier"].startswith("s01-orders-")
    assert "DBName" not in instance
    assert "MasterUsername" not in instance
    assert instance["MasterUserPassword"]["Fn::Join"][1][0] == "{{resolve:secretsmanager:"


def test_a_last_snapshot_is_taken_when_it_is_asked_for(everything: Template) -> None:
    assert named(everything, INSTANCE, "OrderDatabaseInstance")["DeletionPolicy"] == "Snapshot"
    assert named(everything, INSTANCE, "OrderDatabaseReplica")["DeletionPolicy"] == "Delete"


def test_a_proxy_speaks_tls_and_stands_between(everything: Template) -> None:
    everything.has_resource_properties(
        "AWS::RDS::DBProxy", {"RequireTLS": True, "EngineFamily": "POSTGRESQL", "VpcSubnetIds": Match.any_value()}
    )
    proxy = {"Fn::GetAtt": [next(iter(everything.find_resources("AWS::RDS::DBProxy"))), "Endpoint"]}
    assert function(everything)["Environment"]["Variables"]["PGHOST"] == proxy
    wall = group(everything, "OrderDatabaseProxy")
    rules = everything.find_resources("AWS::EC2::SecurityGroupIngress").values()
    into = {json.dumps(rule["Properties"]["GroupId"]) for rule in rules}
    assert {json.dumps(wall), json.dumps(group(everything, "OrderDatabase"))} <= into
    assert any(rule["Properties"]["SourceSecurityGroupId"] == wall for rule in rules)


# Who reaches it


def test_it_admits_named_groups_at_one_port_and_calls_nobody(default: Template) -> None:
    wall = named(default, "AWS::EC2::SecurityGroup", "OrderDatabaseSecurityGroup")["Properties"]
    assert "SecurityGroupIngress" not in wall
    assert wall["SecurityGroupEgress"][0]["CidrIp"] == "255.255.255.255/32", "which is nobody"
    rule = named(default, "AWS::EC2::SecurityGroupIngress", "PrivateFunctionsIntoDatabase")["Properties"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) == (5432, 5432, "tcp")
    assert rule["GroupId"] == group(default, "OrderDatabase")
    assert rule["SourceSecurityGroupId"] == group(default, "PrivateFunctions")


def test_functions_call_the_database_and_https_and_nothing_else(default: Template) -> None:
    functions = named(default, "AWS::EC2::SecurityGroup", "PrivateFunctionsSecurityGroup")["Properties"]
    assert "SecurityGroupIngress" not in functions
    assert [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in functions["SecurityGroupEgress"]] == [
        ("0.0.0.0/0", 443, 443)
    ]
    out = named(default, "AWS::EC2::SecurityGroupEgress", "PrivateFunctionsToDatabase")["Properties"]
    assert (out["FromPort"], out["ToPort"]) == (5432, 5432)
    assert out["DestinationSecurityGroupId"] == group(default, "OrderDatabase")


def test_secrets_have_a_door_in_one_zone_for_reading_in_this_account(default: Template) -> None:
    default.resource_count_is("AWS::EC2::VPCEndpoint", 3)  # S3 and DynamoDB are the network's own
    door = named(default, "AWS::EC2::VPCEndpoint", "PrivateFunctionsSecretsManager")["Properties"]
    assert door["ServiceName"] == "com.amazonaws.us-east-1.secretsmanager"
    assert door["PrivateDnsEnabled"] is True
    assert [subnet["Ref"] for subnet in door["SubnetIds"]] == [
        name for name in default.find_resources("AWS::EC2::Subnet") if name.startswith("ShopNetworkVpcIsolatedSubnet1")
    ]
    (statement,) = door["PolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
        "Resource": "arn:aws:secretsmanager:us-east-1:111122223333:secret:*",
        "Condition": {"StringEquals": {"aws:PrincipalAccount": "111122223333"}},
    }


def test_the_door_admits_the_neighbours_because_its_name_is_the_whole_networks(default: Template) -> None:
    doors = named(default, "AWS::EC2::SecurityGroup", "PrivateFunctionsEndpointSecurityGroup")["Properties"]
    neighbour = next(name for name in default.find_resources("AWS::EC2::SecurityGroup") if name.startswith("Neighbour"))
    assert [rule["SourceSecurityGroupId"] for rule in doors["SecurityGroupIngress"]] == [
        group(default, "PrivateFunctions"),
        {"Fn::GetAtt": [neighbour, "GroupId"]},
    ]
    assert {(rule["FromPort"], rule["ToPort"]) for rule in doors["SecurityGroupIngress"]} == {(443, 443)}


# The schema


def function(template: Template) -> dict[str, Any]:
    return dict(named(template, "AWS::Lambda::Function", "OrderSchemaFunction")["Properties"])


def test_the_schemas_function_is_told_where_and_reads_the_password_itself(default: Template) -> None:
    instance = next(iter(default.find_resources(INSTANCE)))
    attachment = next(iter(default.find_resources("AWS::SecretsManager::SecretTargetAttachment")))
    assert function(default)["Environment"]["Variables"] == {
        "PGHOST": {"Fn::GetAtt": [instance, "Endpoint.Address"]},
        "PGPORT": {"Fn::GetAtt": [instance, "Endpoint.Port"]},
        "PGDATABASE": "brewhaven",
        "PGSSLROOTCERT": "/opt/certs/rds-global-bundle.pem",
        "DATABASE_SECRET_ARN": {"Ref": attachment},
    }
    assert function(default)["VpcConfig"]["SecurityGroupIds"] == [group(default, "PrivateFunctions")]
    assert len(function(default)["Layers"]) == 1


def test_its_role_reads_one_secret_writes_its_log_and_connects_itself(default: Template) -> None:
    statements = named(default, "AWS::IAM::Policy", "OrderSchemaRole")["Properties"]["PolicyDocument"]["Statement"]
    attachment = next(iter(default.find_resources("AWS::SecretsManager::SecretTargetAttachment")))
    actions = {
        action
        for one in statements
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    }
    assert {action.split(":")[0] for action in actions} == {"logs", "ec2", "secretsmanager"}
    secret = next(one for one in statements if "secretsmanager:GetSecretValue" in one["Action"])
    assert secret["Resource"] == {"Ref": attachment}
    network = next(one for one in statements if one.get("Sid") == "NetworkInterfaces")
    assert all(
        "NetworkInterface" in action or "Subnets" in action or "Addresses" in action for action in network["Action"]
    )


def test_it_runs_after_the_database_its_rules_and_its_door(default: Template) -> None:
    waits = set(named(default, "Custom::Trigger", "OrderSchemaFunctionTrigger")["DependsOn"])
    for kind, beginning in (
        (INSTANCE, "OrderDatabase"),
        ("AWS::EC2::SecurityGroupIngress", "PrivateFunctionsIntoDatabase"),
        ("AWS::EC2::SecurityGroupEgress", "PrivateFunctionsToDatabase"),
        ("AWS::EC2::VPCEndpoint", "PrivateFunctionsSecretsManager"),
    ):
        (name,) = [name for name in default.find_resources(kind) if name.startswith(beginning)]
        assert name in waits


def test_it_runs_again_with_another_database_and_not_otherwise(
    default: Template, everything: Template, synthesize_alone: Callable[..., Template]
) -> None:
    def version(template: Template) -> str:
        return str(named(template, "Custom::Trigger", "OrderSchemaFunctionTrigger")["Properties"]["HandlerArn"]["Ref"])

    assert version(synthesize_alone(whole)) == version(default)
    assert version(everything) != version(default)
    restored = synthesize_alone(lambda stack: whole(stack, snapshot="another"))
    assert version(restored) not in {version(default), version(everything)}


# Alarms


def alarms(template: Template) -> dict[str, dict[str, Any]]:
    """What is alarmed, by metric."""
    found = template.find_resources("AWS::CloudWatch::Alarm").values()
    return {one["Properties"]["MetricName"]: one["Properties"] for one in found}


def test_what_a_small_database_runs_out_of_is_alarmed(default: Template) -> None:
    found = alarms(default)
    assert {name: (one["Threshold"], one["ComparisonOperator"]) for name, one in found.items()} == {
        "DatabaseConnections": (60, "GreaterThanOrEqualToThreshold"),
        "FreeStorageSpace": (4_000_000_000, "LessThanOrEqualToThreshold"),
        "CPUCreditBalance": (20, "LessThanOrEqualToThreshold"),
    }
    for one in found.values():
        assert one["AlarmActions"] == one["OKActions"] != []
        assert len(one["AlarmDescription"].split()) > 8, "it says what is wrong and where to look"
        assert one["TreatMissingData"] == "notBreaching"


def test_a_replicas_lag_is_alarmed_when_there_is_one(default: Template, everything: Template) -> None:
    assert "ReplicaLag" not in alarms(default)
    assert alarms(everything)["ReplicaLag"]["Threshold"] == 30


def test_alarms_may_speak_and_over_tls_alone(default: Template) -> None:
    (policy,) = default.find_resources("AWS::SNS::TopicPolicy").values()
    statements = {one["Sid"]: one for one in policy["Properties"]["PolicyDocument"]["Statement"]}
    assert statements["AllowPublishThroughSSLOnly"]["Effect"] == "Deny"
    assert statements["AlarmsOfThisAccount"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statements["AlarmsOfThisAccount"]["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}
    default.resource_count_is("AWS::SNS::Subscription", 0)


def test_somebody_may_be_told_by_mail(synthesize_alone: Callable[..., Template]) -> None:
    template = synthesize_alone(lambda stack: StaffAlarms(stack, "StaffAlarms", email="staff@example.com"))
    template.has_resource_properties("AWS::SNS::Subscription", {"Protocol": "email", "Endpoint": "staff@example.com"})
