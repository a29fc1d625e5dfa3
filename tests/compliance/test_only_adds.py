"""Lessons and phases only add: what was deployed stays as it is, and what holds data is never replaced."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ssm as ssm
from aws_cdk.aws_lambda_event_sources import DynamoEventSource

from brewhaven.course import load
from stacks.course import all_lessons
from stacks.lessons import Lesson
from stacks.phase1_foundation import Phase1Foundation
from stacks.phase_stack import PhaseStack
from stacks.settings import Settings
from tests.phases import LESSONS, PHASES, WHOLE, name_of, stack_of

PHASE1 = "BrewHaven-Phase1-Foundation"

STATEFUL = {
    "AWS::DynamoDB::GlobalTable",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
    "AWS::EC2::VPC",
    "AWS::EC2::Subnet",
    "AWS::Logs::LogGroup",
    "AWS::RDS::DBInstance",
    "AWS::RDS::DBSubnetGroup",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::SQS::Queue",
    "AWS::SNS::Topic",
}

# Properties whose change would replace one of these.
IDENTITY = (
    "KeySchema", "TableName", "BucketName", "Name", "CidrBlock", "LogGroupName", "QueueName", "TopicName",
    "DBInstanceIdentifier", "DBName", "DBSubnetGroupName", "DBSnapshotIdentifier", "MasterUsername", "StorageEncrypted",
    "SubnetIds", "ReplicationGroupId", "CacheSubnetGroupName", "TransitEncryptionEnabled", "AtRestEncryptionEnabled",
)  # fmt: skip

# What a lesson changes of an earlier one, in place: the resource (the beginning of its id) and the properties.
IN_PLACE: dict[str, dict[str, set[str]]] = {
    "1.2": {"CatalogTable": {"AttributeDefinitions", "GlobalSecondaryIndexes", "Replicas"}},
    "1.4": {"CatalogTable": {"AttributeDefinitions", "GlobalSecondaryIndexes", "Replicas"}},
    "1.7": {
        "StaffRolesBarista": {"PermissionsBoundary"},
        "StaffRolesManager": {"PermissionsBoundary"},
        "StaffRolesAuditor": {"PermissionsBoundary"},
    },
    # What the shop is told, and what it may: `attributes` is what the parameter waits for.
    "2.4": {"StorefrontSwitchParameter": {"Value", "attributes"}, "StorefrontSwitchShopMay": {"PolicyDocument"}},
    "2.5": {"StorefrontSwitchParameter": {"Value", "attributes"}, "StorefrontSwitchShopMay": {"PolicyDocument"}},
}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, set[str]]:
    """What differs for those who have `before`: resource or section -> changed properties, `removed` or `attributes`.

    New resources are no change, and neither are outputs nor the description, which names the lesson.
    """
    found: dict[str, set[str]] = {}
    for name, old in before["Resources"].items():
        new = after["Resources"].get(name)
        if new is None:
            found[name] = {"removed"}
        elif new != old:
            ours, theirs = old.get("Properties", {}), new.get("Properties", {})
            found[name] = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
            if {**old, "Properties": None} != {**new, "Properties": None}:
                found[name].add("attributes")
    for section in before.keys() - {"Resources", "Outputs", "Description"}:
        if before[section] != after.get(section):
            found[section] = {"section"}
    return found


NEIGHBOURS = [(earlier, later) for earlier, later in pairwise(LESSONS) if earlier.phase == later.phase]
LATER = [lesson for lesson in LESSONS if lesson.phase > 1]


def named(lesson: Any) -> str:
    return str(lesson.id)


@pytest.mark.parametrize(("earlier", "later"), NEIGHBOURS, ids=named)
def test_a_lesson_changes_nothing_of_the_one_before_but_what_is_named_here(
    template: Callable[..., dict[str, Any]], earlier: Lesson, later: Lesson
) -> None:
    before, after = (template(stack_of(later), lesson=lesson.id) for lesson in (earlier, later))
    expected = IN_PLACE.get(later.id, {})
    found = changes(before, after)
    assert len(found) == len(expected), found
    for beginning, properties in expected.items():
        name = next(name for name in found if name.startswith(beginning))
        assert found[name] <= properties


@pytest.mark.parametrize(("earlier", "later"), NEIGHBOURS, ids=named)
def test_a_lesson_adds_something(template: Callable[..., dict[str, Any]], earlier: Lesson, later: Lesson) -> None:
    before, after = (template(stack_of(later), lesson=lesson.id) for lesson in (earlier, later))
    assert {**before, "Description": ""} != {**after, "Description": ""}


@pytest.mark.parametrize("lesson", LATER, ids=named)
def test_a_lesson_changes_nothing_of_the_phases_before(template: Callable[..., dict[str, Any]], lesson: Lesson) -> None:
    for phase in PHASES[: lesson.phase - 1]:
        alone = template(name_of(phase), phase=str(phase.phase))
        assert changes(alone, template(name_of(phase), lesson=lesson.id)) == {}


def test_a_lesson_creates_at_most_one_index(template: Callable[..., dict[str, Any]]) -> None:
    counts = []
    for lesson in Phase1Foundation.lessons:
        resources = template(PHASE1, lesson=lesson.id)["Resources"].values()
        table = next(one for one in resources if one["Type"] == "AWS::DynamoDB::GlobalTable")
        counts.append(len(table["Properties"].get("GlobalSecondaryIndexes", [])))
    assert counts[0] == 0
    declared = [lesson.adds_index for lesson in load().lessons if lesson.id.startswith("1.")]
    assert [later > earlier for earlier, later in pairwise(counts)] == declared[1:], "phase.toml says another thing"
    assert all(later - earlier in {0, 1} for earlier, later in pairwise(counts)), "CloudFormation makes one an update"


@pytest.mark.parametrize("phase", PHASES, ids=name_of)
def test_what_holds_data_keeps_its_id_and_its_keys_through_all_lessons(
    template: Callable[..., dict[str, Any]], phase: type[PhaseStack]
) -> None:
    seen: dict[str, Any] = {}
    for lesson in phase.lessons:
        resources = template(name_of(phase), lesson=lesson.id)["Resources"]
        for name, resource in resources.items():
            if resource["Type"] not in STATEFUL:
                continue
            properties = resource.get("Properties", {})
            identity = {key: properties.get(key) for key in IDENTITY}
            assert seen.setdefault(name, identity) == identity
        assert seen.keys() <= resources.keys()
    assert seen


@pytest.mark.parametrize("phase", PHASES, ids=name_of)
def test_a_phase_alone_is_what_it_is_with_all_later_ones(
    assembly: Callable[..., Path], template: Callable[..., dict[str, Any]], phase: type[PhaseStack]
) -> None:
    alone = sorted(path.name for path in assembly(phase=str(phase.phase)).glob("*.template.json"))
    assert len(alone) == phase.phase
    for name in alone:
        stack = name.removesuffix(".template.json")
        assert changes(template(stack, phase=str(phase.phase)), template(stack, **WHOLE)) == {}


def test_the_comparison_sees_what_it_must() -> None:
    def with_bucket(**resource: Any) -> dict[str, Any]:
        return {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", **resource}}, "Outputs": {"New": 1}}

    before = {**with_bucket(Properties={"A": 1, "B": 2}), "Outputs": {}}
    assert changes(before, with_bucket(Properties={"A": 1, "B": 2})) == {}
    assert changes(before, with_bucket(Properties={"A": 1, "B": 3})) == {"Bucket": {"B"}}
    assert changes(before, with_bucket(Properties={"A": 1})) == {"Bucket": {"B"}}
    assert changes(before, with_bucket(Properties={"A": 1, "B": 2}, DependsOn="X")) == {"Bucket": {"attributes"}}
    assert changes(before, {"Resources": {}}) == {"Bucket": {"removed"}}
    assert changes({**before, "Conditions": {"C": 1}}, before) == {"Conditions": {"section"}}


# The seam: what a later phase will do to this one


def later_phase(new_app: Callable[..., Any], reach: Callable[[cdk.Stack, Phase1Foundation], object]) -> dict[str, Any]:
    """Phase 1's template when a later stack reaches into it with `reach`."""
    course = new_app()
    foundation = Phase1Foundation(course, settings=Settings.from_context(course.node, lessons=all_lessons()))
    reach(
        cdk.Stack(course, "Later", env=cdk.Environment(account=foundation.account, region=foundation.region)),
        foundation,
    )
    return course.synth().get_stack_by_name(PHASE1).template


def grants(later: cdk.Stack, foundation: Phase1Foundation) -> None:
    role = iam.Role(later, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    foundation.catalog.table.grant_read_write_data(role)
    foundation.assets.bucket.grant_read(role)
    foundation.runtime.session_secret.grant_read(role)
    foundation.storefront.log_group.grant_read(role)


def more_rights_for_the_shop(later: cdk.Stack, foundation: Phase1Foundation) -> None:
    statement = iam.PolicyStatement(
        actions=["sqs:SendMessage"], resources=["arn:aws:sqs:us-east-1:111122223333:orders"]
    )
    for number, role in enumerate((foundation.storefront.task_role, foundation.instance.role)):
        iam.Policy(later, f"ShopMay{number}", statements=[statement], roles=[role])


def a_database(later: cdk.Stack, foundation: Phase1Foundation) -> None:
    vpc = foundation.network.vpc
    group = ec2.SecurityGroup(later, "Database", vpc=vpc)
    group.add_ingress_rule(
        ec2.Peer.security_group_id(foundation.storefront.security_group.security_group_id), ec2.Port.tcp(5432)
    )
    cdk.CfnOutput(later, "Subnets", value=",".join(subnet.subnet_id for subnet in vpc.isolated_subnets))


def a_function_on_the_stream(later: cdk.Stack, foundation: Phase1Foundation) -> None:
    function = lambda_.Function(
        later,
        "Function",
        code=lambda_.Code.from_inline("def handler(event, context): pass"),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
        log_group=logs.LogGroup(later, "Logs"),
    )
    function.add_event_source(
        DynamoEventSource(foundation.catalog.table, starting_position=lambda_.StartingPosition.LATEST)
    )
    events.Rule(
        later,
        "Uploads",
        event_pattern=events.EventPattern(
            source=["aws.s3"], detail={"bucket": {"name": [foundation.assets.bucket.bucket_name]}}
        ),
        targets=[targets.LambdaFunction(function)],
    )


def the_parameter(later: cdk.Stack, foundation: Phase1Foundation) -> None:
    ssm.StringParameter(
        later, "Config", parameter_name=foundation.runtime.config_parameter_name, string_value='{"orders": "database"}'
    )


def an_alarm_and_an_endpoint(later: cdk.Stack, foundation: Phase1Foundation) -> None:
    foundation.storefront.load_balancer.metrics.target_response_time().create_alarm(
        later, "Slow", threshold=1, evaluation_periods=3
    )
    ec2.InterfaceVpcEndpoint(later, "Sqs", vpc=foundation.network.vpc, service=ec2.InterfaceVpcEndpointAwsService.SQS)


@pytest.mark.parametrize(
    "reach",
    [
        grants,
        more_rights_for_the_shop,
        a_database,
        a_function_on_the_stream,
        the_parameter,
        an_alarm_and_an_endpoint,
    ],
)
def test_a_later_phase_can_reach_this_one_without_changing_it(
    new_app: Callable[..., Any],
    template: Callable[..., dict[str, Any]],
    reach: Callable[[cdk.Stack, Phase1Foundation], object],
) -> None:
    assert changes(template(PHASE1), later_phase(new_app, reach)) == {}


def test_a_grant_to_the_shops_own_role_is_caught(
    new_app: Callable[..., Any], template: Callable[..., dict[str, Any]]
) -> None:
    """The mistake that the comparison is there for: it writes the later table into phase 1's policy."""

    def reach(later: cdk.Stack, foundation: Phase1Foundation) -> None:
        key = dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING)
        dynamodb.TableV2(later, "Table", partition_key=key).grant_read_data(foundation.storefront.task_role)

    found = changes(template(PHASE1), later_phase(new_app, reach))
    assert any(name.startswith("StorefrontTaskTaskRoleDefaultPolicy") for name in found)
